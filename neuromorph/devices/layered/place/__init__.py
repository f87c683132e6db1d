"""Placing a network on a chip: cut, pack, copy, place, route, and check every limit."""

from neuromorph.devices.layered.place.loading import load as load_placement
from neuromorph.devices.layered.place.placement import Placement, Shards, place

__all__ = ["Placement", "Shards", "load_placement", "place"]
