"""Every shipped fixture through the whole road, once: standings, sources, and what rows have to say."""

from __future__ import annotations

import math

import pytest

from neuromorph.hardware import catalog
from neuromorph.hardware.paths import parameters
from neuromorph.validate import STANDINGS, Comparison, Measurement, fixture_files, read_fixture, summaries, validate
from neuromorph.validate.quantities import QUANTITIES
from neuromorph.validate.reading import FITTED


@pytest.fixture(scope="module")
def everything() -> list[Comparison]:
    return validate()


def measurements() -> list[Measurement]:
    return [m for name in fixture_files() for m in read_fixture(name)]


def test_every_row_runs_and_says_where_it_stands(everything: list[Comparison]) -> None:
    assert len(everything) >= 40
    assert {c.fixture for c in everything} == set(fixture_files())
    assert {c.standing for c in everything} == set(STANDINGS)
    for c in everything:
        assert c.ours is not None, f"{c.fixture}, {c.label}: nothing of it is modelled"
        assert math.isfinite(c.ours)
        assert c.ours > 0
        assert c.published > 0
        assert c.source.count("; ") == 1
        assert all(len(part) > 3 for part in c.source.split("; "))
        assert c.conditions
        assert bool(c.fitted) == (c.standing == FITTED)
        assert c.quantity in QUANTITIES


def test_rows_come_standing_by_standing(everything: list[Comparison]) -> None:
    order = [STANDINGS.index(c.standing) for c in everything]
    assert order == sorted(order)


def test_no_two_rows_of_a_fixture_have_one_name(everything: list[Comparison]) -> None:
    names = [(c.fixture, c.label) for c in everything]
    assert len(set(names)) == len(names)


def test_what_one_constant_was_solved_from_on_a_whole_chip_is_given_back(everything: list[Comparison]) -> None:
    """Fits hold where counts and boundaries are those that the constant was solved with."""
    solved = [c for c in everything if c.standing == FITTED and c.fixture in ("hermes", "loihi", "spinnaker")]
    assert len(solved) == 8
    for c in solved:
        assert c.deviation is not None
        assert abs(c.deviation) < 0.01, c


def test_published_values_are_not_parameters_of_their_architecture() -> None:
    """What a data file holds, or a change of the fixture sets, is given back and no comparison.

    Static powers are sums over a chip or a board of what was divided to be held: they are told as fitted."""
    found = set()
    for m in measurements():
        for p in parameters(m.architecture):
            held = p.unit == m.quantity.unit and p.path.startswith(m.within) and isinstance(p.value, float)
            if held and p.value == pytest.approx(m.published, rel=1e-9, abs=0):
                found.add((m.fixture, m.label))
    assert found == set(KEPT)


KEPT = {
    ("isaac", "unit: input register"): "power of the part at full use; here that of the bits that pass",
    ("isaac", "unit: output register"): "power of the part at full use; here that of the bits that pass",
    ("isaac", "tile: eDRAM"): "power of the part at full use; here that of the bits that pass",
    ("isaac", "tile: bus"): "power of the part at full use; here that of the bits that pass",
    ("isaac", "tile: output register"): "power of the part at full use; here that of the bits that pass",
    ("isaac", "chip: HyperTransport"): "power of the part at full use; here that of the bits that pass",
}
"""Rows whose figure stands in a data file as a power but is priced by counted bits, with the reason."""


def test_summaries_are_of_the_rows(everything: list[Comparison]) -> None:
    rows = summaries(everything)
    for standing in STANDINGS:
        own = [abs(c.deviation) for c in everything if c.standing == standing and c.deviation is not None]
        (whole,) = [r for r in rows if r.standing == standing and r.quantity == "all"]
        assert whole.number == len(own)
        assert whole.largest == max(own)
        assert sum(d <= whole.median for d in own) >= len(own) / 2 <= sum(d >= whole.median for d in own)
        assert sum(r.number for r in rows if r.standing == standing) == 2 * len(own)


def test_core_of_hermes_by_hand() -> None:
    """A product: V^2 t G of a quarter of the weights at half the input, 256 drivers and 256 conversions."""
    (efficiency, *_) = [c for c in validate(["hermes"]) if c.quantity == "efficiency"]
    core = catalog.load_architecture("hermes-like").chip["tile"]["core"]
    array = 0.4005**2 * 132.9415e-9 * 20.7e-6 * 0.5 * 0.25 * 65536
    driver = core["dac"].kind.costs(core["dac"])["conversion"].energy_j
    joules = array + 256 * driver + 256 * 34.3810e-12
    residual = 131072 / 10.5e12 - array - 256 * driver  # what the converters were solved for
    assert residual == pytest.approx(256 * 34.3810e-12, rel=1e-5, abs=0)
    assert efficiency.ours == pytest.approx(131072 / joules / 1e12, rel=1e-6)


def test_odin_by_hand() -> None:
    """Its power law over the synaptic operations of a second, which one input per step adds one to."""
    (row,) = validate(["odin"])
    operations = 0.5745 * (255 * 256 + 1) * 1e3
    watts = 27.3e-6 + 1.78e-12 * 75e6 + 8.43e-12 * operations
    assert row.ours == pytest.approx(watts / operations, rel=1e-3, abs=0)


def test_neurons_of_truenorth_travel_as_far_as_those_of_the_figure() -> None:
    """Random targets on 64 x 64 cores lie 21.3 apart in x and in y, a tenth less after placing them (1 % of the power);
    every spike reaches 128 synapses."""
    chip = catalog.load_architecture("truenorth-like").chip
    core, link, base = chip["tile"]["core"], chip["link"], chip["tile"]["base"]
    synapse_j = core.kind.costs(core)["synapse"].energy_j
    hop_j = link.kind.costs(link)["packet"].energy_j
    rows = validate(["truenorth"])
    for row, hertz in zip(rows, (11.58, 95.93), strict=True):
        spikes = 2**20 * hertz
        watts = base.part.value("leakage") + spikes * (128 * synapse_j + 2 * 64 / 3 * hop_j)
        assert row.ours == pytest.approx(watts, rel=0.01)
