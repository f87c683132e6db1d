"""What a network does to data, counted in NeuroBench's vocabulary, whatever hardware may run it.

Definitions (Yik et al., The NeuroBench framework, Nature Communications 16, 2025, harness 2.x): a synaptic operation is
a pair of an input and a weight that meet. Dense counts all pairs, the effective ones those with neither zero. They are
accumulates (AC) where the layer's input of that sample and step holds nothing but -1, 0 and 1, and multiply-accumulates
(MAC) otherwise. Biases, pools and normalizations count nothing. Where the harness decides AC or MAC for a whole batch,
this decides for each sample, so that results do not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.graph.decode import over_time
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.progress import Progress

if TYPE_CHECKING:
    import torch

FLOAT_BYTES = 4
"""Bytes of a parameter as NeuroBench's networks store it (float32)."""


@dataclass(frozen=True)
class LayerWork:
    """One weight matrix of one node. Counts are means per sample over all its steps.

    inputs, outputs: elements of one step; steps: products of one sample. dense, macs, acs: synaptic operations, the
    last two effective. active: non-zero input elements; active_spikes: those in steps that count as ACs; met: synapses
    that these meet, zero weights included. spiking_steps: steps that count as ACs. uses: weight uses of one dense step,
    zeros of the padding included. fan_out: targets of one input element by the full kernel; fan_out_strided: with the
    stride taken into account.
    weights, zeros: stored weights and how many of them are 0; biases.
    """

    node: str
    matrix: str
    inputs: int
    outputs: int
    steps: float
    dense: float
    macs: float
    acs: float
    active: float
    active_spikes: float
    met: float
    spiking_steps: float
    uses: float
    fan_out: float
    fan_out_strided: float
    windowed: bool
    groups: int
    weights: int
    zeros: int
    biases: int


@dataclass(frozen=True)
class NeuronWork:
    """Outputs of one activation or neuron layer. neurons: elements of one step; active: non-zero outputs per sample in
    all steps; spiking: it holds state and emits spikes; leaky: its state decays."""

    node: str
    neurons: int
    steps: int
    active: float
    spiking: bool
    leaky: bool


@dataclass(frozen=True)
class Workload:
    """Counts of one network over data; layers and neurons in the network's order, means per sample."""

    samples: int
    layers: tuple[LayerWork, ...]
    neurons: tuple[NeuronWork, ...]
    parameters: int

    @property
    def footprint_bytes(self) -> int:
        """Bytes of all parameters in float32, zeros included."""
        return self.parameters * FLOAT_BYTES

    @property
    def connection_sparsity(self) -> float:
        """Zero weights over weights, to four digits as the harness rounds it."""
        weights = sum(w.weights for w in self.layers)
        return round(sum(w.zeros for w in self.layers) / weights, 4) if weights else 0.0

    @property
    def activation_sparsity(self) -> float:
        """Zero outputs over outputs of all activations and neurons."""
        total = sum(n.neurons * n.steps for n in self.neurons)
        return 1.0 - sum(n.active for n in self.neurons) / total if total else 0.0

    @property
    def dense(self) -> float:
        return sum(w.dense for w in self.layers)

    @property
    def effective_macs(self) -> float:
        return sum(w.macs for w in self.layers)

    @property
    def effective_acs(self) -> float:
        return sum(w.acs for w in self.layers)

    @property
    def spikes(self) -> float:
        """Spikes of all neurons per sample."""
        return sum(n.active for n in self.neurons if n.spiking)

    def to_dict(self) -> dict[str, Any]:
        """The harness's names and values."""
        return {
            "footprint": self.footprint_bytes,
            "parameter_count": self.parameters,
            "connection_sparsity": self.connection_sparsity,
            "activation_sparsity": self.activation_sparsity,
            "synaptic_operations": {
                "Dense": self.dense,
                "Effective_MACs": self.effective_macs,
                "Effective_ACs": self.effective_acs,
            },
        }


