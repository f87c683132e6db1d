"""The JSON Schemas are valid, accept every accepted file and refuse what an editor can see."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import jsonschema
import pytest
from toy_hardware import ADC, CELL, CHIP, KINDS

from neuromorph.hardware import catalog, registry
from neuromorph.hardware.jsonschema import architecture_schema, datasheet_schema
from neuromorph.yamlfile import parse_yaml, read_yaml


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@cache
def toy_validators() -> tuple[jsonschema.Draft202012Validator, jsonschema.Draft202012Validator]:
    """For architectures and for datasheets of the toy kinds alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_found", {})
        with registry.registered(*KINDS):
            return validator(architecture_schema()), validator(datasheet_schema())


def test_toy_files_are_accepted() -> None:
    toy_validators()[0].validate(parse_yaml(CHIP).data)
    for text in (CELL, ADC):
        toy_validators()[1].validate(parse_yaml(text).data)


def _set(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    data = copy.deepcopy(data)
    at = data
    for key in path[:-1]:
        at = at[key]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("name",), None),
        (("boundary",), "die"),
        (("chip", "topology"), "mush"),
        (("chip", "tile", "count"), 0),
        (("chip", "tile", "count"), True),
        (("chip", "tile", "core", "clock"), 1e8),
        (("chip", "tile", "core", "rows"), None),
        (("chip", "tile", "core", "rows"), 5000),
        (("chip", "tile", "core", "rowes"), 5),
        (("chip", "tile", "core", "cell"), "cell-a"),
        (("chip", "tile", "core", "kind"), "toyadc"),
        (("chip", "tile", "core", "span"), [1]),
        (("chip", "tile", "core", "adc", "override"), {"gain": {"value": 1, "basis": "assumed"}}),
    ],
)
def test_faulty_architectures_are_refused(path: tuple[str, ...], value: Any) -> None:
    assert not toy_validators()[0].is_valid(_set(parse_yaml(CHIP).data, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("kind",), "toycel"),
        (("quantities", "g_max"), None),
        (("quantities", "g_max", "value"), 25),
        (("quantities", "g_max", "basis"), "guess"),
        (("quantities", "g_max", "where"), None),
        (("quantities", "gmax"), {"value": "1 uS", "basis": "assumed"}),
        (("quantities", "levels", "value"), "1 uS"),
        (("quantities", "noise", "unit"), None),
        (("quantities", "noise", "curve"), [{"polynomial": [1], "log": [1, 2]}]),
        (("quantities", "noise", "curve"), [{"log": [1, 2, 3]}]),
        (("sources", "joshi2020", "citation"), None),
    ],
)
def test_faulty_datasheets_are_refused(path: tuple[str, ...], value: Any) -> None:
    assert not toy_validators()[1].is_valid(_set(parse_yaml(CELL).data, path, value))


def test_every_shipped_file_is_read_and_fits_its_schema() -> None:
    checks = (
        ("devices", datasheet_schema(), catalog.load_datasheet),
        ("architectures", architecture_schema(), catalog.load_architecture),
    )
    for folder, schema, load in checks:
        check = validator(schema)
        for name, path in catalog.shipped_files(folder).items():
            check.validate(read_yaml(path).data)
            assert load(name).name == name
