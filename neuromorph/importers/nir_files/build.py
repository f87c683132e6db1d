"""A NIR structure with its settings as a Graph: shapes inferred forward, sums made, every problem reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Graph, Node, Operator, Shape
from neuromorph.graph.operators.arithmetic import Add
from neuromorph.graph.operators.wiring import Flatten
from neuromorph.importers.nir_files import layers, membranes
from neuromorph.importers.nir_files.faults import Faults
from neuromorph.importers.nir_files.fields import NEURONS, TIMES, Fields
from neuromorph.importers.nir_files.layers import Plan
from neuromorph.importers.nir_files.records import RawNode, Structure
from neuromorph.importers.nir_files.settings import Settings

PLANS: Mapping[str, Callable[[Fields, Settings], Plan | None]] = {
    "Linear": layers.linear,
    "Affine": layers.linear,
    "Conv1d": layers.convolution,
    "Conv2d": layers.convolution,
    "SumPool2d": layers.pool,
    "AvgPool2d": layers.pool,
    "Flatten": layers.flatten,
    "Scale": layers.scale,
    "Threshold": membranes.threshold,
    **dict.fromkeys(membranes.OPERATORS, membranes.neuron),
}


def needs_dt(structure: Structure) -> bool:
    """Whether any node of it has a time in it."""
    return any(n.kind == "Delay" or (n.kind in NEURONS and n.kind != "Threshold") for n in structure.nodes)


def build(structure: Structure, settings: Settings, faults: Faults, name: str, metadata: Mapping[str, str]) -> Graph:
    """The graph; its samples are (steps, *features). Raises InputError with every problem of the nodes."""
    _check_settings(structure, settings, faults)
    builder = _Builder(structure, settings, faults)
    builder.inputs()
    for raw in structure.nodes:
        builder.node(raw)
    outputs = builder.outputs()
    builder.check_feedback()
    faults.stop()
    check_times(builder.times, settings, faults)
    full = {**metadata, **({"notes": "\n".join(faults.notes)} if faults.notes else {})}
    graph = Graph(name, builder.input_shapes, tuple(builder.nodes), tuple(outputs), full)
    _ = graph.shapes
    return graph


def _check_settings(structure: Structure, settings: Settings, faults: Faults) -> None:
    """Says once what would be wrong with the semantics of every node."""
    said: set[str] = set()
    for raw in structure.nodes:
        if raw.kind not in membranes.OPERATORS:
            continue
        try:
            settings.semantics(raw.name, raw.kind)
        except InputError as error:
            for p in error.problems:
                if p.message not in said:
                    said.add(p.message)
                    faults.add("", f"semantics: {p.message}", p.hint)
    known = {n.name for n in structure.nodes}
    for name in settings.nodes:
        if name not in known:
            faults.add("", f"semantics for a node {name!r}, which the network does not have", f"{len(known)} nodes")


class _Builder:
    def __init__(self, structure: Structure, settings: Settings, faults: Faults) -> None:
        self.structure, self.settings, self.faults = structure, settings, faults
        self.nodes: list[Node] = []
        self.features: dict[str, Shape] = {}
        self.received: dict[str, Shape] = {}
        self.input_shapes: dict[str, Shape] = {}
        self.times: dict[str, np.ndarray] = {}
        self.taken = {*structure.sources, *structure.inputs, *structure.outputs}
        self.plans = {raw.name: self.plan(raw) for raw in structure.nodes}

    def plan(self, raw: RawNode) -> Plan | None:
        fields = Fields(raw, self.faults)
        for name in TIMES:
            if name != "delay" and isinstance(raw.item.values.get(name), np.ndarray):
                self.times[f"{raw.name}.{name}"] = np.asarray(raw.item.values[name], np.float64)
        if raw.kind == "Delay":
            return layers.delay(fields, self.settings, shorter=raw.name in self.structure.shorter)
        return PLANS[raw.kind](fields, self.settings)

    def fresh(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def inputs(self) -> None:
        """Shapes of the graph's inputs: declared, or what the node after them takes."""
        for name, raw in self.structure.inputs.items():
            after = [self.plans[n] for n, sources in self.structure.sources.items() if name in sources]
            declared = Fields(raw, self.faults).shape("shape") if raw is not None else None
            wanted = [p.expects for p in after if p is not None and p.expects is not None]
            if declared is None and raw is None:
                if not wanted:
                    target = next((n for n, s in self.structure.sources.items() if name in s), name)
                    hint = "add an Input node with a shape"
                    self.faults.add("node/nodes", f"the shape of what {target!r} takes is not known", hint)
                    continue
                declared = wanted[0]
                self.faults.note(f"the file has no Input node: {name} takes {declared}, as the first layer does")
            if declared is None:
                continue
            shape = self.unbatched(name, declared, [p for p in after if p is not None])
            self.features[name] = shape
            self.input_shapes[name] = (self.settings.steps, *shape)

    def unbatched(self, name: str, declared: Shape, plans: list[Plan]) -> Shape:
        """Leaves out leading axes of size 1 that the layer after the input does not take (a batch axis)."""
        shape = declared
        for plan in plans:
            n = len(plan.expects) if plan.expects is not None else plan.rank
            if n is None or n >= len(shape) or any(k != 1 for k in shape[: len(shape) - n]):
                continue
            rest = shape[len(shape) - n :]
            if plan.expects is None or plan.expects == rest:
                shape = rest
        if shape != declared:
            self.faults.note(f"{name}: shape {declared} is taken as {shape}, its first axis as a batch axis")
        return shape

    def node(self, raw: RawNode) -> None:
        """Adds the operators of one node, after a sum where several edges lead to it."""
        features = self.joined(raw.name, self.structure.sources[raw.name], raw.path)
        plan = self.plans[raw.name]
        if features is None or plan is None:
            return
        try:
            made = plan.make(features)
            if made is None:
                return
            self.received[raw.name] = features
            sources = self.structure.sources[raw.name]
            before = sources[0]
            if len(sources) > 1:
                before = self.fresh(f"{raw.name}_sum")
                self.nodes.append(Node(before, Add(), tuple(sources), raw.name))
            self.chain(raw.name, before, made, features)
        except InputError as error:
            for p in error.problems:
                self.faults.add(raw.path, f"{raw.kind}: {p.message}", p.hint)

    def chain(self, name: str, before: str, operators: layers.Operators, features: Shape) -> None:
        made: list[Operator] = list(operators or ())
        shape: Shape = (self.settings.steps, *features)
        late = tuple(self.structure.feedback.get(name, ()))
        for i, operator in enumerate(made):
            own = name if i == len(made) - 1 else self.fresh(f"{name}_{i + 1}")
            shape = operator.output_shape([shape])
            self.nodes.append(Node(own, operator, (before,), "" if own == name else name, late if i == 0 else ()))
            before = own
        self.features[name] = shape[1:]

    def joined(self, name: str, sources: list[str], path: str) -> Shape | None:
        """The features that arrive from all sources; a problem where they differ."""
        shapes = {s: self.features[s] for s in sources if s in self.features}
        if len(set(shapes.values())) > 1:
            found = ", ".join(f"{s} {shape}" for s, shape in list(shapes.items())[:6])
            self.faults.add(path, f"sums inputs of different shapes: {found}", "edges into one node are added up")
            return None
        return next(iter(shapes.values())) if len(shapes) == len(set(sources)) and shapes else None

    def outputs(self) -> list[str]:
        """Names of the graph's outputs."""
        found = []
        for name, sources in self.structure.outputs.items():
            raw = self.structure.output_nodes[name]
            features = self.joined(name, sources, raw.path if raw else "node")
            declared = Fields(raw, self.faults).shape("shape") if raw is not None else None
            if features is None:
                continue
            if declared is not None and raw is not None and declared != features:
                self.check_output(name, declared, features, raw.path)
            if len(sources) > 1:
                self.nodes.append(Node(name, Add(), tuple(sources)))
                found.append(name)
            elif sources[0] in self.input_shapes:
                self.nodes.append(Node(name, Flatten(axes=1), (sources[0],)))
                found.append(name)
            else:
                found.append(sources[0])
        return found

    def check_output(self, name: str, declared: Shape, features: Shape, path: str) -> None:
        if tuple(n for n in declared if n != 1) == tuple(n for n in features if n != 1):
            self.faults.note(f"{name}: the file says shape {declared}, the network gives {features}")
        else:
            self.faults.add(f"{path}/shape", f"is {declared}, but the network gives {features}", "correct one of both")

    def check_feedback(self) -> None:
        for name, late in self.structure.feedback.items():
            for source in late:
                own, wanted = self.features.get(source), self.received.get(name)
                if own is not None and wanted is not None and own != wanted:
                    raw = next(r for r in self.structure.nodes if r.name == name)
                    self.faults.add(raw.path, f"gets {own} back from {source!r}, but {wanted} from its inputs")


