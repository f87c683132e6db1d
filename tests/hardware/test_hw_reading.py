"""Valid files become the right values: SI, provenance, tree."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_hardware import CELL, CHIP, KINDS, write

from neuromorph.errors import InputError
from neuromorph.hardware import catalog, locate, registry
from neuromorph.hardware.catalog import load_architecture, load_datasheet
from neuromorph.hardware.component import ComponentKind
from neuromorph.hardware.curve import Curve
from neuromorph.hardware.datasheet import evaluate_curve, read_datasheet
from neuromorph.hardware.describe import architecture as describe_architecture
from neuromorph.yamlfile import parse_yaml

pytestmark = pytest.mark.usefixtures("toys")


def test_datasheet_values_are_si(tmp_path: Path) -> None:
    write(tmp_path)
    cell = load_datasheet(tmp_path / "cell-a.yaml")
    assert (cell.name, cell.kind, cell.title) == ("cell-a", "toycell", "A cell")
    g_max = cell["g_max"]
    assert (g_max.value, g_max.low, g_max.high, g_max.unit) == (25e-6, 20e-6, 30e-6, "S")
    assert (g_max.basis, g_max.source, g_max.where) == ("measured", "joshi2020", "Methods")
    assert cell.value("levels") == (1e-6, 2e-6)
    assert cell.value("stuck") == 0.01
    assert cell.value("absent", 7) == 7
    assert cell.sources["joshi2020"].url.startswith("https://doi.org/")


def test_curve_in_the_declared_unit(tmp_path: Path) -> None:
    """Programming noise of Joshi 2020 in uS over g/g_max, evaluated in S against numpy's own polynomial."""
    write(tmp_path)
    noise = load_datasheet(tmp_path / "cell-a.yaml").value("noise")
    u = np.linspace(0, 1, 7).reshape(7, 1)
    expected = 1e-6 * np.polyval([-1.1731, 1.9650, 0.26348], u)
    np.testing.assert_allclose(noise(u), expected, rtol=1e-14)
    assert noise(u).shape == (7, 1)


def curve_of(segments: str, unit: str = "uS") -> Curve:
    text = CELL.replace(
        "unit: uS, curve: [{polynomial: [0.26348, 1.9650, -1.1731]}]", f"unit: {unit}, curve: {segments}"
    )
    return read_datasheet(parse_yaml(text)).value("noise")


def test_laws_and_segments() -> None:
    curve = curve_of(
        "[{upto: 1, log: [2, 3], clip: [1, 2.5]}, {upto: 2, power: [4, 0.5]}, {upto: 3, saturating: [5, 2]},"
        " {polynomial: [1, 0, 2]}]",
        "S",
    )
    u = np.array([1e-9, 0.5, 0.9, 1.0, 1.5, 2.0, 2.5, 3.0, 10.0])
    expected = [1, 2 * np.log(0.5) + 3, 2.5, 4, 4 * 1.5**0.5, 5 * (1 - np.exp(-1)), 5 * (1 - np.exp(-1.25)), 19, 201]
    np.testing.assert_allclose(evaluate_curve(curve, u), expected, rtol=1e-14)
    np.testing.assert_allclose(curve.scaled(0.5)(u), 0.5 * np.array(expected), rtol=1e-14)
    assert curve(2.5).shape == ()


def test_clip_holds_where_the_logarithm_has_no_value() -> None:
    assert curve_of("[{log: [-1, 0], clip: [0.1, 0.2]}]", "S")(0.0) == 0.2


def test_constant_stands_for_a_curve() -> None:
    text = CELL.replace("unit: uS, curve: [{polynomial: [0.26348, 1.9650, -1.1731]}]", "value: 2 uS")
    np.testing.assert_array_equal(read_datasheet(parse_yaml(text)).value("noise")(np.zeros(3)), [2e-6] * 3)


def test_tree_of_components(tmp_path: Path) -> None:
    found = load_architecture(write(tmp_path))
    core = found.chip["tile"]["core"]
    assert (found.name, found.boundary, core.path, core.kind.name) == ("toy", "chip", "chip.tile.core", "toyxbar")
    assert (core.settings.rows, core.settings.columns, core.settings.clock) == (256, 64, 100e6)
    assert (core.settings.word, core.settings.supplies, core.settings.width) == (8, (1.0,), None)
    totals = {c.path: n for c, n in found.chip.walk()}
    assert totals == {
        "chip": 1,
        "chip.tile": 4,
        "chip.tile.core": 8,
        "chip.tile.core.cell": 131072,
        "chip.tile.core.adc": 8,
    }
    assert core["cell"].part is not None
    assert core["cell"].part.value("g_max") == 25e-6
    assert core.part is None
    assert set(found.sources) == {"own", "joshi2020", "shafiee2016"}


