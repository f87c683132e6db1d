"""Loads the example scripts, and compares lines of text by their words and by their numbers."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|\bnan\b")


def example(folder: str, name: str = "run") -> ModuleType:
    title = f"example_{folder}_{name}"
    spec = importlib.util.spec_from_file_location(title, EXAMPLES / folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[title] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def recorded(folder: str, name: str) -> list[str]:
    return (EXAMPLES / folder / name).read_text(encoding="utf-8").splitlines()


def numbers(line: str) -> list[float]:
    return [float(n) for n in NUMBER.findall(line)]


def words(line: str) -> str:
    return " ".join(NUMBER.sub("#", line).split())


def same_lines(found: Iterable[str], expected: list[str], rel: float, absolute: float = 0.0) -> None:
    """The same words, and numbers that agree within a relative or an absolute difference."""
    lines = list(found)
    assert [words(line) for line in lines] == [words(line) for line in expected]
    for line, other in zip(lines, expected, strict=True):
        assert numbers(line) == pytest.approx(numbers(other), rel=rel, abs=absolute), line
