"""The compiled annealer: spins visited group by group, local fields updated by flips alone.

The threshold noise e ~ Exp(1) of a visit is a pure function of (key, sweep, position in the sweep): 31 bits of a
SplitMix64-hashed counter (see `neuromorph.counter`) through -ln u with the same polynomial logarithm. So e < 22.2, and
an acceptance probability below 2.4e-10 is taken as 0. Loops are split so that the processor's vectors take them:
hashes, logarithms, comparisons of a group (its fields cannot change within the group), then the flips.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from neuromorph.counter import _G, _L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8, _L9, _mix

_f, _u, _i, _w = np.float32, np.uint64, np.int32, np.uint32
_U1, _W1, _I1 = _u(1), _w(1), _i(1)
_I23, _I127, _MANT, _LOW, _SHIFT = _i(23), _i(127), _i(0x7FFFFF), _i(0x3F400000), _i(0x3F800000 - 0x3F400000)
_LN2, _ONE, _HALF, _BITS = _f(math.log(2)), _f(1), _f(0.5), _f(31)
_MATH = {"nnan", "ninf", "nsz"}  # no fused products: the same flips on every processor


@numba.njit(inline="always", fastmath=_MATH)
def _exponential(bits):  # type: ignore[no-untyped-def]
    """-ln((k + 1/2) / 2^31) of the upper 31 of 32 random bits, as float32; above 0 for all of them."""
    f = _f(_f(_i(bits >> _W1)) + _HALF)
    b = _i(f.view(_i) + _SHIFT)  # int32 again: numba adds in 64 bits, which halves the vectors
    t = _i(_i(b & _MANT) + _LOW).view(_f) - _ONE
    q = _L4 + t * (_L5 + t * (_L6 + t * (_L7 + t * (_L8 + t * _L9))))
    log = t * (_L0 + t * (_L1 + t * (_L2 + t * (_L3 + t * q))))
    return (_BITS - _f(_i(_i(b >> _I23) - _I127))) * _LN2 - log


@numba.njit(fastmath=_MATH, cache=True, nogil=True)
def thresholds(out, hashes, key, sweep, temperature, whole):  # type: ignore[no-untyped-def]
    """Writes temperature times the noise of each visit of a sweep into out; hashes: room for (size + 1) // 2 uint64.

    whole: rounds up to the next whole number, which changes no comparison `dE < out` of a whole dE.
    """
    base = key + (_u(sweep) + _U1) * _u(hashes.shape[0]) * _G
    for j in range(hashes.shape[0]):
        hashes[j] = _mix(base + _u(j) * _G)
    bits = hashes.view(np.uint32)
    t = _f(temperature)
    if whole:
        for j in range(out.shape[0]):
            out[j] = _i(_i(t * _exponential(bits[j])) + _I1)
    else:
        for j in range(out.shape[0]):
            out[j] = t * _exponential(bits[j])


@numba.njit(cache=True, nogil=True)
def start_state(spins, key):  # type: ignore[no-untyped-def]
    """Writes the first state, +-1 by one bit of a counter before the first sweep's for every two spins."""
    m = (spins.shape[0] + 1) // 2
    for i in range(spins.shape[0]):
        z = _mix(key + _u(i % m) * _G)
        spins[i] = 1 if (z >> _u(63 if i < m else 31)) & _U1 else -1


@numba.njit(cache=True, nogil=True)
def local_fields(indptr, index, weight, spins, field):  # type: ignore[no-untyped-def]
    """Writes the local field of each spin, sum_j w_ij s_j."""
    for i in range(spins.shape[0]):
        total = field[i] * 0
        for k in range(indptr[i], indptr[i + 1]):
            total += weight[k] * spins[index[k]]
        field[i] = total


@numba.njit(cache=True, nogil=True)
def anneal(indptr, index, weight, group, spins, field, temperature, whole, key, best, flips, log):  # type: ignore[no-untyped-def]
    """Runs a sweep per temperature; returns (gain of the cut, largest gain at the end of a sweep, flips logged).

    group: first position of each group and the total. spins, field: state, changed in place. whole: as for
    `thresholds`. best: receives the spins where the gain was largest. flips: (sweeps,) receives the flips of each
    sweep. log: (capacity,) int64 receives sweep * n + i of each flip, as many as it holds.
    """
    n = spins.shape[0]
    threshold, hashes, chosen = np.empty_like(field), np.empty((n + 1) // 2, np.uint64), np.empty(n, np.uint32)
    gain, top, logged = field[0] * 0, field[0] * 0, 0
    best[:] = spins
    for sweep in range(temperature.shape[0]):
        thresholds(threshold, hashes, key, sweep, temperature[sweep], whole)
        done = 0
        for g in range(group.shape[0] - 1):
            m = 0
            for i in range(group[g], group[g + 1]):
                chosen[m] = i
                m += -(field[i] * spins[i]) < threshold[i]  # the cut loses dE = -field spin
            for c in range(m):
                i = chosen[c]
                s = _i(spins[i])
                gain += field[i] * s
                spins[i] = -s
                for k in range(indptr[i], indptr[i + 1]):
                    field[index[k]] -= weight[k] * (s + s)
                if logged < log.shape[0]:
                    log[logged] = sweep * n + i
                    logged += 1
            done += m
        flips[sweep] = done
        if gain > top:
            top = gain
            best[:] = spins
    return gain, top, logged
