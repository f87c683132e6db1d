"""What hardware is described with: quantities, datasheets, component kinds and the component tree.

A component kind declares its settings (chosen by the architect) and quantities (facts of a part,
in its datasheet) as dataclasses made of `setting(...)` and `quantity(...)` fields. That declaration
is the schema: the YAML loader, the JSON Schema, the sweep paths, the documentation and the test that
every parameter is read all come from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from neuromorph.card import Card
from neuromorph.hardware.curve import Curve

BASES = ("measured", "simulated", "reported", "derived", "assumed")
"""How a number is known, strongest first."""

BUSY = "busy"
"""The action of working at all, counted in seconds and priced in watts, of parts that are known by their power alone.
Parts without that price count its energy in their other actions, and parts with it count all others in it."""


def weakest(*bases: str) -> str:
    """The weakest of these bases: a result is as good as its weakest input."""
    return max(bases, key=BASES.index) if bases else "derived"


@dataclass(frozen=True)
class Source:
    """A publication, report or data set: `key` is how quantities cite it."""

    key: str
    citation: str
    url: str = ""


@dataclass(frozen=True)
class Follows:
    """A power law: the quantity goes with this setting to the power, as its source shows from low to high of it."""

    setting: str
    power: float
    low: float
    high: float


@dataclass(frozen=True)
class Quantity:
    """A physical value in SI with where it comes from. value: float, tuple of floats, or Curve.

    at: settings that it holds at; follows: those of them that move it by a `law`, see `hardware.extrapolated`.
    """

    value: Any
    unit: str
    basis: str
    source: str
    where: str = ""
    low: float | None = None
    high: float | None = None
    at: tuple[tuple[str, float], ...] = ()
    follows: tuple[Follows, ...] = ()
    law: str = ""

    def scaled(self, factor: float) -> Quantity:
        def times(x: Any) -> Any:
            if x is None:
                return None
            if isinstance(x, Curve):
                return x.scaled(factor)
            return tuple(times(v) for v in x) if isinstance(x, tuple) else x * factor

        return dataclasses.replace(self, value=times(self.value), low=times(self.low), high=times(self.high))


@dataclass(frozen=True)
class Supply:
    """The supply that a part's figures are at, and laws of the voltage that move them, see `hardware.supply`."""

    at: float
    reference: float
    low: float
    high: float
    energy: Curve
    static: Curve | None
    rate: Curve | None
    basis: str
    source: str
    where: str


@dataclass(frozen=True, repr=False)
class Datasheet(Card):
    """A part: the quantities of one component kind, each with unit, basis and source."""

    name: str
    kind: str
    title: str
    sources: Mapping[str, Source]
    quantities: Mapping[str, Quantity]
    file: str = ""
    notes: str = ""
    supply: Supply | None = None

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        facts = [("kind", self.kind), ("quantities", ", ".join(self.quantities)), ("file", self.file)]
        return f"{self.name}: {self.title}", [f for f in facts if f[1]]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """quantities: value in SI with unit, ends, basis and source; a curve or a list stays as it is."""
        return {"quantities": [
            {"quantity": name, "value": q.value, "unit": q.unit, "low": q.low, "high": q.high, "basis": q.basis,
             "source": q.source, "where": q.where}
            for name, q in self.quantities.items()
        ]}  # fmt: skip

    def __getitem__(self, name: str) -> Quantity:
        return self.quantities[name]

    def get(self, name: str) -> Quantity | None:
        return self.quantities.get(name)

    def value(self, name: str, default: Any = None) -> Any:
        """The SI value of a quantity, or the default where the part does not give it."""
        found = self.quantities.get(name)
        return default if found is None else found.value


@dataclass(frozen=True)
class Slot:
    """A place for a child component: the kinds (or families of kinds) that fit, and whether it must be filled."""

    kinds: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class Cost:
    """Energy of one action (or power, for the action "busy" counted in seconds), SI, with its provenance."""

    energy_j: float
    basis: str
    source: str
    low_j: float | None = None
    high_j: float | None = None


@dataclass(frozen=True)
class Overhead:
    """What the energy of everything inside a component is multiplied by, with its provenance.

    boundary: up to where the product counts (core, chip, board, wall).
    """

    factor: float
    boundary: str
    basis: str
    source: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Footprint:
    """Area and static power of one component without its children. None: not modelled."""

    area_m2: float | None
    leakage_w: float | None
    basis: str = "assumed"
    source: str = ""


