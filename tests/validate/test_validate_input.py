"""Fixtures that contradict themselves or name what is not: one message with file, line, key and what is legal."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from neuromorph.errors import FitError, InputError
from neuromorph.importers import save_graph
from neuromorph.validate import read_fixture, summaries, validate
from neuromorph.validate.workload import Layer, Workload

GOOD = """\
schema: 1
name: toy
title: "A core"
sources:
  book: {citation: "A book, 2020"}
workloads:
  core: {layers: [{rows: 256, columns: 256}], weight_density: 0.25, operations: 131072}
groups:
  - architecture: hermes-like
    workload: core
    density: 1.0
    source: book
    where: "Table 1"
    boundary: core
    conditions: "8 bit"
    columns: [label, quantity, within, published, standing]
    rows:
      - ["array", energy per operation, chip.tile.core.array, 28 fJ, held out]
      - ["rest", energy per operation, chip.tile.core, 67 fJ, held out]
"""

SUM = '      - ["whole", energy per operation, chip.tile.core, 95 fJ, held out, ["array", "rest"]]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "toy.yaml"
    path.write_text(text)
    return path


def test_a_file_of_a_user_is_compared(tmp_path: Path) -> None:
    array, rest = validate([written(tmp_path, GOOD)])
    assert array.ours == pytest.approx(0.4005**2 * 132.9415e-9 * 20.7e-6 * 0.125 * 65536 / 131072, rel=1e-9, abs=0)
    assert rest.ours > array.ours
    assert array.deviation == pytest.approx(array.ours / 28e-15 - 1)


def test_a_comparison_answers_to_the_architecture(tmp_path: Path) -> None:
    (usual, _) = validate([written(tmp_path, GOOD)])
    text = GOOD.replace("    density: 1.0\n", "    density: 1.0\n    changes: {cell.read_voltage: 2x}\n")
    (doubled, _) = validate([written(tmp_path, text)])
    assert doubled.ours == pytest.approx(4 * usual.ours, rel=1e-9, abs=0)
    (half, _) = validate([written(tmp_path, GOOD.replace("density: 1.0\n", "density: 0.5\n"))])
    assert half.ours == pytest.approx(usual.ours / 2, rel=1e-9, abs=0)


def test_a_network_file_is_a_workload(tmp_path: Path) -> None:
    save_graph(Workload("w", (Layer(256, 256),), weight_density=0.25).build()[0], tmp_path / "net.nmg.json")
    layers = "{layers: [{rows: 256, columns: 256}], weight_density: 0.25, operations: 131072}"
    (array, _) = validate([written(tmp_path, GOOD.replace(layers, "{network: net.nmg.json}"))])
    assert array.ours == validate([written(tmp_path, GOOD)])[0].ours


def test_a_workload_that_does_not_fit_is_told_with_its_row(tmp_path: Path) -> None:
    text = GOOD.replace("{rows: 256, columns: 256}", "{rows: 256, columns: 256, times: 65}").replace(
        "131072", "8519680"
    )
    with pytest.raises(FitError, match=r"toy\.yaml:18.*array: .*chip\.tile"):
        validate([written(tmp_path, text)])


def test_what_nothing_prices_is_not_modelled(tmp_path: Path) -> None:
    text = GOOD.replace("energy per operation, chip.tile.core.array", "static power, chip.tile.core.array")
    array, rest = validate([written(tmp_path, text.replace("28 fJ", "1 mW"))])
    assert array.ours is None
    assert array.deviation is None
    assert not array.covered
    assert rest.ours is not None
    static, energy, whole = summaries([array, rest])
    assert (static.number, static.unmodelled, static.median, static.largest, static.worst) == (0, 1, None, None, "")
    assert (energy.number, energy.unmodelled) == (1, 0)
    assert (whole.number, whole.unmodelled, whole.worst) == (1, 1, "toy: rest")


def test_ranges_cover_a_figure_from_either_side(tmp_path: Path) -> None:
    (array, rest) = validate([written(tmp_path, GOOD)])
    exact = dataclasses.replace(array, ours=2.0, published=3.0, ours_low=2.0, ours_high=2.0)
    assert not exact.covered
    assert dataclasses.replace(exact, ours_low=1.0, ours_high=3.5).covered
    assert not dataclasses.replace(exact, ours_low=1.0, ours_high=2.5).covered
    assert dataclasses.replace(exact, published_low=1.9).covered
    assert not dataclasses.replace(exact, published_low=2.1).covered
    assert not rest.covered  # these prices have no published range


def test_parts_that_add_up_pass(tmp_path: Path) -> None:
    text = GOOD.replace("published, standing]", "published, standing, parts]").replace("held out]", "held out, null]")
    assert len(read_fixture(written(tmp_path, text + SUM))) == 3


FAULTS = [
    ("operations: 131072", "operations: 65536", ("7", "workloads.core.operations", "131072, two per weight")),
    ("hermes-like", "hermes-lik", ("9", "architecture", "unknown architecture", "hermes-like")),
    ("28 fJ, held out", "28 fJ, held in", ("unknown standing 'held in'", "fitted, held out, design study", "18")),
    ("array\", energy per operation", "array\", energy per op", ("unknown quantity", "energy per operation", "18")),
    ("published, standing]", "published, standng]", ("unknown column 'standng'", "standing", "16")),
    ("28 fJ", "28", ("published", "has no unit", "18")),
    ("28 fJ", "28 W", ("published energy per operation", "18")),
    ("28 fJ", "-28 fJ", ("above 0", "18")),
    ("chip.tile.core.array", "chip.tile.core.aray", ("no component", "chip.tile.core.array", "18")),
    ("source: book", "source: boook", ("unknown source", "book", "12")),
    ("    conditions: \"8 bit\"\n", "", ("conditions is missing",)),
    ("density: 1.0", "density: 1.5", ("above 0 and up to 1", "11")),
    ("workload: core", "workload: cores", ("unknown workload 'cores'", "legal: core", "10")),
    ("rows: 256,", "row: 256,", ("unknown key 'row'", "rows", "7")),
    ("    density: 1.0\n", "    density: 1.0\n    low: 30 fJ\n    high: 20 fJ\n", ("low '30 fJ' is above high", "12")),
    ("    density: 1.0\n", "    density: 1.0\n    low: 80 fJ\n", ("outside its own range",)),
    ("    density: 1.0\n", "    density: 1.0\n    fitted: core.adc.bits\n", ("held out: leave fitted out", "12")),
    ("28 fJ, held out", "28 fJ, fitted", ("name the parameter that was solved from it", "18")),
    ("    density: 1.0\n", "    density: 1.0\n    changes: {core.adc.bit: 4}\n", ("no parameter", "adc.bits", "12")),
    ("    density: 1.0\n", "    density: 1.0\n    baseline: {core.adc.bits: 4}\n", ("takes no baseline", "12")),
    ("{rows: 256, columns: 256}", "{rows: 256, columns: 256, products: 5, height: 2}", ("map of height 2",)),
    ("{rows: 256, columns: 256}", "{rows: 255, columns: 256, kernel: 2}", ("windows of 2 x 2",)),
    ("layers: [{rows: 256, columns: 256}],", "", ("give layers, neurons or network",)),
    ("title: \"A core\"\n", "", ("required key 'title'",)),
]  # fmt: skip


@pytest.mark.parametrize(("was", "is_", "told"), FAULTS)
def test_a_fault_is_told_with_its_place(tmp_path: Path, was: str, is_: str, told: tuple[str, ...]) -> None:
    assert was in GOOD
    path = written(tmp_path, GOOD.replace(was, is_, 1))
    with pytest.raises(InputError) as caught:
        read_fixture(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    for text in told:
        assert text in message


def test_parts_that_miss_their_total_are_told(tmp_path: Path) -> None:
    text = GOOD.replace("published, standing]", "published, standing, parts]").replace("held out]", "held out, null]")
    with pytest.raises(InputError, match=r"toy\.yaml:20.*parts add up to .*the total is .*-\d"):
        read_fixture(written(tmp_path, text + SUM.replace("95 fJ", "105 fJ")))
    with pytest.raises(InputError, match=r"'reste' is no row.*'rest'"):
        read_fixture(written(tmp_path, text + SUM.replace('"rest"', '"reste"')))
    with pytest.raises(InputError, match="do not add up"):
        read_fixture(written(tmp_path, text + SUM.replace("energy per operation", "latency").replace("95 fJ", "1 s")))


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("hermes-like", "hermes").replace("28 fJ", "28").replace("131072", "1")
    with pytest.raises(InputError) as caught:
        read_fixture(written(tmp_path, text))
    assert len({p.place.line for p in caught.value.problems}) >= 2


def test_an_unknown_fixture_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match=r"no fixture 'isac'.*'isaac'"):
        validate(["isac"])
