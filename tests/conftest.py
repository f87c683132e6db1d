"""Settings of all tests: properties without time limits, the same examples every time where CI runs them, and threads
that sleep while they wait. torch and numba each keep a pool of threads, and the waiting one would take its core from
the one that works: small layers ran thirteen times slower on two cores."""

import os

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch and numba are first loaded; children inherit it

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--walk", action="store_true", help="change every parameter in every place, not until it shows")


@pytest.fixture
def whole_walk(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--walk"))
