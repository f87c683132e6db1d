"""Events in time: rasters of spikes, the files they come in, and encoders that make them from values."""

from neuromorph.graph.events.raster import Raster

__all__ = ["Raster"]
