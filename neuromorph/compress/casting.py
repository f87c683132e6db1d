"""Weights and inputs as numbers of any format, also of one that was defined outside this package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from neuromorph.compress import grid
from neuromorph.compress.quantization import input_field, matrix_names, observe, on_formats
from neuromorph.compress.selection import Changes, Layer, rebuild, select
from neuromorph.graph import formats
from neuromorph.graph.model import Graph, NumberFormat


def cast(
    graph: Graph,
    number_format: NumberFormat | str,
    *,
    inputs: NumberFormat | str | None = None,
    granularity: str = "tensor",
    data: Any = None,
    layers: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] = (),
) -> Graph:
    """A graph whose weights are numbers of a format, which is set on its operators.

    number_format: an instance, or the name of a format with its default fields. The format fits its fields to the
    weights where it has any to fit, one set per "tensor" or output "channel" (granularity); integers, binary and
    ternary weights have methods to choose from instead: `quantize`, `binarize`, `ternarize`. Pruned weights stay 0.

    inputs: the format of the input of every matrix product of the chosen layers, fitted to the inputs that `data`
    (see `quantize`) gives, or as it is without data.
    Raises InputError for a name that is not known, for NaN weights or data, and for formats fitted elsewhere.
    """
    grid.check_choice("granularity", granularity, grid.GRANULARITIES)
    wanted = formats.named(number_format) if isinstance(number_format, str) else number_format
    axis = 0 if granularity == "channel" else None

    def fit(weight: np.ndarray, mask: np.ndarray | None) -> tuple[NumberFormat, np.ndarray]:
        fitted = wanted.fitted(weight, mask, axis)
        numbers = fitted.quantize(weight)
        return fitted, numbers if mask is None else np.where(mask, numbers, 0.0)

    chosen = select(graph, layers, exclude)
    result = on_formats(graph, chosen, fit)
    if inputs is None:
        return result
    return _inputs_in(result, formats.named(inputs) if isinstance(inputs, str) else inputs, chosen, data)


def _inputs_in(graph: Graph, wanted: NumberFormat, chosen: Iterable[Layer], data: Any) -> Graph:
    names = {layer.node.name for layer in chosen}
    keys = {n.name: id(n.operator) for n in graph.nodes if n.name in names}
    changes: Changes = {
        id(n.operator): {input_field(m): wanted for m in matrix_names(n)} for n in graph.nodes if n.name in keys
    }
    if data is None:
        return rebuild(graph, changes)
    cleared = {key: dict.fromkeys(fields) for key, fields in changes.items()}
    for (key, matrix), seen in observe(rebuild(graph, cleared), data, keys).items():
        changes[key][input_field(matrix)] = wanted.fitted(seen.values)
    return rebuild(graph, changes)
