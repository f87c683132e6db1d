"""Evaluation of piecewise laws."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

LAWS: dict[str, int] = {"polynomial": 0, "log": 2, "power": 2, "saturating": 2}
"""Curve laws and how many parameters each takes (0: one or more)."""


def _law(law: str, p: tuple[float, ...], u: np.ndarray) -> np.ndarray:
    if law == "polynomial":
        return np.polynomial.polynomial.polyval(u, p)
    a, b = p
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if law == "log":
            return a * np.log(u) + b
        return a * u**b if law == "power" else a * (1.0 - np.exp(-u / b))


def evaluate_curve(curve: Curve, u: Any) -> np.ndarray:
    """y(u) of any shape of u, float64, in the unit of the quantity (SI).

    The first segment with u < upto applies; its law is evaluated, clipped, then multiplied by `curve.scale`.
    """
    u = np.asarray(u, dtype=np.float64)
    result = np.full(u.shape, np.nan)
    open_ = np.ones(u.shape, dtype=bool)
    for upto, law, parameters, clip in curve.segments:
        here = open_ if upto is None else open_ & (u < upto)
        y = _law(law, parameters, u[here])
        result[here] = y if clip is None else np.clip(y, *clip)
        open_ = open_ & ~here
    return result * curve.scale


@dataclass(frozen=True)
class Curve:
    """A piecewise law y(u): the first segment with u < upto (the last has upto None) gives the value.

    A segment is ("polynomial", coefficients lowest order first), ("log", (a, b)): a ln u + b,
    ("power", (a, p)): a u^p, or ("saturating", (a, b)): a (1 - exp(-u/b)), clipped to (low, high) where given.
    """

    segments: tuple[tuple[float | None, str, tuple[float, ...], tuple[float, float] | None], ...]
    scale: float = 1.0

    def scaled(self, factor: float) -> Curve:
        return dataclasses.replace(self, scale=self.scale * factor)

    def __call__(self, u: Any) -> Any:
        """y(u) in SI as a float64 array of u's shape."""
        return evaluate_curve(self, u)
