"""N-MNIST and N-Caltech101 recordings (.bin), and the same layout as .bs2: 40 bits an event.

Byte 0: column; byte 1: row; then 24 bits, most significant byte first: polarity (1 ON) and 23 bits of microseconds
(Orchard et al. 2015). Row 240 is no pixel: it marks that the camera's counter of 13 bits has started again, so that
later times are 8,192 us further (as the readers of the data sets' authors do). One file is one recording.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.events.binning import Events, camera
from neuromorph.events.formats import Wanted, read_bytes

SUFFIXES = (".bin", ".bs2")
RESOLUTION = (34, 34)
_BYTES = 5
_OVERFLOW_ROW, _OVERFLOW_US = 240, 1 << 13


def read(path: Path, wanted: Wanted) -> tuple[Events, None]:
    """One recording; 34 x 34 pixels unless another shape is given."""
    place = Place(str(path))
    data = read_bytes(path, place)
    if len(data) % _BYTES:
        raise InputError(f"has {len(data)} bytes, not a multiple of {_BYTES}: cut off or no N-MNIST file", place)
    b = np.frombuffer(data, np.uint8).reshape(-1, _BYTES).astype(np.int64)
    t_us = (b[:, 2] & 0x7F) << 16 | b[:, 3] << 8 | b[:, 4]
    resolution = wanted.resolution(RESOLUTION, place)
    if resolution[0] <= _OVERFLOW_ROW:
        marker = b[:, 1] == _OVERFLOW_ROW
        t_us = (t_us + np.cumsum(marker) * _OVERFLOW_US)[~marker]
        b = b[~marker]
    events = camera(t_us, b[:, 0], b[:, 1], b[:, 2] >> 7, resolution, downsample=wanted.downsample, merge=wanted.merge)
    return events, None


def encode(t_us: np.ndarray, x: np.ndarray, y: np.ndarray, polarity: np.ndarray) -> bytes:
    """The file's bytes for events of one recording."""
    t = t_us.astype(np.int64)
    columns = (x, y, polarity.astype(np.int64) << 7 | t >> 16 & 0x7F, t >> 8 & 0xFF, t & 0xFF)
    return np.stack([np.asarray(c).astype(np.uint8) for c in columns], axis=1).tobytes()
