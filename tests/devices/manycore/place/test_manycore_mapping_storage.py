"""Placements written and read again: the same, or refused with the difference."""

import dataclasses
import json

import numpy as np
import pytest
from manycore_cases import LOIHI, SPINNAKER1, architecture, random_network

from neuromorph.devices import placed_file
from neuromorph.devices.manycore.place import load_placement, place_network
from neuromorph.errors import FitError, InputError

MACHINES = {
    "multicast": dataclasses.replace(SPINNAKER1, neurons=8, source_neurons=8),
    "unicast": dataclasses.replace(LOIHI, neurons=8),
}


@pytest.fixture(params=MACHINES)
def machine(request):
    return MACHINES[request.param]


def same(a, b):
    for part in ("slices", "routing"):
        one, two = getattr(a, part), getattr(b, part)
        for field in dataclasses.fields(one):
            x, y = getattr(one, field.name), getattr(two, field.name)
            if hasattr(x, "items") and hasattr(x, "indptr"):
                np.testing.assert_array_equal(x.indptr, y.indptr)
                np.testing.assert_array_equal(x.items, y.items)
            else:
                np.testing.assert_array_equal(x, y)
    for name in ("synapse_bits", "neuron_bits", "sdram_bits", "delay_cores"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.limits == b.limits
    assert a.explain() == b.explain()


@pytest.mark.parametrize("inline", [20_000, 3])
def test_a_placement_comes_back_as_it_was(tmp_path, machine, inline, monkeypatch):
    monkeypatch.setattr(placed_file, "INLINE", inline)
    network = random_network(1)
    rates = np.random.default_rng(0).random(network.neurons)
    p = place_network(network, architecture(), machine, rates=rates)
    files = p.save(tmp_path / "p.json")
    assert len(files) == (1 if inline > 100 else 2)
    same(p, load_placement(tmp_path / "p.json", network, architecture(), machine))


def written(tmp_path, machine):
    network = random_network(1)
    place_network(network, architecture(), machine, effort="quick").save(tmp_path / "p.json")
    return network, json.loads((tmp_path / "p.json").read_text())


def changed(tmp_path, document):
    (tmp_path / "q.json").write_text(json.dumps(document))
    return tmp_path / "q.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format="other"), "this is no placement"),
        (lambda d: d.update(schema=7), "legal: .neuromorph placement., 2"),
        (lambda d: d.pop("columns"), "columns"),
        (lambda d: d["columns"].update(core="x"), "list of whole numbers"),
        (lambda d: d["columns"]["core"].__setitem__(1, 10**6), "no core of 0.."),
        (lambda d: d["columns"]["core"].__setitem__(2, -2), "no core of 0.."),
        (lambda d: d["columns"]["core"].pop(), "different length"),
        (lambda d: d["columns"]["stop"].__setitem__(0, 3), "do not cover"),
        (lambda d: d["columns"]["population"].__setitem__(0, 9), "does not have"),
        (lambda d: d["columns"]["core"].__setitem__(1, d["columns"]["core"][2]), "two slices lie on one core"),
        (lambda d: d.update(costs={"random": 1.0}), "search is not described"),
        (lambda d: d["costs"].update(random="1"), "is no number"),
        (lambda d: d.update(packets=None), "packets are None"),
        (lambda d: d.update(seed=1.5), "expected int"),
        (lambda d: d["network"].update(populations=3), "expected list"),
    ],
)
def test_broken_files_are_refused(tmp_path, change, words):
    machine = MACHINES["multicast"]
    network, document = written(tmp_path, machine)
    change(document)
    with pytest.raises(InputError, match=words) as caught:
        load_placement(changed(tmp_path, document), network, architecture(), machine)
    assert "q.json" in str(caught.value)


def test_another_network_or_architecture_is_refused_with_the_difference(tmp_path, machine):
    network, _ = written(tmp_path, machine)
    path = tmp_path / "p.json"
    first = network.projections[0]
    late = dataclasses.replace(first, delay=np.array([3], np.uint8))
    twin = dataclasses.replace(network, projections=(late, *network.projections[1:]))
    with pytest.raises(InputError, match="other targets or delays"):
        load_placement(path, twin, architecture(), machine)
    with pytest.raises(InputError, match=r"population 1 \(p1\) differs .* neurons 30 and 31"):
        load_placement(path, random_network(1, sizes=(20, 31, 25)), architecture(), machine)
    with pytest.raises(InputError, match="4 projections in the placement, 1 here"):
        load_placement(path, random_network(1, edges=((0, 1),)), architecture(), machine)
    with pytest.raises(InputError, match=r"chip.tile.count is 4 in the placement, 9 here"):
        load_placement(path, network, architecture(tiles=9), machine)


def test_weights_may_change_without_mapping_again(tmp_path, machine):
    network, _ = written(tmp_path, machine)
    heavier = dataclasses.replace(
        network, projections=tuple(dataclasses.replace(e, weight=e.weight * 2) for e in network.projections)
    )
    load_placement(tmp_path / "p.json", heavier, architecture(), machine)


def test_slices_over_a_limit_are_refused(tmp_path):
    machine = MACHINES["multicast"]
    network, _ = written(tmp_path, machine)
    with pytest.raises(FitError, match="neurons per core needs 8, has 7"):
        load_placement(tmp_path / "p.json", network, architecture(), dataclasses.replace(machine, neurons=7))


def test_missing_truncated_and_foreign_files(tmp_path, monkeypatch):
    machine = MACHINES["multicast"]
    network = random_network(1)
    with pytest.raises(InputError, match="no such file"):
        load_placement(tmp_path / "none.json", network, architecture(), machine)
    (tmp_path / "cut.json").write_text('{"format": "neuro')
    with pytest.raises(InputError, match="not valid JSON"):
        load_placement(tmp_path / "cut.json", network, architecture(), machine)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        load_placement(tmp_path / "binary.json", network, architecture(), machine)
    monkeypatch.setattr(placed_file, "INLINE", 1)
    _, beside = place_network(network, architecture(), machine).save(tmp_path / "big.json")
    beside.write_bytes(beside.read_bytes()[:-5])
    with pytest.raises(InputError, match="damaged"):
        load_placement(tmp_path / "big.json", network, architecture(), machine)
    beside.unlink()
    with pytest.raises(InputError, match="are missing"):
        load_placement(tmp_path / "big.json", network, architecture(), machine)
