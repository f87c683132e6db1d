"""Events in time: rasters of spikes, the files they come in, and encoders that make them from values."""

from neuromorph.graph.events.files import read_events, write_events
from neuromorph.graph.events.raster import Raster

__all__ = ["Raster", "read_events", "write_events"]
