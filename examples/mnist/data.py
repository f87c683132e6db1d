"""MNIST for the examples: the shipped test images, and the full data set where it is present.

Three disjoint sets of images, 28 x 28 pixels, one channel:

- training: 55,000 images, the 60,000 official training images without the 5,000 that are shipped;
- shipped: 5,000 images, `mnist5k.npz` beside this file (see `make_testset.py`), the demo's test set;
- official: the 10,000 official test images.

The full data set is not part of the repository. It is read as IDX files compressed with xz
(`train-images-idx3-ubyte.xz` and the other three) from the folder that the environment variable
NEUROMORPH_DATA names, from its subfolder `mnist`, or from `../shared/data/mnist` beside the
repository. Data files follow the project's convention: `.npz` with arrays `x` and `y`; x as uint8
is divided by 255 by the reader, so that inputs lie in [0, 1].
"""

from __future__ import annotations

import lzma
import os
import struct
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SHIPPED = HERE / "mnist5k.npz"
CALIBRATION = HERE / "calibration.npz"
TRAIN = ("train-images-idx3-ubyte.xz", "train-labels-idx1-ubyte.xz")
OFFICIAL = ("t10k-images-idx3-ubyte.xz", "t10k-labels-idx1-ubyte.xz")


def data_folder() -> Path | None:
    """The folder that holds the four IDX files, or None where the full data set is absent."""
    candidates = [HERE.parents[1].parent / "shared" / "data" / "mnist"]
    if named := os.environ.get("NEUROMORPH_DATA"):
        candidates = [Path(named), Path(named) / "mnist", *candidates]
    return next((c for c in candidates if all((c / name).is_file() for name in TRAIN + OFFICIAL)), None)


def read_idx(path: Path) -> np.ndarray:
    """One IDX file of unsigned bytes, compressed with xz, as an array of the shape in its header.

    The header is two zero bytes, the element type (8: unsigned byte), the number of axes and one
    big-endian 32-bit size for each axis. Raises ValueError where the header or the length is wrong.
    """
    raw = lzma.decompress(path.read_bytes())
    zero, kind, axes = struct.unpack_from(">HBB", raw)
    if zero != 0 or kind != 8:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{axes}I", raw, 4)
    values = np.frombuffer(raw, np.uint8, offset=4 + 4 * axes)
    if values.size != np.prod(shape):
        raise ValueError(f"{path} holds {values.size} values, its header says {shape}")
    return values.reshape(shape)


def _read_pair(names: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
    folder = data_folder()
    if folder is None:
        raise FileNotFoundError("the full MNIST is not here: set NEUROMORPH_DATA to the folder with its .xz IDX files")
    return read_idx(folder / names[0])[:, None], read_idx(folder / names[1])


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Arrays x, uint8 (samples, 1, 28, 28), and y, uint8 (samples), of one data file."""
    with np.load(path, allow_pickle=False) as file:
        return file["x"], file["y"]


def shipped() -> tuple[np.ndarray, np.ndarray]:
    """The shipped 5,000 images, in a fixed random order: any prefix is a random sample."""
    return read_npz(SHIPPED)


def official() -> tuple[np.ndarray, np.ndarray]:
    """The 10,000 official test images."""
    return _read_pair(OFFICIAL)


def training() -> tuple[np.ndarray, np.ndarray]:
    """The 55,000 training images: the official 60,000 without every image that is among the shipped.

    Images are compared pixel by pixel, so all copies of a shipped image would go; MNIST holds none
    twice, and exactly 5,000 have to match. Raises ValueError where another number does.
    """
    images, labels = _read_pair(TRAIN)
    excluded = {image.tobytes() for image in shipped()[0]}
    keep = np.array([image.tobytes() not in excluded for image in images])
    if keep.sum() != len(images) - len(excluded):
        raise ValueError(f"{len(images) - keep.sum()} training images match the {len(excluded)} shipped ones")
    return images[keep], labels[keep]
