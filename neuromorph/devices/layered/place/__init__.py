"""Placing a network on a chip: cut, pack, copy, place, route, and check every limit."""

from neuromorph.devices.layered.place.placement import Placement, Shards, load_placement, place

__all__ = ["Placement", "Shards", "load_placement", "place"]