def count_work(graph: Graph, inputs: Any, *, batch: int = 64, progress: Progress | None = None) -> Workload:
    """Runs the float network on inputs (samples, *shape), an array or a Raster, and counts."""
    import torch

    from neuromorph.graph.evaluate import Evaluator

    counters = {n.name: _Counter(n) for n in graph.nodes if n.operator.weight_slots or hasattr(n.operator, "indptr")}
    outputs = {n.name: _Outputs(n) for n in graph.nodes if _activates(n)}
    evaluator = Evaluator(graph)
    hosts = {**evaluator.hosts, **{name: c.host() for name, c in counters.items()}}
    samples = len(inputs)
    with torch.inference_mode():
        for start in range(0, samples, batch):
            if progress is not None:
                progress(start / samples, "counting operations")
            x = _dense(inputs, start, min(start + batch, samples))

            def record(name: str, value: torch.Tensor) -> None:
                if name in outputs:
                    outputs[name].see(value)

            evaluator(torch.as_tensor(x), hosts=hosts, record=record)
    timed = over_time(graph)
    for name, shape in graph.shapes.items():
        if name in outputs:
            outputs[name].shape = shape if timed else (1, *shape)
    parameters = sum(_parameters(n) for n in {id(n.operator): n for n in graph.nodes}.values())  # tied ones once
    return Workload(
        samples,
        tuple(w for c in counters.values() for w in c.work(samples)),
        tuple(o.work(samples) for o in outputs.values()),
        parameters,
    )


def _dense(inputs: Any, start: int, stop: int) -> np.ndarray:
    if hasattr(inputs, "dense"):
        found: np.ndarray = inputs.dense(start, stop)
        return found
    return np.asarray(inputs[start:stop], np.float32)


def _parameters(node: Node) -> int:
    """Weights and biases of a node; what neurons are made of is no trained parameter of the harness's layers."""
    operator: Any = node.operator
    total = 0
    for name in [*(slot.weight for slot in operator.weight_slots), "bias", "bias_ih", "bias_hh"]:
        values = getattr(operator, name, None)
        total += int(values.size) if isinstance(values, np.ndarray) else 0
    if hasattr(operator, "indptr"):
        total += int(operator.weight.size) if not operator.weight_slots else 0
    return total


def _activates(node: Node) -> bool:
    from neuromorph.graph.operators.activation import Elementwise
    from neuromorph.graph.operators.arithmetic import Quantize

    operator = node.operator
    return _spiking(node) or (isinstance(operator, Elementwise) and not isinstance(operator, Quantize))


def _spiking(node: Node) -> bool:
    return any(hasattr(node.operator, name) for name in ("v_threshold", "threshold", "v_peak"))


class _Outputs:
    """Non-zero outputs of one node, added up over batches. shape: (steps, *elements of one)."""

    def __init__(self, node: Node) -> None:
        self.node, self.active = node, 0.0
        self.shape: Shape = (1,)

    def see(self, value: torch.Tensor) -> None:
        self.active += float((value != 0).sum())

    def work(self, samples: int) -> NeuronWork:
        leaky = any(hasattr(self.node.operator, name) for name in ("tau", "tau_mem"))
        neurons = int(np.prod(self.shape[1:], dtype=np.int64))
        return NeuronWork(self.node.name, neurons, self.shape[0], self.active / samples, _spiking(self.node), leaky)


