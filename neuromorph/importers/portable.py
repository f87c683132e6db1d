"""The portable graph format: a JSON file with the structure, a safetensors file with the arrays, no code.

`model.nmg.json` names its weights file, which lies in the same folder, with length and SHA-256. Schema version 1:

    {"format": "neuromorph graph", "schema": 1, "name": ..., "metadata": {...},
     "inputs": {name: shape}, "outputs": [name, ...],
     "weights": {"file": "model.nmg.safetensors", "bytes": n, "sha256": ...},
     "nodes": [{"name": ..., "operator": "Conv2d", "inputs": [...], "module": ..., "fields": {...}}, ...]}

A node that is fed back into names its sources in "feedback". Fields that hold their default are left out. An array is
{"array": tensor, "encoding": ..., "shape": [...], "sparse": bool}; see `packing` for the encodings. Reading is strict,
reports every problem at once and executes nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, suggest
from neuromorph.files import write_files
from neuromorph.graph.model import Graph, NumberFormat, Operator, Window
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.graph.semantics import Semantics
from neuromorph.importers import packing
from neuromorph.importers.portable_fields import FORMAT, SCHEMA

SUFFIXES = (".nmg.json",)


def read(path: str | Path) -> Graph:
    """Reads a graph written by `save`. Raises InputError with every problem found: file, line, key, legal values."""
    from neuromorph.importers.portable_reader import read_document

    return read_document(Path(path))


def files_of(path: str | Path) -> tuple[Path, Path]:
    """The two files that `save` writes for this name: structure and weights."""
    path = Path(path)
    if not path.name.endswith(SUFFIXES):
        path = path.with_name(path.name + SUFFIXES[0])
    return path, path.with_name(path.name.removesuffix(".json") + ".safetensors")


def save(graph: Graph, path: str | Path, dtype: str | None = None) -> Path:
    """Writes `path` (ending in .nmg.json, which is added where absent) and its weights file; returns the path.

    dtype: "float16", "float32" or "float64" for arrays that are no numbers of a format with codes; None keeps every
    value exactly.
    Both files are written beside their names first and then renamed, so that a full disk leaves the old ones whole.
    Raises InputError where the graph holds NaN or Inf or the folder cannot be written.
    """
    from safetensors.numpy import save as to_bytes

    path, weights = files_of(path)
    if dtype is not None and dtype not in packing.FLOATS:
        raise InputError(f"dtype is {dtype!r}", hint=suggest(dtype, packing.FLOATS))
    _ = graph.shapes  # refuses a graph that could not be read again
    tensors: dict[str, np.ndarray] = {}
    shared: dict[int, dict[str, Any]] = {}
    nodes = []
    for node in graph.nodes:
        entry: dict[str, Any] = {"name": node.name, "operator": type(node.operator).__name__}
        entry["inputs"] = list(node.inputs)
        if node.module:
            entry["module"] = node.module
        if node.feedback:
            entry["feedback"] = list(node.feedback)
        if id(node.operator) not in shared:
            shared[id(node.operator)] = _fields(node.operator, node.name, tensors, dtype)
        entry["fields"] = shared[id(node.operator)]
        nodes.append(entry)
    data = to_bytes(tensors)
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "name": graph.name,
        "metadata": dict(graph.metadata),
        "inputs": {name: list(shape) for name, shape in graph.input_shapes.items()},
        "outputs": list(graph.outputs),
        "weights": {"file": weights.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
        "nodes": nodes,
    }
    write_files({weights: data, path: (_layout(document) + "\n").encode()})
    return path


def _fields(operator: Operator, name: str, tensors: dict[str, np.ndarray], dtype: str | None) -> dict[str, Any]:
    """The operator's fields as JSON, their arrays added to `tensors`."""
    slots = {slot.weight: slot for slot in operator.weight_slots}
    entry: dict[str, Any] = {}
    for f in dataclasses.fields(operator):
        value = getattr(operator, f.name)
        if isinstance(value, np.ndarray):
            if np.any(packing.unusable(value, f.name)):
                raise InputError(f"{f.name} holds NaN or Inf", Place(key=name), hint="nothing was written")
            slot = slots.get(f.name)
            mask = getattr(operator, slot.mask) if slot else None
            number_format = getattr(operator, slot.format) if slot else None
            encoding, stored = packing.pack(value, number_format, mask, dtype)
            tensor = f"{name}.{f.name}"
            tensors[tensor] = stored
            entry[f.name] = {"array": tensor, **packing.describe(encoding, value, mask is not None)}
        elif f.default is dataclasses.MISSING or value != f.default:
            entry[f.name] = to_json(value)
    return entry


def to_json(value: Any) -> Any:
    """A field's value that is no weight array: numbers, tuples, windows, number formats, settings of neurons."""
    if isinstance(value, NumberFormat):
        return {"kind": value.name, "bits": value.stored_bits, **_given(value)}
    if isinstance(value, Window | Semantics | Plasticity):
        return _given(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise InputError(f"a value of type {type(value).__name__} has no portable form")


def _given(value: Any) -> dict[str, Any]:
    """Fields of a dataclass that do not hold their default."""
    defaults = {f.name: f.default for f in dataclasses.fields(value)}
    given = {name: getattr(value, name) for name in defaults}
    return {name: to_json(v) for name, v in given.items() if not _is_default(v, defaults[name])}


def _is_default(value: Any, default: Any) -> bool:
    return not isinstance(value, np.ndarray) and default is not dataclasses.MISSING and bool(value == default)


def _layout(document: Mapping[str, Any]) -> str:
    """JSON with a node on each line: small, and easy to compare between versions."""

    def compact(value: Any) -> str:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)

    head = [f"  {compact(k)}: {compact(v)}," for k, v in document.items() if k != "nodes"]
    nodes = ",\n".join(f"    {compact(node)}" for node in document["nodes"])
    return "\n".join(["{", *head, '  "nodes": [', *([nodes] if nodes else []), "  ]", "}"])
