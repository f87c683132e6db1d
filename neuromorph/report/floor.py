"""Floor map: the chip's tiles with what they hold, how full they are, and what the links between them carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from neuromorph.report.charts import NARROW
from neuromorph.report.figures import percent, quantity
from neuromorph.report.svg import Canvas, fit

COLOURS = 7
FONT = 12
LARGEST_SIDE = 40
"""Most columns and rows of tiles drawn."""


def layer_numbers(floor: Mapping[str, Any], layers: Sequence[str]) -> dict[str, int]:
    """Layer -> its number on the map, in the network's order, of those that lie on a tile."""
    placed = {name for tile in floor.get("tiles", []) for name in tile.get("layers", [])}
    ordered = [name for name in layers if name in placed]
    return {name: i + 1 for i, name in enumerate([*ordered, *sorted(placed - set(ordered))])}


@dataclass(frozen=True)
class Window:
    """The part of the grid that is drawn: its corner and size in tiles. whole: nothing is left out."""

    x: int
    y: int
    columns: int
    rows: int
    whole: bool

    def holds(self, x: float, y: float) -> bool:
        return self.x <= x < self.x + self.columns and self.y <= y < self.y + self.rows


def window(floor: Mapping[str, Any]) -> Window:
    """The whole chip, or the surroundings of the tiles in use where these are less than half of it."""
    columns, rows = max(int(floor["columns"]), 1), max(int(floor["rows"]), 1)
    taken = [(int(t["x"]), int(t["y"])) for t in floor["tiles"] if t.get("layers")] or [(0, 0)]
    x0, y0 = (max(min(p[i] for p in taken) - 1, 0) for i in (0, 1))
    x1, y1 = (min(max(p[i] for p in taken) + 2, (columns, rows)[i]) for i in (0, 1))
    if 2 * (x1 - x0) * (y1 - y0) >= columns * rows and max(columns, rows) <= LARGEST_SIDE:
        return Window(0, 0, columns, rows, True)
    return Window(x0, y0, min(x1 - x0, LARGEST_SIDE), min(y1 - y0, LARGEST_SIDE), False)


def window_note(floor: Mapping[str, Any], seen: Window) -> str:
    """What of the chip is not drawn, empty where all is."""
    if seen.whole:
        return ""
    hidden = sum(bool(t.get("layers")) for t in floor["tiles"] if not seen.holds(t["x"], t["y"]))
    rest = f"{hidden} of those in use are among the rest" if hidden else "the rest is not used"
    return f"{seen.columns} by {seen.rows} of {int(floor['columns'])} by {int(floor['rows'])} tiles are drawn; {rest}."


def floor_map(floor: Mapping[str, Any], numbers: Mapping[str, int], width: int) -> Markup:
    """Tiles on their grid: layer, utilisation as a filled bar at the bottom, links as thick as their traffic."""
    seen = window(floor)
    gap = 7.0 if width <= NARROW else 15.0 if seen.columns <= 8 else 10.0
    gap = min(gap, width / (3.0 * seen.columns))
    cell = min((width - gap * (seen.columns + 1)) / seen.columns, 118.0)
    tall = min(cell, 58.0) if cell >= 60 else cell
    left = (width - gap - seen.columns * (cell + gap)) / 2
    label = f"Floor map of {seen.columns} by {seen.rows} tiles"
    canvas = Canvas(width, gap + seen.rows * (tall + gap), label)

    def corner(x: int, y: int) -> tuple[float, float]:
        return left + gap + (x - seen.x) * (cell + gap), gap + (y - seen.y) * (tall + gap)

    links = floor.get("links", [])
    inside = [k for k in links if seen.holds(k["x0"], k["y0"]) and seen.holds(k["x1"], k["y1"])]
    _links(canvas, inside, corner, cell, tall, gap)
    for tile in floor.get("tiles", []):
        if seen.holds(tile["x"], tile["y"]):
            _tile(canvas, tile, *corner(int(tile["x"]), int(tile["y"])), cell, tall, numbers, width)
    return canvas.render()


def _links(
    canvas: Canvas, links: Sequence[Mapping[str, Any]], corner: Callable[[int, int], tuple[float, float]], w: float,
    h: float, gap: float,
) -> None:  # fmt: skip
    busiest = max((float(k["bits"]) for k in links), default=0.0) or 1.0
    for link in links:
        (x0, y0), (x1, y1) = corner(int(link["x0"]), int(link["y0"])), corner(int(link["x1"]), int(link["y1"]))
        bits = float(link["bits"])
        ends = f"{_at(link['x0'], link['y0'])} to {_at(link['x1'], link['y1'])}"
        said = f"link {ends}: {quantity(bits, 'bit')} per inference"
        thick = min(1.0, gap / 3) + gap * 0.85 * bits / busiest
        canvas.line(x0 + w / 2, y0 + h / 2, x1 + w / 2, y1 + h / 2, "link", said, thick)


def _at(x: Any, y: Any) -> str:
    return f"({int(x)}, {int(y)})"


def _tile(
    canvas: Canvas, tile: Mapping[str, Any], x: float, y: float, w: float, h: float, numbers: Mapping[str, int],
    width: int,
) -> None:  # fmt: skip
    layers = [str(name) for name in tile.get("layers", [])]
    said = f"tile {int(tile['tile'])} at {_at(tile['x'], tile['y'])}: "
    if not layers:
        canvas.rect(x, y, w, h, "tile-empty", said + "not used", 3)
        return
    used = tile.get("utilisation")
    with canvas.group(f"{said}{', '.join(layers)}; utilisation {percent(used, 3)}"):
        canvas.rect(x, y, w, h, "tile", rx=3)
        first = numbers.get(layers[0], 1)
        canvas.rect(x, y, w, 5 if h >= 24 else max(h * 0.25, 1.5), f"s{(first - 1) % COLOURS}")
        gauge = 6.0 if h >= 40 else max(h * 0.14, 1.5)
        canvas.rect(x + 3, y + h - gauge - 3, w - 6, gauge, "gauge")
        if used is not None and used > 0:
            canvas.rect(x + 3, y + h - gauge - 3, max((w - 6) * min(float(used), 1.0), 0.8), gauge, "gauge-fill")
        if w >= 60 and width > NARROW:
            room = w - 8
            name = layers[0] if len(layers) == 1 else f"{layers[0]} +{len(layers) - 1}"
            canvas.text(x + 5, y + 20, fit(name, room, FONT), "strong")
            canvas.text(x + 5, y + 36, fit(percent(used, 3), room, FONT), "mute")
        elif w >= 15:
            text = str(first) if len(layers) == 1 or w < 34 else f"{first}+{len(layers) - 1}"
            canvas.text(x + w / 2, y + h / 2 + 5, text, "strong small" if w < 24 else "strong", "middle")
