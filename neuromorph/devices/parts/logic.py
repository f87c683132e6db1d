"""What the digital parts (adder, MAC, vector unit) share: moving their figures to another node and supply."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.devices.parts import technology
from neuromorph.errors import InputError
from neuromorph.hardware.component import Component, Footprint
from neuromorph.hardware.pricing import footprint, value

NOTE = "scaled by Stillmaker & Baas, Integration 58 (2017)"


def scaling(component: Component) -> tuple[Any, Any, str]:
    """(energy factor, area factor, source note) from the part's (node, supply) to the settings' (node, supply).

    (1, 1, "") where the settings ask for neither. A setting left out keeps the part's node or supply.
    The area factor is None, not modelled, for nodes above 45 nm, which the published factors leave out.
    Raises InputError where the part states no node or supply, or the fit does not cover the request.
    """
    s, part = component.settings, component.part
    if s.node is None and s.supply is None:
        return 1.0, 1.0, ""
    from_node, from_supply = value(part, "node"), value(part, "supply")
    if from_node is None or from_supply is None:
        raise InputError(
            f"{component.path}: the part states no node and supply to scale from", hint="leave node and supply out"
        )
    to_node = from_node if s.node is None else s.node
    to_supply = from_supply if s.supply is None else s.supply
    # nanometres rounded: 45e-9 * 1e9 is not exactly the 45 of the table
    nodes = [np.round(np.asarray(n) * 1e9, 6) for n in (from_node, to_node)]
    energy = technology.energy_ratio(nodes[0], nodes[1], from_supply, to_supply)
    area: Any = 1.0
    if np.any(nodes[0] != nodes[1]):
        inside = all(np.all(n <= max(technology.AREA_FACTORS)) for n in nodes)
        area = technology.area_ratio(nodes[0], nodes[1]) if inside else None
    note = NOTE
    if any(not technology.is_tabulated(float(n)) for n in np.concatenate([np.atleast_1d(n) for n in nodes])):
        note += ", interpolated between nodes"
    return _plain(energy), area if area is None else _plain(area), note


def _plain(x: Any) -> Any:
    return x if np.ndim(x) else float(x)


def area_of(component: Component, factor: Any, note: str) -> Footprint:
    """The part's footprint times `factor` and the node's area factor; no area where that is not modelled."""
    _, by_node, scaled = scaling(component)
    if by_node is None:
        return Footprint(None, footprint(component.part).leakage_w)
    return footprint(component.part, factor * by_node, scaled or note)


def _key(component: Component) -> str:
    """The setting a message about scaling is placed at."""
    return "node" if component.settings.node is not None else "supply"


def check(component: Component) -> list[str]:
    """The scaling request as a message, where the fit refuses it."""
    try:
        scaling(component)
    except InputError as error:
        return [f"{_key(component)}: {problem.message}" for problem in error.problems]
    return []
