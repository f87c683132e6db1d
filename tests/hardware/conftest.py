from __future__ import annotations

from collections.abc import Iterator

import pytest
from toy_hardware import KINDS

from neuromorph.hardware.registry import registered


@pytest.fixture
def toys() -> Iterator[None]:
    with registered(*KINDS):
        yield
