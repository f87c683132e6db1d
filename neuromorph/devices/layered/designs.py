"""Energy, time and area of thousands of designs at once, without placing any of them.

For weight-stationary arrays all counts are quotients rounded up. The counts come from the same functions as those of a
placement, prices and footprints from the same components, here with arrays of designs in the place of numbers.
Included: the parts of the cores, and of the parts of tiles what does not hang on where a layer lies (buffers, buses,
output registers, vector units, additions of partial sums). Not included: routers, links, the chip's boundary and what
buffers pass over them, parts of tiles known by their power alone, and static power (given apart). Tiles that pruning
leaves empty are counted, copies are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.layered.core import Assumption, core_kind, core_kinds, core_of
from neuromorph.devices.layered.design_counts import ClosedForm, DenseLayers
from neuromorph.devices.layered.tally.counts import beside, tile_values, vector_counts
from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.model import Graph
from neuromorph.hardware.component import Architecture, Component
from neuromorph.hardware.extrapolated import Extrapolated, extrapolated, settled
from neuromorph.hardware.paths import Parameter, replace, resolve

NOT_INCLUDED = (
    "routers", "links", "the chip's boundary", "what tile buffers pass over them",
    "parts of tiles known by their power alone", "static power",
)  # fmt: skip

CHUNK = 4096
"""Designs evaluated together: their arrays stay in the processor's cache."""


@dataclass(frozen=True)
class Estimates:
    """One entry per design. Energies are of one inference, joules, dynamic, without `not_included`.

    energy_by: by component path. interval_s: time between results of a full pipeline, one copy per layer: the work of
    the slowest layer. latency_high_s: layers one after the other, each with the depth of its pipeline; the latency lies
    between the two, but for vector units and the network. area_m2, leakage_w: of the whole chip, an area that no part
    states is NaN. arrays, cores: what the network needs without sharing (feasible: at most as many arrays as the chip
    has, and a core can hold a weight and drive an input). extrapolated: some constant of a part is known for another
    size or resolution alone.
    """

    energy_j: np.ndarray
    energy_by: Mapping[str, np.ndarray]
    interval_s: np.ndarray
    latency_high_s: np.ndarray
    area_m2: np.ndarray
    leakage_w: np.ndarray
    arrays: np.ndarray
    cores: np.ndarray
    feasible: np.ndarray
    extrapolated: np.ndarray
    macs: int
    not_included: tuple[str, ...] = NOT_INCLUDED

    def __len__(self) -> int:
        return len(self.energy_j)

    def columns(self) -> dict[str, np.ndarray]:
        """The one-number-per-design results by name."""
        names = (
            "energy_j", "interval_s", "latency_high_s", "area_m2", "leakage_w", "arrays", "cores", "feasible",
            "extrapolated",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    def pareto(self) -> np.ndarray:
        """Whether no other feasible design is at least as good in energy, interval and area and better in one.

        Designs whose constants hold for another design are left out.
        """
        comparable = self.feasible & ~self.extrapolated
        figures = [x for x in (self.energy_j, self.interval_s, self.area_m2) if not np.isnan(x).all()]
        return comparable & _undominated(np.stack(figures, axis=1), comparable)


@dataclass(frozen=True, eq=False)
class Workload:
    """What a network asks of any design; made once, used for many calls."""

    graph: Graph
    layers: DenseLayers

    @staticmethod
    def of(graph: Graph) -> Workload:
        return Workload(graph, DenseLayers.of(graph))


def estimate(
    network: Graph | Workload,
    architecture: Architecture,
    vary: Mapping[str, Any] | None = None,
    *,
    density: float = 0.5,
) -> Estimates:
    """Estimates of the designs that `vary` lists.

    vary: parameter path -> (designs,) values in SI or as text ("0.3 V", "0.5x"), all of one length; without it the
    architecture itself is the only design. density: fraction of inputs that are not zero. Raises InputError for unknown
    parameters, illegal values, arrays of different lengths and cores without a closed form.
    """
    work = network if isinstance(network, Workload) else Workload.of(network)
    _check_network(work, architecture)
    values, parameters, count = _read(architecture, vary or {})
    direct = {q: v for q, v in values.items() if _takes_arrays(parameters[q], v)}
    grouped = {q: v for q, v in values.items() if q not in direct}
    parts: list[tuple[np.ndarray, Estimates]] = []
    for base, index in _groups(architecture, grouped, count):
        for start in range(0, len(index), CHUNK):
            chosen = index[start : start + CHUNK]
            own = {parameters[q].path: (parameters[q], v[chosen]) for q, v in direct.items()}
            parts.append((chosen, _evaluate(work, base, own, len(chosen), Assumption(density))))
    return _joined(parts, count)


def _check_network(work: Workload, architecture: Architecture) -> None:
    closed_form(architecture)
    if not work.layers.nodes:
        raise InputError(f"graph {work.graph.name!r} has no operator with weights: nothing to estimate")


def closed_form(architecture: Architecture) -> ClosedForm:
    """The kind of its cores, which is asked for many designs at once. InputError where it has no closed form."""
    name = core_of(architecture).kind.name
    kind = core_kind(name)
    if not isinstance(kind, ClosedForm):
        able = ", ".join(n for n, k in core_kinds().items() if isinstance(k, ClosedForm))
        raise InputError(
            f"{architecture.name}: a core of kind {name} has no closed form",
            Place(key=core_of(architecture).path),
            f"cores with one: {able}; others: use `neuromorph sweep`",
        )
    return kind


def _read(
    architecture: Architecture, vary: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Parameter], int]:
    """Values as checked arrays, the parameters they belong to, and the number of designs."""
    problems: list[Problem] = []
    values: dict[str, np.ndarray] = {}
    parameters: dict[str, Parameter] = {}
    for query, raw in vary.items():
        try:
            parameters[query] = resolve(architecture, query)
            values[query] = _checked(architecture, query, parameters[query], np.atleast_1d(np.asarray(raw)))
        except InputError as error:
            problems += error.problems
    lengths = {len(v) for v in values.values()}
    if len(lengths - {1}) > 1:
        problems.append(Problem(f"parameters have {sorted(lengths)} values", hint="give one value per design each"))
    if problems:
        raise InputError(problems)
    count = max(lengths, default=1)
    return {q: np.broadcast_to(v, (count,)) for q, v in values.items()}, parameters, count


