"""Read noise, analog-to-digital conversion and shift-and-add in one pass over column results.

The same arithmetic twice: compiled with numba for the CPU, with torch operations elsewhere. Noise is
a function of (key, sample row, position), so results do not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import torch

from neuromorph.counter import fill_row, normal_rows_torch

_FAST = {"contract", "nnan", "ninf", "nsz", "reassoc"}


@dataclass(frozen=True)
class Adc:
    """Converters of one block, ready to use: value = factor * clip(floor(z * inverse + 1/2), low, high).

    inverse: (groups*slices*columns,) codes per unit of z. factor: (trials, groups*slices*columns), what one code is
    worth. Not quantized: value = factor * z, an ideal converter.
    """

    inverse: np.ndarray
    factor: np.ndarray
    low: float
    high: float
    quantized: bool

    @staticmethod
    def of(gain: np.ndarray, step: np.ndarray, low: float, high: float) -> Adc:
        """gain: (trials, columns) worth of one unit of z; step: (columns,) units of z per code."""
        return Adc((1.0 / step).astype(np.float32), (gain * step).astype(np.float32), low, high, True)

    @staticmethod
    def ideal(gain: np.ndarray) -> Adc:
        return Adc(np.ones(gain.shape[1], np.float32), gain.astype(np.float32), 0.0, 0.0, False)


@numba.njit(parallel=True, cache=True, fastmath=_FAST)
def _convert(z, var, noisy, inverse, quantized, low, high, gain, weights, slices, columns, key, first, acc, tally):  # type: ignore[no-untyped-def]
    """z, var: (steps, batch, groups*slices*columns, positions); acc: (batch, groups*columns, positions) is added to.

    tally: (batch, 2) gets the number of clipped conversions and the sum of |code|.
    """
    steps, batch, width, positions = z.shape
    groups = width // (slices * columns)
    for b in numba.prange(batch):
        noise = np.empty(width * positions if noisy else 0, np.float32)
        clipped, codes = np.float32(0), np.float32(0)
        for k in range(steps):
            if noisy:
                fill_row(noise, key, (first + np.uint64(b)) * np.uint64(steps) + np.uint64(k))
            for g in range(groups):
                for s in range(slices):
                    for m in range(columns):
                        q = (g * slices + s) * columns + m
                        row, out, factor, inv = z[k, b, q], acc[b, g * columns + m], weights[k] * gain[q], inverse[q]
                        if noisy:
                            spread, draw = var[k, b, q], noise[q * positions : (q + 1) * positions]
                            for p in range(positions):
                                row[p] += np.sqrt(spread[p]) * draw[p]
                        if quantized:
                            for p in range(positions):
                                code = np.floor(row[p] * inv + np.float32(0.5))
                                kept = min(max(code, low), high)
                                clipped += np.float32(kept != code)
                                codes += abs(kept)
                                out[p] += factor * kept
                        else:
                            for p in range(positions):
                                out[p] += factor * row[p]
        tally[b, 0] += clipped
        tally[b, 1] += codes


@numba.njit(parallel=True, cache=True, fastmath=_FAST)
def _convert_flat(z, var, noisy, inverse, quantized, low, high, gain, weights, slices, columns, key, first, acc, tally):  # type: ignore[no-untyped-def]
    """As _convert for one position and one group: z, var (steps, batch, slices*columns); acc (batch, columns)."""
    steps, batch, width = z.shape
    for b in numba.prange(batch):
        noise = np.empty(width if noisy else 0, np.float32)
        clipped, codes = np.float32(0), np.float32(0)
        out = acc[b]
        for k in range(steps):
            row = z[k, b]
            if noisy:
                fill_row(noise, key, (first + np.uint64(b)) * np.uint64(steps) + np.uint64(k))
                spread = var[k, b]
                for q in range(width):
                    row[q] += np.sqrt(spread[q]) * noise[q]
            for s in range(slices):
                base = s * columns
                for m in range(columns):
                    factor = weights[k] * gain[base + m]
                    if quantized:
                        code = np.floor(row[base + m] * inverse[base + m] + np.float32(0.5))
                        kept = min(max(code, low), high)
                        clipped += np.float32(kept != code)
                        codes += abs(kept)
                        out[m] += factor * kept
                    else:
                        out[m] += factor * row[base + m]
        tally[b, 0] += clipped
        tally[b, 1] += codes


@numba.njit(parallel=True, cache=True, fastmath=_FAST)
def _convert_dealt(  # type: ignore[no-untyped-def]
    z, var, noisy, inverse, quantized, low, high, gain, weights, slices, columns, keys, ends, first, acc, tally
):
    """As _convert with products before samples: z, var (steps, products, batch, at least groups*slices*columns).

    Products ends[c] to ends[c+1] are those of copy c with its own gain and inverse (copies, width) and stream keys[c].
    acc: (products, batch, groups*columns); tally: (copies*batch, 2).
    """
    steps, batch, width = z.shape[0], z.shape[2], gain.shape[1]
    groups = width // (slices * columns)
    for n in numba.prange(keys.shape[0] * batch):
        c, b = n // batch, n % batch
        begin, count = ends[c], ends[c + 1] - ends[c]
        noise = np.empty(width * count if noisy else 0, np.float32)
        clipped, codes = np.float32(0), np.float32(0)
        for k in range(steps):
            if noisy:
                fill_row(noise, keys[c], (first + np.uint64(b)) * np.uint64(steps) + np.uint64(k))
            for p in range(count):
                row, spread, out = z[k, begin + p, b], var[k, begin + p, b], acc[begin + p, b]
                if noisy:
                    for q in range(width):
                        row[q] += np.sqrt(spread[q]) * noise[q * count + p]
                for g in range(groups):
                    for s in range(slices):
                        base = (g * slices + s) * columns
                        for m in range(columns):
                            factor = weights[k] * gain[c, base + m]
                            if quantized:
                                code = np.floor(row[base + m] * inverse[c, base + m] + np.float32(0.5))
                                kept = min(max(code, low), high)
                                clipped += np.float32(kept != code)
                                codes += abs(kept)
                                out[g * columns + m] += factor * kept
                            else:
                                out[g * columns + m] += factor * row[base + m]
        tally[n, 0] += clipped
        tally[n, 1] += codes


def convert_dealt(
    z: torch.Tensor,
    var: torch.Tensor | None,
    adcs: Sequence[Adc],
    trial: int,
    weights: np.ndarray,
    slices: int,
    columns: int,
    keys: Sequence[int],
    ends: Sequence[int],
    first: int,
    acc: torch.Tensor,
) -> tuple[float, float]:
    """As `convert` for runs of products on copies, see `_convert_dealt`; adcs, keys: one per copy."""
    one = adcs[0]
    if z.device.type != "cpu":
        found, width = np.zeros(2), one.inverse.size
        for adc, key, begin, end in zip(adcs, keys, ends[:-1], ends[1:], strict=True):
            mine, spread = (None if v is None else v[:, begin:end, :, :width].permute(0, 2, 3, 1) for v in (z, var))
            part = torch.zeros(*acc.shape[1:], end - begin, device=acc.device)
            assert mine is not None
            found += _convert_torch(mine, spread, adc, trial, weights, slices, columns, key, first, part)
            acc[begin:end] += part.permute(2, 0, 1)
        return float(found[0]), float(found[1])
    tally = np.zeros((len(adcs) * z.shape[2], 2))
    _convert_dealt(
        z.numpy(), (z if var is None else var).numpy(), var is not None, np.stack([a.inverse for a in adcs]),
        one.quantized, np.float32(one.low), np.float32(one.high), np.stack([a.factor[trial] for a in adcs]), weights,
        slices, columns, np.array(keys, np.uint64), np.array(ends), np.uint64(first), acc.numpy(), tally,
    )  # fmt: skip
    clipped, codes = tally.sum(axis=0)
    return float(clipped), float(codes)


def convert(
    z: torch.Tensor,
    var: torch.Tensor | None,
    adc: Adc,
    trial: int,
    weights: np.ndarray,
    slices: int,
    columns: int,
    key: int,
    first: int,
    acc: torch.Tensor,
) -> tuple[float, float]:
    """Adds the converted column results to acc and returns (clipped conversions, sum of |code|).

    z, var: (steps, batch, groups*slices*columns, positions), overwritten; weights: (steps,) float32;
    acc: (batch, groups*columns, positions). first: row index of the first sample for the noise stream.
    """
    if z.device.type != "cpu":
        return _convert_torch(z, var, adc, trial, weights, slices, columns, key, first, acc)
    tally = np.zeros((z.shape[1], 2))
    arrays = [z.numpy(), (z if var is None else var).numpy()]
    flat = z.shape[-1] == 1 and z.shape[2] == slices * columns
    accumulator = acc.numpy()
    if flat:
        arrays, accumulator = [a[..., 0] for a in arrays], accumulator[..., 0]
    (_convert_flat if flat else _convert)(
        arrays[0], arrays[1], var is not None, adc.inverse, adc.quantized, np.float32(adc.low), np.float32(adc.high),
        adc.factor[trial], weights, slices, columns, np.uint64(key), np.uint64(first), accumulator, tally,
    )  # fmt: skip
    clipped, codes = tally.sum(axis=0)
    return float(clipped), float(codes)


def _convert_torch(
    z: torch.Tensor,
    var: torch.Tensor | None,
    adc: Adc,
    trial: int,
    weights: np.ndarray,
    slices: int,
    columns: int,
    key: int,
    first: int,
    acc: torch.Tensor,
) -> tuple[float, float]:
    steps, batch, width, positions = z.shape
    device = str(z.device)
    if var is not None:
        draw = normal_rows_torch(key, first * steps, batch * steps, width * positions, device)
        z = z + var.sqrt() * draw.reshape(batch, steps, width, positions).transpose(0, 1)
    clipped = codes = 0.0
    if adc.quantized:
        inverse = torch.as_tensor(adc.inverse, device=device)
        code = torch.floor(z * inverse[:, None] + 0.5)
        z = code.clamp(adc.low, adc.high)
        clipped, codes = float((code != z).sum()), float(z.abs().sum())
    scale = torch.as_tensor(adc.factor[trial], device=device)[:, None]
    step = torch.as_tensor(weights, dtype=torch.float32, device=device)
    total = torch.einsum("k,kbqp->bqp", step, z * scale)
    acc += total.reshape(batch, -1, slices, columns, positions).sum(dim=2).reshape(batch, -1, positions)
    return clipped, codes
