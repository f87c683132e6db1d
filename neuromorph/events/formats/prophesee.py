"""Recordings of Prophesee cameras: EVT 2.0 and EVT 3.0 (.raw), and their older .dat.

All begin with text lines that start with '%'. Words are little-endian (docs.prophesee.ai, encoding formats).
EVT 2.0, 32 bits, type in bits 28-31: 0 OFF and 1 ON events (time bits 22-27, column 11-21, row 0-10), 8 upper 28 bits
of the time. EVT 3.0, 16 bits, type in bits 12-15: 0 row, 2 event (column bits 0-10, ON bit 11), 3 base column and
polarity of vectors, 4 and 5 vectors of 12 and 8 pixels (a bit each), 6 and 8 lower and upper 12 bits of the time. Other
types are left out. .dat: a byte of event type, a byte of event size (8), then 32-bit time and 32 bits of column (0-13),
row (14-27), polarity (28). Times are in microseconds, counted from the first event unless asked otherwise.
Upper parts of a time are sent again and again; only one that differs sets the lower part back.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.events.binning import Events, camera
from neuromorph.events.formats import Wanted, read_bytes

SUFFIXES = (".raw", ".dat")
_Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def read(path: Path, wanted: Wanted) -> tuple[Events, None]:
    """One recording."""
    place = Place(str(path))
    data = read_bytes(path, place)
    header, start = _header(data, place)
    text = header.decode("latin-1")
    if path.name.lower().endswith(".dat"):
        t, x, y, polarity = _dat(data, start, place)
    else:
        t, x, y, polarity = _raw(data, start, text, place)
    resolution = wanted.resolution(_geometry(text), place)
    return camera(wanted.counted(t), x, y, polarity, resolution, downsample=wanted.downsample, merge=wanted.merge), None


def _header(data: bytes, place: Place) -> tuple[bytes, int]:
    start = 0
    while data[start : start + 1] == b"%":
        end = data.find(b"\n", start)
        if end < 0:
            raise InputError("the header does not end", place)
        line = data[start:end].strip().lower()
        start = end + 1
        if line == b"% end":
            break
    return data[:start], start


def _geometry(text: str) -> tuple[int, int] | None:
    both = re.search(r"geometry\s+(\d+)x(\d+)", text, re.IGNORECASE)
    if both:
        return int(both[2]), int(both[1])
    height, width = (re.search(rf"{name}[ =]+(\d+)", text, re.IGNORECASE) for name in ("height", "width"))
    return (int(height[1]), int(width[1])) if height and width else None


def _raw(data: bytes, start: int, text: str, place: Place) -> _Columns:
    version = re.search(r"(?:^% *evt|format +EVT) *([0-9.]+)", text, re.IGNORECASE | re.MULTILINE)
    if version is None:
        raise InputError("the header names no EVT version", place, "a .raw file with EVT 2.0 or EVT 3.0")
    name, word = {"2": ("EVT 2.0", 4), "3": ("EVT 3.0", 2)}.get(version[1].removesuffix(".0"), ("", 0))
    if not word:
        raise InputError(f"events are in EVT {version[1]}", place, "legal: EVT 2.0 and EVT 3.0")
    if (len(data) - start) % word:
        raise InputError(f"{len(data) - start} bytes follow the header, not whole {name} words: cut off", place)
    words = np.frombuffer(data, f"<u{word}", offset=start).astype(np.int64)
    return evt2(words) if word == 4 else evt3(words)


def _dat(data: bytes, start: int, place: Place) -> _Columns:
    if len(data) < start + 2:
        raise InputError("ends before the type and size of its events", place)
    if data[start + 1] != 8:
        raise InputError(f"has events of {data[start + 1]} bytes, expected 8", place)
    start += 2
    if (len(data) - start) % 8:
        raise InputError(f"{len(data) - start} bytes of events, not a multiple of 8: cut off", place)
    words = np.frombuffer(data, "<u4", offset=start).astype(np.int64).reshape(-1, 2)
    bits = words[:, 1]
    return words[:, 0], bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1


def _latest(is_set: np.ndarray) -> np.ndarray:
    """For each position the last one at or before it where is_set, -1 where there is none."""
    return np.maximum.accumulate(np.where(is_set, np.arange(is_set.size), -1))


def evt2(words: np.ndarray) -> _Columns:
    """Times (us), columns, rows and polarities of EVT 2.0 words; events before the first time are left out."""
    kind = words >> 28
    if not words.size:
        return words, words, words, words
    high = _latest(kind == 8)
    chosen = (kind <= 1) & (high >= 0)
    upper = (words & 0xFFFFFFF)[high[chosen]]
    event = words[chosen]
    return upper << 6 | event >> 22 & 0x3F, event >> 11 & 0x7FF, event & 0x7FF, kind[chosen]


def evt3(words: np.ndarray) -> _Columns:
    """Times (us), columns, rows and polarities of EVT 3.0 words; events before the first row and time are left out.

    A vector starts where the one before it ended, from the base column on.
    """
    if not words.size:
        return words, words, words, words
    kind, payload = words >> 12, words & 0xFFF
    row_at, low_at, high_at, base_at = (_latest(kind == k) for k in (0, 6, 8, 3))
    turns = np.zeros(words.size, np.int64)  # how often the upper 12 bits have started again
    highs = np.flatnonzero(kind == 8)
    turns[highs[1:]] = np.diff(payload[highs]) < -2048
    upper = np.where(high_at >= 0, payload[high_at], 0) + (np.cumsum(turns) << 12)
    renewed = np.zeros(words.size, bool)
    renewed[highs] = np.diff(payload[highs], prepend=-1) != 0
    lower = np.where(low_at > _latest(renewed), payload[low_at], 0)  # a new upper part begins at 0
    t = upper << 12 | lower
    ready = (row_at >= 0) & (high_at >= 0)
    row = payload[row_at] & 0x7FF
    length = np.select([kind == 4, kind == 5], [12, 8], 0)
    before = np.cumsum(length) - length
    single = np.flatnonzero((kind == 2) & ready)
    parts = [(t[single], payload[single] & 0x7FF, row[single], payload[single] >> 11)]
    vector = np.flatnonzero((length > 0) & ready & (base_at >= 0))
    set_bits = (payload[vector, None] >> np.arange(12) & 1).astype(bool) & (np.arange(12) < length[vector, None])
    which, bit = np.nonzero(set_bits)
    at = vector[which]
    base = base_at[at]
    column = (payload[base] & 0x7FF) + before[at] - before[base] + bit
    parts.append((t[at], column, row[at], payload[base] >> 11))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return columns[0][order], columns[1][order], columns[2][order], columns[3][order]
