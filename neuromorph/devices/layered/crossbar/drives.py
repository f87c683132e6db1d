"""Row drives of a batch of inputs: quantized, split into bit planes and phases, and summed up as they pass.

The same arithmetic twice: compiled with numba for the CPU, with torch operations elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import torch

from neuromorph.devices.layered.crossbar.inputs import InputCoding

_CHUNK = 128
_FAST = {"contract", "nnan", "nsz", "reassoc"}


@dataclass(frozen=True)
class Drives:
    """v: (steps, rows of samples, *features) in [-1, 1]; squared: v^2, None where not asked for.

    power, active: sums over steps and rows of v^2 (of |v| for pulse widths) and of v != 0, (features,);
    per_row: power summed over features (rows,).
    """

    v: torch.Tensor
    squared: torch.Tensor | None
    power: np.ndarray
    active: np.ndarray
    per_row: np.ndarray


# Short loops over one row each: the compiler turns every one of them into vector instructions.


@numba.njit(cache=True, fastmath=_FAST)
def _encode(x, factor, low, high, quantized, codes):  # type: ignore[no-untyped-def]
    if quantized:
        for f in range(x.shape[0]):
            codes[f] = min(max(np.floor(x[f] * factor + np.float32(0.5)), low), high)
    else:
        for f in range(x.shape[0]):
            codes[f] = min(max(x[f] * factor, low), high)


@numba.njit(cache=True, fastmath=_FAST)
def _to_drives(codes, planes, shift, digit, inverse, row):  # type: ignore[no-untyped-def]
    if planes > 1:
        for f in range(row.shape[0]):
            row[f] = np.float32((np.int32(codes[f]) >> shift) & digit) * inverse
    else:
        for f in range(row.shape[0]):
            row[f] = codes[f] * inverse


@numba.njit(cache=True, fastmath=_FAST)
def _sum_up(row, widths, power, active):  # type: ignore[no-untyped-def]
    total, zero, one = np.float32(0), np.float32(0), np.float32(1)
    for f in range(row.shape[0]):
        active[f] += one if row[f] != zero else zero
    if widths:
        for f in range(row.shape[0]):
            power_of = abs(row[f])
            power[f] += power_of
            total += power_of
    else:
        for f in range(row.shape[0]):
            power_of = row[f] * row[f]
            power[f] += power_of
            total += power_of
    return total


@numba.njit(cache=True, fastmath=_FAST)
def _square(row, squared):  # type: ignore[no-untyped-def]
    for f in range(row.shape[0]):
        squared[f] = row[f] * row[f]


@numba.njit(parallel=True, cache=True, fastmath=_FAST)
def _drive(  # type: ignore[no-untyped-def]
    x, factor, low, high, inverse, quantized, phases, planes, plane_bits, widths, v, squared, power, active, per_row
):
    """x (rows, features) -> v (phases*planes, rows, features); squared the same or empty; per_row (chunks, rows)."""
    rows, features = x.shape
    chunks = (features + _CHUNK - 1) // _CHUNK
    digit = np.int32((1 << plane_bits) - 1)
    keep = squared.shape[0] > 0
    for c in numba.prange(chunks):
        first, last = c * _CHUNK, min(features, (c + 1) * _CHUNK)
        codes = np.empty(last - first, np.float32)
        for b in range(rows):
            total = np.float32(0)
            for phase in range(phases):
                floor = low if phases == 1 else np.float32(0)
                _encode(x[b, first:last], factor if phase == 0 else -factor, floor, high, quantized, codes)
                for k in range(planes):
                    step = phase * planes + k
                    row = v[step, b, first:last]
                    _to_drives(codes, planes, np.int32(plane_bits * k), digit, inverse, row)
                    total += _sum_up(row, widths, power[first:last], active[first:last])
                    if keep:
                        _square(row, squared[step, b, first:last])
            per_row[c, b] = total


def drive(coding: InputCoding, x: torch.Tensor, features: int, with_squares: bool) -> Drives:
    """Drives of x (rows of samples, *features axes); `features` is how many trailing axes are features.

    with_squares: also return v^2 (for read noise); binary drives are their own squares.
    """
    if x.device.type != "cpu":
        return _drive_torch(coding, x, features, with_squares)
    shape = x.shape[x.dim() - features :]
    flat = np.ascontiguousarray(x.detach().numpy()).reshape(-1, math.prod(shape))
    rows, width = flat.shape
    store = with_squares and not coding.binary
    v = np.empty((coding.step_count, rows, width), np.float32)
    squared = np.empty(v.shape if store else (0, 0, 0), np.float32)
    power, active = np.zeros(width, np.float32), np.zeros(width, np.float32)
    per_row = np.empty((-(-width // _CHUNK), rows), np.float32)
    serial = coding.serial
    factor = coding.top / coding.full_scale if coding.quantized else 1.0 / coding.full_scale
    high = float(coding.top) if coding.quantized else math.inf  # an ideal converter has no range
    digit = (2**coding.plane_bits - 1) if serial else float(coding.top) if coding.quantized else 1.0
    _drive(
        flat, np.float32(factor), np.float32(_lowest(coding)), np.float32(high), np.float32(1 / digit),
        coding.quantized, coding.phases, coding.planes, coding.plane_bits if serial else 0, coding.widths, v,
        squared, power, active, per_row,
    )  # fmt: skip
    drives = torch.from_numpy(v).view(coding.step_count, rows, *shape)
    doubled = drives if with_squares and coding.binary else None
    if store:
        doubled = torch.from_numpy(squared).view(drives.shape)
    return Drives(drives, doubled, power.astype(float), active.astype(float), per_row.sum(0, dtype=float))


def _lowest(coding: InputCoding) -> float:
    """Smallest code of a driver of both polarities; an ideal converter has no range."""
    if not coding.quantized:
        return -math.inf
    return -float(coding.top) if coding.signed else 0.0


def _drive_torch(coding: InputCoding, x: torch.Tensor, features: int, with_squares: bool) -> Drives:
    shape = x.shape[x.dim() - features :]
    x = x.reshape(-1, *shape)
    signs = (1.0, -1.0) if coding.phases == 2 else (1.0,)
    high = float(coding.top) if coding.quantized else math.inf
    low = _lowest(coding) if coding.phases == 1 else 0.0
    unit = float(coding.top) if coding.quantized else 1.0
    factor = unit / coding.full_scale
    planes = []
    for sign in signs:
        value = sign * x * factor
        if coding.quantized:
            value = torch.floor(value + 0.5)
        value = value.clamp(low, high)
        if coding.serial:
            digit, whole = 2**coding.plane_bits - 1, value.to(torch.int32)
            planes += [((whole >> (coding.plane_bits * k)) & digit).to(x.dtype) / digit for k in range(coding.planes)]
        else:
            planes.append(value / unit)
    v = torch.stack(planes)
    squared = v * v
    rest = tuple(i for i in range(v.dim()) if i != 1)
    power = v.abs() if coding.widths else squared
    return Drives(
        v,
        squared if with_squares else None,
        power.sum((0, 1)).double().cpu().numpy().reshape(-1),
        (v != 0).sum((0, 1)).double().cpu().numpy().reshape(-1),
        power.sum(rest).double().cpu().numpy(),
    )