class _Counter:
    """Synaptic operations of one node, added up over batches and steps."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.sums: dict[str, dict[str, float]] = {}
        self.facts: dict[str, dict[str, Any]] = {}

    def host(self) -> Any:
        from neuromorph.graph.evaluate import FloatHost

        counter = self

        class Counting(FloatHost):
            def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
                counter.see_linear(matrix, x, self._matrix(matrix, x))
                return super().linear(matrix, x)

            def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
                counter.see_conv(matrix, x, self._matrix(matrix, x))
                return super().conv(matrix, x)

            def rows(self, fan_out: np.ndarray, x: torch.Tensor, outputs: int) -> None:
                """Told by operators that keep compressed rows: synapses of every input element."""
                counter.see_rows(fan_out, x, outputs)

        return Counting(self.node.operator)

    def see_linear(self, matrix: str, x: torch.Tensor, weight: torch.Tensor) -> None:
        import torch

        cols, rows = weight.shape
        facts = {"inputs": rows, "outputs": cols, "uses": float(rows * cols), "fan": float(cols),
                 "strided": float(cols), "windowed": False, "groups": 1, "weights": rows * cols,
                 "zeros": int((weight == 0).sum())}  # fmt: skip
        self._add(
            matrix,
            x.reshape(x.shape[0], -1, rows),
            (weight != 0).sum(0).double(),
            torch.full((rows,), float(cols)).double(),
            facts,
        )

    def see_rows(self, fan_out: np.ndarray, x: torch.Tensor, outputs: int) -> None:
        import torch

        fan, total = torch.as_tensor(fan_out, dtype=torch.float64), float(fan_out.sum())
        mean = total / max(fan_out.size, 1)
        facts = {"inputs": fan_out.size, "outputs": outputs, "uses": total, "fan": mean, "strided": mean,
                 "windowed": False, "groups": 1, "weights": int(total), "zeros": 0}  # fmt: skip
        self._add("weight", x.reshape(x.shape[0], -1, fan_out.size), fan, fan, facts)

    def see_conv(self, matrix: str, x: torch.Tensor, weight: torch.Tensor) -> None:
        import torch

        from neuromorph.graph.evaluate import convolve

        operator: Any = self.node.operator
        maps = x.shape[-3:]

        def fan(kernel: torch.Tensor) -> torch.Tensor:
            """How many weights of the kernel meet each element of the input: the gradient of the sum of outputs."""
            with torch.inference_mode(False), torch.enable_grad():
                probe = torch.zeros((1, *maps), requires_grad=True)
                y = convolve(probe, kernel.clone(), operator.window, operator.groups)
                y.sum().backward()
                assert probe.grad is not None
                sizes.append(y[0].numel())
                return probe.grad.reshape(-1).double()

        sizes: list[int] = []
        real, full = fan((weight != 0).float()), fan(torch.ones(weight.shape))
        window = operator.window
        per_group = weight.shape[0] // operator.groups
        strided = np.prod([-(-k // s) for k, s in zip(window.kernel, window.stride, strict=True)])
        facts = {
            "inputs": int(np.prod(maps)),
            "outputs": sizes[0],
            "uses": float(sizes[0] * np.prod(weight.shape[1:])),
            "fan": float(per_group * np.prod(window.kernel)),
            "strided": float(per_group * strided),
            "windowed": True,
            "groups": operator.groups,
            "weights": weight.numel(),
            "zeros": int((weight == 0).sum()),
        }
        self._add(matrix, x.reshape(x.shape[0], -1, real.numel()), real, full, facts)

    def _add(
        self, matrix: str, x: torch.Tensor, fan: torch.Tensor, full: torch.Tensor, facts: Mapping[str, Any]
    ) -> None:
        """x: (samples, steps, inputs); fan, full: weights that meet each input, without and with zeros, float64."""
        live = x != 0
        spiking = (~live | (x.abs() == 1)).all(-1)
        effective = live.double() @ fan
        active = live.sum(-1).double()
        names = ("steps", "dense", "mac", "ac", "active", "fired", "met", "ac_steps")
        found = self.sums.setdefault(matrix, dict.fromkeys(names, 0.0))
        found["steps"] += spiking.numel()
        found["dense"] += float(full.sum()) * spiking.numel()
        found["ac"] += float(effective[spiking].sum())
        found["mac"] += float(effective[~spiking].sum())
        found["active"] += float(active.sum())
        found["fired"] += float(active[spiking].sum())
        found["met"] += float((live.double() @ full)[spiking].sum())
        found["ac_steps"] += float(spiking.sum())
        self.facts[matrix] = dict(facts)

    def work(self, samples: int) -> list[LayerWork]:
        bias = getattr(self.node.operator, "bias", None)
        found = []
        for matrix, s in self.sums.items():
            f = self.facts[matrix]
            found.append(
                LayerWork(
                    node=self.node.name,
                    matrix=matrix,
                    inputs=f["inputs"],
                    outputs=f["outputs"],
                    steps=s["steps"] / samples,
                    dense=s["dense"] / samples,
                    macs=s["mac"] / samples,
                    acs=s["ac"] / samples,
                    active=s["active"] / samples,
                    active_spikes=s["fired"] / samples,
                    met=s["met"] / samples,
                    spiking_steps=s["ac_steps"] / samples,
                    uses=f["uses"],
                    fan_out=f["fan"],
                    fan_out_strided=f["strided"],
                    windowed=f["windowed"],
                    groups=f["groups"],
                    weights=f["weights"],
                    zeros=f["zeros"],
                    biases=int(bias.size) if isinstance(bias, np.ndarray) else 0,
                )
            )
        return found
