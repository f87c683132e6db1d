"""Floor map: the chip's tiles with what they hold, how full they are, and what the links between them carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from neuromorph.report.charts import NARROW
from neuromorph.report.figures import percent, quantity
from neuromorph.report.svg import Canvas, fit

COLOURS = 7
FONT = 12
LARGEST_MAP = 4096
"""Tiles drawn; a chip with more is cut down to the corner that is in use."""


def layer_numbers(floor: Mapping[str, Any], layers: Sequence[str]) -> dict[str, int]:
    """Layer -> its number on the map, in the network's order, of those that lie on a tile."""
    placed = {name for tile in floor.get("tiles", []) for name in tile.get("layers", [])}
    ordered = [name for name in layers if name in placed]
    return {name: i + 1 for i, name in enumerate([*ordered, *sorted(placed - set(ordered))])}


def floor_map(floor: Mapping[str, Any], numbers: Mapping[str, int], width: int) -> Markup:
    """Tiles on their grid: layer, utilisation as a filled bar at the bottom, links as thick as their traffic."""
    columns, rows = _extent(floor)
    gap = 7.0 if width <= NARROW else 15.0 if columns <= 8 else 10.0 if columns <= 16 else 5.0
    cell = min((width - gap * (columns + 1)) / columns, 118.0)
    tall = min(cell, 58.0) if cell >= 60 else cell
    used = gap + columns * (cell + gap)
    left = (width - used) / 2
    label = f"Floor map of {columns} by {rows} tiles"
    canvas = Canvas(width, gap + rows * (tall + gap), label)

    def corner(x: int, y: int) -> tuple[float, float]:
        return left + gap + x * (cell + gap), gap + y * (tall + gap)

    _links(canvas, floor.get("links", []), corner, cell, tall, gap)
    for tile in floor.get("tiles", []):
        if tile["x"] < columns and tile["y"] < rows:
            _tile(canvas, tile, *corner(int(tile["x"]), int(tile["y"])), cell, tall, numbers, width)
    return canvas.render()


def _extent(floor: Mapping[str, Any]) -> tuple[int, int]:
    columns, rows = max(int(floor["columns"]), 1), max(int(floor["rows"]), 1)
    if columns * rows <= LARGEST_MAP:
        return columns, rows
    taken = [t for t in floor["tiles"] if t.get("layers")]
    return (
        min(columns, 1 + max((int(t["x"]) for t in taken), default=0), 64),
        min(rows, 1 + max((int(t["y"]) for t in taken), default=0), 64),
    )


def _links(canvas: Canvas, links: Sequence[Mapping[str, Any]], corner: Any, w: float, h: float, gap: float) -> None:
    busiest = max((float(k["bits"]) for k in links), default=0.0) or 1.0
    for link in links:
        (x0, y0), (x1, y1) = corner(int(link["x0"]), int(link["y0"])), corner(int(link["x1"]), int(link["y1"]))
        bits = float(link["bits"])
        ends = f"{_at(link['x0'], link['y0'])} to {_at(link['x1'], link['y1'])}"
        said = f"link {ends}: {quantity(bits, 'bit')} per inference"
        thick = 1.0 + (gap * 0.9 if w >= 30 else gap * 0.8) * bits / busiest
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
