"""The example's data, read once."""

from __future__ import annotations

from types import ModuleType

import pytest
from mnist_example import Pair, example_module


@pytest.fixture(scope="session")
def data() -> ModuleType:
    """The example's data loader."""
    return example_module("data")


@pytest.fixture(scope="session")
def full(data: ModuleType) -> ModuleType:
    """The same where the full MNIST is present; skips elsewhere."""
    if data.data_folder() is None:
        pytest.skip("the full MNIST is not here (set NEUROMORPH_DATA)")
    return data


@pytest.fixture(scope="session")
def training(full: ModuleType) -> Pair:
    """The 55,000 training images, read once."""
    return full.training()


@pytest.fixture(scope="session")
def official(full: ModuleType) -> Pair:
    """The official 10,000 test images, read once."""
    return full.official()
