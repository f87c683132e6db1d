"""Spiking networks on many-core chips: slices of populations on cores, routing trees, tables, limits."""

from typing import TYPE_CHECKING, Any

from neuromorph.devices.manycore.place.placement import CorePlacement
from neuromorph.devices.manycore.place.shapes import HOST, Grid, Lists, Routing, Slices

if TYPE_CHECKING:
    from neuromorph.devices.manycore.place.loading import load_placement
    from neuromorph.devices.manycore.place.place import place_network
    from neuromorph.devices.manycore.place.tables import routing_table

_LATE = {
    "place_network": "place",
    "load_placement": "loading",
    "routing_table": "tables",
}


def __getattr__(name: str) -> Any:
    """Verbs load compiled code: only where one is asked for."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)


__all__ = [
    "HOST",
    "CorePlacement",
    "Grid",
    "Lists",
    "Routing",
    "Slices",
    "load_placement",
    "place_network",
    "routing_table",
]
