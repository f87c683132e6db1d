"""Modules of the MNIST example, loaded under names of their own: the scripts' names are too common for sys.path."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Pair = tuple[np.ndarray, np.ndarray]
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "mnist"


def example_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_mnist_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