def check_times(times: Mapping[str, np.ndarray], settings: Settings, faults: Faults) -> None:
    """Notes on time constants that can hardly be meant, with the likely cause."""
    if not times or settings.dt_s is None:
        return
    dt, scale, dialect = settings.dt_s, settings.time_scale, settings.dialect
    short = min(times, key=lambda n: float(times[n].min()))
    long = max(times, key=lambda n: float(times[n].max()))
    least, most = float(times[short].min()) * scale, float(times[long].max()) * scale
    if dt > least:
        cause = "milliseconds against seconds in dt?"
        if dialect.times == "s":
            cause += " norse writes times 1000 times too short (preset norse)"
        unstable = " forward Euler swings and may grow;" if dt > 2 * least else ""
        faults.note(f"{short} is {least:g} s, shorter than a step of {dt:g} s;{unstable} likely cause: {cause}")
    if most > 1e5 * dt:
        cause = "milliseconds against seconds"
        if dialect.times == "s":
            cause += ", or times in steps (presets sinabs and spyx)"
        faults.note(
            f"{long} is {most:g} s, {most / dt:.3g} steps of {dt:g} s: no leak to speak of; likely cause: {cause}"
        )
    raw_least, raw_most = float(times[short].min()), float(times[long].max())
    doubtful = (dialect.times == "steps" and raw_most < 1) or (dialect.times == "dt s" and raw_least >= dt)
    if doubtful and scale != 1:
        faults.note(
            f"times run from {raw_least:g} to {raw_most:g} in the file, which look like seconds, but the preset "
            f"{dialect.name} multiplies them by {scale:g}; time_scale 1 reads them as they are"
        )
