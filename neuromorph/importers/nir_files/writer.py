"""Graphs over time as NIR files, with what NIR cannot say in a semantics file beside them.

Parameters are written per neuron, shapes without batch and time, times in seconds; edges into one node are summed.
Synapses with delays become Linear and Delay nodes. sign and v_init of neurons lie in the metadata of their nodes. The
semantics file holds time step, steps, scheme and reset, and which edges are feedback. The package nir 1.0.8 reads the
files with its type check, except where that check itself is wrong (grouped convolutions, non-square kernels).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.files import write_files
from neuromorph.graph.model import Graph, Node, Shape
from neuromorph.graph.operators.arithmetic import Add
from neuromorph.graph.semantics import Semantics
from neuromorph.importers.nir_files.said import Branch, Said, say
from neuromorph.importers.nir_files.sidecar import Sidecar, sidecar_path, sidecar_text
from neuromorph.importers.presets import DIALECTS, FIELDS, semantics_of

NIR_VERSION = "1.0.8"
"""Version of the nir package whose files these equal."""


def write_graph(graph: Graph, path: Path) -> Path:
    """Writes `path` (.nir is added where absent) and its semantics file; returns the path of the first.

    Raises InputError with every node that NIR has no word for, and where the folder cannot be written.
    """
    if not path.name.lower().endswith(".nir"):
        path = path.with_name(path.name + ".nir")
    export = _Export(graph)
    export.run()
    write_files({
        sidecar_path(path): sidecar_text(export.sidecar()),
        path: lambda part: _write_hdf5(part, export),
    })  # fmt: skip
    return path


class _Export:
    """nodes: by name, in order. edges: (source, target). late: those that act a step later.

    ends, starts: the nodes of the file whose sum a node of the graph is, and those that take its input.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = graph.shapes
        self.nodes: dict[str, Said] = {}
        self.edges: dict[tuple[str, str], None] = {}
        self.late: list[tuple[str, str]] = []
        self.ends: dict[str, list[tuple[str, bool]]] = {}
        self.starts: dict[str, list[str]] = {}
        self.semantics: dict[str, Semantics] = {}
        self.problems: list[Problem] = []

    @property
    def dt_s(self) -> float | None:
        """The time step of the neurons, else that of the metadata, else None."""
        steps = [s.dt_s for n in self.graph.nodes if (s := getattr(n.operator, "semantics", None)) is not None]
        steps += [d for n in self.graph.nodes if (d := getattr(n.operator, "dt_s", None)) is not None]
        if len(set(steps)) > 1:
            found = ", ".join(f"{s:g} s" for s in sorted(set(steps)))
            raise InputError(f"the network has several time steps: {found}", hint="one time step for all its nodes")
        return steps[0] if steps else None

    def run(self) -> None:
        from neuromorph.graph.operators.neurons import Threshold
        from neuromorph.graph.operators.over_time import OverTime

        if not any(isinstance(n.operator, OverTime | Threshold) for n in self.graph.nodes):
            raise InputError(
                f"{self.graph.name} has neither neurons nor delays, so it does not run over time",
                hint="NIR is for spiking networks; save it as .nmg.json",
            )
        dt_s = self.dt_s
        for name, shape in self.graph.input_shapes.items():
            self.ends[name] = [(self.add(name, Said("Input", {"shape": _sizes(shape[1:])})), False)]
        for node in self.graph.nodes:
            try:
                self.node(node, dt_s)
            except InputError as error:
                where = Place(key=node.label)
                self.problems += [Problem(p.message, where, p.hint) for p in error.problems]
                self.ends.setdefault(node.name, [])
        if self.problems:
            raise InputError(self.problems)
        self.feedback()
        digits = len(str(len(self.graph.outputs)))
        for i, name in enumerate(self.graph.outputs):
            label = "output" if len(self.graph.outputs) == 1 else f"output_{i:0{digits}}"  # names sort as outputs do
            target = self.add(label, Said("Output", {"shape": _sizes(self.shapes[name][1:])}))
            self.connect(self.ends[name], target)

    def add(self, name: str, said: Said) -> str:
        """Adds a node under a name that HDF5 takes and that is free."""
        name = name.replace("/", ".")
        name = "node" if name.strip(".") == "" else name
        while name in self.nodes:
            name += "_"
        self.nodes[name] = said
        return name

    def node(self, node: Node, dt_s: float | None) -> None:
        features, result = self.features(node), self.shapes[node.name][1:]
        before = [end for name in node.inputs for end in self.ends[name]]
        if isinstance(node.operator, Add):
            if len({self.shapes[i] for i in node.inputs}) > 1:
                raise InputError("a sum that repeats an axis", hint="NIR sums values of one shape")
            self.ends[node.name] = before
            return
        said = say(node.operator, features, result, dt_s)
        if said is None:
            self.ends[node.name] = before
            return
        branches = (Branch((("", said),)),) if isinstance(said, Said) else said
        self.ends[node.name] = []
        self.starts[node.name] = []
        for branch in branches:
            source = before
            for ending, single in branch.nodes:
                own = self.add(node.name + ending, single)
                if source is before:
                    self.starts[node.name].append(own)
                self.connect(source, own)
                source = [(own, False)]
            self.ends[node.name] += source
        semantics = getattr(node.operator, "semantics", None)
        if semantics is not None:
            self.semantics[own] = semantics

    def features(self, node: Node) -> Shape:
        shapes = [self.shapes[i] for i in node.inputs]
        steps = {self.shapes[n][:1] for n in self.graph.input_shapes}
        if any(len(s) < 2 for s in (*shapes, self.shapes[node.name])) or {s[:1] for s in shapes} - steps:
            raise InputError("does not keep the time axis", hint="samples are (steps, *features) at every node")
        return shapes[0][1:]

    def connect(self, sources: list[tuple[str, bool]], target: str) -> None:
        """Edges into a node; where one is there already, another node that changes nothing goes between."""
        for source, late in sources:
            if (source, target) in self.edges:
                shape = self.shape_of(source)
                again = self.add(f"{source}_again", Said("Scale", {"scale": np.ones(shape)}))
                self.edges[source, again] = None
                source = again
            self.edges[source, target] = None
            if late:
                self.late.append((source, target))

    def shape_of(self, name: str) -> Shape:
        """Features of a node that stands for itself in the graph."""
        owner = next(n for n, ends in self.ends.items() if any(own == name for own, _ in ends))
        return self.shapes[owner][1:]

    def feedback(self) -> None:
        """Edges one step late, to what each node's operator starts with."""
        for node in self.graph.nodes:
            late = [(own, True) for name in node.feedback for own, _ in self.ends[name]]
            if not late:
                continue
            if not self.starts.get(node.name):
                hint = "feed back into a neuron or a layer with weights"
                raise InputError("feedback into a node that NIR does not have", Place(key=node.label), hint)
            for target in self.starts[node.name]:
                self.connect(late, target)

    def sidecar(self) -> Sidecar:
        """What the file does not say."""
        dt_s, steps = self.dt_s, {s[0] for s in self.graph.input_shapes.values()}
        changes = {name: _changes(s) for name, s in self.semantics.items()}
        usual = Counter(tuple(sorted(c.items(), key=str)) for c in changes.values()).most_common(1)
        common = dict(usual[0][0]) if usual else {}
        single = {n: _difference(c, common) for n, c in changes.items() if c != common}
        return Sidecar(
            dt_s=dt_s,
            steps=steps.pop() if len(steps) == 1 else None,
            semantics=common,
            nodes=single,
            feedback=tuple(self.late) if self.late else None,
        )


