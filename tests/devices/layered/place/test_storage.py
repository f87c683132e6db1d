"""Placement files: read back equal, refused with the difference for anything else, nothing half written."""

import json

import numpy as np
import pytest
from mapping_networks import cnn, crossbar, digital, linear, mlp

from neuromorph.devices import placed_file
from neuromorph.devices.layered.place import load_placement, place
from neuromorph.devices.layered.place.placement import STORED
from neuromorph.errors import InputError
from neuromorph.graph.model import Graph


@pytest.fixture
def placement():
    return place(cnn(), crossbar(64), effort="quick", seed=3)


def same(a, b):
    assert a.explain() == b.explain()
    for name, column in a.shards.columns().items():
        np.testing.assert_array_equal(column, getattr(b.shards, name), err_msg=name)
    for name in ("node", "source", "target", "bits", "partial"):
        np.testing.assert_array_equal(getattr(a.flows, name), getattr(b.flows, name), err_msg=name)
    np.testing.assert_array_equal(a.tiles, b.tiles)
    assert (a.copies, a.skipped, a.seed, a.effort, a.shared) == (b.copies, b.skipped, b.seed, b.effort, b.shared)
    assert a.limits == b.limits
    assert {n: (x.copies, x.arrays, x.cores) for n, x in a.layouts.items()} == {
        n: (x.copies, x.arrays, x.cores) for n, x in b.layouts.items()
    }


def test_read_back_equal(placement, tmp_path):
    files = placement.save(tmp_path / "p.json")
    assert files == [tmp_path / "p.json"]
    same(placement, load_placement(files[0], cnn(), crossbar(64)))


def test_weight_memories_read_back_equal(tmp_path):
    for graph, architecture in ((mlp(64, 64, 64), digital(8)), (cnn(), digital(64))):
        placement = place(graph, architecture)
        placement.save(tmp_path / "p.json")
        same(placement, load_placement(tmp_path / "p.json", graph, architecture))


def test_large_columns_go_into_an_archive(placement, tmp_path, monkeypatch):
    monkeypatch.setattr(placed_file, "INLINE", 10)
    path, archive = placement.save(tmp_path / "p.json")
    assert archive.suffix == ".npz"
    assert "columns" not in json.loads(path.read_text())
    same(placement, load_placement(path, cnn(), crossbar(64)))
    archive.write_bytes(archive.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match="is damaged"):
        load_placement(path, cnn(), crossbar(64))
    archive.unlink()
    with pytest.raises(InputError, match="columns of the placement are missing"):
        load_placement(path, cnn(), crossbar(64))


def test_an_archive_with_objects_is_not_unpickled(placement, tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setattr(placed_file, "INLINE", 10)
    path, archive = placement.save(tmp_path / "p.json")
    np.savez(archive, **{n: np.array([{}], object) for n in (*STORED, "tiles")})
    document = json.loads(path.read_text())
    document["columns_file"]["sha256"] = hashlib.sha256(archive.read_bytes()).hexdigest()
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="unreadable columns"):
        load_placement(path, cnn(), crossbar(64))
    document["columns_file"]["name"] = "../other.npz"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="leaves the folder"):
        load_placement(path, cnn(), crossbar(64))


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (crossbar(63), r"chip\.tile\.count is 64 in the placement, 63 here"),
        (crossbar(64, columns=64), r"chip\.tile\.core\.array\.columns is 32 in the placement, 64 here"),
        (crossbar(64, weight_bits=5), r"weight_bits is 4 in the placement, 5 here"),
        (crossbar(64, buffer=10_000), r"chip\.tile\.buffer is not in the placement"),
        (digital(64), r"chip\.tile\.core\.rows.*\(?'?small'?, here 'small-digital'|small-digital"),
    ],
)
def test_another_architecture_is_refused_with_the_difference(placement, tmp_path, other, difference):
    placement.save(tmp_path / "p.json")
    with pytest.raises(InputError, match=difference) as caught:
        load_placement(tmp_path / "p.json", cnn(), other)
    assert "made for another architecture" in str(caught.value)
    assert caught.value.problems[0].place.file == str(tmp_path / "p.json")


def test_another_graph_is_refused_with_the_difference(placement, tmp_path):
    placement.save(tmp_path / "p.json")
    with pytest.raises(InputError, match=r"another graph .*only in the placement: conv1.*not in the placement: fc0"):
        load_placement(tmp_path / "p.json", mlp(8, 8), crossbar(64))
    place(mlp(20, 20, 20), crossbar(64), duplicate=False).save(tmp_path / "m.json")
    with pytest.raises(InputError, match=r"fc1 has matrices .*20, 20.* in the placement, .*20, 19.* here"):
        load_placement(tmp_path / "m.json", mlp(20, 20, 19), crossbar(64))


