"""Headline numbers and tables, as kinds describe their results with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

SUFFIXES = {"J": "_j", "s": "_s", "W": "_w", "m^2": "_m2", "1/s": "_per_s", "1/J": "_per_j", "1": ""}
"""What a column's name ends with, by the unit of its metric."""


@dataclass(frozen=True)
class Metric:
    """One headline number. value None: not modelled or not run; note says why or how. ranged: the share of it that
    carries a published range, None where that is not asked (counts, answers); the range of the rest is unknown."""

    name: str
    value: float | None
    unit: str
    low: float | None = None
    high: float | None = None
    basis: str = "simulated"
    note: str = ""
    ranged: float | None = None

    @property
    def column(self) -> str:
        """Its name in tables, with the SI unit as suffix: energy_j, latency_s."""
        return self.name + SUFFIXES[self.unit]


def section(
    key: str,
    title: str,
    columns: Sequence[tuple[str, str, str | None]],
    rows: Iterable[Sequence[Any]],
    note: str = "",
) -> dict[str, Any]:
    """A further table of a report. columns: (key, label, unit), unit None for text, "1" for plain numbers, "%" for
    fractions; rows: a value per column, None where it is not known."""
    heads = [{"key": k, "label": label, "unit": unit} for k, label, unit in columns]
    return {"key": key, "title": title, "note": note, "columns": heads, "rows": [list(row) for row in rows]}
