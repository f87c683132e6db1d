"""Shakespeare's text and Fashion-MNIST, where they are present; what the example ships is made from them.

Looked for in the folder that the environment variable NEUROMORPH_DATA names, and in `../shared/data` beside the
repository: `text/tinyshakespeare.txt.xz`, and `fashion_mnist/{train,t10k}-{images-idx3,labels-idx1}-ubyte.xz`.
"""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
HELD_OUT = 0.1
"""Share of the text, its end, that nothing is trained on."""


def find(name: str) -> bytes:
    """A file of the data folder, unpacked. Raises FileNotFoundError where there is none."""
    folders = [Path(os.environ[n]) for n in ("NEUROMORPH_DATA",) if n in os.environ]
    for folder in (*folders, HERE.parents[1].parent / "shared" / "data"):
        if (folder / name).is_file():
            return lzma.decompress((folder / name).read_bytes())
    raise FileNotFoundError(f"{name} is not here: set NEUROMORPH_DATA to the folder that holds it")


def text() -> tuple[np.ndarray, np.ndarray, str]:
    """Character numbers to train on, those held out, and the characters."""
    whole = find("text/tinyshakespeare.txt.xz").decode()
    characters = "".join(sorted(set(whole)))
    numbers = np.array([characters.index(c) for c in whole], np.int64)
    cut = int(len(numbers) * (1 - HELD_OUT))
    return numbers[:cut], numbers[cut:], characters


def fashion(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (samples, 1, 28, 28) uint8 and labels. part: "train" or "t10k"."""
    images = np.frombuffer(find(f"fashion_mnist/{part}-images-idx3-ubyte.xz"), np.uint8, offset=16)
    labels = np.frombuffer(find(f"fashion_mnist/{part}-labels-idx1-ubyte.xz"), np.uint8, offset=8)
    return images.reshape(-1, 1, 28, 28), labels.astype(np.int64)
