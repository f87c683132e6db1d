"""Strict reading of the portable graph format: every problem with its place."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph.model import Graph, Node, NumberFormat, Operator, Shape
from neuromorph.importers import packing
from neuromorph.importers.json_lines import line_of
from neuromorph.importers.portable_fields import (
    FORMAT,
    SCHEMA,
    Fault,
    checked_shape,
    decoded,
    field_types,
    found,
    json_name,
    key_faults,
    kind_of_file,
)

MAX_JSON_BYTES = 256 * 2**20
KEYS = ("format", "schema", "name", "metadata", "inputs", "outputs", "weights", "nodes")
NODE_KEYS = ("name", "operator", "inputs", "module", "feedback", "fields")
ARRAY_KEYS = ("array", "encoding", "shape", "sparse")


def read_document(path: Path) -> Graph:
    """Reads and checks both files. Raises InputError."""
    return _Reader(path).read()


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""
        self.problems: list[Problem] = []
        self.tensors: Mapping[str, np.ndarray] = {}
        self.used: set[str] = set()

    def read(self) -> Graph:
        document = self._document()
        try:
            self._head(document)
            self.tensors = self._weights(document["weights"])
        except Fault as fault:
            self._note(fault)
            self._stop()
        inputs = self._collect(document["inputs"])
        nodes = self._nodes(document["nodes"])
        self._stop()
        for unused in sorted(set(self.tensors) - self.used):
            self._note(Fault("weights.file", f"tensor {unused!r} belongs to no node"))
        self._check_wiring(inputs, nodes, document["outputs"])
        self._stop()
        graph = Graph(document["name"], inputs, tuple(nodes), tuple(document["outputs"]), document["metadata"])
        self._check_shapes(graph)
        self._stop()
        return graph

    def _note(self, fault: Fault) -> None:
        place = Place(str(self.path), line_of(self.text, fault.key), None, fault.key)
        self.problems.append(Problem(fault.message, place, fault.hint))

    def _stop(self) -> None:
        if self.problems:
            raise InputError(self.problems)

    def _document(self) -> dict[str, Any]:
        place = Place(str(self.path))
        size = self.path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise InputError(f"is {size} bytes long, at most {MAX_JSON_BYTES} are read", place)
        try:
            self.text = self.path.read_bytes().decode("utf-8")
            document = json.loads(self.text, object_pairs_hook=_no_twins, parse_constant=_no_constant)
        except UnicodeDecodeError as error:
            hint = "expected JSON text; a pickle or an archive is never read as a graph"
            raise InputError(f"is not UTF-8 text (byte {error.start})", place, hint) from None
        except json.JSONDecodeError as error:
            where = Place(str(self.path), error.lineno, error.colno)
            raise InputError(f"is not valid JSON: {error.msg}", where, "the file may be truncated") from None
        except RecursionError:
            raise InputError("is nested too deeply", place) from None
        except (Fault, ValueError) as error:
            raise InputError(f"is not valid JSON: {error}", place) from None
        if not isinstance(document, dict):
            raise InputError("is not a JSON object", place, f'expected {{"format": "{FORMAT}", ...}}')
        return document

    def _head(self, document: dict[str, Any]) -> None:
        if document.get("format") != FORMAT:
            raise Fault("format", f"format is {document.get('format')!r}, expected {FORMAT!r}")
        if document.get("schema") != SCHEMA or isinstance(document["schema"], bool):
            hint = "written by a newer version of this package?" if document.get("schema") != SCHEMA else ""
            raise Fault("schema", f"schema is {document.get('schema')!r}, this version reads {SCHEMA}", hint)
        document.setdefault("metadata", {})
        for fault in key_faults(document, KEYS, KEYS, ""):
            self._note(fault)
        self._stop()
        kinds = {"name": str, "metadata": dict, "inputs": dict, "outputs": list, "weights": dict, "nodes": list}
        for key, kind in kinds.items():
            if not isinstance(document[key], kind):
                self._note(Fault(key, f"is {found(document[key])}, expected {json_name(kind)}"))
        self._stop()
        if not all(isinstance(v, str) for v in document["metadata"].values()):
            self._note(Fault("metadata", "values must be strings"))
        if not document["outputs"] or not all(isinstance(v, str) for v in document["outputs"]):
            self._note(Fault("outputs", "expected one or more node names"))
        if not document["inputs"]:
            self._note(Fault("inputs", "expected one or more inputs with their shapes"))
        for fault in key_faults(
            document["weights"], ("file", "bytes", "sha256"), ("file", "bytes", "sha256"), "weights"
        ):
            self._note(fault)
        self._stop()

    def _weights(self, entry: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        name = entry["file"]
        if not isinstance(name, str) or not name.endswith(".safetensors") or Path(name).name != name or "\\" in name:
            raise Fault("weights.file", f"is {name!r}, expected the bare name of a .safetensors file beside this one")
        path = self.path.with_name(name)
        if not path.is_file():
            raise Fault("weights.file", f"{name} is not there", f"expected it in {path.parent}")
        size = path.stat().st_size
        if size != entry["bytes"]:
            raise Fault(
                "weights.bytes",
                f"{name} is {size} bytes long, expected {entry['bytes']}: {kind_of_file(path)}",
                "copy both files again, or save the graph again",
            )
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest != entry["sha256"]:
            raise Fault(
                "weights.sha256",
                f"{name} has SHA-256 {digest[:12]}..., expected {str(entry['sha256'])[:12]}...: {kind_of_file(path)}",
                "the file was changed or belongs to another graph; save the graph again",
            )
        try:
            from safetensors.numpy import load

            return load(data)
        except Exception as error:
            raise Fault("weights.file", f"{name} is no safetensors file: {error}; {kind_of_file(path)}") from None

    def _collect(self, inputs: Mapping[str, Any]) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {}
        for name, shape in inputs.items():
            key = f"inputs.{name}"
            try:
                shapes[name] = checked_shape(shape, key)
            except Fault as fault:
                self._note(fault)
        return shapes

    def _nodes(self, entries: list[Any]) -> list[Node]:
        from neuromorph.graph.operators import load

        known = load()
        nodes: list[Node] = []
        cache: dict[str, Operator] = {}
        for i, entry in enumerate(entries):
            key = f"nodes[{i}]"
            try:
                nodes.append(self._node(entry, key, known, cache))
            except Fault as fault:
                self._note(fault)
            except InputError as error:
                for p in error.problems:
                    self._note(Fault(f"{key}.fields", f"{entry['name']}: {p.message}", p.hint))
        return nodes

    def _node(self, entry: Any, key: str, known: Mapping[str, type[Operator]], cache: dict[str, Operator]) -> Node:
        if not isinstance(entry, dict):
            raise Fault(key, f"is {found(entry)}, expected an object")
        faults = list(key_faults(entry, ("name", "operator", "inputs"), NODE_KEYS, key))
        for fault in faults[:-1]:
            self._note(fault)
        if faults:
            raise faults[-1]
        fields, module = entry.get("fields", {}), entry.get("module", "")
        if not isinstance(entry["name"], str) or not entry["name"]:
            raise Fault(f"{key}.name", f"is {found(entry['name'])}, expected a name")
        if not isinstance(module, str):
            raise Fault(f"{key}.module", f"is {found(module)}, expected a path")
        if not isinstance(entry["inputs"], list) or not all(isinstance(v, str) for v in entry["inputs"]):
            raise Fault(f"{key}.inputs", "expected a list of names")
        feedback = entry.get("feedback", [])
        if not isinstance(feedback, list) or not all(isinstance(v, str) for v in feedback):
            raise Fault(f"{key}.feedback", "expected a list of names")
        if not isinstance(entry["operator"], str) or entry["operator"] not in known:
            hint = suggest(str(entry["operator"]), known)
            raise Fault(f"{key}.operator", f"unknown operator {entry['operator']!r}", hint)
        if not isinstance(fields, dict):
            raise Fault(f"{key}.fields", f"is {found(fields)}, expected an object")
        same = json.dumps([entry["operator"], fields], sort_keys=True)
        if same not in cache:
            operator = cache[same] = self._operator(known[entry["operator"]], fields, f"{key}.fields")
        else:
            operator = cache[same]
        return Node(entry["name"], operator, tuple(entry["inputs"]), module, tuple(feedback))

    def _operator(self, cls: type[Operator], given: Mapping[str, Any], key: str) -> Operator:
        declared = {f.name: f for f in dataclasses.fields(cls)}
        needed = [n for n, f in declared.items() if f.default is dataclasses.MISSING]
        faults = list(key_faults(given, needed, tuple(declared), key))
        if faults:
            for fault in faults[:-1]:
                self._note(fault)
            raise faults[-1]
        hints = field_types(cls)
        values = {n: decoded(v, hints[n], f"{key}.{n}") for n, v in given.items() if np.ndarray not in hints[n]}
        arrays = {n: v for n, v in given.items() if np.ndarray in hints[n] and not (v is None and NoneType in hints[n])}
        slots = {slot.weight: slot for slot in cls.weight_slots}
        for name in sorted(arrays, key=lambda n: n in slots):  # masks come before the weights that need them
            slot = slots.get(name)
            mask = values.get(slot.mask) if slot else None
            number_format = values.get(slot.format) if slot else None
            values[name] = self._array(arrays[name], f"{key}.{name}", mask, number_format)
        return cls(**values)

    def _array(self, entry: Any, key: str, mask: np.ndarray | None, number_format: NumberFormat | None) -> np.ndarray:
        if not isinstance(entry, dict):
            raise Fault(key, f"is {found(entry)}, expected an array's description")
        for fault in key_faults(entry, ARRAY_KEYS, ARRAY_KEYS, key):
            raise fault
        shape = checked_shape(entry["shape"], f"{key}.shape")
        name, encoding, sparse = entry["array"], entry["encoding"], entry["sparse"]
        if encoding not in packing.ENCODINGS:
            raise Fault(f"{key}.encoding", f"is {encoding!r}", f"legal: {', '.join(packing.ENCODINGS)}")
        if not isinstance(name, str) or name not in self.tensors:
            raise Fault(f"{key}.array", f"tensor {name!r} is not in the weights file")
        if not isinstance(sparse, bool) or sparse != (mask is not None):
            raise Fault(f"{key}.sparse", f"is {sparse!r}, but the weight has {'a' if mask is not None else 'no'} mask")
        if mask is not None and mask.shape != shape:
            raise Fault(f"{key}.shape", f"is {shape}, the mask's is {mask.shape}")
        self.used.add(name)
        try:
            array = packing.unpack(self.tensors[name], encoding, shape, number_format, mask)
        except (packing.PackingError, ValueError) as error:
            raise Fault(f"{key}.array", f"{name}: {error}") from None
        bad = int(np.count_nonzero(packing.unusable(array, key.rpartition(".")[2])))
        if bad:
            raise Fault(f"{key}.array", f"{name}: {bad} of {array.size} values are NaN or Inf")
        return array

    def _check_wiring(self, inputs: Mapping[str, Shape], nodes: list[Node], outputs: list[str]) -> None:
        names = [*inputs, *(node.name for node in nodes)]
        seen = set(inputs)
        for i, node in enumerate(nodes):
            if node.name in seen:
                self._note(Fault(f"nodes[{i}].name", f"{node.name!r} is taken"))
            for name in node.inputs:
                if name not in names:
                    self._note(Fault(f"nodes[{i}].inputs", f"unknown value {name!r}", suggest(name, names)))
                elif name not in seen:
                    cycle = "itself" if name == node.name else f"the later node {name!r}"
                    hint = "a graph has no cycles but those of `feedback`; nodes stand after those they read"
                    self._note(Fault(f"nodes[{i}].inputs", f"{node.name!r} reads {cycle}", hint))
            for name in node.feedback:
                if name not in {n.name for n in nodes}:
                    hint = suggest(name, [n.name for n in nodes])
                    self._note(Fault(f"nodes[{i}].feedback", f"unknown node {name!r}", hint))
            seen.add(node.name)
        read = {name for node in nodes for name in (*node.inputs, *node.feedback)} | set(outputs)
        for i, node in enumerate(nodes):
            if node.name not in read:
                self._note(Fault(f"nodes[{i}].name", f"the output of {node.name!r} is never used"))
        for name in outputs:
            if name not in {node.name for node in nodes}:
                self._note(Fault("outputs", f"unknown node {name!r}", suggest(name, names)))

    def _check_shapes(self, graph: Graph) -> None:
        shapes: dict[str, Shape] = dict(graph.input_shapes)
        for i, node in enumerate(graph.nodes):
            try:
                shapes[node.name] = node.operator.output_shape([shapes[name] for name in node.inputs])
            except InputError as error:
                for p in error.problems:
                    message = f"{node.name} ({type(node.operator).__name__}): {p.message}"
                    self._note(Fault(f"nodes[{i}]", message, p.hint))
                return  # what follows depends on it
        try:
            _ = graph.shapes
        except InputError as error:  # what is fed back has another shape
            for p in error.problems:
                self._note(Fault("nodes", str(dataclasses.replace(p, hint="")), p.hint))


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twin!r} stands twice in one object")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is no legal number")
