"""Quantization of a graph: weights onto integer, binary or ternary grids, inputs of products calibrated on data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.compress import grid
from neuromorph.compress.selection import Changes, Layer, all_layers, rebuild, select
from neuromorph.errors import InputError, Place
from neuromorph.graph.formats.uniform import Int, Ternary, Uniform
from neuromorph.graph.model import Graph, Node, NumberFormat

if TYPE_CHECKING:
    import torch

SAMPLED_VALUES = 1 << 18
"""How many values of one product's input percentile and MSE calibration look at, evenly spaced over the data."""

Fitter = Callable[[np.ndarray, np.ndarray | None], tuple[NumberFormat, np.ndarray]]


def quantize(
    graph: Graph,
    bits: int,
    *,
    activations: int | None = None,
    granularity: str = "tensor",
    scheme: str = "symmetric",
    activation_scheme: str | None = None,
    method: str = "minmax",
    percentile: float = 99.9,
    data: Any = None,
    layers: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] = (),
) -> Graph:
    """A graph whose weights lie exactly on uniform grids, with the formats set on its operators.

    bits: 1 to 16 for weights; 1 is `binarize`. granularity: one scale per "tensor" or per output "channel".
    scheme: "symmetric" (signed, restricted to -(2^(b-1)-1) .. 2^(b-1)-1) or "affine" (unsigned with an integer
    zero point); see `grid` for why, and for method "minmax", "percentile" and "mse". Zero is exact on every
    grid, pruned weights stay 0. Biases stay in floating point: accumulators are wider than operands. Weights
    that already lie on a grid of this kind are kept as they are. Arrays of a recurrent cell that share one
    matrix share its scales.

    activations: bits for the input of every matrix product of the chosen layers, 1 to 16, one scale per
    tensor, fitted by the same method on `data` (batch, *shape; or one array per input of the network) with
    weights quantized and other inputs exact. The grid is unsigned where no input was negative; activation_scheme
    defaults to scheme. Minmax looks at every value, the other methods at up to 2^18 evenly spaced ones.

    Raises InputError for a bad argument, NaN weights or data, and activations without data.
    """
    scheme_of_inputs = scheme if activation_scheme is None else activation_scheme
    _check_arguments(bits, activations, granularity, scheme, scheme_of_inputs, method, percentile, data)
    chosen = select(graph, layers, exclude)
    axis = 0 if granularity == "channel" else None
    if bits == 1:
        result = on_formats(graph, chosen, lambda w, m: _binary(w, m, axis))
    else:

        def uniform(weight: np.ndarray, mask: np.ndarray | None) -> tuple[NumberFormat, np.ndarray]:
            how = {"scheme": scheme, "method": method, "percentile": percentile, "axis": axis, "mask": mask}
            number_format = grid.fit(weight, bits, **how)  # type: ignore[arg-type]
            return number_format, grid.snap(weight, number_format, mask)

        result = on_formats(graph, chosen, uniform, Int(bits, scheme == "symmetric", axis=axis))
    if activations is None:
        return result
    names = {e.node.name for e in chosen}
    return calibrate(result, activations, data, scheme_of_inputs, method, percentile, names)


def _check_arguments(
    bits: int,
    activations: int | None,
    granularity: str,
    scheme: str,
    activation_scheme: str,
    method: str,
    percentile: float,
    data: Any,
) -> None:
    grid.check_bits(bits)
    grid.check_choice("granularity", granularity, grid.GRANULARITIES)
    grid.check_choice("scheme", scheme, grid.SCHEMES)
    grid.check_choice("activation_scheme", activation_scheme, grid.SCHEMES)
    grid.check_choice("method", method, grid.METHODS)
    grid.check_percentile(percentile)
    if bits == 1 and scheme != "symmetric":
        raise InputError("1 bit means binarization, which is symmetric", Place(key="scheme"), "scheme=symmetric")
    if activations is not None:
        grid.check_bits(activations, "activations")
        if data is None:
            raise InputError(
                f"activations={activations} needs data to calibrate on", Place(key="data"), "a batch of typical inputs"
            )


def binarize(
    graph: Graph,
    *,
    granularity: str = "channel",
    layers: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] = (),
) -> Graph:
    """A graph with weights sign(w) * mean |w|, the mean over the unpruned weights of a channel or tensor.

    sign(0) = +1. The rule of XNOR-Net, see `grid.fit_binary`. Pruned weights stay 0: the mask says so, the grid
    has no 0.
    """
    grid.check_choice("granularity", granularity, grid.GRANULARITIES)
    axis = 0 if granularity == "channel" else None
    return on_formats(graph, select(graph, layers, exclude), lambda w, m: _binary(w, m, axis))


