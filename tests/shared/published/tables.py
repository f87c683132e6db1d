"""Reading the tables and comparing them.

A table file: `name`, `title`, `sources` and `groups`. A group names a `measure`, a `role`, a
`source`, `where`, arguments that all its rows share (`args`) and a table: `columns` and `rows`. The
columns `label` and `published` describe the row; every other column is an argument of the measure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromorph.errors import InputError
from neuromorph.yamlfile import read_yaml
from published import manycore, parts  # noqa: F401 (declare measures)
from published.measures import MEASURES, Measure

ROLES = ("fitted", "other", "check")


@dataclass(frozen=True)
class Comparison:
    """One published figure beside ours. unit: that of both values; deviation: ours / published - 1."""

    table: str
    label: str
    published: float
    ours: float
    unit: str
    role: str
    source: str
    note: str = ""

    @property
    def deviation(self) -> float:
        return self.ours / self.published - 1.0


def _files() -> dict[str, Path]:
    return {p.stem: p for p in sorted(Path(__file__).parent.glob("*.yaml"))}


def table_names() -> list[str]:
    """Names of the tables."""
    return list(_files())


def read_table(name: str) -> dict[str, Any]:
    """The data of one table. Raises InputError where there is none of this name."""
    files = _files()
    if name not in files:
        raise InputError(f"there is no table {name!r}", hint=f"tables: {', '.join(files)}")
    data: dict[str, Any] = read_yaml(files[name]).data
    return data


def compared(names: Iterable[str] = ()) -> list[Comparison]:
    """Compares all tables, or those named. Raises InputError for an unknown name."""
    return [c for name in (tuple(names) or table_names()) for c in compare(read_table(name))]


def compare(table: Mapping[str, Any]) -> Iterator[Comparison]:
    """The comparisons of one table, in the order of its rows."""
    for group in table["groups"]:
        measure = MEASURES[group["measure"]]
        for row in group["rows"]:
            cells = dict(zip(group["columns"], row, strict=True))
            yield _comparison(table, group, measure, cells)


def _comparison(
    table: Mapping[str, Any], group: Mapping[str, Any], measure: Measure, cells: dict[str, Any]
) -> Comparison:
    published = measure.value(cells.pop("published"))
    label = str(cells.pop("label", "")) or ", ".join(str(v) for v in cells.values())
    note = str(cells.pop("note", group.get("note", "")))
    role = cells.pop("role", group["role"])
    ours = measure({**group.get("args", {}), **cells})
    head = f"{group['label']}: {label}" if "label" in group else label
    citation = table["sources"][group["source"]]["citation"]
    return Comparison(table["name"], head, published, ours, measure.unit, role, f"{citation}; {group['where']}", note)
