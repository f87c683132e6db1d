"""Random streams as a function of what they are for, never of the order in which they are drawn.

A stream is keyed by (seed, trial, path, effect). Draws made once per chip use a Philox generator of
that key; noise that changes with every read is a pure function of (key, sample, position), see
`counter`, so batch size, order and number of workers cannot change a result.
"""

from __future__ import annotations

import hashlib

import numpy as np


def _digest(seed: int, trial: int, path: str, effect: str) -> bytes:
    text = f"{seed}|{trial}|{path}|{effect}".encode()
    return hashlib.blake2b(text, digest_size=16).digest()


def stream(seed: int, trial: int, path: str, effect: str) -> np.random.Generator:
    """The generator of one effect of one component on one chip."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, trial, path, effect), "little")))


def key64(seed: int, trial: int, path: str, effect: str) -> int:
    """The 64-bit key of a counter-based stream."""
    return int.from_bytes(_digest(seed, trial, path, effect)[:8], "little")
