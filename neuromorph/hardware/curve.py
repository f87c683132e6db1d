"""Evaluation of piecewise laws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from neuromorph.hardware.component import Curve

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
