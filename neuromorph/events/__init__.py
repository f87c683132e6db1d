"""Events in time: rasters of spikes, the files they come in, and encoders that make them from values."""

from neuromorph.events.files import read_events, write_events
from neuromorph.events.raster import Raster

__all__ = ["Raster", "read_events", "write_events"]