def _checked(architecture: Architecture, query: str, parameter: Parameter, raw: np.ndarray) -> np.ndarray:
    """Values in SI, inside the legal limits; texts are read as a file is."""
    spec, place = parameter.declaration, Place(key=query)
    if raw.ndim != 1 or not len(raw):
        raise InputError(f"expected a list of values, got an array of shape {raw.shape}", place)
    if raw.dtype.kind not in "iuf":
        if parameter.role in ("setting", "quantity") and spec.type in (int, float) and raw.dtype.kind != "b":
            texts, index = np.unique(raw.astype(str), return_inverse=True)
            read = [resolve(replace(architecture, {query: t}), query).value for t in texts]
            if all(isinstance(v, int | float) for v in read):
                return np.asarray(read)[index]
        return raw
    if spec.type is int and not np.array_equal(raw, np.rint(raw)):
        raise InputError(f"{raw[raw != np.rint(raw)][0]:g} is no whole number", place, spec.doc)
    for limit, outside in ((spec.low, np.less), (spec.high, np.greater)):
        if limit is not None and (bad := outside(raw, limit)).any():
            raise InputError(
                f"{raw[bad][0]:g} lies beyond the legal value {limit:g}", place, f"{spec.name}: {spec.doc}"
            )
    if not np.isfinite(raw).all():
        raise InputError("values must be finite", place)
    return raw.astype(np.int64) if spec.type is int else raw.astype(float)


def _takes_arrays(parameter: Parameter, values: np.ndarray) -> bool:
    if values.dtype.kind not in "if":
        return False
    return parameter.role == "count" or parameter.declaration.vector


