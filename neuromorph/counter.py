"""Counter-based normal numbers: z(key, row, position), compiled for the CPU and in torch elsewhere.

Row `b` of width n holds n standard normals made of ceil(n/2) counters: position j and m + j share
counter b*m + j. A counter is hashed by the SplitMix64 finalizer (Steele et al., OOPSLA 2014; passes
BigCrush as a counter generator), 32 bits give the radius and 30 + 2 bits the angle of a Box-Muller
pair. Logarithm and sine are polynomials (absolute error < 5e-8, fitted at Chebyshev nodes), the same
on every device, so results agree to float32 rounding everywhere. |z| <= 6.66.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import torch

GOLDEN = 0x9E3779B97F4A7C15
_MIX1, _MIX2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_MASK = (1 << 64) - 1

# ln(1 + t)/t on [-1/4, 1/2) in t, and sin(pi/2 s)/s on [0, 1] in s^2
LOG_COEFFICIENTS = (
    0.9999999958543232,
    -0.5000000100753264,
    0.33333501190327547,
    -0.2500009327168234,
    0.19989293311675008,
    -0.16645353209586164,
    0.14492491740712796,
    -0.13191900818209462,
    0.10456249793038414,
    -0.04471384234197276,
)
SINE_COEFFICIENTS = (
    1.570796320065353,
    -0.6459637604384887,
    0.0796899226004631,
    -0.004674150668920344,
    0.0001516751177895538,
)

_f, _u, _i, _w = np.float32, np.uint64, np.int32, np.uint32
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8, _L9 = (_f(c) for c in LOG_COEFFICIENTS)
_S0, _S1, _S2, _S3, _S4 = (_f(c) for c in SINE_COEFFICIENTS)
_LN2, _ONE, _TWO, _ZERO, _BITS, _STEP = (_f(v) for v in (math.log(2), 1, 2, 0, 32, 2.0**-30))
_G, _K1, _K2 = _u(GOLDEN), _u(_MIX1), _u(_MIX2)
_U30, _U27, _U31, _U32, _U1, _ANGLE = (_u(v) for v in (30, 27, 31, 32, 1, 0x3FFFFFFF))
_I23, _I127, _MANT, _LOW, _SHIFT = (_i(v) for v in (23, 127, 0x7FFFFF, 0x3F400000, 0x3F800000 - 0x3F400000))


@numba.njit(inline="always", fastmath={"contract", "nnan", "ninf", "nsz"})
def _mix(z):  # type: ignore[no-untyped-def]
    z = (z ^ (z >> _U30)) * _K1
    z = (z ^ (z >> _U27)) * _K2
    return z ^ (z >> _U31)


@numba.njit(inline="always", fastmath={"contract", "nnan", "ninf", "nsz"})
def _radius(z):  # type: ignore[no-untyped-def]
    f = _f(_w((z >> _U32) | _U1))
    bits = f.view(_i) + _SHIFT  # mantissa in [3/4, 3/2): relative accuracy is kept where u is close to 1
    exponent = (bits >> _I23) - _I127
    t = _i((bits & _MANT) + _LOW).view(_f) - _ONE
    q = _L4 + t * (_L5 + t * (_L6 + t * (_L7 + t * (_L8 + t * _L9))))
    log = t * (_L0 + t * (_L1 + t * (_L2 + t * (_L3 + t * q))))
    return _f(math.sqrt(max(_TWO * ((_BITS - _f(exponent)) * _LN2 - log), _ZERO)))


@numba.njit(inline="always", fastmath={"contract", "nnan", "ninf", "nsz"})
def _sine(s):  # type: ignore[no-untyped-def]
    q = s * s
    return s * (_S0 + q * (_S1 + q * (_S2 + q * (_S3 + q * _S4))))


@numba.njit(fastmath={"contract", "nnan", "ninf", "nsz"}, cache=True)  # no reassociation: it would lose u close to 1
def fill_row(row, key, index):  # type: ignore[no-untyped-def]
    """Writes the standard normals of row `index` of the stream `key` into row, a float32 vector."""
    n = row.shape[0]
    m = (n + 1) // 2
    base = key + index * _u(m) * _G
    low, high = row[: n - m], row[m:]  # two vectors from 0 on: sums of indices would keep the loop from vector code
    for j in range(n - m):
        z = _mix(base + _u(j) * _G)
        r = _radius(z)
        s = _f(_w(z & _ANGLE)) * _STEP
        low[j] = r * _sine(s) * (_ONE - _TWO * _f(_w((z >> _U30) & _U1)))
        high[j] = r * _sine(_ONE - s) * (_ONE - _TWO * _f(_w((z >> _U31) & _U1)))
    if n - m < m:
        z = _mix(base + _u(m - 1) * _G)
        s = _f(_w(z & _ANGLE)) * _STEP
        row[m - 1] = _radius(z) * _sine(s) * (_ONE - _TWO * _f(_w((z >> _U30) & _U1)))


@numba.njit(parallel=True, cache=True)
def _fill_rows(out, key, first):  # type: ignore[no-untyped-def]
    for b in numba.prange(out.shape[0]):
        fill_row(out[b], key, first + _u(b))


def normal_rows(key: int, first: int, rows: int, width: int) -> np.ndarray:
    """Standard normals, (rows, width) float32, for row indices first, first + 1, ... of the stream `key`."""
    out = np.empty((rows, width), np.float32)
    _fill_rows(out, np.uint64(key), np.uint64(first))
    return out


def _signed(value: int) -> int:
    value &= _MASK
    return value - (1 << 64) if value >> 63 else value


def normal_rows_torch(key: int, first: int, rows: int, width: int, torch_device: str) -> torch.Tensor:
    """The same numbers as `normal_rows` (to float32 rounding) computed with torch on a torch device."""
    import torch

    def shift(z: torch.Tensor, k: int) -> torch.Tensor:
        return (z >> k) & ((1 << (64 - k)) - 1)

    m = (width + 1) // 2
    index = torch.arange(rows, dtype=torch.int64, device=torch_device)[:, None] + first
    j = torch.arange(m, dtype=torch.int64, device=torch_device)[None, :]
    z = (index * m + j) * _signed(GOLDEN) + _signed(key)
    z = (z ^ shift(z, 30)) * _signed(_MIX1)
    z = (z ^ shift(z, 27)) * _signed(_MIX2)
    z = z ^ shift(z, 31)
    mantissa, exponent = torch.frexp((shift(z, 32) | 1).to(torch.float32))
    high = mantissa >= 0.75
    t = torch.where(high, mantissa, mantissa * 2) - 1
    exponent = exponent - torch.where(high, 0, 1)
    log = torch.zeros_like(t)
    for c in reversed(LOG_COEFFICIENTS):
        log = log * t + c
    r = torch.sqrt(torch.clamp(2 * ((32 - exponent) * math.log(2) - log * t), min=0.0))

    def sine(s: torch.Tensor) -> torch.Tensor:
        q, y = s * s, torch.zeros_like(s)
        for c in reversed(SINE_COEFFICIENTS):
            y = y * q + c
        return y * s

    s = (z & 0x3FFFFFFF).to(torch.float32) * 2.0**-30
    first_half = r * sine(s) * (1 - 2 * (shift(z, 30) & 1))
    second_half = r * sine(1 - s) * (1 - 2 * (shift(z, 31) & 1))
    return torch.cat([first_half, second_half], dim=1)[:, :width]
