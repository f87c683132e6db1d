"""The shipped images and the loader: formats, and that training and test images are disjoint."""

from __future__ import annotations

import lzma
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mnist_example import Pair


def keys(images: np.ndarray) -> set[bytes]:
    return {image.tobytes() for image in images}


def test_shipped_images_are_5000_in_ten_equal_classes(data: ModuleType) -> None:
    x, y = data.shipped()
    assert x.shape == (5000, 1, 28, 28)
    assert x.dtype == y.dtype == np.uint8
    assert np.bincount(y).tolist() == [500] * 10
    assert len(keys(x)) == 5000


def test_a_prefix_of_the_shipped_images_is_a_random_sample(data: ModuleType) -> None:
    counts = np.bincount(data.shipped()[1][:1000], minlength=10)
    # drawn without replacement: variance 1000 * 0.1 * 0.9 * (4000 / 4999) = 72; five standard deviations
    assert np.all(np.abs(counts - 100) < 5 * np.sqrt(72))


def test_calibration_images_are_not_test_images(data: ModuleType) -> None:
    x, y = data.read_npz(data.CALIBRATION)
    assert x.shape == (512, 1, 28, 28)
    assert x.dtype == y.dtype == np.uint8
    assert not keys(x) & keys(data.shipped()[0])


def test_training_images_are_the_official_ones_without_the_shipped(full: ModuleType, training: Pair) -> None:
    images, labels = (full.read_idx(full.data_folder() / name) for name in full.TRAIN)
    assert training[0].shape == (55000, 1, 28, 28)
    assert training[1].shape == (55000,)
    kept, held_out = keys(training[0]), keys(full.shipped()[0])
    assert not kept & held_out
    assert kept | held_out == keys(images)
    of = dict(zip((i.tobytes() for i in images), labels.tolist(), strict=True))
    shipped_x, shipped_y = full.shipped()
    assert [of[i.tobytes()] for i in shipped_x] == shipped_y.tolist()


def test_official_test_images_are_in_neither(full: ModuleType, training: Pair, official: Pair) -> None:
    x, y = official
    assert x.shape == (10000, 1, 28, 28)
    assert np.bincount(y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert not keys(x) & (keys(training[0]) | keys(full.shipped()[0]))


def test_calibration_images_are_training_images(full: ModuleType, training: Pair) -> None:
    of = dict(zip((i.tobytes() for i in training[0]), training[1].tolist(), strict=True))
    x, y = full.read_npz(full.CALIBRATION)
    assert [of[i.tobytes()] for i in x] == y.tolist()


def idx(path: Path, values: np.ndarray, kind: int = 8, shape: tuple[int, ...] | None = None) -> Path:
    shape = values.shape if shape is None else shape
    header = struct.pack(f">HBB{len(shape)}I", 0, kind, len(shape), *shape)
    path.write_bytes(lzma.compress(header + values.tobytes()))
    return path


def test_idx_files_are_read_and_bad_ones_refused(data: ModuleType, tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert np.array_equal(data.read_idx(idx(tmp_path / "good.xz", values)), values)
    with pytest.raises(ValueError, match="24 values"):
        data.read_idx(idx(tmp_path / "short.xz", values, shape=(3, 3, 4)))
    with pytest.raises(ValueError, match="not an IDX file"):
        data.read_idx(idx(tmp_path / "floats.xz", values, kind=13))


def test_the_data_folder_is_found_through_the_environment(
    data: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in data.TRAIN + data.OFFICIAL:
        (folder / name).touch()
    for named in (folder, tmp_path):
        monkeypatch.setenv("NEUROMORPH_DATA", str(named))
        assert data.data_folder() == folder
