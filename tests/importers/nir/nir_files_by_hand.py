"""NIR files written field by field with h5py, so that tests can write what the nir package would not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

TEXT = h5py.string_dtype()
Nodes = Mapping[str, Mapping[str, Any]]


def node(kind: str, **values: Any) -> dict[str, Any]:
    return {"type": kind, **values}


def network(nodes: Nodes, edges: Sequence[tuple[str, str]], **extra: Any) -> dict[str, Any]:
    return {"type": "NIRGraph", "nodes": nodes, "edges": edges, **extra}


def chain(*nodes: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in nodes]
    return network(dict(nodes), list(zip(names, names[1:], strict=False)))  # noqa: RUF007


def write(path: Path, root: Mapping[str, Any], version: str = "1.0") -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("version", data=version, dtype=TEXT)
        _group(file.create_group("node"), root)
    return path


def _group(group: h5py.Group, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _group(group.create_group(name), value)
        elif isinstance(value, str):
            group.create_dataset(name, data=value, dtype=TEXT)
        elif name == "edges":
            pairs = np.asarray([list(e) for e in value], dtype=object).reshape(-1, 2)
            group.create_dataset(name, data=pairs, dtype=TEXT)
        elif value is not None:
            group.create_dataset(name, data=np.asarray(value))


def lif(n: int | tuple[int, ...] = 3, **changes: Any) -> dict[str, Any]:
    values = {"tau": 0.01, "r": 10.0, "v_leak": 0.0, "v_threshold": 0.8, "v_reset": 0.0}
    full = {k: np.full(n, v) for k, v in values.items()}
    return {k: v for k, v in node("LIF", **{**full, **changes}).items() if v is not None}


def small(**changes: Any) -> dict[str, Any]:
    """Input 2, Linear 3 x 2, LIF 3, Output 3."""
    weight = np.arange(6.0).reshape(3, 2) / 10
    return chain(
        ("input", node("Input", shape=[2])),
        ("w", node("Linear", weight=weight)),
        ("lif", lif(**changes)),
        ("output", node("Output", shape=[3])),
    )
