"""Fixtures: published measurements with what ran, on which architecture, within which boundary. One YAML file each.

A file has `name`, `title`, `sources`, `workloads` and `groups`. A group holds keys that its rows share and a table,
`columns` and `rows`; a column may be any key of a row. All faults of a file are told at once with line and key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from neuromorph.errors import InputError, Place, suggest
from neuromorph.hardware import catalog, paths
from neuromorph.hardware.component import Architecture
from neuromorph.hardware.fields import INVALID, Reader, shown
from neuromorph.validate.quantities import QUANTITIES, Quantity
from neuromorph.validate.workload import Layer, Neurons, Workload
from neuromorph.yamlfile import KeyPath, read_yaml

FITTED, HELD_OUT, DESIGN_STUDY = "fitted", "held out", "design study"
STANDINGS = (FITTED, HELD_OUT, DESIGN_STUDY)
"""A parameter was solved from it; nothing was set from it; published, but there is no silicon."""

BOUNDARIES = ("part", "core", "tile", "chip", "board", "wall")

PARTS_TOLERANCE = 0.02
"""Published parts may miss their published total by this much, rounding of both included."""

FOLDER = Path(__file__).parent / "fixtures"

KEYS = ("schema", "name", "title", "sources", "workloads", "groups")
ROW_KEYS = (
    "label", "architecture", "changes", "baseline", "workload", "density", "quantity", "within", "published", "low",
    "high", "parts", "standing", "fitted", "source", "where", "boundary", "conditions", "note",
)  # fmt: skip
REQUIRED = (
    "label", "architecture", "workload", "quantity", "published", "standing", "source", "where", "boundary",
    "conditions",
)  # fmt: skip
WORKLOAD_KEYS = ("layers", "neurons", "network", "weight_density", "operations")


@dataclass(frozen=True)
class Measurement:
    """One published figure, in the unit of its quantity, and what is run to compare with it.

    architecture: with the changes made. low, high: published range. fitted: the parameter that was solved from it.
    within: paths of components that the figure includes. baseline: the architecture that a ratio is to. key: what has
    to be equal for two measurements to share one run. place: where the row stands.
    """

    fixture: str
    label: str
    quantity: Quantity
    published: float
    low: float | None
    high: float | None
    standing: str
    fitted: str
    source: str
    boundary: str
    conditions: str
    note: str
    architecture: Architecture
    baseline: Architecture | None
    within: tuple[str, ...]
    workload: Workload
    density: float
    key: str
    place: Place = field(repr=False)
    parts: tuple[str, ...] = field(default=(), repr=False)


def fixture_files() -> dict[str, Path]:
    """The shipped fixtures by name."""
    return {p.stem: p for p in sorted(FOLDER.glob("*.yaml"))}


def read_fixture(name_or_path: str | Path) -> tuple[Measurement, ...]:
    """The measurements of a shipped fixture or of a file. Raises InputError with every fault of it."""
    files, path = fixture_files(), Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        if str(name_or_path) not in files:
            raise InputError(
                f"there is no fixture {str(name_or_path)!r}", hint=suggest(name_or_path, files, "fixtures")
            )
        path = files[str(name_or_path)]
    return _File(path).measurements()


@lru_cache(maxsize=32)
def _architecture(name: str) -> Architecture:
    return catalog.load_architecture(name)


class _File:
    """One file while it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.yaml = read_yaml(path)
        self.reader = Reader(self.yaml)
        self.sources: Mapping[str, Mapping[str, str]] = {}
        self.workloads: dict[str, Workload] = {}

    def measurements(self) -> tuple[Measurement, ...]:
        r = self.reader
        data = r.mapping((), self.yaml.data, "a fixture")
        if data is INVALID:
            r.raise_problems()
        r.keys((), data, KEYS, KEYS)
        r.raise_problems()
        name = r.name(data)
        for key in ("sources", "workloads"):
            r.mapping((key,), data[key], f"{key} by name")
        if not isinstance(data["groups"], list):
            r.error(("groups",), f"expected a list of groups, got {shown(data['groups'])}")
        r.raise_problems()
        for key, raw in data["sources"].items():
            if not isinstance(raw, dict) or not isinstance(raw.get("citation"), str):
                r.error(("sources", key), "a source has a citation", "write {citation: ...}")
        self.sources = data["sources"]
        for key, raw in data["workloads"].items():
            self._workload(key, raw)
        found = [m for i, group in enumerate(data["groups"]) for m in self._group(name, ("groups", i), group)]
        self._sums(found)
        r.raise_problems()
        return tuple(m for m, _ in found)

    # workloads

    def _workload(self, name: str, raw: Any) -> None:
        r, path = self.reader, ("workloads", name)
        before = len(r.problems)
        if r.mapping(path, raw, "a workload") is INVALID:
            return
        r.keys(path, raw, WORKLOAD_KEYS)
        if len([k for k in ("layers", "neurons", "network") if k in raw]) != 1:
            r.error(path, f"workload {name!r} is not one thing", "give layers, neurons or network, one of them")
        if not isinstance(raw.get("layers", []), list):
            r.error((*path, "layers"), "layers is a list", "write [{rows: 256, columns: 256}]")
        if len(r.problems) > before:
            return
        layers = tuple(self._record(Layer, (*path, "layers", i), x) for i, x in enumerate(raw.get("layers", ())))
        neurons = self._record(Neurons, (*path, "neurons"), raw["neurons"]) if "neurons" in raw else None
        if (
            neurons is not None
            and neurons is not INVALID
            and not neurons.synapses <= neurons.neurons >= neurons.senders
        ):
            r.error((*path, "neurons"), f"{neurons.neurons} neurons of a core are fewer than its senders or synapses")
        network = self.path.parent / str(raw["network"]) if "network" in raw else None
        density = self._share((*path, "weight_density"), raw.get("weight_density", 0.5))
        if len(r.problems) > before:
            return
        self.workloads[name] = found = Workload(name, layers, neurons, network, density)
        count = raw.get("operations")
        if count is not None and count != found.operations:
            is_ = "none without layers" if not found.operations else f"{found.operations}, two per weight and product"
            r.error(
                (*path, "operations"), f"{shown(count)} operations, but those of the shapes are {is_}",
                "correct the shapes or leave operations out",
            )  # fmt: skip

    def _record(self, cls: type, path: KeyPath, raw: Any) -> Any:
        """A dataclass of whole numbers and flags."""
        r, legal = self.reader, [f.name for f in fields(cls)]
        needed = {Layer: ("rows", "columns"), Neurons: ("cores", "neurons", "senders", "synapses")}[cls]
        before = len(r.problems)
        if r.mapping(path, raw, f"{cls.__name__.lower()}") is INVALID:
            return INVALID
        r.keys(path, raw, legal, needed)
        for key, value in raw.items():
            flag = key == "resident"
            if key in legal and (isinstance(value, bool) != flag or not isinstance(value, int) or value < (not flag)):
                wants = "true or false" if flag else "a whole number from 1"
                r.error((*path, key), f"expected {wants}, got {shown(value)}")
        if len(r.problems) == before and raw.get("products", 1) % raw.get("height", 1):
            r.error(
                path, f"{raw.get('products', 1)} products are no map of height {raw['height']}", "a divisor of them"
            )
        if len(r.problems) == before and raw.get("rows", 1) % raw.get("kernel", 1) ** 2:
            r.error(
                path, f"{raw['rows']} rows are no windows of {raw['kernel']} x {raw['kernel']}", "a multiple of them"
            )
        return INVALID if len(r.problems) > before else cls(**raw)

    def _share(self, path: KeyPath, raw: Any) -> Any:
        if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw <= 1:
            return self.reader.error(path, f"expected a share above 0 and up to 1, got {shown(raw)}")
        return float(raw)

    # rows

    def _group(self, name: str, path: KeyPath, group: Any) -> list[tuple[Measurement, KeyPath]]:
        r = self.reader
        if r.mapping(path, group, "a group") is INVALID:
            return []
        shared = {k: v for k, v in group.items() if k not in ("columns", "rows")}
        columns, rows = group.get("columns"), group.get("rows")
        if not isinstance(columns, list) or not isinstance(rows, list):
            r.error(path, "a group has a table", "give columns and rows, both lists")
            return []
        r.keys(path, shared, (*ROW_KEYS, "columns", "rows"))
        for j, column in enumerate(columns):
            if column not in ROW_KEYS:
                r.error((*path, "columns", j), f"unknown column {column!r}", suggest(column, ROW_KEYS, "legal columns"))
        found = []
        for i, cells in enumerate(rows):
            where = (*path, "rows", i)
            if not isinstance(cells, list) or len(cells) != len(columns):
                r.error(where, f"expected {len(columns)} values: {', '.join(map(str, columns))}", "one per column")
                continue
            at: dict[str, KeyPath] = {key: (*path, key) for key in shared}
            at |= {str(c): (*where, j) for j, c in enumerate(columns)}
            row = {**shared, **dict(zip(map(str, columns), cells, strict=True))}
            one = _Row(self, name, {k: v for k, v in row.items() if v is not None}, at, where).measurement()
            found += [] if one is None else [(one, where)]
        return found

    def _sums(self, found: list[tuple[Measurement, KeyPath]]) -> None:
        """Parts that a row names must add up to it; an efficiency is the inverse of its energies."""
        by_label = {m.label: m for m, _ in found}
        for m, path in found:
            if not m.parts:
                continue
            if missing := [p for p in m.parts if p not in by_label]:
                self.reader.error(path, f"part {missing[0]!r} is no row", suggest(missing[0], by_label, "rows"))
                continue
            inverse = m.quantity.name == "efficiency"
            unit = QUANTITIES["energy per operation"] if inverse else m.quantity
            if not unit.additive or any(by_label[p].quantity != unit for p in m.parts):
                self.reader.error(path, f"{m.label}: parts that are no {unit.name} do not add up to it")
                continue
            total, sum_ = m.published, sum(by_label[p].published for p in m.parts)
            total = 1.0 / (total * m.quantity.scale) if inverse else total
            if abs(sum_ / total - 1.0) > PARTS_TOLERANCE:
                self.reader.error(
                    path, f"{m.label}: parts add up to {sum_:.4g}, the total is {total:.4g}, {sum_ / total - 1:+.1%}",
                    f"published parts and total agree within {PARTS_TOLERANCE:.0%}, or one of them was misread",
                )  # fmt: skip


