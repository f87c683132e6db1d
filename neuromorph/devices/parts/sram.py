"""Read energy, area and access time of plain SRAM: a power law fitted to runs of CACTI 7.

Fitted by least squares of logarithms to 21 CACTI 7 results (7 sizes from 1 KB to 1 MB with 32 to 256
bit words, at 45, 32 and 22 nm; the table is in tests/shared/published/cacti_sram.yaml):

    E = 3.4267 pJ (C/8 KB)^0.5983 (W/64)^0.5947 (n/32 nm)^1.9834          maximum error 11.3 %
    A = 13968 um^2 (C/8 KB)^0.9831 (W/64)^0.0733 (n/32 nm)^1.8707         maximum error 18.3 %
    ln t/ns = -0.2041 + 0.2121 x + 0.0182 x^2 - 0.0678 ln(W/64) + 0.7476 ln(n/32 nm),
              x = ln(C/8 KB)                                              maximum error 8.2 %

Other memories (eDRAM, DRAM, flash) do not follow it. A write is priced like a read.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ENERGY_FIT = (1.2316, 0.5983, 0.5947, 1.9834)
AREA_FIT = (9.5445, 0.9831, 0.0733, 1.8707)
TIME_FIT = (-0.2041, 0.2121, -0.0678, 0.7476, 0.0182)
"""Constant, exponents of capacity, word width and node; for the time also the quadratic term in ln capacity."""

ENERGY_ERROR, AREA_ERROR, TIME_ERROR = 0.12, 0.19, 0.09
"""Bounds on the relative error against the CACTI table; tested."""

CAPACITY_BITS = (2.0**13, 2.0**23)
WORD_BITS = (32, 256)
NODE_M = (22e-9, 45e-9)
"""The fitted domain. Outside it the law extrapolates, and prices say so."""

SOURCE = "power law fitted to CACTI 7 SRAM runs"


def _logs(capacity_bits: Any, word_bits: Any, node_m: Any) -> tuple[Any, Any, Any]:
    return (
        np.log(np.asarray(capacity_bits, dtype=float) / 65536.0),
        np.log(np.asarray(word_bits, dtype=float) / 64.0),
        np.log(np.asarray(node_m, dtype=float) / 32e-9),
    )


def _scalar(x: Any) -> Any:
    return x if np.ndim(x) else float(x)


def read_energy_j(capacity_bits: Any, word_bits: Any, node_m: Any) -> Any:
    """Energy to read one word, in J. Arguments: bits, bits, m; scalars or arrays."""
    c, w, n = _logs(capacity_bits, word_bits, node_m)
    k0, kc, kw, kn = ENERGY_FIT
    return _scalar(1e-12 * np.exp(k0 + kc * c + kw * w + kn * n))


def area_m2(capacity_bits: Any, word_bits: Any, node_m: Any) -> Any:
    """Area of the macro in m^2."""
    c, w, n = _logs(capacity_bits, word_bits, node_m)
    k0, kc, kw, kn = AREA_FIT
    return _scalar(1e-12 * np.exp(k0 + kc * c + kw * w + kn * n))


def access_time_s(capacity_bits: Any, word_bits: Any, node_m: Any) -> Any:
    """Time from address to data in s."""
    c, w, n = _logs(capacity_bits, word_bits, node_m)
    k0, kc, kw, kn, kcc = TIME_FIT
    # below the parabola's minimum the quadratic term would make a smaller memory slower
    c = np.maximum(c, -kc / (2.0 * kcc))
    return _scalar(1e-9 * np.exp(k0 + kc * c + kw * w + kn * n + kcc * c**2))


def inside_domain(capacity_bits: Any, word_bits: Any, node_m: Any) -> bool:
    """Whether all given designs lie in the fitted domain."""
    checks = ((capacity_bits, CAPACITY_BITS), (word_bits, WORD_BITS), (node_m, NODE_M))
    return all(np.all((np.asarray(x) >= 0.999 * lo) & (np.asarray(x) <= 1.001 * hi)) for x, (lo, hi) in checks)
