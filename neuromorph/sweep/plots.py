"""Pictures of a sweep: a metric against a parameter, a heat map of two, and the Pareto front of two metrics.

Every function returns a matplotlib Figure drawn with Agg, independent of any display and of pyplot's global state.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from neuromorph.errors import InputError, Place
from neuromorph.files import write_file
from neuromorph.sweep.space import Value, split_value
from neuromorph.sweep.table import Row, metric_names, pareto, require_column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, told apart with any colour vision."""
MARKERS = "osD^vPX"

_UNITS = {"_j": "J", "_s": "s", "_w": "W", "_hz": "Hz", "_v": "V", "_a": "A", "_per_s": "1/s", "_j_per_s": "J/s"}
HEADLINE = ("accuracy", "output_error", "energy_j", "latency_s", "power_w", "area_m2")
"""Metrics that are drawn unless others are asked for; output_error only where there is no accuracy."""
WIDE_RATIO = 30.0
"""Positive values that span more than this are drawn on a logarithmic axis."""


def plot_metric(table: Sequence[Row], metric: str, axis: str, *, by: str | None = None) -> Figure:
    """A metric against one parameter, a line per value of `by`.

    Where one row is behind a mark, its interval (`metric_low`, `metric_high`) is drawn; where several are (other
    parameters varied too), their median with the range between the least and the greatest.
    Raises InputError where a column is missing or no row has the metric.
    """
    rows = _rows_with(table, metric, axis, *([by] if by else []))
    figure, axes = _figure(width=7.6 if by else 6.4)
    positions, ticks = _positions([r[axis] for r in rows], axes, "x")
    groups = _distinct([r[by] for r in rows]) if by else [None]
    several = False
    for i, group in enumerate(groups):
        chosen = [r for r in rows if by is None or r[by] == group]
        label = "" if by is None else f"{_short(by)} = {group}"
        several |= _line(axes, chosen, metric, axis, positions, i, label)
    axes.set_xlabel(axis)
    if ticks:
        axes.set_xticks(range(len(ticks)), ticks)
    _metric_axis(axes, [r[metric] for r in rows], metric, "y")
    if by:  # beside the lines, never over them
        figure.legend(loc="outside right upper", frameon=False, fontsize="small")
    if several:
        axes.set_title("median, and range over the other parameters", fontsize="small", loc="left")
    return figure


def plot_heat(table: Sequence[Row], metric: str, x: str, y: str) -> Figure:
    """A metric over two parameters as coloured cells with their values; the median where other parameters vary too."""
    rows = _rows_with(table, metric, x, y)
    columns, lines = _distinct([r[x] for r in rows]), _distinct([r[y] for r in rows])
    cells = [[_median([r[metric] for r in rows if r[x] == c and r[y] == v]) for c in columns] for v in lines]
    figure, axes = _figure(width=max(5.0, 1.5 + 0.75 * len(columns)), height=max(3.0, 1.2 + 0.5 * len(lines)))
    scale, unit = _scale([v for line in cells for v in line], metric)
    image = axes.imshow([[v * scale for v in line] for line in cells], aspect="auto", origin="lower", cmap="viridis")
    axes.grid(False)
    axes.set_xticks(range(len(columns)), [str(c) for c in columns])
    axes.set_yticks(range(len(lines)), [str(v) for v in lines])
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    figure.colorbar(image, label=_label(metric, unit))
    norm: Any = image.norm
    if len(columns) * len(lines) <= 150:
        for i, line in enumerate(cells):
            for j, v in enumerate(line):
                dark = not math.isnan(v) and norm(v * scale) < 0.55
                axes.text(j, i, _digits(v * scale), ha="center", va="center", color="w" if dark else "k", fontsize=8)
    return figure


def plot_pareto(table: Sequence[Row], *, minimise: Sequence[str] = (), maximise: Sequence[str] = ()) -> Figure:
    """All points over two metrics, those marked and joined that no other beats. Give exactly two metrics in all."""
    names = [*minimise, *maximise]
    if len(names) != 2:
        raise InputError(f"a Pareto plot has two metrics, got {len(names)}", Place(key="pareto"))
    x, y = names
    rows = _rows_with(table, x, y)
    front = sorted(pareto(rows, minimise=minimise, maximise=maximise), key=lambda r: (r[x], r[y]))
    figure, axes = _figure()
    axes.scatter([r[x] for r in rows], [r[y] for r in rows], s=22, color="#999999", linewidths=0, label="all points")
    axes.plot(
        [r[x] for r in front],
        [r[y] for r in front],
        color=PALETTE[1],
        marker="o",
        drawstyle="steps-pre" if x in maximise else "steps-post",  # the edge of what can be had
        label="not beaten by any other",
    )
    for name, which in ((x, "x"), (y, "y")):
        _metric_axis(axes, [r[name] for r in rows], name, which)
    axes.set_title(_wish(minimise, maximise), fontsize="small", loc="left")
    axes.legend(frameon=False, fontsize="small")
    return figure


