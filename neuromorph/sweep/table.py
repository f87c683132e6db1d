"""The one table of a sweep: a row per point, a column per parameter and metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from neuromorph.errors import InputError, Place
from neuromorph.sweep.space import Point
from neuromorph.sweep.store import Outcome

Row = Mapping[str, Any]
"""Column name -> value. Parameters first, then metrics (None where unknown or not reached), status, error."""


def tidy(points: Sequence[Point], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row per point in the order of `points`; every row has every column, metrics in order of first appearance.

    A metric that bears the name of a parameter is shown as `NAME (metric)`.
    """
    parameters = list(dict.fromkeys(name for p in points for name in p.parameters))
    metrics = list(dict.fromkeys(name for o in outcomes for name in o.metrics))
    taken = {*parameters, "status", "error"}
    rows = []
    for p, o in zip(points, outcomes, strict=True):
        row: dict[str, Any] = {name: p.parameters.get(name) for name in parameters}
        for name in metrics:
            row[f"{name} (metric)" if name in taken else name] = o.metrics.get(name)
        rows.append({**row, "status": o.status, "error": o.error})
    return rows


def to_csv(rows: Sequence[Row]) -> str:
    """The table as CSV text: floats with all their digits, an unknown value as an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = list(rows[0]) if rows else []
    writer.writerow(columns)
    for row in rows:
        writer.writerow(["" if row[c] is None else row[c] for c in columns])
    return text.getvalue()


def pareto(table: Sequence[Row], *, minimise: Sequence[str] = (), maximise: Sequence[str] = ()) -> list[Row]:
    """The rows that no other row beats: none is at least as good in every metric named and better in one.

    Rows without one of these metrics and rows whose constants hold for another design are left out; equal rows are all
    kept, in the order of the table.
    Raises InputError for a metric that the table does not have or none named.
    """
    import numpy as np

    names = [*minimise, *maximise]
    if not names:
        raise InputError("no metric to minimise or maximise", Place(key="pareto"))
    for name in names:
        require_column(table, name)
    rows = [r for r in table if all(_known(r[n]) for n in names) and not r.get("extrapolated")]
    if not rows:
        return []
    costs = np.array([[*(r[n] for n in minimise), *(-r[n] for n in maximise)] for r in rows], dtype=np.float64)
    # In lexicographic order a row can only be beaten by an earlier one, and beaten rows beat nothing new.
    front: list[int] = []
    for i in np.lexsort(costs.T[::-1]):
        kept = costs[front]
        if not np.any(np.all(kept <= costs[i], axis=1) & np.any(kept < costs[i], axis=1)):
            front.append(int(i))
    return [rows[i] for i in sorted(front)]


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def metric_names(table: Sequence[Row], parameters: Sequence[str]) -> list[str]:
    """Columns with a number in some row that are no parameter and no end of another metric's interval."""
    columns = list(table[0]) if table else []
    own = [c for c in columns if c not in (*parameters, "status", "error") and any(_known(r[c]) for r in table)]
    ends = ("_chips_low", "_chips_high", "_samples_low", "_samples_high", "_low", "_high", "_ranged")
    return [c for c in own if not any(c.endswith(e) and c.removesuffix(e) in own for e in ends)]


def require_column(table: Sequence[Row], name: str) -> None:
    """Raise InputError that lists the columns where `name` is none of them."""
    columns = list(table[0]) if table else []
    if name not in columns:
        raise InputError(f"the table has no column {name!r}", Place(key=name), "columns: " + ", ".join(columns))