def test_a_graph_pruned_otherwise_is_refused(tmp_path):
    mask = np.ones((32, 32), bool)
    mask[:16, :16] = False

    def pruned(m):
        return Graph("pruned", {"x": (32,)}, (linear("fc", "x", 32, 32, mask=m),), ("fc",))

    placement = place(pruned(mask), crossbar(8))
    placement.save(tmp_path / "p.json")
    same(placement, load_placement(tmp_path / "p.json", pruned(mask), crossbar(8)))
    with pytest.raises(InputError, match=r"fc has tiles \[3\] in the placement, \[4\] here"):
        load_placement(tmp_path / "p.json", mlp_like(32), crossbar(8))
    with pytest.raises(InputError, match=r"of shard 0 is .*, the network is cut at"):
        load_placement(tmp_path / "p.json", pruned(mask[::-1]), crossbar(8))


def mlp_like(size):
    return Graph("pruned", {"x": (size,)}, (linear("fc", "x", size, size),), ("fc",))


def change(path, key, value):
    """Put a value at a dotted key of the JSON file; None removes it."""
    document = json.loads(path.read_text())
    *parents, last = key.split(".")
    at = document
    for name in parents:
        at = at[name]
    if value is None:
        del at[last]
    else:
        at[last] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "other", "this is no placement"),
        ("schema", 3, "schema 3.*legal: .neuromorph placement., 2"),
        ("seed", "0", "expected int, got '0'"),
        ("seed", True, "expected int, got True"),
        ("shared", 0, "expected bool"),
        ("copies", [], "expected dict"),
        ("copies.conv1", 0, "0 copies"),
        ("copies.conv1", 10**9, "1000000000 copies.*from 1 to 64"),
        ("copies.conv1", None, "None copies"),
        ("search", {}, "expected dict"),
        ("search.costs", {}, "costs of the search are incomplete"),
        ("search.lower_bound", float("nan"), "costs of the search"),
        ("columns", None, "expected dict, got None"),
        ("columns.core", [0], "core has 1 entries, the network has"),
        ("columns.core", "0", "expected a list of whole numbers"),
        ("columns.array", [1.5], "expected a list of whole numbers"),
        ("columns.tiles", [0, 0], "tiles must be different positions"),
        ("columns.tiles", [64], "tiles must be different positions"),
        ("columns.tiles", [1], "a shard lies in a tile that is not listed"),
        ("graph", 1, "expected dict"),
        ("architecture.components", [], "expected dict"),
    ],
)
def test_damaged_files_are_refused(placement, tmp_path, key, value, message):
    path = tmp_path / "p.json"
    placement.save(path)
    change(path, key, value)
    with pytest.raises(InputError, match=message) as caught:
        load_placement(path, cnn(), crossbar(64))
    assert caught.value.problems[0].place.file == str(path)


@pytest.mark.parametrize(
    ("column", "shard", "value", "message"),
    [
        ("core", 0, 64, "core of a shard lies outside"),
        ("array", 0, 1, "array of a shard lies outside"),
        ("array_row0", 0, 15, "array_row0 of a shard lies outside"),
        ("array_col0", 0, 31, "array_col0 of a shard lies outside"),
        ("row0", 0, 1, "row0 of shard 0 is 1, the network is cut at 0"),
        ("copy", 0, 1, "copy of shard 0 is 1"),
    ],
)
def test_moved_shards_are_refused(placement, tmp_path, column, shard, value, message):
    path = tmp_path / "p.json"
    placement.save(path)
    values = json.loads(path.read_text())["columns"][column]
    values[shard] = value
    change(path, f"columns.{column}", values)
    with pytest.raises(InputError, match=message):
        load_placement(path, cnn(), crossbar(64))


def test_shards_on_top_of_each_other_are_refused(placement, tmp_path):
    path = tmp_path / "p.json"
    placement.save(path)
    cores = json.loads(path.read_text())["columns"]["core"]
    cores[1] = cores[0]
    change(path, "columns.core", cores)
    with pytest.raises(InputError, match="two shards of one array share rows"):
        load_placement(path, cnn(), crossbar(64))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b'{"format": "neuromorph placement", ', "not valid JSON.*cut short"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"[1, 2]", "this is no placement"),
        (b"[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_other_files_are_refused(tmp_path, data, message):
    path = tmp_path / "p.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        load_placement(path, cnn(), crossbar(64))


def test_a_missing_or_oversized_file_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such file"):
        load_placement(tmp_path / "p.json", cnn(), crossbar(64))
    (tmp_path / "p.json").write_text("{}")
    monkeypatch.setattr(placed_file, "LARGEST", 1)
    with pytest.raises(InputError, match="the most is 1"):
        load_placement(tmp_path / "p.json", cnn(), crossbar(64))


def test_a_failed_write_leaves_the_older_file(placement, tmp_path, monkeypatch):
    path = tmp_path / "p.json"
    placement.save(path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(InputError, match="No space left"):
        placement.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.json"]