def _groups(
    architecture: Architecture, grouped: Mapping[str, np.ndarray], count: int
) -> list[tuple[Architecture, np.ndarray]]:
    """Architectures for each combination of the parameters that price laws do not take arrays of, with its designs."""
    if not grouped:
        return [(architecture, np.arange(count))]
    codes = np.stack([np.unique(v, return_inverse=True)[1] for v in grouped.values()], axis=1)
    _, first, which = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    found = []
    for group, example in enumerate(first.tolist()):
        changes = {q: v[example].item() for q, v in grouped.items()}
        found.append((replace(architecture, changes), np.flatnonzero(which.reshape(-1) == group)))
    return found


def _with_arrays(component: Component, own: Mapping[str, tuple[Parameter, np.ndarray]]) -> Component:
    """The component tree with arrays of designs in the place of these parameters."""
    children = {name: _with_arrays(child, own) for name, child in component.children.items()}
    settings, part, count = component.settings, component.part, component.count
    for parameter, values in own.values():
        if parameter.component.path != component.path:
            continue
        if parameter.role == "setting":
            settings = dataclasses.replace(settings, **{parameter.name: values})
        elif parameter.role == "count":
            count = values  # type: ignore[assignment]
        elif part is not None:
            old = part.get(parameter.name)
            if old is None:
                raise InputError(f"{component.path}: the part gives no {parameter.name}", Place(key=parameter.path))
            new = dataclasses.replace(old, value=values, low=None, high=None)
            part = dataclasses.replace(part, quantities={**part.quantities, parameter.name: new})
    return dataclasses.replace(component, children=children, settings=settings, part=part, count=count)


def _evaluate(
    work: Workload,
    base: Architecture,
    own: Mapping[str, tuple[Parameter, np.ndarray]],
    count: int,
    assumption: Assumption,
) -> Estimates:
    """Estimates of designs that differ from `base` in `own` only."""
    described = _with_arrays(base.chip, own)
    chip = settled(described)
    tile = chip["tile"]
    unit = tile["core"]
    counted = closed_form(base).designs(work.layers, unit, assumption)
    energy: dict[str, Any] = {}

    def add(component: Component | None, action: str, mean: Any) -> None:
        if component is None:
            return
        price = prices.setdefault(component.path, _prices(component)).get(action)
        if price is not None:
            energy[component.path] = energy.get(component.path, 0.0) + mean * price

    prices: dict[str, dict[str, Any]] = {}
    for (name, action), mean in counted.counts.items():
        add(unit.get(name), action, mean)
    absent: dict[str, None] = {}
    for (name, action), mean in _tile_counts(work, tile, unit).items():
        owner = chip if name == "memory" else tile
        add(owner.get(name), action, mean)
        if name in ("memory", "vector_unit") and owner.get(name) is None:
            absent[f"{owner.path}.{name}"] = None
    add(tile.get("buffer"), "read_bit", counted.fetched)
    add(tile.get("bus"), "transfer_bit", counted.carried)
    add(tile.get("adder"), "add", counted.partial_sums)
    unknown = _add_overheads(chip, energy)
    area, leakage = _footprints(chip)
    array = unit.get("array")
    held = chip.settings.chips * tile.count * unit.count * (1 if array is None else array.count)

    def full(x: Any) -> np.ndarray:
        return np.array(np.broadcast_to(x, (count,)))

    by = {path: full(joules) for path, joules in energy.items()}
    return Estimates(
        energy_j=np.sum(list(by.values()), axis=0) if by else np.zeros(count),
        energy_by=by,
        interval_s=full(counted.service_s.max(axis=-1)),
        latency_high_s=full((counted.service_s + counted.depth_s).sum(axis=-1)),
        area_m2=full(np.nan if area is None else area),
        leakage_w=full(leakage),
        arrays=full(counted.arrays),
        cores=full(counted.cores),
        feasible=full(counted.feasible) & full(counted.arrays <= held),
        extrapolated=full(_any(extrapolated(described), count)),
        macs=work.layers.macs,
        not_included=(*NOT_INCLUDED, *absent, *unknown),
    )


