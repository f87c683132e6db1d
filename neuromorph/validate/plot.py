"""A picture of predicted against measured figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from neuromorph.errors import InputError
from neuromorph.validate.compare import Comparison
from neuromorph.validate.reading import FITTED, STANDINGS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999", "#7A4E00", "#6A3D9A",
    "#E31A1C", "#1B7837", "#B15928", "#4D4DFF",
)  # fmt: skip
"""Okabe and Ito's colours and seven more, one per chip."""
GREY = "#444444"
MARKERS = dict(zip(STANDINGS, "osD", strict=True))
COLUMNS = 4
TITLES = {"J": "energy", "W": "power"}
"""Panels that hold several quantities."""
FACTOR = 2.0
"""The grey band: predictions within this factor of the measurement."""


def plot(found: Sequence[Comparison]) -> Figure:
    """Predicted against measured on log axes with the identity line, a panel per unit; colours are chips, markers
    standings. What is not modelled is left out. Raises InputError where nothing is left."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    known = [c for c in found if c.ours]
    if not known:
        raise InputError("there is nothing to draw: no figure has one of ours", hint="name other fixtures")
    units = list(dict.fromkeys(c.unit for c in known))
    chips = list(dict.fromkeys(c.fixture for c in known))
    columns = min(COLUMNS, len(units))
    rows = math.ceil(len(units) / columns)
    figure = Figure(figsize=(2.3 * columns + 1.4, 2.4 * rows), layout="constrained")
    colours = {chip: PALETTE[i % len(PALETTE)] for i, chip in enumerate(chips)}
    for i, unit in enumerate(units):
        _panel(figure.add_subplot(rows, columns, i + 1), [c for c in known if c.unit == unit], colours)
    used = [s for s in STANDINGS if any(c.standing == s for c in known)]
    handles = [
        Line2D([], [], marker=MARKERS[s], label=s, markerfacecolor=_face(s, GREY), linestyle="", color=GREY)
        for s in used
    ]
    handles += [Line2D([], [], marker="o", linestyle="", color=colours[chip], label=chip) for chip in chips]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize="small")
    return figure


def _face(standing: str, colour: str) -> str:
    """Fitted figures are hollow: they had to come out."""
    return "none" if standing == FITTED else colour


def _panel(axes: Axes, found: Sequence[Comparison], colours: dict[str, str]) -> None:
    from matplotlib.ticker import NullFormatter

    pairs = [(c, c.published, c.ours) for c in found if c.ours]
    for c, published, ours in pairs:
        axes.plot(
            [published], [ours], marker=MARKERS[c.standing], color=colours[c.fixture], markersize=4.5, linestyle="",
            markerfacecolor=_face(c.standing, colours[c.fixture]),
        )  # fmt: skip
    values = [v for _, published, ours in pairs for v in (published, ours)]
    low, high = (10.0 ** f(math.log10(v)) for f, v in ((math.floor, min(values) / 1.2), (math.ceil, max(values) * 1.2)))
    axes.fill_between([low, high], [low / FACTOR, high / FACTOR], [low * FACTOR, high * FACTOR], color="#eeeeee", lw=0)
    axes.plot([low, high], [low, high], color="#888888", lw=0.8)
    axes.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    unit = found[0].unit
    name = TITLES.get(unit, found[0].quantity)
    axes.set_title(name if unit == "1" else f"{name} ({unit})", fontsize="small", loc="left")
    axes.set_xlabel("measured", fontsize="x-small")
    axes.set_ylabel("predicted", fontsize="x-small")
    axes.tick_params(labelsize="x-small", which="both")
