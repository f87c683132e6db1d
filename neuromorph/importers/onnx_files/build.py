"""The walk over the nodes of an ONNX graph: constants are folded, the rest become operators."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph.model import Graph
from neuromorph.graph.simplify import rounded, simplify
from neuromorph.importers import onnx_files
from neuromorph.importers.onnx_files.constants import folded
from neuromorph.importers.onnx_files.files import versions
from neuromorph.importers.onnx_files.ranges import with_input_formats
from neuromorph.importers.onnx_files.values import (
    FOLDS,
    OPERATORS,
    SAMPLES,
    TRANSPARENT,
    Builder,
    Call,
    Codes,
    Const,
    Refused,
    Result,
    Value,
)

CONTROL = ("Loop", "Scan", "SequenceMap")
OWN_DOMAINS = ("", "ai.onnx")
MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError, MemoryError)


def load_operators() -> None:
    """Imports every module of this package, so that `OPERATORS` is whole."""
    for module in pkgutil.iter_modules(onnx_files.__path__):
        importlib.import_module(f"{onnx_files.__name__}.{module.name}")


def build(model: onnx.ModelProto, path: Path, batch: Sequence[int | None] | None = None) -> Graph:
    """The graph of a loaded model. batch: the batch axis of every input, None where a sample is the whole tensor."""
    load_operators()
    place = Place(file=str(path))
    opsets = versions(model, place)
    inputs = _inputs(model.graph, place)
    first: InputError | None = None
    choices = _choices(inputs, place) if batch is None else [list(batch)]
    for axes in choices:
        try:
            graph = _Walk(model.graph, opsets, path, inputs, axes).graph()
        except InputError as error:
            first = first or error
            continue
        return _finished(graph, model)
    assert first is not None
    raise first


def _finished(graph: Graph, model: onnx.ModelProto) -> Graph:
    graph = with_input_formats(simplify(graph))
    double = any(t.data_type == onnx.TensorProto.DOUBLE for t in model.graph.initializer)
    return graph if double else rounded(graph, np.float32)


def _inputs(graph: onnx.GraphProto, place: Place) -> dict[str, list[int | str]]:
    """Axes of every true input; older files list their initializers among the inputs."""
    held = {t.name for t in graph.initializer}
    found: dict[str, list[int | str]] = {}
    for value in graph.input:
        if value.name in held:
            continue
        here = Place(file=place.file, key=value.name)
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or not kind.HasField("shape"):
            raise InputError("input is no tensor of known shape", here, "export the model with static shapes")
        axes = [d.dim_value if d.HasField("dim_value") else d.dim_param or "?" for d in kind.shape.dim]
        if any(isinstance(n, int) and n < 1 for n in axes):
            raise InputError(f"input has shape {axes}", here, "sizes are 1 or more")
        symbols = [str(n) for n in axes if isinstance(n, str)]
        if len(symbols) > 1:
            hint = "export with static shapes: only the batch axis may be symbolic"
            raise InputError(f"input has {len(symbols)} symbolic axes: {', '.join(symbols)}", here, hint)
        found[value.name] = axes
    if not found:
        raise InputError("graph has no input that is not an initializer", place, "nothing is left to compute")
    return found


def _choices(inputs: Mapping[str, list[int | str]], place: Place) -> list[list[int | None]]:
    """Which axis is the batch axis of each input, the likeliest first."""
    symbolic = {name: [i for i, n in enumerate(axes) if isinstance(n, str)] for name, axes in inputs.items()}
    if any(symbolic.values()):
        if not all(symbolic.values()):
            lacking = next(name for name, found in symbolic.items() if not found)
            where = Place(file=place.file, key=lacking)
            raise InputError("input has no symbolic batch axis, others have", where, "export all inputs alike")
        return [[found[0] for found in symbolic.values()]]
    found: list[list[int | None]] = []
    for axis in (0, 1):
        sizes = {axes[axis] if len(axes) > axis + 1 else None for axes in inputs.values()}
        if len(sizes) == 1 and None not in sizes:
            found.append([axis] * len(inputs))
    return [*found, [None] * len(inputs)]


class _Walk:
    """One reading of the nodes with a choice of batch axes."""

    def __init__(
        self,
        source: onnx.GraphProto,
        opsets: Mapping[str, int],
        path: Path,
        inputs: Mapping[str, list[int | str]],
        batch: Sequence[int | None],
    ) -> None:
        self.source, self.opsets, self.path = source, opsets, path
        self.builder = Builder()
        self.problems: list[Problem] = []
        self.known: dict[str, Value | Const | None] = {}
        self.absent: dict[str, str] = {}
        self.tensors = {t.name: t for t in source.initializer}
        for (name, axes), at in zip(inputs.items(), batch, strict=True):
            sizes = [SAMPLES if isinstance(n, str) else n for n in axes]
            samples = 1 if at is None else sizes.pop(at)
            self.builder.shapes[name] = tuple(sizes)
            self.known[name] = Value(name, tuple(sizes), at, samples)
            kind = next(v for v in source.input if v.name == name).type.tensor_type.elem_type
            dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind))
            if dtype.kind in "iu" or "int" in dtype.name:
                held = Codes(np.zeros(()), dtype)
                self.known[name] = Value(name, tuple(sizes), at, samples, held)
        self.inputs = {name: self.builder.shapes[name] for name in inputs}

    def graph(self) -> Graph:
        unread: set[str] = set()
        wanted = [self._scores(o.name) for o in self.source.output]
        needed = _needed(self.source.node, wanted)
        for index, node in enumerate(self.source.node):
            if not needed.intersection(node.output):
                continue
            if any(name in unread for name in node.input):
                unread.update(node.output)  # what a refused node would have given says nothing new
                continue
            label = node.name or (node.output[0] if node.output else f"node {index}")
            try:
                self._node(node, label)
            except Refused as refused:
                self._problem(label, node, refused.message, refused.hint)
            except InputError as error:
                self._problem(label, node, error.problems[0].message, error.problems[0].hint)
            except MALFORMED as error:
                text = (str(error).splitlines() or [""])[0][:200]
                self._problem(
                    label, node, f"is malformed: {type(error).__name__}: {text}", "check it with onnx.checker"
                )
            else:
                continue
            unread.update(node.output)
        outputs = [] if self.problems else [self._output(name) for name in wanted]
        if self.problems:
            raise InputError(self.problems)
        if not outputs:
            raise InputError("graph has no outputs", Place(file=str(self.path)))
        name = self.source.name or self.path.stem
        return Graph(name, self.inputs, tuple(self.builder.nodes), tuple(dict.fromkeys(outputs)))

    def _scores(self, name: str) -> str:
        """An output, or what an ArgMax at the end of the model chooses from: a graph gives scores, not choices."""
        made = {n: node for node in self.source.node for n in node.output}
        at = name
        while at in made and made[at].op_type in ("ArgMax", "Identity", "Cast", "Squeeze", "Flatten"):
            if made[at].op_type == "ArgMax":
                return made[at].input[0]
            at = made[at].input[0]
        return name

    def _branch(self, node: onnx.NodeProto) -> tuple[Value | Const | None, ...]:
        """The branch of an If that its constant condition chooses, its nodes read in place; names in it end with it."""
        condition = self._known(node.input[0])
        if not isinstance(condition, Const):
            raise Refused("chooses by values of the input", "export the model without branches on values")
        chosen = "then_branch" if bool(np.all(condition.array)) else "else_branch"
        inner = next(onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == chosen)
        before = (dict(self.known), dict(self.tensors), dict(self.absent))
        self.tensors.update({t.name: t for t in inner.initializer})
        needed = _needed(inner.node, [o.name for o in inner.output])
        for i, one in enumerate(inner.node):
            if needed.intersection(one.output):
                self._node(one, one.name or (one.output[0] if one.output else f"node {i}"))
        found = tuple(self._known(o.name) for o in inner.output)
        self.known, self.tensors, self.absent = before
        return found

    def _problem(self, label: str, node: onnx.NodeProto, message: str, hint: str) -> None:
        domain = "" if node.domain in OWN_DOMAINS else f"{node.domain}."
        self.problems.append(Problem(f"{domain}{node.op_type} {message}", Place(str(self.path), key=label), hint))

    def _output(self, name: str) -> str:
        place = Place(str(self.path), key=name)
        try:
            value = self._known(name)
        except Refused as refused:
            self.problems.append(Problem(f"output {refused.message}", place, refused.hint))
            return name
        if isinstance(value, Value):
            self.builder.label = name
            value = self.builder.centred(value)
            if value.fold and value.samples not in (1, SAMPLES):
                self.problems.append(Problem("output joins its samples with other axes", place, "keep the batch axis"))
            if value.name not in self.inputs:
                return value.name
        self.problems.append(Problem("output is not computed from an input", place, "leave it out of the model"))
        return name

    def _known(self, name: str) -> Value | Const | None:
        if not name:
            return None
        if name not in self.known:
            if name in self.absent:
                raise Refused(f"reads {name!r}, {self.absent[name]}", "use its first output")
            if name not in self.tensors:
                raise Refused(f"reads {name!r}, which nothing before it gives", "nodes come in the order of their use")
            self.known[name] = Const(numpy_helper.to_array(self.tensors[name]))
        return self.known[name]

    def _node(self, node: onnx.NodeProto, label: str) -> None:
        domain = "" if node.domain in OWN_DOMAINS else node.domain
        if node.op_type in CONTROL and not domain:
            raise Refused("is control flow", "unroll it, or export the model with static shapes and without branches")
        if (domain, node.op_type) == ("", "If"):
            found = self._branch(node)
            self.known.update(zip(node.output, found, strict=True))
            return
        if domain not in self.opsets:
            legal = ", ".join(sorted(d or "ai.onnx" for d in self.opsets))
            raise Refused(f"is of domain {domain!r}, which the file does not import", f"imported: {legal}")
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        given = [self._known(name) for name in node.input]
        b = self.builder
        b.label = label
        call = Call(node.op_type, given, attributes, self.opsets[domain], b, list(node.output))
        results = self._results(call, (domain, node.op_type), node)
        for index, name in enumerate(node.output[len(results) :], len(results)):
            self.absent[name] = f"output {index} of {node.op_type} {label}, which is not computed here"
        for name, result in zip(node.output, results, strict=False):
            if name:
                self.known[name] = result

    def _results(self, call: Call, key: tuple[str, str], node: onnx.NodeProto) -> tuple[Value | Const | None, ...]:
        result: Result
        if not any(isinstance(v, Value) for v in call.inputs) and key[1] != "Shape":
            result = FOLDS[key](call) if key in FOLDS else folded(call, node, key, self.opsets)
            return result if isinstance(result, tuple) else (result,)
        if key not in OPERATORS:
            names = [name for domain, name in OPERATORS if domain == key[0]]
            hint = suggest(call.op, sorted(names), "") if names else ""
            domains = ", ".join(sorted({d or "ai.onnx" for d, _ in OPERATORS}))
            known = "replace it by operators of docs/operators.md, or split the model"
            raise Refused("cannot be hosted", f"{hint} {known}".strip() if names else f"legal domains: {domains}")
        first = call.inputs[0] if call.inputs else None
        held = first.codes if isinstance(first, Value) and key[1] in TRANSPARENT and not key[0] else None
        alone = sum(isinstance(v, Value) for v in call.inputs) == 1
        if held is not None and held.axis is None and alone and isinstance(first, Value):
            call.inputs[0] = dataclasses.replace(first, codes=None)
            result = OPERATORS[key](call)
            several = result if isinstance(result, tuple) else (result,)
            return tuple(dataclasses.replace(v, codes=held) if isinstance(v, Value) else v for v in several)
        result = OPERATORS[key](call)
        return result if isinstance(result, tuple) else (result,)


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> set[str]:
    """Names that the outputs are made of, those that branches read of the graph around them included."""
    found = set(outputs)
    for node in reversed(nodes):
        if found.intersection(node.output):
            found.update(node.input)
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    found |= _needed(attribute.g.node, [o.name for o in attribute.g.output])
    return found


def claimed() -> dict[str, list[str]]:
    """The operators that are read, by domain."""
    load_operators()
    found: dict[str, list[str]] = {}
    for domain, name in sorted(OPERATORS):
        found.setdefault(domain or "ai.onnx", []).append(name)
    return found