def plot_all(
    table: Sequence[Row],
    parameters: Sequence[str],
    folder: str | Path,
    *,
    metrics: Sequence[str] | None = None,
    kind: str = "png",
) -> list[Path]:
    """Write each metric against each varied parameter, a heat map for two parameters, and accuracy against costs.

    metrics: names; None for the headline ones, or all where the table has none of these. A picture of a metric over a
    parameter that it does not depend on is left out. Returns the files.
    """
    varied = [p for p in parameters if len(_distinct([r[p] for r in table])) > 1]
    known = metric_names(table, parameters)
    if metrics is None:
        metrics = [m for m in HEADLINE if m in known and (m != "output_error" or "accuracy" not in known)] or known
    for name in metrics:
        require_column(table, name)
    moved = {m: [p for p in varied if _depends(table, m, p, varied)] for m in metrics}
    few = {p for p in varied if len(_distinct([r[p] for r in table])) <= 6}
    wanted: list[tuple[str, Any]] = []
    merit = next((m for m in metrics if m.startswith("accuracy")), None)
    costs = [m for m in metrics if m.endswith(("_j", "_s", "_w", "_m2")) and "_per_" not in m]
    for cost in (m for m in costs if merit and moved[m]):
        wanted.append((f"pareto_{cost}", lambda c=cost: plot_pareto(table, minimise=[c], maximise=[str(merit)])))
    for metric in metrics:
        for axis in moved[metric]:
            by = next((p for p in moved[metric] if p != axis and p in few), None)
            name = f"{metric}_against_{axis}"
            wanted.append((name, lambda m=metric, a=axis, b=by: plot_metric(table, m, a, by=b)))
        if len(moved[metric]) == 2 and all(2 < len(_distinct([r[p] for r in table])) <= 30 for p in moved[metric]):
            x, y = moved[metric]
            wanted.append((f"{metric}_map", lambda m=metric, x=x, y=y: plot_heat(table, m, x, y)))
    return [save(draw(), Path(folder) / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}.{kind}") for name, draw in wanted]


def _depends(table: Sequence[Row], metric: str, axis: str, varied: Sequence[str]) -> bool:
    """Whether a metric changes with a parameter while the others stay; where no two rows allow that, at all."""
    held: dict[tuple[Value, ...], set[float]] = {}
    for r in table:
        if r[metric] is not None:
            held.setdefault(tuple(r[p] for p in varied if p != axis), set()).add(r[metric])
    alone = len(held) == sum(r[metric] is not None for r in table)
    return len(set().union(*held.values())) > 1 if alone and held else any(len(v) > 1 for v in held.values())


def save(figure: Figure, path: str | Path) -> Path:
    """Write a figure as the PNG, SVG or PDF that its name ends with; the same figure gives the same bytes."""
    import matplotlib

    kind = Path(path).suffix[1:].lower()
    if kind not in ("png", "svg", "pdf"):
        raise InputError(f"{kind!r} is no picture format", Place(str(path)), "end the name with .png, .svg or .pdf")
    data = io.BytesIO()
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "neuromorph"}):
        figure.savefig(data, format=kind, metadata=undated)
    return write_file(path, data.getvalue())


def _figure(width: float = 6.4, height: float = 4.0) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def _line(
    axes: Axes, rows: Sequence[Row], metric: str, axis: str, positions: dict[Value, float], i: int, label: str
) -> bool:
    """Draw one line with its intervals; True where a mark stands for several rows."""
    stacks: dict[float, list[Row]] = {}
    for r in rows:
        stacks.setdefault(positions[r[axis]], []).append(r)
    xs = sorted(stacks)
    ys = [_median([r[metric] for r in stacks[x]]) for x in xs]
    several = any(len(s) > 1 for s in stacks.values())
    colour = PALETTE[i % len(PALETTE)]
    marks: dict[str, Any] = {"color": colour, "marker": MARKERS[i % len(MARKERS)], "markersize": 4.5, "label": label}
    ends = [_interval(stacks[x], metric) for x in xs]
    if several:
        axes.plot(xs, ys, **marks)
        axes.fill_between(xs, [e[0] for e in ends], [e[1] for e in ends], color=colour, alpha=0.15, linewidth=0)
    elif any(high > low for low, high in ends):
        below = [max(y - low, 0.0) for y, (low, _) in zip(ys, ends, strict=True)]
        above = [max(high - y, 0.0) for y, (_, high) in zip(ys, ends, strict=True)]
        axes.errorbar(xs, ys, yerr=[below, above], capsize=3, elinewidth=1, **marks)
    else:
        axes.plot(xs, ys, **marks)
    return several


