"""Files with any part replaced by anything are read or refused with places; nothing else is raised."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_hardware import CELL, CHIP

from neuromorph.errors import InputError
from neuromorph.hardware import catalog
from neuromorph.hardware.architecture import read_architecture
from neuromorph.hardware.datasheet import read_datasheet
from neuromorph.hardware.paths import parameters, resolve
from neuromorph.yamlfile import parse_yaml

SIMPLE = (
    st.none() | st.booleans() | st.integers(-3, 10**7) | st.floats() | st.text(max_size=6)
    | st.sampled_from(["1 V", "-1 uS", "5 pJ", "1e99 S", "on", "cell-a", "toycell", "mesh", "2 %", "[1]", "measured"])
)  # fmt: skip
KEYS = st.sampled_from(["part", "kind", "x", "count", "value", "curve", "upto", "log"])
JUNK = SIMPLE | st.lists(SIMPLE, max_size=3) | st.dictionaries(KEYS, SIMPLE, max_size=3)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for k, v in items for p in places(v, (*path, k)))]


def mutated(data: Any, draw: st.DataObject) -> Any:
    data = copy.deepcopy(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        path = draw.draw(st.sampled_from(places(data)[1:]))
        at = data
        for key in path[:-1]:
            at = at[key]
        if draw.draw(st.booleans()):
            at[path[-1]] = draw.draw(JUNK)
        elif isinstance(at, dict):
            at[draw.draw(st.text("abcdefg_", min_size=1, max_size=5))] = at.pop(path[-1])
        if not data:
            break
    return data


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize(("text", "read"), [(CHIP, read_architecture), (CELL, read_datasheet)])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_mutated_files(text: str, read: Any, draw: st.DataObject) -> None:
    data = mutated(parse_yaml(text).data, draw)
    problems = ()
    try:
        read(parse_yaml(yaml.safe_dump(data, allow_unicode=True), "f.yaml"))
    except InputError as error:
        problems = error.problems
    assert all(p.place.file == "f.yaml" and p.place.line and p.hint for p in problems)


def test_every_parameter_of_the_shipped_architectures_has_one_path() -> None:
    for name in catalog.architecture_names():
        found = catalog.load_architecture(name)
        for parameter in parameters(found, ("setting", "quantity", "count", "part")):
            assert resolve(found, parameter.path) == parameter