def test_settings_of_every_type() -> None:
    text = CHIP.replace(
        "clock: 100 MHz",
        "gain: 3\n      share: 25 %\n      signed: false\n      span: [2, 5]\n      supplies: [1 V, 500 mV]\n"
        "      width: 3\n      word: 2 B\n      label: 7\n      coding: serial",
    ).replace("{part: cell-a, count: 16384}", "{override: {g_max: {value: 1 uS, basis: assumed}}}")
    text = text[: text.index("      adc:")]
    from neuromorph.hardware.architecture import read_architecture

    core = read_architecture(parse_yaml(text)).chip["tile"]["core"]
    s = core.settings
    assert (s.gain, s.share, s.signed, s.span, s.supplies) == (3.0, 0.25, False, (2, 5), (1.0, 0.5))
    assert (s.width, s.word, s.label, s.coding) == (3, 16, "7", "serial")
    assert type(s.gain) is float
    assert type(s.word) is int
    assert core["cell"].part is not None
    assert core["cell"].part.value("g_max") == 1e-6


def test_override_replaces_one_quantity_and_cites_the_architecture(tmp_path: Path) -> None:
    entry = "override: {read_voltage: {value: 0.3 V, basis: reported, source: own, where: p. 1}}"
    found = load_architecture(write(tmp_path, chip=CHIP.replace("count: 16384", entry)))
    part = found.chip["tile"]["core"]["cell"].part
    assert part is not None
    assert (part["read_voltage"].value, part["read_voltage"].source) == (0.3, "own")
    assert part["g_max"].value == 25e-6
    assert part.sources["own"].citation == "Own estimate"


def test_part_tells_the_kind(tmp_path: Path) -> None:
    """Where several kinds fit, the datasheet's kind decides; the family names them all."""
    text = CHIP.replace("      kind: toyxbar\n", "").replace("      rows", "      part: x\n      rows")
    with pytest.raises(InputError, match="no datasheet 'x'"):
        load_architecture(write(tmp_path, chip=text))
    plain = CHIP[: CHIP.index("    core:")] + "    core: {kind: toydigital}\n"
    assert load_architecture(write(tmp_path, chip=plain)).chip["tile"]["core"].kind.name == "toydigital"


def test_lookup_beside_the_file_then_shipped(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "devices").mkdir()
    (tmp_path / "cell-a.yaml").rename(tmp_path / "devices" / "cell-a.yaml")
    (tmp_path / "adc-a.yaml").rename(tmp_path / "other.yaml")
    path.write_text(CHIP.replace("adc-a", "other.yaml"))
    part = load_architecture(path).chip["tile"]["core"]["adc"].part
    assert part is not None
    assert part.name == "adc-a"


def test_unknown_names_list_what_there_is() -> None:
    with pytest.raises(InputError, match="there is no architecture 'nothing-like-it'"):
        load_architecture("nothing-like-it")
    with pytest.raises(InputError, match="an empty name"):
        load_datasheet(" ")


def test_installed_files_come_before_the_working_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "neuromorph"
    (package / "hardware").mkdir(parents=True)
    monkeypatch.setattr(locate, "__file__", str(package / "hardware" / "locate.py"))
    assert catalog.shipped("devices") is None
    assert catalog.datasheet_names() == []
    (tmp_path / "site" / "devices").mkdir()
    assert catalog.shipped("devices") == tmp_path / "site" / "devices"
    (package / "_data" / "devices" / "adc").mkdir(parents=True)
    (package / "_data" / "devices" / "adc" / "x.yaml").write_text("schema: 1")
    assert catalog.datasheet_names() == ["x"]


def test_two_shipped_files_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.yaml").write_text("schema: 1")
    monkeypatch.setattr(locate, "shipped", lambda folder: tmp_path)
    with pytest.raises(InputError, match="two files are named 'x'"):
        catalog.datasheet_names()


def test_description_holds_every_number_with_its_origin(tmp_path: Path) -> None:
    data = describe_architecture(load_architecture(write(tmp_path)))
    json.dumps(data)
    cell = data["chip"]["children"]["tile"]["children"]["core"]["children"]["cell"]
    assert cell["total"] == 131072
    assert cell["quantities"]["g_max"]["value"] == 25e-6
    assert cell["quantities"]["noise"]["value"]["curve"] == [{"polynomial": [0.26348, 1.9650, -1.1731]}]
    assert all({"unit", "basis", "source"} <= set(q) for q in cell["quantities"].values())


def test_registry_holds_kinds_only_inside_the_block() -> None:
    extra = ComponentKind("only-here", "doc")
    with registry.registered(extra):
        assert registry.component_kinds()["only-here"] is extra
    assert "only-here" not in registry.component_kinds()
    assert {k.name for k in KINDS} <= set(registry.component_kinds())


def test_broken_plug_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, value = "acme", "acme.kinds"

        def load(self) -> None:
            raise ImportError("no acme")

    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [Entry()])
    with pytest.raises(InputError, match=r"plug-in 'acme' \(acme.kinds\) fails to load: ImportError: no acme"):
        list(registry._modules())


def test_two_kinds_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import ModuleType

    a, b = ModuleType("a"), ModuleType("b")
    a.KIND, a.SAME = ComponentKind("x", "one"), None  # type: ignore[attr-defined]
    b.KIND, b.AGAIN = ComponentKind("x", "two"), a.KIND  # type: ignore[attr-defined]
    monkeypatch.setattr(registry, "_modules", lambda: iter((a, b)))
    with pytest.raises(InputError, match="'x' is declared by a and by b"):
        registry._collect()