def _add_overheads(chip: Component, energy: dict[str, Any]) -> tuple[str, ...]:
    """Adds what enclosing components cost to energies by path; the names of those whose factor is not known."""
    unknown = []
    for component, _ in reversed(list(chip.walk())):
        if component.kind.overhead is None:
            continue
        law = component.kind.overhead(component)
        inside = [joules for path, joules in energy.items() if path.startswith(component.path + ".")]
        if law is None:
            unknown.append(f"the overhead of {component.path}")
        elif inside:
            energy[component.path] = sum(inside) * (law.factor - 1.0)
    return tuple(unknown)


def _prices(component: Component) -> dict[str, Any]:
    """Joules of each priced action (watts for "busy")."""
    return {a: c.energy_j for a, c in component.kind.costs(component).items()} if component.kind.costs else {}


def _tile_counts(work: Workload, tile: Component, unit: Component) -> dict[tuple[str, str], Any]:
    """Counts of the parts of tiles that do not depend on the placement, summed over nodes."""
    kind = core_kind(unit.kind.name)
    bits = kind.resources(unit).signal_bits
    key = ("tile", unit.kind.name, tuple(tile.parts))
    if key not in work.layers.cache:
        groups = kind.groups(work.graph, unit)
        totals: dict[tuple[str, str], float] = {}
        for node in beside(work.graph, groups):
            for found in vector_counts(tile, node, [work.graph.shapes[i] for i in node.inputs]):
                name = found.path.rsplit(".", 1)[-1], found.action
                totals[name] = totals.get(name, 0.0) + found.mean
        moved: dict[tuple[str, str], float] = {}
        for _, values_of in tile_values(work.graph, groups):
            for name, values in values_of.items():
                moved[name] = moved.get(name, 0.0) + values
        work.layers.cache[key] = totals, moved
    totals, moved = work.layers.cache[key]
    return totals | {name: values * bits for name, values in moved.items()}


def _any(entries: Sequence[Extrapolated], count: int) -> np.ndarray:
    """Which of `count` designs one of the entries holds for."""
    found = np.zeros(count, bool)
    for entry in entries:
        found |= entry.where
    return found


def _footprints(chip: Component) -> tuple[Any, Any]:
    """Area and static power of the chip's parts that have a model of them; no area is None where none has one."""
    area: Any = None
    leakage: Any = 0.0
    for component, count in chip.walk():
        if component.kind.footprint is not None:
            found = component.kind.footprint(component)
            if found.area_m2 is not None:
                area = found.area_m2 * count + (0.0 if area is None else area)
            if found.leakage_w is not None:
                leakage = leakage + found.leakage_w * count
    return area, leakage


def _joined(parts: Sequence[tuple[np.ndarray, Estimates]], count: int) -> Estimates:
    """Estimates of parts of the designs in their places."""
    first = parts[0][1]
    if len(parts) == 1:
        return first

    def placed(get: Any) -> np.ndarray:
        out = np.zeros(count, get(first).dtype)
        for index, found in parts:
            out[index] = get(found)
        return out

    names = [f.name for f in dataclasses.fields(Estimates) if f.name not in ("energy_by", "macs", "not_included")]
    paths = dict.fromkeys(path for _, found in parts for path in found.energy_by)
    by = {path: placed(lambda e, p=path: e.energy_by.get(p, np.zeros(1))) for path in paths}
    columns: dict[str, Any] = {n: placed(lambda e, n=n: getattr(e, n)) for n in names}
    return Estimates(**columns, energy_by=by, macs=first.macs, not_included=first.not_included)


def _undominated(points: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Which rows of (designs, objectives), all to be small, no allowed row dominates."""
    kept = np.zeros(len(points), bool)
    order = np.flatnonzero(allowed)[np.lexsort(points[allowed].T[::-1])]
    front = np.empty((0, points.shape[1]))
    for i in order:
        if not (np.all(front <= points[i], axis=1) & np.any(front < points[i], axis=1)).any():
            kept[i] = True
            front = np.vstack([front, points[i]])
    return kept
