"""A small SVG writer: escaped text, ticks, and labels cut to the room they have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from markupsafe import Markup, escape

CHARACTER = 0.56
"""Mean width of a character of a sans-serif face over its size; digits and lower case, on the safe side."""


class Canvas:
    """An SVG picture under construction; coordinates in CSS pixels, y downwards."""

    def __init__(self, width: float, height: float, label: str) -> None:
        self.width, self.height, self.label = width, height, label
        self._parts: list[str] = []

    def rect(self, x: float, y: float, w: float, h: float, cls: str, title: str = "", rx: float = 0.0) -> None:
        corner = f' rx="{_n(rx)}"' if rx else ""
        head = f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(max(w, 0.0))}" height="{_n(h)}" class="{cls}"{corner}'
        self._parts.append(f"{head}><title>{escape(title)}</title></rect>" if title else f"{head}/>")

    def line(self, x1: float, y1: float, x2: float, y2: float, cls: str, title: str = "", width: float = 0.0) -> None:
        thick = f' stroke-width="{_n(width)}"' if width else ""
        head = f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{cls}"{thick}'
        self._parts.append(f"{head}><title>{escape(title)}</title></line>" if title else f"{head}/>")

    def circle(self, x: float, y: float, r: float, cls: str, title: str = "") -> None:
        head = f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" class="{cls}"'
        self._parts.append(f"{head}><title>{escape(title)}</title></circle>" if title else f"{head}/>")

    def path(self, d: str, cls: str, title: str = "") -> None:
        head = f'<path d="{d}" class="{cls}"'
        self._parts.append(f"{head}><title>{escape(title)}</title></path>" if title else f"{head}/>")

    def text(self, x: float, y: float, text: str, cls: str = "", anchor: str = "start", title: str = "") -> None:
        kind = f' class="{cls}"' if cls else ""
        side = "" if anchor == "start" else f' text-anchor="{anchor}"'
        note = f"<title>{escape(title)}</title>" if title else ""
        self._parts.append(f'<text x="{_n(x)}" y="{_n(y)}"{kind}{side}>{note}{escape(text)}</text>')

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Everything drawn within has one title."""
        self._parts.append(f"<g><title>{escape(title)}</title>")
        yield
        self._parts.append("</g>")

    def render(self) -> Markup:
        size = f'viewBox="0 0 {_n(self.width)} {_n(self.height)}" width="{_n(self.width)}" height="{_n(self.height)}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(self.label)}">'
        return Markup(head + "".join(self._parts) + "</svg>")


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def fit(text: str, room: float, size: float) -> str:
    """`text` with its middle cut out to fit in `room` pixels at a font size; empty where too little would be left."""
    most = int(room / (size * CHARACTER))
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}" if most >= 3 else ""


def width_of(text: str, size: float) -> float:
    """Estimated width in pixels."""
    return len(text) * size * CHARACTER


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values (1, 2, 5 times a power of ten) within [low, high], about `most` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(s * power for s in (1.0, 2.0, 5.0, 10.0) if s * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten within [low, high]; with 2 and 5 between them where these are fewer than three."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)

    def within(steps: tuple[int, ...]) -> list[float]:
        values = (s * 10.0**e for e in exponents for s in steps)
        return [v for v in values if low * 0.999 <= v <= high * 1.001]

    decades = within((1,))
    return decades if len(decades) >= 3 else within((1, 2, 5))


def spiral(step: float, rings: int) -> Iterator[tuple[float, float]]:
    """Offsets around a point in growing circles, the first to the upper right."""
    for ring in range(1, rings + 1):
        spokes = 8 + 4 * ring
        for k in range(spokes):
            angle = -math.pi / 4 + 2 * math.pi * k / spokes
            yield ring * step * math.cos(angle), ring * step * math.sin(angle)