class _Row:
    """One row while it is read. at: the place of every key."""

    def __init__(self, file: _File, name: str, row: Mapping[str, Any], at: Mapping[str, KeyPath], path: KeyPath):
        self.file, self.name, self.row, self.at, self.path = file, name, row, at, path
        self.reader = file.reader

    def error(self, key: str, message: str, hint: str = "") -> Any:
        return self.reader.error(self.at.get(key, self.path), message, hint)

    def one_of(self, key: str, legal: Any) -> Any:
        raw = self.row[key]
        if not isinstance(raw, str) or raw not in legal:
            return self.error(key, f"unknown {key} {shown(raw)}", suggest(raw, legal, "legal"))
        return raw

    def measurement(self) -> Measurement | None:
        before = len(self.reader.problems)
        for key in REQUIRED:
            if key not in self.row:
                self.error(key, f"{key} is missing", f"give it for the row or for its group: {', '.join(REQUIRED)}")
        if len(self.reader.problems) > before:
            return None
        standing, boundary = self.one_of("standing", STANDINGS), self.one_of("boundary", BOUNDARIES)
        source = self.one_of("source", self.file.sources)
        workload = self.one_of("workload", self.file.yaml.data["workloads"])
        quantity = self.one_of("quantity", QUANTITIES)
        texts = {k: self.reader.text(self.at.get(k, self.path), self.row.get(k, "")) for k in ("note", "fitted")}
        texts |= {
            k: self.reader.text(self.at.get(k, self.path), self.row[k], required=True)
            for k in ("label", "where", "conditions")
        }
        architecture = self._architecture("changes")
        density = self.file._share(self.at.get("density", self.path), self.row.get("density", 0.5))
        if len(self.reader.problems) > before or workload not in self.file.workloads:
            return None  # a workload that could not be read has been told
        chosen = QUANTITIES[quantity]
        published, low, high = self._published(chosen)
        baseline = self._baseline(chosen)
        within = self._within(architecture)
        self._fitted(standing, texts["fitted"], architecture)
        parts = self.row.get("parts", ())
        if not isinstance(parts, list | tuple):
            self.error("parts", f"expected a list of labels, got {shown(parts)}")
        if len(self.reader.problems) > before:
            return None
        changes = (self.row["architecture"], repr(self.row.get("changes")), repr(self.row.get("baseline")))
        where = f"{self.file.sources[source]['citation']}; {texts['where']}"
        key = repr((*changes, self.name, workload, density))
        return Measurement(
            self.name, texts["label"], chosen, published, low, high, standing, texts["fitted"], where, boundary,
            texts["conditions"], texts["note"], architecture, baseline, within, self.file.workloads[workload], density,
            key, self.reader.yaml.place(self.path), tuple(parts),
        )  # fmt: skip

    def _architecture(self, key: str) -> Any:
        """The architecture with the changes under this key."""
        name, changes = self.row["architecture"], self.row.get(key)
        try:
            found = _architecture(str(name))
        except InputError as error:
            hint = suggest(name, catalog.architecture_names(), "architectures")
            return self.error("architecture", f"unknown architecture {shown(name)}: {error.problems[0].message}", hint)
        if not changes:
            return found
        if not isinstance(changes, dict):
            return self.error(key, f"expected parameters by path, got {shown(changes)}", "write {core.adc.bits: 6}")
        try:
            return paths.replace(found, changes)
        except InputError as error:
            for problem in error.problems:
                self.error(key, problem.message, problem.hint)
            return INVALID

    def _baseline(self, quantity: Quantity) -> Any:
        """What a ratio is to, None for all else."""
        ratio = quantity.name == "energy ratio"
        if ratio != ("baseline" in self.row):
            word = "needs" if ratio else "takes no"
            return self.error(
                "baseline", f"{quantity.name} {word} baseline", "the changes of the architecture it is to"
            )
        return self._architecture("baseline") if ratio else None

    def _published(self, quantity: Quantity) -> tuple[float, float | None, float | None]:
        values: dict[str, float] = {}
        for key in (k for k in ("published", "low", "high") if k in self.row):
            try:
                values[key] = quantity.parse(self.row[key])
            except InputError as error:
                self.error(key, f"{key} {quantity.name}: {error.problems[0].message}", error.problems[0].hint)
        value, low, high = values.get("published", 1.0), values.get("low"), values.get("high")
        if value <= 0:
            self.error("published", f"a published {quantity.name} is above 0, got {shown(self.row['published'])}")
        if low is not None and high is not None and low > high:
            self.error("low", f"low {shown(self.row['low'])} is above high {shown(self.row['high'])}", "exchange them")
        elif (low is not None and value < low) or (high is not None and value > high):
            self.error("published", f"published {shown(self.row['published'])} is outside its own range")
        return value, low, high

    def _within(self, architecture: Architecture) -> tuple[str, ...]:
        raw = self.row.get("within", "chip")
        named = raw if isinstance(raw, list) else [raw]
        legal = [c.path for c, _ in architecture.chip.walk()]
        for path in named:
            if path not in legal:
                self.error("within", f"{architecture.name} has no component {shown(path)}", suggest(path, legal))
        if not named:
            self.error("within", "no component is inside", "leave within out for the whole chip")
        return tuple(named)

    def _fitted(self, standing: str, fitted: str, architecture: Architecture) -> None:
        if (standing == FITTED) != bool(fitted):
            which = "name the parameter that was solved from it" if standing == FITTED else "leave fitted out"
            self.error("fitted" if fitted else "standing", f"a row that is {standing}: {which}")
        elif fitted:
            try:
                paths.resolve(architecture, fitted)
            except InputError as error:
                self.error("fitted", error.problems[0].message, error.problems[0].hint)
