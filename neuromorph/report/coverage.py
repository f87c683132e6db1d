"""Which parts of the hardware the energies of several reports include, and their sums over what all of them do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuromorph.devices.physics import ABSENT, UNHOUSED

if TYPE_CHECKING:
    from neuromorph.report.model import Report

PRICED, PARTLY, UNPRICED, NOT_THERE, UNUSED = "priced", "in part", "not modelled", "not on this chip", "–"
CORE = "core"
"""Name of the slot of compute cores: with all inside they are one part, whatever computes there."""

NO_ENERGY = ("area", "latency")


@dataclass(frozen=True)
class Coverage:
    """parts: of the hardware, static power apart. status and joules: per report, by part. common: parts that all
    reports price; shared and whole: joules of those and of all, per report."""

    parts: tuple[str, ...]
    status: tuple[Mapping[str, str], ...]
    joules: tuple[Mapping[str, float], ...]
    common: tuple[str, ...]
    shared: tuple[float, ...]
    whole: tuple[float, ...]

    def alike(self, index: int) -> bool:
        """Whether a report and the first have a price for the same parts."""
        return set(self.joules[index]) == set(self.joules[0]) == set(self.common)

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """JSON data."""
        return {
            "common": list(self.common),
            "reports": [
                {"name": n, "status": dict(s), "energy_j": dict(j), "common_j": c, "whole_j": w,
                 "common_ratio": _ratio(c, self.shared[0]), "whole_ratio": _ratio(w, self.whole[0])}
                for n, s, j, c, w in zip(names, self.status, self.joules, self.shared, self.whole, strict=True)
            ],
        }  # fmt: skip


def _ratio(value: float, first: float) -> float | None:
    return value / first if first and value else None


def part_of(path: str, kind: str = "dynamic") -> str:
    """The part that a component belongs to: the core with all inside it, else the name of its place."""
    steps = path.split(".")
    name = CORE if CORE in steps else steps[-1].replace("_", " ")
    return f"{name}, static power" if kind == "static" else name


def coverage(reports: Sequence[Report]) -> Coverage:
    """Reads ledgers and lists of what is not modelled."""
    joules: list[dict[str, float]] = []
    missing: list[dict[str, set[str]]] = []
    for report in reports:
        rows: dict[str, list[float]] = {}
        for row in report.ledger:
            if row.get("energy_j") is not None:
                rows.setdefault(part_of(row["component"], row["kind"]), []).append(row["energy_j"])
        joules.append({part: math.fsum(values) for part, values in rows.items()})
        missing.append(_missing(report.unmodelled))
    parts = tuple(dict.fromkeys(p for side in [*map(list, joules), *map(list, missing)] for p in side))
    parts = tuple(sorted(parts, key=lambda p: (p.endswith("static power"), -max(j.get(p, 0.0) for j in joules))))
    status = tuple({p: _status(p, j, m) for p in parts} for j, m in zip(joules, missing, strict=True))
    common = tuple(p for p in parts if all(p in j for j in joules))
    return Coverage(
        parts, status, tuple(joules), common,
        tuple(math.fsum(j[p] for p in common) for j in joules), tuple(math.fsum(j.values()) for j in joules),
    )  # fmt: skip


def _missing(entries: Sequence[str]) -> dict[str, set[str]]:
    """By part: what of its energy is not modelled."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        where, colon, what = entry.rpartition(": ")
        if not colon or what in NO_ENERGY or what.startswith("duration"):
            continue
        part = where if what == UNHOUSED else part_of(where, "static" if what == "leakage" else "dynamic")
        found.setdefault(part, set()).add(what)
    return found


def _status(part: str, joules: Mapping[str, float], missing: Mapping[str, set[str]]) -> str:
    without = missing.get(part, set())
    if part in joules:
        return PARTLY if without else PRICED
    if not without:
        return UNUSED
    return NOT_THERE if without == {ABSENT} else UNPRICED
