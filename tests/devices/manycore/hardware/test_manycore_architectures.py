"""Many-core architectures as files: what is shipped, what is read from them, and what is refused where."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from manycore_examples import MANYCORE, altered, example, shipped

from neuromorph.costing.area import chip_area
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.spec import grid, squarest
from neuromorph.devices.manycore.tally.noc import fabric_of
from neuromorph.devices.protocol import kind_of
from neuromorph.errors import InputError
from neuromorph.hardware import catalog
from neuromorph.hardware.architecture import read_architecture
from neuromorph.hardware.jsonschema import architecture_schema
from neuromorph.yamlfile import parse_yaml

TEXT = """schema: 1
name: toy
boundary: chip
chip:
  kind: manycore
  step: 1 ms
  tile:
    count: 4
    core:
      part: loihi-core
      count: 2
      memory: 1 KiB
      synapse_bits: 16 bit
    router: {entries: 8}
"""


def read(text: str) -> Any:
    return read_architecture(parse_yaml(text, "toy.yaml"))


def test_what_is_shipped() -> None:
    assert set(MANYCORE) == {
        "spinnaker1", "spinnaker1-4chip", "spinnaker2", "loihi-like", "loihi-sanafe", "truenorth-like", "odin-like"
    }  # fmt: skip
    assert kind_of(shipped("hermes-like")).root != "manycore"
    with pytest.raises(InputError, match="hermes-like is no many-core chip"):
        read_machine(shipped("hermes-like"))


@pytest.mark.parametrize("name", MANYCORE)
def test_every_machine_is_whole(name: str) -> None:
    m = read_machine(shipped(name))
    assert m.columns * (m.rows - 1) < m.tiles <= m.columns * m.rows
    assert m.cores_per_tile >= 1
    assert 1 <= m.min_delay <= m.max_delay
    assert m.core_reserved < m.core_memory
    assert not m.rows_in_tile or m.tile_memory
    for times in (m.times, m.network):
        for value in vars(times).values():
            assert math.isnan(value) or value > 0


def test_spinnaker1_is_a_board_of_48_chips_with_17_cores_for_neurons() -> None:
    m = read_machine(shipped("spinnaker1"))
    assert (m.columns, m.rows, m.tiles, m.cores_per_tile) == (8, 6, 48, 17)
    assert (m.topology, m.multicast, m.router_entries, m.step_s) == ("triangular", True, 1023, 1e-3)
    assert (m.core_memory, m.tile_memory) == (64 * 1024 * 8, 123e6 * 8)
    assert (m.times.neuron_s, m.network.hop_s) == (0.32e-6, 0.1e-6)
    assert m.network.link_s == pytest.approx(40 / 250e6)
    assert (m.arithmetic.kind, m.arithmetic.weight_bits) == ("spinnaker", 16)
    assert math.isnan(m.times.packet_s)
    assert chip_area(shipped("spinnaker1")).leakage_w == pytest.approx(26.84)
    assert chip_area(shipped("spinnaker1-4chip")).leakage_w == pytest.approx(3.56)


def test_loihi_and_truenorth_have_the_published_limits() -> None:
    m = read_machine(shipped("loihi-like"))
    assert (m.tiles * m.cores_per_tile, m.neurons, m.axons_in, m.axons_out) == (128, 1024, 4096, 4096)
    assert (m.core_memory, m.weight_bits, m.max_delay) == (128 * 1024 * 8, 9, 62)
    assert m.network.barrier_s == pytest.approx(465e-9)
    assert m.network.inject_s == pytest.approx(4 / 3.44e9)
    assert chip_area(shipped("loihi-like")).leakage_w == pytest.approx(0.104)
    m = read_machine(shipped("truenorth-like"))
    assert (m.tiles * m.cores_per_tile * m.neurons, m.fan_in) == (2**20, 256)
    # the crossbar and 256 neurons fill the memory of a core
    assert 256 * 256 + 256 * m.state_bits == m.core_memory
    assert m.core_reserved == 256 * 256


def test_static_power_grows_with_the_machine() -> None:
    two = altered("spinnaker1", {"chip.tile.count": 96})
    m = read_machine(two)
    assert (m.columns, m.rows, m.die_columns, m.die_rows) == (16, 6, 8, 6)
    assert chip_area(two).leakage_w == pytest.approx(2 * 26.84)
    assert read_machine(altered("spinnaker1", {"chip.tile.count": 480})).columns == 40


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (7, 3), (38, 7), (48, 8), (4096, 64), (12, 4)])
def test_grids_are_as_square_as_can_be(count: int, columns: int) -> None:
    found = squarest(count)
    assert found == columns
    assert found * -(-count // found) >= count


def test_levels_set_clock_and_supply() -> None:
    fast, slow = shipped("spinnaker2"), altered("spinnaker2", {"core.level": 1})
    (high, low) = (a.chip["tile"]["core"] for a in (fast, slow))
    energies = [c.kind.costs(c)["synapse"].energy_j for c in (high, low)]
    assert energies[0] == 0.45e-9
    assert energies[1] == pytest.approx(0.45e-9 * (0.5 / 0.6) ** 2)
    assert [c.kind.costs(c)["synapse"].basis for c in (high, low)] == ["reported", "assumed"]
    assert read_machine(slow).times.neuron_s == pytest.approx(2 * read_machine(fast).times.neuron_s)
    clocked = altered("spinnaker1", {"core.clock": "100 MHz"})
    assert read_machine(clocked).times.synapse_s == pytest.approx(0.4e-6)
    core = clocked.chip["tile"]["core"]
    assert core.kind.costs(core)["busy"].energy_j == pytest.approx(17e-3)


def test_a_cycle_costs_whether_there_is_work_or_not() -> None:
    for megahertz in (1, 75):
        watts = chip_area(altered("odin-like", {"core.clock": f"{megahertz} MHz"})).leakage_w
        assert watts == pytest.approx(27.3e-6 + 1.78e-6 * megahertz)


def test_the_toy_is_legal() -> None:
    m = read_machine(read(TEXT))
    assert (m.tiles, m.cores_per_tile, m.router_entries, m.core_memory) == (4, 2, 8, 8192)
    jsonschema.Draft202012Validator(architecture_schema()).validate(yaml.safe_load(TEXT))


WRONG = [
    ("kind: manycore", "kind: manycores", 5, 9, "no component kind 'manycores'", "manycore"),
    ("kind: manycore", "kind: tile", 5, 9, "a tile does not fit", "chip, manycore"),
    ("step: 1 ms", "step: 1", 6, 9, "1 has no unit", "add a unit"),
    ("step: 1 ms", "step: 0 s", 6, 9, "a step of no time", ""),
    ("step: 1 ms", "stepp: 1 ms", 6, 3, "no key 'stepp'", "did you mean 'step'"),
    ("step: 1 ms", "topology: ring", 6, 13, "'ring' is not a choice", "mesh, torus, triangular"),
    ("step: 1 ms", "columns: 5", 6, 12, "5 for 4 tiles", ""),
    ("step: 1 ms", "die_columns: 2", 6, 16, "a die needs die_rows as well", ""),
    ("count: 4", "count: 4\n    system_cores: 2", 9, 19, "2 of 2 cores", ""),
    ("part: loihi-core", "part: loihi-link", 10, 13, "'loihi-link' is a link", "loihi-core"),
    ("part: loihi-core", "kind: crossbar", 10, 13, "a crossbar does not fit", "spiking_core"),
    ("      memory: 1 KiB\n", "", 9, 5, "needs the setting 'memory'", "memory of the core"),
    ("memory: 1 KiB", "memory: 1 KiB\n      reserved_memory: 2 KiB", 13, 24, "nothing of the memory is left", ""),
    ("memory: 1 KiB", "memory: 1 KiB\n      min_delay: 20", 13, 18, "but max_delay is 16", ""),
    ("memory: 1 KiB", "memory: 1 KiB\n      level: 2", 13, 14, "2 is not a level of this core", ""),
    ("memory: 1 KiB", "memory: 1 KiB\n      clock: 1 GHz", 13, 14, "neither at which clock", ""),
    ("memory: 1 KiB", "memory: 1 KiB\n      arithmetic: int8", 13, 19, "'int8' is not a choice", "spinnaker"),
    ("memory: 1 KiB", "memory: 1 KiB\n      synapse_energy: 1 pJ", 13, 7, "quantity of the part", "override"),
    ("memory: 1 KiB", "memory: 1 KiB\n      rows_in: tile", 7, 3, "the tile has no memory", ""),
    ("entries: 8", "entries: 0", 14, 23, "below the lowest legal value", ""),
]


@pytest.mark.parametrize("wrong", WRONG, ids=[w[1].strip()[-24:] or "no memory" for w in WRONG])
def test_wrong_files_are_refused_at_their_place(wrong: tuple[str, str, int, int, str, str]) -> None:
    old, new, line, column, message, hint = wrong
    assert old in TEXT
    with pytest.raises(InputError) as error:
        read(TEXT.replace(old, new, 1))
    problems = error.value.problems
    found = [p for p in problems if message in p.message]
    assert found, [str(p) for p in problems]
    assert (found[0].place.line, found[0].place.column) == (line, column)
    assert hint in found[0].hint
    assert found[0].hint


@pytest.mark.parametrize(("former", "now"), [("packet_router", "router"), ("packet_link", "link")])
def test_former_names_of_kinds_are_refused_with_those_of_today(former: str, now: str, tmp_path: Path) -> None:
    sheet = tmp_path / "own.yaml"
    sheet.write_text(f"schema: 1\nkind: {former}\nname: own\nquantities: {{}}\n")
    with pytest.raises(InputError) as in_datasheet:
        catalog.load_datasheet(sheet)
    given = TEXT.replace("router: {entries: 8}", "router: {}") + "  link: {}\n"
    with pytest.raises(InputError) as in_architecture:
        read(given.replace(f"{now}: {{}}", f"{now}: {{kind: {former}}}"))
    for error in (in_datasheet, in_architecture):
        assert f"'{former}'" in error.value.problems[0].message
        assert f"kind: {now}" in error.value.problems[0].hint


def test_a_routing_table_has_no_place_on_a_chip_of_layers() -> None:
    text = catalog.find("hermes-like", "architectures").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="fixed ways"):
        read(text.replace("router: {", "router: {entries: 8, ", 1))


def test_all_problems_are_told_at_once() -> None:
    text = TEXT.replace("step: 1 ms", "stepp: 1 ms").replace("entries: 8", "entries: -1").replace("1 KiB", "1 kg")
    with pytest.raises(InputError) as error:
        read(text)
    assert len(error.value.problems) == 3


def test_the_schema_tells_the_roots_apart() -> None:
    validator = jsonschema.Draft202012Validator(architecture_schema())
    data = yaml.safe_load(TEXT)
    for change in ({"kind": "chip"}, {"kind": "manycores"}, {"topology": "bus"}):
        assert not validator.is_valid(data | {"chip": data["chip"] | change})
    del data["chip"]["kind"]
    assert not validator.is_valid(data)
    for name in MANYCORE:
        validator.validate(yaml.safe_load(catalog.find(name, "architectures").read_text(encoding="utf-8")))


def test_commands(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    from neuromorph.cli import main

    assert main(["architectures", "list", "--json"]) == 0
    assert set(MANYCORE) <= {a["name"] for a in json.loads(capsys.readouterr().out)}
    assert main(["architectures", "show", "spinnaker1"]) == 0
    text = capsys.readouterr().out
    assert "chip.tile.core: spiking_core x 18 (864 in all), part spinnaker1-core" in text
    assert "34 mW" in text
    assert main(["architectures", "show", "loihi-like", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chip"]["kind"] == "manycore"
    assert main(["architectures", "check", *MANYCORE]) == 0
    path = tmp_path / "toy.yaml"
    path.write_text(TEXT.replace("step: 1 ms", "stepp: 1 ms"), encoding="utf-8")
    assert main(["architectures", "check", str(path)]) == 2
    assert "toy.yaml:6:3" in "".join(capsys.readouterr())
    assert main(["devices", "list", "--kind", "spiking_core"]) == 0
    assert "truenorth-core" in capsys.readouterr().out


def test_grid_of_a_chip_is_that_of_its_machine() -> None:
    for name in MANYCORE:
        assert grid(shipped(name).chip) == (read_machine(shipped(name)).columns, read_machine(shipped(name)).rows)


@pytest.mark.parametrize("name", ["loihi-like", "loihi-sanafe"])
def test_a_barrier_beyond_the_tiles_of_its_figures_is_not_modelled(name: str) -> None:
    """Published barriers are of up to 32 tiles: 1,024 are not read off the same line."""
    for tiles, known in ((1, True), (32, True), (33, False), (1024, False)):
        chip = altered(name, {"chip.tile.count": tiles})
        placement, _ = example(chip)
        fabric = fabric_of(placement, read_machine(chip))
        told = [what for what in fabric.unmodelled if "synchronisation of a step" in what]
        assert math.isnan(read_machine(chip).network.barrier_s) != known
        assert bool(told) != known
        assert all(f"of {tiles} tiles (figures are of up to 32)" in what for what in told)