@dataclass(frozen=True)
class ComponentKind:
    """The declaration of a kind of component.

    settings, quantities: dataclasses of `setting` and `quantity` fields. slots: children by name.
    costs(component) -> {action: Cost}; footprint(component) -> Footprint. A component kind
    without costs only contains others. times(component) -> {action: seconds that one such action
    occupies the component}; an action absent there has no modelled duration. check(component) ->
    messages about settings and parts that contradict each other. family: a name that a slot may
    give instead of the kind's own, so that new kinds fit existing slots ("core": any compute core).
    within: actions whose energy a part that gives none of its own counts in its others (a converter's
    counts in the conversion). occupying: actions that keep a node's data waiting in this component,
    beside the time that a core says it needs itself. structural: settings and number of such components
    decide how a network is cut and placed. overhead(component) -> Overhead, None where the part does not
    give it: a kind that has it encloses any of the components of the one it stands in, and is looked
    through (see `Component.get`).
    former: names it had before, which files of users may still say; they are refused with the name of today.
    """

    name: str
    doc: str
    settings: type | None = None
    quantities: type | None = None
    slots: Mapping[str, Slot] = field(default_factory=dict)
    costs: Callable[[Component], Mapping[str, Cost]] | None = None
    footprint: Callable[[Component], Footprint] | None = None
    check: Callable[[Component], list[str]] | None = None
    family: str = ""
    times: Callable[[Component], Mapping[str, float]] | None = None
    overhead: Callable[[Component], Overhead | None] | None = None
    within: tuple[str, ...] = ()
    occupying: tuple[str, ...] = ()
    structural: bool = False
    former: tuple[str, ...] = ()


@dataclass(frozen=True)
class Component:
    """A component of an architecture. count: how many of it one parent holds."""

    path: str
    kind: ComponentKind
    count: int
    settings: Any
    part: Datasheet | None
    children: Mapping[str, Component]

    @property
    def name(self) -> str:
        return self.path.rsplit(".", 1)[-1]

    def __getitem__(self, name: str) -> Component:
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str) -> Component | None:
        """The child of this name, also where it stands in a component that encloses others (a cryostat)."""
        if name in self.children:
            return self.children[name]
        inside = (child.get(name) for child in self.children.values() if child.kind.overhead is not None)
        return next((found for found in inside if found is not None), None)

    @property
    def parts(self) -> dict[str, Component]:
        """Children by name, with what enclosing components hold in the place of these."""
        found: dict[str, Component] = {}
        for name, child in self.children.items():
            found |= {name: child} if child.kind.overhead is None else child.parts
        return found

    def walk(self) -> Iterator[tuple[Component, int]]:
        """This component and all below it, each with how many of it exist inside this one, on all chips where several
        hold a network (`chips`)."""

        def visit(c: Component, n: int) -> Iterator[tuple[Component, int]]:
            yield c, n
            for child in c.children.values():
                yield from visit(child, n * child.count)

        yield from visit(self, getattr(self.settings, "chips", 1))


@dataclass(frozen=True, repr=False)
class Architecture(Card):
    """A chip (or board) as a tree of components. boundary: core, chip, board or wall.

    replace(changes): the architecture with parameters replaced, `chip.replace({"core.adc.bits": 6})`; put in by
    `hardware.paths`, which knows the form of every parameter.
    """

    name: str
    title: str
    chip: Component
    boundary: str
    sources: Mapping[str, Source] = field(default_factory=dict)
    notes: str = ""
    file: str = ""

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        units = list(self.chip.walk())
        parts = dict.fromkeys(c.part.name for c, _ in units if c.part is not None and c.part.name)
        cores = [f"{n} {c.kind.name}" for c, n in units if c.kind.family == "core"]
        facts = [
            ("boundary", self.boundary),
            ("cores", ", ".join(cores)),
            ("parts", ", ".join(parts)),
            ("file", self.file),
        ]
        return f"{self.name}: {self.title}", [f for f in facts if f[1]]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """components: every unit with how many there are; sources: every quantity with its origin."""
        units = list(self.chip.walk())
        rows = [{"component": c.path, "kind": c.kind.name, "count": n, "part": c.part.name if c.part else None}
                for c, n in units]  # fmt: skip
        found = [{"component": c.path, "part": c.part.name, **row} for c, _ in units if c.part
                 for row in c.part.tables()["quantities"]]  # fmt: skip
        return {"components": rows, "sources": found}

    replace: ClassVar[Callable[[Architecture, Mapping[str, Any]], Architecture]]


_NOTHING = object()


def setting(
    unit: str = "",
    *,
    doc: str,
    affects: tuple[str, ...],
    default: Any = _NOTHING,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    vector: bool = False,
) -> Any:
    """A dataclass field chosen by the architect. unit "": a plain int, str, bool or float; else a physical value.

    vector: the laws of the kind take an array of values, one per design, in its place.
    """
    meta: dict[str, Any] = {"role": "setting", "unit": unit, "doc": doc, "affects": affects, "choices": choices}
    meta |= {"low": low, "high": high, "vector": vector}
    return field(metadata=meta) if default is _NOTHING else field(default=default, metadata=meta)


def quantity(
    unit: str,
    *,
    doc: str,
    affects: tuple[str, ...],
    required: bool = False,
    shape: str = "scalar",
    low: float | None = 0.0,
    high: float | None = None,
    vector: bool = False,
) -> Any:
    """A dataclass field given by a datasheet. shape: "scalar", "list" or "curve"; low/high: plausible limits in SI;
    vector: as of a setting."""
    meta = {"role": "quantity", "unit": unit, "doc": doc, "affects": affects, "shape": shape, "low": low, "high": high}
    meta |= {"required": required, "vector": vector}
    return field(default=None, metadata=meta)
