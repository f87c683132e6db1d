"""Sweeps over any parameter of an architecture: in parallel, stored point by point, re-priced without re-running."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuromorph.sweep.api import sweep
    from neuromorph.sweep.engine import SweepInterrupted, run_points
    from neuromorph.sweep.result import SweepResult
    from neuromorph.sweep.space import Axis, Point, make_points, parse_axes
    from neuromorph.sweep.store import Store
    from neuromorph.sweep.table import pareto
    from neuromorph.sweep.worker import Evaluator, PointFunction

_HOMES = {
    "Axis": "space", "Evaluator": "worker", "Point": "space", "PointFunction": "worker", "Store": "store",
    "SweepInterrupted": "engine", "SweepResult": "result", "make_points": "space", "pareto": "table",
    "parse_axes": "space", "run_points": "engine", "sweep": "api",
}  # fmt: skip

__all__ = [
    "Axis",
    "Evaluator",
    "Point",
    "PointFunction",
    "Store",
    "SweepInterrupted",
    "SweepResult",
    "make_points",
    "pareto",
    "parse_axes",
    "run_points",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