def _interval(rows: Sequence[Row], metric: str) -> tuple[float, float]:
    if len(rows) > 1:
        values = [r[metric] for r in rows]
        return min(values), max(values)
    row = rows[0]
    low, high = row.get(f"{metric}_low"), row.get(f"{metric}_high")
    return (row[metric] if low is None else low), (row[metric] if high is None else high)


def _rows_with(table: Sequence[Row], *names: str) -> list[Row]:
    for name in names:
        require_column(table, name)
    rows = [r for r in table if all(r[n] is not None for n in names)]
    if not rows:
        raise InputError(f"no point has {' and '.join(names)}", Place(key=names[0]), "look at the table's error column")
    return rows


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Distinct values: numbers (of one unit) ascending, words as they come."""
    found = list(dict.fromkeys(values))
    numbers = [split_value(v) for v in found]
    if all(n is not None and u == numbers[0][1] for n, u in numbers):
        return sorted(found, key=lambda v: split_value(v)[0] or 0.0)
    return found


def _positions(values: Sequence[Value], axes: Axes, which: str) -> tuple[dict[Value, float], list[str]]:
    """Where each parameter value stands on an axis, and tick labels where the values are words."""
    distinct = _distinct(values)
    numbers = [split_value(v) for v in distinct]
    if any(n is None or u != numbers[0][1] for n, u in numbers):
        return {v: float(i) for i, v in enumerate(distinct)}, [str(v) for v in distinct]
    at = {v: float(n or 0.0) for v, (n, _) in zip(distinct, numbers, strict=True)}
    unit = numbers[0][1]
    _spread(axes, list(at.values()), which)
    line = axes.xaxis if which == "x" else axes.yaxis
    if unit and line.get_scale() == "linear":
        line.set_major_formatter(lambda v, _: f"{v:g}x" if unit == "x" else f"{v:g} {unit}")
    if all(isinstance(v, int) for v in distinct) and len(distinct) <= 20 and line.get_scale() == "linear":
        line.set_ticks(list(at.values()))
    return at, []


def _spread(axes: Axes, values: Sequence[float], which: str) -> None:
    if min(values) > 0 and max(values) / min(values) > WIDE_RATIO:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")


def _metric_axis(axes: Axes, values: Sequence[float], metric: str, which: str) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter

    _spread(axes, values, which)
    line = axes.xaxis if which == "x" else axes.yaxis
    unit = _unit(metric)
    if unit == "m²":  # a prefix would mean a power: m² is written in mm²
        line.set_major_formatter(FuncFormatter(lambda v, _: f"{v * 1e6:g}"))
        unit = "mm²"
    elif unit:
        line.set_major_formatter(EngFormatter(unit=unit))
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(_label(metric, unit if unit == "mm²" else ""))


def _unit(metric: str) -> str:
    if metric.endswith("_m2"):
        return "m²"
    for suffix in sorted(_UNITS, key=len, reverse=True):
        if metric.endswith(suffix):
            return _UNITS[suffix]
    return ""


def _scale(values: Sequence[float], metric: str) -> tuple[float, str]:
    """Factor and unit that bring the values of a metric to between 1 and 1000."""
    unit = _unit(metric)
    known = [abs(v) for v in values if not math.isnan(v) and v]
    if unit == "m²":
        return 1e6, "mm²"
    if not unit or not known:
        return 1.0, unit
    power = max(-18, min(18, 3 * math.floor(math.log10(max(known)) / 3)))
    prefix = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
    return (10.0**-power, prefix[power] + unit) if power in prefix else (1.0, unit)


def _label(metric: str, unit: str) -> str:
    suffix = next((s for s in sorted((*_UNITS, "_m2"), key=len, reverse=True) if metric.endswith(s)), "")
    name = metric.removesuffix(suffix).replace("_", " ").strip() or metric
    return f"{name} ({unit})" if unit else name


def _short(path: str) -> str:
    return path.rsplit(".", 1)[-1]


def _wish(minimise: Sequence[str], maximise: Sequence[str]) -> str:
    parts = [f"less {_label(m, '')}" for m in minimise] + [f"more {_label(m, '')}" for m in maximise]
    return "better: " + ", ".join(parts)


def _median(values: Sequence[float]) -> float:
    return float(median(values)) if values else math.nan


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"