def _changes(semantics: Semantics) -> dict[str, Any]:
    """Fields that differ from the file read literally."""
    base = semantics_of(DIALECTS["nir"], semantics.dt_s, "", {})
    return {n: getattr(semantics, n) for n in FIELDS if getattr(semantics, n) != getattr(base, n)}


def _difference(own: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    """What is set for one node over what is set for all."""
    defaults = {f.name: f.default for f in fields(Semantics)}
    names = {*own, *common}
    full = {n: own.get(n, defaults[n]) for n in names}
    return {n: v for n, v in full.items() if v != common.get(n, defaults[n])}


def _sizes(shape: Shape) -> np.ndarray:
    return np.asarray(shape, np.int64)


def _write_hdf5(path: Path, export: _Export) -> None:
    import h5py

    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        file.create_dataset("version", data=NIR_VERSION, dtype=text)
        root = file.create_group("node")
        root.create_dataset("type", data="NIRGraph", dtype=text)
        edges = np.asarray([list(e) for e in export.edges], dtype=object).reshape(-1, 2)
        root.create_dataset("edges", data=edges, dtype=text)
        nodes = root.create_group("nodes", track_order=True)
        for name, said in export.nodes.items():
            group = nodes.create_group(name)
            group.create_dataset("type", data=said.kind, dtype=text)
            for field, value in said.values.items():
                _write_value(group, field, value)
            if said.metadata:
                inner = group.create_group("metadata")
                for field, value in said.metadata.items():
                    _write_value(inner, field, value)


def _write_value(group: Any, name: str, value: Any) -> None:
    """An array (float32 where that is exact), a whole number or a text."""
    import h5py

    if isinstance(value, str):
        group.create_dataset(name, data=value, dtype=h5py.string_dtype())
    elif isinstance(value, np.ndarray):
        array = np.ascontiguousarray(value)
        if array.dtype.kind == "f" and np.array_equal(array.astype(np.float32).astype(np.float64), array):
            array = array.astype(np.float32)
        group.create_dataset(name, data=array, compression="gzip")
    else:
        group.create_dataset(name, data=int(value))
