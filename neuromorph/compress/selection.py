"""The weight arrays of a graph that compression acts on: choosing them, and putting changed ones back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph.model import Graph, Node, NumberFormat, Operator, WeightSlot

Changes = dict[int, dict[str, Any]]
"""New field values by id of the operator that they replace."""


@dataclass(frozen=True)
class Layer:
    """One weight array: the slot of an operator, with the first node that uses the operator."""

    node: Node
    slot: WeightSlot

    @property
    def operator(self) -> Operator:
        return self.node.operator

    @property
    def name(self) -> str:
        """The node's name, with the array's where the operator has several."""
        return self.node.name if len(self.operator.weight_slots) == 1 else f"{self.node.name}.{self.slot.weight}"

    @property
    def weight(self) -> np.ndarray:
        return getattr(self.operator, self.slot.weight)

    @property
    def mask(self) -> np.ndarray | None:
        return getattr(self.operator, self.slot.mask)

    @property
    def format(self) -> NumberFormat | None:
        return getattr(self.operator, self.slot.format)


def all_layers(graph: Graph) -> Iterator[Layer]:
    """Every weight array once, in graph order, also where several nodes share one operator."""
    seen: set[int] = set()
    for node in graph.nodes:
        if id(node.operator) not in seen:
            seen.add(id(node.operator))
            for slot in node.operator.weight_slots:
                yield Layer(node, slot)


def select(graph: Graph, layers: str | Iterable[str] | None = None, exclude: str | Iterable[str] = ()) -> list[Layer]:
    """The weight arrays named by `layers` (None: all) and not by `exclude`, in graph order.

    A name is that of a node ("fc1"), its module path, one array of a recurrent cell
    ("lstm.weight_ih"), or a shell pattern over any of these ("features.*").
    Raises InputError for a name that matches nothing, for an empty choice, and for weights that are not finite.
    """
    names: dict[str, list[str]] = {}
    everything = list(all_layers(graph))
    if not everything:
        raise InputError(f"network {graph.name!r} has no weights to compress")
    for node in graph.nodes:  # every node that shares an operator gives it a name
        for slot in node.operator.weight_slots:
            own = [node.name, node.module, f"{node.name}.{slot.weight}", f"{node.module}.{slot.weight}"]
            names.setdefault(_key(node.operator, slot), []).extend(n for n in own if n and not n.startswith("."))
    wanted = None if layers is None else _patterns(layers)
    unwanted = _patterns(exclude)
    known = [name for group in names.values() for name in group]
    legal = [e.name for e in everything]
    problems = [
        Problem(
            f"no layer is named {pattern!r}",
            Place(key=key),
            suggest(pattern, known, what="") or suggest(pattern, legal, "layers"),
        )
        for key, patterns in (("layers", wanted or []), ("exclude", unwanted))
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for name in known)
    ]
    if problems:
        raise InputError(problems)

    def named(layer: Layer, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(n, p) for n in names[_key(layer.operator, layer.slot)] for p in patterns)

    chosen = [e for e in everything if (wanted is None or named(e, wanted)) and not named(e, unwanted)]
    if not chosen:
        raise InputError("every layer is excluded, nothing is left to compress", Place(key="exclude"))
    check_finite(chosen)
    return chosen


def check_finite(layers: Iterable[Layer]) -> None:
    """InputError that names every layer with NaN or infinite weights."""
    bad = [e for e in layers if not np.isfinite(e.weight).all()]
    if bad:
        raise InputError(
            [
                Problem(
                    f"{np.count_nonzero(~np.isfinite(e.weight))} of {e.weight.size} weights are NaN or infinite",
                    Place(key=e.name),
                    "was the training divergent?",
                )
                for e in bad
            ]
        )


def rebuild(graph: Graph, changes: Mapping[int, Mapping[str, Any]]) -> Graph:
    """The graph with operators replaced by copies with changed fields; shared operators stay shared."""
    replaced = {id(n.operator): n.operator for n in graph.nodes}
    for key, fields in changes.items():
        if fields:
            replaced[key] = replace(replaced[key], **fields)
    return replace(graph, nodes=tuple(replace(n, operator=replaced[id(n.operator)]) for n in graph.nodes))


def _key(operator: Operator, slot: WeightSlot) -> str:
    return f"{id(operator)}.{slot.weight}"


def _patterns(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)