def ternarize(
    graph: Graph,
    *,
    threshold: float = grid.TERNARY_THRESHOLD,
    granularity: str = "channel",
    layers: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] = (),
) -> Graph:
    """A graph with weights in {-1, 0, +1} * scale, 0 below threshold * mean |w|: ternary weight networks.

    The default threshold 0.7 and the scale are those of arXiv:1605.04711, see `grid.fit_ternary`. Weights that
    become 0 are not masked: they may come back in training. Ternary weights are kept as they are.
    """
    grid.check_choice("granularity", granularity, grid.GRANULARITIES)
    axis = 0 if granularity == "channel" else None

    def ternary(weight: np.ndarray, mask: np.ndarray | None) -> tuple[NumberFormat, np.ndarray]:
        number_format, codes = grid.fit_ternary(weight, axis, mask, threshold)
        return number_format, grid.from_codes(codes, number_format)

    return on_formats(graph, select(graph, layers, exclude), ternary, Ternary(axis=axis))


def calibrate(
    graph: Graph,
    bits: int,
    data: Any,
    scheme: str = "symmetric",
    method: str = "minmax",
    percentile: float = 99.9,
    names: Iterable[str] | None = None,
) -> Graph:
    """A graph with the input format of every matrix product of these nodes (None: all) fitted on data.

    data: (batch, *shape), or one such array per input of the network in order or by name.
    """
    grid.check_bits(bits, "activations")
    wanted = {e.node.name for e in all_layers(graph)} if names is None else set(names)
    operators = {id(n.operator) for n in graph.nodes if n.name in wanted}
    cleared: Changes = {
        id(n.operator): {f: None for m in matrix_names(n) if getattr(n.operator, f := input_field(m)) is not None}
        for n in graph.nodes
        if id(n.operator) in operators
    }
    keys = {n.name: id(n.operator) for n in graph.nodes if id(n.operator) in operators}
    changes: Changes = {}
    for (key, matrix), seen in observe(rebuild(graph, cleared), data, keys).items():
        changes.setdefault(key, {})[input_field(matrix)] = seen.fitted(bits, scheme, method, percentile)
    return rebuild(graph, changes)


class Observed:
    """What went into one product: exact ends, and the values (thinned out evenly when there are too many)."""

    def __init__(self) -> None:
        self.low, self.high = 0.0, 0.0
        self.chunks: list[np.ndarray] = []
        self.stride, self.kept, self.phase = 1, 0, 0

    def see(self, values: np.ndarray) -> None:
        flat = values.ravel()
        if flat.size == 0:
            return
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        self.chunks.append(flat[self.phase :: self.stride].copy())
        self.phase = (self.phase - flat.size) % self.stride
        self.kept += self.chunks[-1].size
        while self.kept > SAMPLED_VALUES:
            joined = np.concatenate(self.chunks)
            if joined.size % 2:
                self.phase += self.stride  # the next even position lies one step further
            self.chunks, self.stride = [joined[::2].copy()], self.stride * 2
            self.kept = self.chunks[0].size

    @property
    def values(self) -> np.ndarray:
        """The lowest and the highest value, then those kept."""
        if not np.isfinite([self.low, self.high]).all():
            raise InputError("activations overflow on the calibration data", Place(key="data"))
        return np.concatenate([np.array([self.low, self.high]), *self.chunks]).astype(float)

    def fitted(self, bits: int, scheme: str, method: str, percentile: float) -> NumberFormat:
        values = self.values
        symmetric, signed = scheme == "symmetric", self.low < 0
        if bits == 1 and signed and symmetric:
            return grid.fit_binary(values[2:], axis=None)
        return grid.fit(
            values, bits, scheme=scheme, method=method, percentile=percentile, signed=signed or not symmetric
        )


def observe(graph: Graph, data: Any, keys: Mapping[str, int]) -> dict[tuple[int, str], Observed]:
    """Inputs of the products of these nodes, by (key, matrix), gathered in batches."""
    import torch

    from neuromorph.graph.evaluate import Evaluator, FloatHost

    observed: dict[tuple[int, str], Observed] = {}

    class Watching(FloatHost):
        """A host that multiplies exactly and looks at what it is given."""

        def __init__(self, node: Node) -> None:
            super().__init__(node.operator)
            self.key = keys[node.name]

        def _look(self, matrix: str, x: torch.Tensor) -> None:
            observed.setdefault((self.key, matrix), Observed()).see(x.detach().numpy())

        def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            self._look(matrix, x)
            return super().linear(matrix, x)

        def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
            self._look(matrix, x)
            return super().conv(matrix, x)

    inputs = _batches(graph, data)
    evaluator = Evaluator(graph, lambda node: Watching(node) if node.name in keys else None)
    with torch.no_grad():
        for batch in inputs:
            evaluator(batch)
    return observed


