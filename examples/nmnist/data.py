"""N-MNIST for the example: the shipped test recordings, and the 1,100 of the subset where it is present.

The subset (the first 1,000 training and 100 test recordings) is not part of the repository. It is one file,
`nmnist1100.npz.xz`: an .npz compressed with xz, with arrays xyp (3, events) uint8, dt (events,) uint16 microseconds
since the event before, offset (samples + 1,), label, is_test. It is looked for in the folder that the environment
variable NEUROMORPH_DATA names, in its subfolder `nmnist_subset`, and in `../shared/data/nmnist_subset` beside the
repository.
"""

from __future__ import annotations

import io
import lzma
import os
from pathlib import Path

import numpy as np

from neuromorph.events.binning import camera, to_raster
from neuromorph.events.raster import Raster

HERE = Path(__file__).resolve().parent
SUBSET = "nmnist1100.npz.xz"
SHIPPED = HERE / "nmnist-test.npz"
DT_S, STEPS = 10e-3, 30


def data_file() -> Path | None:
    """The subset's file, or None where it is absent."""
    candidates = [HERE.parents[1].parent / "shared" / "data" / "nmnist_subset"]
    if named := os.environ.get("NEUROMORPH_DATA"):
        candidates = [Path(named), Path(named) / "nmnist_subset", *candidates]
    return next((c / SUBSET for c in candidates if (c / SUBSET).is_file()), None)


def subset(test: bool, dt_s: float = DT_S, steps: int = STEPS) -> tuple[Raster, np.ndarray]:
    """Training or test recordings in steps of 10 ms (or others), shape (2, 34, 34), and their labels."""
    path = data_file()
    if path is None:
        raise FileNotFoundError(f"{SUBSET} is not here: set NEUROMORPH_DATA to its folder")
    with np.load(io.BytesIO(lzma.decompress(path.read_bytes())), allow_pickle=False) as file:
        arrays = {name: file[name] for name in ("xyp", "dt", "offset", "label", "is_test")}
    offset = arrays["offset"]
    total = np.concatenate(([0], np.cumsum(arrays["dt"], dtype=np.int64)))
    t_us = total[1:] - np.repeat(total[offset[:-1]], np.diff(offset))
    events = camera(t_us, *arrays["xyp"], (34, 34), offset=offset)
    raster = to_raster(events, dt_s, steps)
    chosen = np.flatnonzero(arrays["is_test"] == test)
    first, last = int(chosen[0]), int(chosen[-1]) + 1
    assert last - first == len(chosen)
    return raster.part(first, last), arrays["label"][chosen].astype(np.int64)
