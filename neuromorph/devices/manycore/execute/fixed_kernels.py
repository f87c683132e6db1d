"""Compiled passes in whole numbers, held in floating point arrays: see fixed.py for the formats.

Every function that moves a state returns how many neurons met the end of its range.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, error_model="numpy", nogil=True)
_i = np.int64


@_jit
def _bounded(x, low, high):  # type: ignore[no-untyped-def]
    return min(max(x, low), high)


@_jit
def gather(x, inhibitory, ring):  # type: ignore[no-untyped-def]
    """Difference of both rings, in units of the state; empties the second."""
    for k in range(x.size):
        x[k] = (x[k] - inhibitory[k]) * ring
        inhibitory[k] = 0


@_jit
def filter_spinnaker(i, x, a, b, due, masked, low, high):  # type: ignore[no-untyped-def]
    met = 0
    for k in range(i.size):
        if masked and not due[k]:
            continue
        whole = ((_i(i[k]) * _i(a[k])) >> 32) + ((_i(b[k]) * _i(x[k])) >> 15)
        i[k] = _bounded(whole, low, high)
        met += whole != i[k]
    return met


@_jit
def leak_spinnaker(v, i, a, b, c, go, masked, low, high):  # type: ignore[no-untyped-def]
    met = 0
    for k in range(v.size):
        if masked and not go[k]:
            continue
        whole = ((_i(a[k]) * _i(v[k])) >> 15) + ((_i(b[k]) * _i(_bounded(i[k], low, high))) >> 15) + _i(c[k])
        v[k] = _bounded(whole, low, high)
        met += whole != v[k]
    return met


@_jit
def _decayed(x, kept):  # type: ignore[no-untyped-def]
    whole = (abs(_i(x)) * _i(kept)) >> 12
    return whole if x >= 0 else -whole


@_jit
def filter_loihi(i, x, a, due, masked, low, high):  # type: ignore[no-untyped-def]
    met = 0
    for k in range(i.size):
        if masked and not due[k]:
            continue
        whole = _decayed(i[k], a[k]) + _i(x[k])
        i[k] = _bounded(whole, low, high)
        met += whole != i[k]
    return met


@_jit
def leak_loihi(v, i, a, c, go, masked, low, high):  # type: ignore[no-untyped-def]
    met = 0
    for k in range(v.size):
        if masked and not go[k]:
            continue
        whole = _decayed(v[k], a[k]) + _i(i[k]) + _i(c[k])
        v[k] = _bounded(whole, low, high)
        met += whole != v[k]
    return met


@_jit
def leak_whole(v, i, leak, c, go, masked, low, high):  # type: ignore[no-untyped-def]
    met = 0
    for k in range(v.size):
        if masked and not go[k]:
            continue
        left = max(v[k] - leak[k], 0.0) if v[k] >= 0 else min(v[k] + leak[k], 0.0)
        whole = left + i[k] + c[k]
        v[k] = _bounded(whole, low, high)
        met += whole != v[k]
    return met


@_jit
def bound(v, low, high):  # type: ignore[no-untyped-def]
    met = 0
    for k in range(v.size):
        kept = _bounded(v[k], low, high)
        met += kept != v[k]
        v[k] = kept
    return met


@_jit
def raise_threshold(out, threshold, b, h):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = threshold[k] + ((_i(b[k]) * _i(h[k])) >> 15)


@_jit
def adapt(h, count, a):  # type: ignore[no-untyped-def]
    for k in range(h.size):
        h[k] = ((_i(a[k]) * _i(h[k])) >> 15) + (32768 if count[k] != 0 else 0)


@_jit
def izhikevich(v, u, x, par, count, go, masked, dt, low, high):  # type: ignore[no-untyped-def]
    """The step of kernels.izhikevich in s16.15: every product is cut to 15 fractional bits before it is used."""
    a, b, c, d, peak = par[0], par[1], par[2], par[3], par[4]
    quadratic, constant = _i(np.rint(0.04 * 32768)), _i(140 * 32768)
    whole_dt, half = _i(np.rint(dt * 32768)), _i(np.rint(dt * 16384))
    met = 0
    for k in range(v.size):
        if masked and not go[k]:
            count[k] = 0
            continue
        w, r, arriving = _i(v[k]), _i(u[k]), _i(_bounded(x[k], low, high))
        for _ in range(2):
            rise = ((((quadratic * w) >> 15) * w) >> 15) + 5 * w + constant - r + arriving
            whole = w + ((half * rise) >> 15)
            w = _i(_bounded(whole, low, high))
            met += whole != w
        rise = (_i(a[k]) * (((_i(b[k]) * w) >> 15) - r)) >> 15
        r += (whole_dt * rise) >> 15
        fired = w >= peak[k]
        whole = r + _i(d[k]) if fired else r
        v[k] = c[k] if fired else w
        u[k] = _bounded(whole, low, high)
        met += whole != u[k]
        count[k] = fired
    return met


@_jit
def scatter_saturating(  # type: ignore[no-untyped-def]
    acc, offset, size, depth, now, indptr, index, weight, delay, high, fired, value, count
):
    """Adds rows to two rings of `depth` slots, excitatory and inhibitory. delay: of each synapse, or one for all.

    Returns (synapses, sums that met the end of their range).
    """
    ring = acc[offset : offset + 2 * size * depth]
    alike = delay.size == 1
    events = met = 0
    for s in range(count):
        i = fired[s]
        a, b = indptr[i], indptr[i + 1]
        events += b - a
        for j in range(a, b):
            slot = now + delay[0 if alike else j]
            slot = slot - depth if slot >= depth else slot
            add = weight[j] * value[i]
            place = slot * size + index[j] if add >= 0 else (depth + slot) * size + index[j]
            total = ring[place] + abs(add)
            ring[place] = min(total, high)
            met += total > high
    return events, met
