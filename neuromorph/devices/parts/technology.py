"""Scaling digital CMOS logic between technology nodes and supply voltages.

Stillmaker & Baas, "Scaling equations for the accurate prediction of CMOS device performance from
180 nm to 7 nm", Integration 58 (2017): energy per operation of a logic circuit E = a V^2 + b V + c,
V in volts, one (a, b, c) per node, and the area of a logic cell relative to another node.

The fits hold for digital logic only. Converters, sense amplifiers, resistive cells, wires and DRAM
do not follow them. Each parabola has a minimum below which it turns up again: supplies near or
under it are outside the fitted range and refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuromorph.errors import InputError

ENERGY_COEFFICIENTS: dict[float, tuple[float, float, float]] = {
    130.0: (7.171, -6.709, 2.904),
    90.0: (4.762, -4.781, 2.092),
    65.0: (3.755, -4.398, 1.975),
    45.0: (1.103, -0.362, 0.2767),
    32.0: (0.9559, -0.7823, 0.471),
    20.0: (0.373, -0.1582, 0.04104),
    16.0: (0.2958, -0.1241, 0.03024),
    14.0: (0.2363, -0.09675, 0.02239),
    10.0: (0.2068, -0.09311, 0.02375),
    7.0: (0.1776, -0.09097, 0.02447),
}
"""(a, b, c) of E = a V^2 + b V + c by node in nm, arbitrary energy unit."""

NOMINAL_SUPPLY_V: dict[float, float] = {
    130.0: 1.2,
    90.0: 1.1,
    65.0: 1.1,
    45.0: 1.0,
    32.0: 0.9,
    20.0: 0.8,
    16.0: 0.8,
    14.0: 0.8,
    10.0: 0.75,
    7.0: 0.7,
}

AREA_FACTORS: dict[float, float] = {45.0: 1.0, 32.0: 0.46, 20.0: 0.21, 16.0: 0.19, 14.0: 0.17, 10.0: 0.10, 7.0: 0.059}
"""Logic area relative to 45 nm by node in nm. No factor is published here above 45 nm."""

SUPPLY_MARGIN = 1.1
"""Lowest supply accepted, as a multiple of the parabola's minimum: there its slope is zero, which no circuit shows."""


def minimum_supply_v(node_nm: float) -> float:
    """The supply at which a tabulated node's energy parabola has its minimum, in volts."""
    a, b, _ = ENERGY_COEFFICIENTS[node_nm]
    return -b / (2.0 * a)


def _check_range(node_nm: Any, table: dict[float, Any], what: str) -> np.ndarray:
    nodes = np.asarray(node_nm, dtype=float)
    low, high = min(table), max(table)
    if np.any(~np.isfinite(nodes)) or np.any(nodes < low) or np.any(nodes > high):
        bad = nodes.reshape(-1)[~((nodes >= low) & (nodes <= high)).reshape(-1)][0]
        raise InputError(
            f"{what} at {bad:g} nm is outside the scaling table ({low:g} to {high:g} nm)",
            hint="give the number for the node itself, with its source",
        )
    return nodes


def _interpolated(node_nm: np.ndarray, table: dict[float, Any], value: Callable[[float], Any]) -> np.ndarray:
    """Interpolate ln value over ln node between tabulated nodes; value(node) broadcasts to the shape of node_nm."""
    nodes = np.array(sorted(table))
    logs = np.log(np.stack([np.broadcast_to(value(n), node_nm.shape) for n in nodes]))
    x = np.log(node_nm)
    upper = np.clip(np.searchsorted(nodes, node_nm), 1, len(nodes) - 1)
    x0, x1 = np.log(nodes[upper - 1]), np.log(nodes[upper])
    y0 = np.take_along_axis(logs, (upper - 1)[None], axis=0)[0]
    y1 = np.take_along_axis(logs, upper[None], axis=0)[0]
    return np.asarray(np.exp(y0 + (y1 - y0) * (x - x0) / (x1 - x0)))


def is_tabulated(node_nm: float) -> bool:
    """Whether the node has its own row; 22, 28 and 40 nm, for instance, are interpolated between neighbours."""
    return float(node_nm) in ENERGY_COEFFICIENTS


def logic_energy(node_nm: Any, supply_v: Any) -> Any:
    """Relative energy of one logic operation at (node_nm, supply_v), scalars or arrays that broadcast.

    Between tabulated nodes ln E is interpolated linearly in ln(node) at the given supply.
    Raises InputError for nodes outside the table and for supplies near or below the minimum of a
    neighbouring row's parabola.
    """
    nodes, supply = np.broadcast_arrays(
        _check_range(node_nm, ENERGY_COEFFICIENTS, "logic energy"), np.asarray(supply_v, dtype=float)
    )
    for row in ENERGY_COEFFICIENTS:
        lowest = SUPPLY_MARGIN * minimum_supply_v(row)
        near = (nodes == row) | (_brackets(nodes, row) & (nodes != row))
        if np.any(near & ~(supply >= lowest)):
            worst = float(np.min(np.where(near, supply, np.inf)))
            raise InputError(
                f"a supply of {worst:g} V is too low to scale logic energy at {row:g} nm: the fit has its minimum at "
                f"{minimum_supply_v(row):.2f} V and is used from {lowest:.2f} V",
                hint="raise the supply, or give the energy at this supply with its source",
            )

    def value(row: float) -> np.ndarray:
        a, b, c = ENERGY_COEFFICIENTS[row]
        return np.asarray(a * supply**2 + b * supply + c)

    out = _interpolated(nodes, ENERGY_COEFFICIENTS, value)
    return out if (np.ndim(node_nm) or np.ndim(supply_v)) else float(out)


def _brackets(nodes: np.ndarray, row: float) -> np.ndarray:
    """Where the row is one of the two neighbours that an untabulated node is interpolated between."""
    known = np.array(sorted(ENERGY_COEFFICIENTS))
    upper = np.clip(np.searchsorted(known, nodes), 1, len(known) - 1)
    tabulated = np.isin(nodes, known)
    return ~tabulated & ((known[upper] == row) | (known[upper - 1] == row))


def energy_ratio(from_nm: Any, to_nm: Any, from_v: Any, to_v: Any) -> Any:
    """Energy of a logic operation at (to_nm, to_v) over that at (from_nm, from_v). Both supplies are explicit
    because they matter as much as the node: 130 to 7 nm is 108x at nominal supplies and 33x at 0.8 V for both."""
    return logic_energy(to_nm, to_v) / logic_energy(from_nm, from_v)


def area_ratio(from_nm: Any, to_nm: Any) -> Any:
    """Logic area at to_nm over that at from_nm, ln-ln interpolated; InputError outside 7 to 45 nm."""

    def factor(node_nm: Any) -> np.ndarray:
        nodes = np.atleast_1d(_check_range(node_nm, AREA_FACTORS, "logic area"))
        return _interpolated(nodes, AREA_FACTORS, lambda n: np.asarray(AREA_FACTORS[n]))

    out = factor(to_nm) / factor(from_nm)
    return out if (np.ndim(from_nm) or np.ndim(to_nm)) else float(out[0])
