"""Spoken digits for the example: recordings to spikes of a filter bank, and the official split.

The Free Spoken Digit Dataset (3,000 clips at 8 kHz, six speakers) is not part of the repository. It is read from two
files, `fsdd_8khz_pcm16.xz` (all samples in one int16 stream) and `index.csv` (name, digit, speaker, take, offset,
length), in the folder that the environment variable NEUROMORPH_DATA names, in its subfolder `fsdd`, or in
`../shared/data/fsdd` beside the repository. Takes 0-4 are the test set (300), 5-49 the training set (2,700).
"""

from __future__ import annotations

import csv
import lzma
import os
from pathlib import Path

import numpy as np

from neuromorph.events.encoders import delta
from neuromorph.events.raster import Raster

HERE = Path(__file__).resolve().parent
FILES = ("fsdd_8khz_pcm16.xz", "index.csv")
SHIPPED = HERE / "digits-test.npz"
RATE_HZ, HOP, WINDOW, TRANSFORM = 8000, 80, 200, 256
CHANNELS, STEPS, DT_S = 40, 80, 10e-3
RANGE_DB, THRESHOLD_DB = 60.0, 5.0


def data_folder() -> Path | None:
    """The folder with both files, or None where the data set is absent."""
    candidates = [HERE.parents[1].parent / "shared" / "data" / "fsdd"]
    if named := os.environ.get("NEUROMORPH_DATA"):
        candidates = [Path(named), Path(named) / "fsdd", *candidates]
    return next((c for c in candidates if all((c / name).is_file() for name in FILES)), None)


def filters() -> np.ndarray:
    """Triangular filters, (CHANNELS, bins), evenly spaced on the mel scale 2595 log10(1 + f / 700) from 100 Hz up."""

    def mel(f: np.ndarray) -> np.ndarray:
        return 2595 * np.log10(1 + f / 700)

    low, high = mel(np.array([100.0, RATE_HZ / 2]))
    edges = 700 * (10 ** (np.linspace(low, high, CHANNELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(TRANSFORM, 1 / RATE_HZ)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    # a narrow filter may lie between two bins: its nearest bin is taken then
    bank = np.maximum(np.minimum(rise, fall), 0)
    nearest = np.abs(bins - edges[1:-1, None]).argmin(1)
    bank[np.arange(CHANNELS), nearest] = np.maximum(bank[np.arange(CHANNELS), nearest], 0.5)
    return bank


def loudness(clip: np.ndarray) -> np.ndarray:
    """Energy per channel and step in dB below the clip's loudest, from 0 (silence) to RANGE_DB: (STEPS, CHANNELS).

    A frame of 25 ms every 10 ms, Hann window; the clip is cut or continued with silence.
    """
    x = np.zeros(WINDOW + HOP * (STEPS - 1))
    n = min(len(clip), len(x))
    x[:n] = clip[:n]
    x[1:] -= 0.95 * x[:-1]  # high frequencies are raised, as the outer ear does
    frames = np.lib.stride_tricks.sliding_window_view(x, WINDOW)[::HOP][:STEPS] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames, TRANSFORM)) ** 2 @ filters().T
    db = 10 * np.log10(np.maximum(power, 1e-12))
    return np.clip(db - db.max() + RANGE_DB, 0, RANGE_DB)


def spikes(clips: list[np.ndarray]) -> Raster:
    """Send-on-delta spikes of the channels, shape (2, CHANNELS): quieter and louder by 5 dB; silence before."""
    return delta(np.stack([loudness(c) for c in clips]), DT_S, threshold=THRESHOLD_DB, start=0.0)


def recordings(test: bool) -> tuple[list[np.ndarray], np.ndarray]:
    """The clips (int16) of one part of the official split, in the order of index.csv, and their digits."""
    folder = data_folder()
    if folder is None:
        raise FileNotFoundError(f"{' and '.join(FILES)} are not here: set NEUROMORPH_DATA to their folder")
    stream = np.frombuffer(lzma.decompress((folder / FILES[0]).read_bytes()), "<i2")
    with (folder / FILES[1]).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (int(row["take"]) < 5) == test]
    clips = [stream[int(r["offset"]) : int(r["offset"]) + int(r["length"])] for r in rows]
    return clips, np.array([int(r["digit"]) for r in rows], np.int64)
