"""A placement in numbers: one form for every kind, for `Placement.explain`, the terminal and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neuromorph.card import Card

if TYPE_CHECKING:
    from neuromorph.devices.protocol import Placement

Columns = Sequence[tuple[str, str, str]]
"""(key of a row, heading, form) of what a terminal shows; form: "text", "number", "bit" or "%"."""


def explained(
    placement: Placement,
    *,
    summary: Mapping[str, Any],
    layers: Sequence[Mapping[str, Any]],
    columns: Columns,
    orders: Sequence[tuple[str, float]],
    measure: tuple[str, str],
    lines: Sequence[str] = (),
    **further: Any,
) -> dict[str, Any]:
    """JSON data: graph, architecture, summary; layers, limits and orders as rows; columns and lines, what a terminal
    shows of the layers and below the tables.

    columns: of the layers. orders: (name, cost) of every order of tiles or cores tried, worst first, the one in use
    named by `summary["order"]`; measure: what the cost is, and its form. further: tables and figures of the kind.
    """
    own: Any = placement
    chosen = next((cost for name, cost in orders if name == summary["order"]), 0.0)
    return {
        "graph": placement.name,
        "architecture": placement.architecture.name,
        "seed": own.seed,
        "effort": own.effort,
        "summary": dict(summary),
        "layers": [dict(row) for row in layers],
        "limits": _limits(placement),
        "orders": [{"order": n, "cost": c, "relative": c / chosen if chosen else 1.0} for n, c in orders],
        "measure": {"of": measure[0], "form": measure[1]},
        "columns": [list(c) for c in columns],
        "lines": list(lines),
        **further,
    }


class Placed(Card):
    """What every placement shows of itself."""

    def explain(self) -> dict[str, Any]:
        raise TypeError(f"{type(self).__name__} defines no explain")

    def card(self) -> tuple[str, list[tuple[str, str]]]:
        found = self.explain()
        tight = max(found["limits"], key=lambda row: row["degree"], default=None)
        facts = [(key.replace("_", " "), f"{v:.4g}" if isinstance(v, float) else str(v))
                 for key, v in found["summary"].items() if isinstance(v, int | float | str)]  # fmt: skip
        bound = [("tightest limit", f"{tight['limit']}, {tight['degree']:.1%} used")] if tight else []
        return f"{found['graph']} on {found['architecture']}", [*bound, *facts]

    def tables(self) -> dict[str, Any]:
        """layers, limits, orders, as `explain` tells them."""
        found = self.explain()
        return {name: found[name] for name in ("layers", "limits", "orders")}


def _limits(placement: Placement) -> list[dict[str, Any]]:
    return [
        {
            "limit": limit.name, "component": limit.path, "used": limit.used, "available": limit.available,
            "unit": limit.unit, "degree": limit.degree, "hard": limit.hard, "layer": limit.node,
            "binds": limit == placement.binding,
        }
        for limit in placement.limits
    ]  # fmt: skip


def in_bits(value: float) -> str:
    """A number of bits as text: 1.2 Mbit."""
    for unit, size in (("Gbit", 1e9), ("Mbit", 1e6), ("kbit", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} bit"
