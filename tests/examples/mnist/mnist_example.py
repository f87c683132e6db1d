"""Finding the MNIST example: its folder and its modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]
EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "mnist"


def example_module(name: str) -> ModuleType:
    """A module of the example under a name of its own: the scripts' names are too common for sys.path."""
    spec = importlib.util.spec_from_file_location(f"examples_mnist_{name}", EXAMPLE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
