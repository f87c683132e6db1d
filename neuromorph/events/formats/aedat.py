"""AEDAT recordings of event cameras (.aedat, .aedat4). AEDAT 4 is read by the package `aedat` (an extra).

2.0: text lines beginning with '#', then pairs of big-endian 32-bit address and 32-bit time in microseconds. The address
depends on the camera: DVS128 has polarity in bit 0 (0 is ON), column 127 - bits 1-7, row bits 8-14; DAVIS has ON in bit
11, column in bits 12-21, row in bits 22-30, and is no event where bit 31 (frame) or bit 10 (inertial sensor, external)
is set. Rows count from the bottom, as jAER does.
3.1: header up to '#!END-HEADER', then packets: 28 bytes of little-endian type (16 bits), source (16), size of an
event, offset of its time, overflow of time, capacity, number, valid events (32 each). Polarity events (type 1) have
valid in bit 0, ON in bit 1, row in bits 2-16, column in bits 17-31, then the time in microseconds. Rows count from the
top.
Times are counted from the first event unless asked otherwise.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.events.binning import Events, camera
from neuromorph.events.formats import Wanted, read_bytes

SUFFIXES = (".aedat", ".aedat2", ".aedat4")
_PACKET = np.dtype(
    [("type", "<u2"), ("source", "<u2")]
    + [(name, "<u4") for name in ("size", "offset", "overflow", "capacity", "number", "valid")]
)
_POLARITY = 1
_CAMERAS = {"DVS128": (128, 128), "DAVIS128": (128, 128), "DAVIS208": (192, 208), "DAVIS240": (180, 240)}
_CAMERAS |= {"DAVIS346": (260, 346), "DAVIS640": (480, 640)}
_Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def read(path: Path, wanted: Wanted) -> tuple[Events, None]:
    """One recording of either version."""
    place = Place(str(path))
    data = read_bytes(path, place)
    version = re.match(rb"#!AER-DAT([0-9.]+)", data)
    if version is None:
        raise InputError("does not begin with '#!AER-DAT'", place, "an AEDAT 2.0, 3.1 or 4.0 file")
    number = version[1].decode()
    resolution: tuple[int, int] | None
    if number.startswith("4"):
        resolution, columns = _version_4(path, place)
    elif number.startswith("3"):
        resolution, columns = _version_3(data, place)
    elif number.startswith("2"):
        resolution, columns = _version_2(data, wanted, place)
    else:
        raise InputError(f"AEDAT version {number}", place, "legal: 2.0, 3.1 and 4.0")
    t, x, y, polarity = columns
    resolution = wanted.resolution(resolution, place)
    return camera(wanted.counted(t), x, y, polarity, resolution, downsample=wanted.downsample, merge=wanted.merge), None


def _version_2(data: bytes, wanted: Wanted, place: Place) -> tuple[tuple[int, int] | None, _Columns]:
    start = 0
    while data[start : start + 1] == b"#":
        end = data.find(b"\n", start)
        if end < 0:
            raise InputError("the header does not end", place)
        last, start = data[start:end].strip().lower() == b"#end of ascii header", end + 1
        if last:
            break
    if (len(data) - start) % 8:
        raise InputError(f"{len(data) - start} bytes follow the header, not a multiple of 8: cut off", place)
    words = np.frombuffer(data, ">u4", offset=start).astype(np.int64).reshape(-1, 2)
    address, t = words[:, 0], _unwrapped(words[:, 1])
    header = data[:start].decode("latin-1").upper()
    name = next((name for name in _CAMERAS if name in header), None)
    if name is None and wanted.shape is not None:
        name = "DVS128" if wanted.shape[-2:] == (128, 128) else "DAVIS"
    if name is None:
        known = ", ".join(_CAMERAS)
        raise InputError("the header names no camera that is known", place, f"known: {known}; or give a shape")
    if name == "DVS128":
        address, t = address[address >> 15 == 0], t[address >> 15 == 0]  # bit 15 marks synchronization
        return _CAMERAS[name], (t, 127 - (address >> 1 & 0x7F), address >> 8 & 0x7F, 1 - (address & 1))
    kept = (address >> 31 == 0) & (address >> 10 & 1 == 0)
    address, t = address[kept], t[kept]
    return _CAMERAS.get(name), (t, address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1)


def _version_3(data: bytes, place: Place) -> tuple[tuple[int, int] | None, _Columns]:
    end = re.search(rb"#!END-HEADER\r?\n", data[: 1 << 20])
    if end is None:
        raise InputError("the header has no '#!END-HEADER'", place)
    at, parts = end.end(), []
    while at < len(data):
        if len(data) - at < _PACKET.itemsize:
            raise InputError(f"cut off inside the packet header at byte {at}", place)
        head = np.frombuffer(data, _PACKET, 1, at)[0]
        at += _PACKET.itemsize
        size, number = int(head["size"]), int(head["number"])
        if size == 0 or len(data) - at < size * number:
            raise InputError(f"packet at byte {at} tells {number} events of {size} bytes, the file ends before", place)
        if int(head["type"]) == _POLARITY:
            if size != 8:
                raise InputError(f"packet at byte {at} has polarity events of {size} bytes, expected 8", place)
            words = np.frombuffer(data, "<u4", 2 * number, at).astype(np.int64).reshape(-1, 2)
            words = words[words[:, 0] & 1 == 1]
            parts.append((words[:, 0], words[:, 1] + (int(head["overflow"]) << 31)))
        at += size * number
    bits = np.concatenate([p[0] for p in parts]) if parts else np.zeros(0, np.int64)
    t = np.concatenate([p[1] for p in parts]) if parts else np.zeros(0, np.int64)
    header = data[: end.end()].decode("latin-1").upper()
    name = next((name for name in _CAMERAS if name in header), None)
    columns = (t, bits >> 17 & 0x7FFF, bits >> 2 & 0x7FFF, bits >> 1 & 1)
    return None if name is None else _CAMERAS[name], columns


def _version_4(path: Path, place: Place) -> tuple[tuple[int, int], _Columns]:
    """The events of the first camera, by the reader of the package `aedat`."""
    try:
        import aedat
    except ImportError:
        hint = "pip install 'neuromorph[aedat4]', or convert it to AEDAT 3.1"
        raise InputError("AEDAT 4 needs the package aedat", place, hint) from None
    try:
        decoder = aedat.Decoder(str(path))
        streams = {i: s for i, s in decoder.id_to_stream().items() if s["type"] == "events"}
        first = min(streams, default=None)
        parts = [p["events"] for p in decoder if p["stream_id"] == first and "events" in p]
    except BaseException as error:  # its reader, written in another language, panics with an exception of its own
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"is no whole AEDAT 4 file: {reason}", place) from None
    if first is None:
        raise InputError("holds no stream of events", place, "record events, not frames alone")
    found = np.concatenate(parts) if parts else np.zeros(0, [(n, "u8") for n in ("t", "x", "y", "on")])
    t, x, y, on = (found[name].astype(np.int64) for name in ("t", "x", "y", "on"))
    return (int(streams[first]["height"]), int(streams[first]["width"])), (t, x, y, on)


def _unwrapped(t: np.ndarray) -> np.ndarray:
    """32-bit times made to rise where the counter starts again."""
    jumps = np.concatenate(([0], np.cumsum(np.diff(t) < -(2**31)))) if t.size else np.zeros(0, np.int64)
    return t + (jumps << 32)