def _batches(graph: Graph, data: Any, size: int = 128) -> list[dict[str, Any]]:
    """Data as batches by input name; InputError where shapes do not match, values are not finite or none are given."""
    import torch

    if not isinstance(data, Mapping):
        given = list(data) if isinstance(data, list | tuple) and len(graph.input_shapes) > 1 else [data]
        if len(given) != len(graph.input_shapes):
            raise InputError(f"data has {len(given)} arrays, the network {len(graph.input_shapes)} inputs")
        data = dict(zip(graph.input_shapes, given, strict=True))
    if set(data) != set(graph.input_shapes):
        raise InputError(f"data names {sorted(data)}, inputs are {sorted(graph.input_shapes)}", Place(key="data"))
    arrays = {}
    for name, shape in graph.input_shapes.items():
        try:
            array = torch.as_tensor(np.array(data[name]) if isinstance(data[name], np.ndarray) else data[name])
        except (TypeError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())
            raise InputError(f"data for {name!r} is no array: {text}", Place(key="data")) from None
        array = array.detach().cpu()
        if not array.is_floating_point():
            hint = "scale it as in training, images of bytes by 1/255"
            raise InputError(f"data for {name!r} is of type {array.dtype}, not floating point", Place(key="data"), hint)
        if tuple(array.shape[1:]) != tuple(shape) or array.dim() != len(shape) + 1:
            wanted = ", ".join(["batch", *map(str, shape)])
            raise InputError(f"data for {name!r} has shape {tuple(array.shape)}, not ({wanted})", Place(key="data"))
        if array.shape[0] == 0:
            raise InputError(f"data for {name!r} holds no sample", Place(key="data"))
        if not bool(torch.isfinite(array).all()):
            raise InputError(f"data for {name!r} has NaN or infinite values", Place(key="data"))
        arrays[name] = array
    counts = {a.shape[0] for a in arrays.values()}
    if len(counts) != 1:
        raise InputError(f"inputs have different numbers of samples: {sorted(counts)}", Place(key="data"))
    return [{n: a[i : i + size] for n, a in arrays.items()} for i in range(0, counts.pop(), size)]


def matrix_names(node: Node) -> list[str]:
    weights = {s.weight: getattr(node.operator, s.weight) for s in node.operator.weight_slots}
    return list(node.operator.weight_matrices(weights))


def input_field(matrix: str) -> str:
    """The field that holds the format of a matrix's input: a cell with a second product keeps its own for that."""
    return "hidden_format" if matrix == "hidden" else "input_format"


def _binary(weight: np.ndarray, mask: np.ndarray | None, axis: int | None) -> tuple[NumberFormat, np.ndarray]:
    number_format = grid.fit_binary(weight, axis, mask)
    return number_format, grid.snap(weight, number_format, mask)


def on_formats(graph: Graph, chosen: list[Layer], fit: Fitter, like: Uniform | None = None) -> Graph:
    """Weights of the chosen layers as numbers of fitted formats; arrays that share a format are fitted as one matrix.

    like: weights that lie on a grid of this kind, bits, sign and axis already are left alone.
    """
    changes: Changes = {}
    units = {(id(e.operator), e.slot.format): e for e in chosen}
    for (key, format_field), layer in units.items():
        parts = [Layer(layer.node, s) for s in layer.operator.weight_slots if s.format == format_field]
        weight = np.concatenate([p.weight for p in parts], axis=1) if len(parts) > 1 else parts[0].weight
        mask = _joined_mask(parts)
        if like is not None and _is_like(layer.format, like) and grid.on_grid(weight, layer.format, mask):  # type: ignore[arg-type]
            continue
        number_format, snapped = fit(weight, mask)
        bounds = np.cumsum([p.weight.shape[1] for p in parts])[:-1]
        pieces = np.split(snapped, bounds, axis=1) if len(parts) > 1 else [snapped]
        fields = {p.slot.weight: piece for p, piece in zip(parts, pieces, strict=True)}
        changes.setdefault(key, {}).update(fields, **{format_field: number_format})
    return rebuild(graph, changes)


def _is_like(number_format: NumberFormat | None, like: Uniform) -> bool:
    """Whether a fitted format differs from an unfitted one in what was fitted alone."""
    if not isinstance(number_format, Uniform) or type(number_format) is not type(like) or number_format.scale is None:
        return False
    fitted = {n: getattr(number_format, n) for n in ("scale", "zero_point") if getattr(number_format, n) is not None}
    return replace(like, **fitted) == number_format


def _joined_mask(parts: list[Layer]) -> np.ndarray | None:
    if all(p.mask is None for p in parts):
        return None
    masks = [np.ones(p.weight.shape, dtype=bool) if p.mask is None else p.mask for p in parts]
    return np.concatenate(masks, axis=1) if len(parts) > 1 else masks[0]
