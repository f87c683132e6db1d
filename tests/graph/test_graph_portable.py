"""The portable graph format: exact round trips, compact files, saving that fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from graph_examples import EXAMPLES, IDS, as_graph, on_grid, rng, small_graph, w
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from neuromorph.errors import InputError
from neuromorph.graph.formats.uniform import Binary, Int, Ternary, Uniform
from neuromorph.graph.model import Graph, Operator
from neuromorph.graph.operators import activation, dense
from neuromorph.importers import read_graph, save_graph
from neuromorph.importers.packing import pack, unpack
from neuromorph.importers.portable import save


@pytest.mark.parametrize(("operator", "shapes"), EXAMPLES, ids=IDS)
def test_every_operator_comes_back_as_it_was(operator: Operator, shapes: list[tuple[int, ...]], tmp_path: Path) -> None:
    graph = as_graph(operator, shapes)
    path = save(graph, tmp_path / "m.nmg.json")
    assert read_graph(path) == graph
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.nmg.json", "m.nmg.safetensors"]


def test_a_whole_graph_comes_back_and_saving_is_reproducible(tmp_path: Path) -> None:
    graph = small_graph()
    a, b = save(graph, tmp_path / "a"), save(graph, str(tmp_path / "b.nmg.json"))
    assert a.name == "a.nmg.json"
    assert read_graph(a) == read_graph(b) == read_graph(save_graph(graph, tmp_path / "c")) == graph
    assert (tmp_path / "a.nmg.safetensors").read_bytes() == (tmp_path / "b.nmg.safetensors").read_bytes()


def test_shared_operators_stay_shared(tmp_path: Path) -> None:
    layer = dense.Linear(w(3, 3))
    graph = as_graph(layer, [(3,)])
    second = type(graph.nodes[0])("z", layer, ("y",))
    graph = Graph("twice", graph.input_shapes, (*graph.nodes, second), ("z",))
    back = read_graph(save(graph, tmp_path / "m"))
    assert back["y"].operator is back["z"].operator
    assert len(load_file(tmp_path / "m.nmg.safetensors")) == 1


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["int", "binary", "ternary"]),
    bits=st.integers(1, 16),
    signed=st.booleans(),
    per_row=st.booleans(),
    affine=st.booleans(),
    pruned=st.booleans(),
    seed=st.integers(0, 10_000),
)
def test_weights_on_a_grid_are_packed_and_unpacked_exactly(
    kind: str, bits: int, signed: bool, per_row: bool, affine: bool, pruned: bool, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    shape = (draw.integers(1, 5), draw.integers(1, 6), 2)
    scale = draw.random(shape[0]) + 0.1 if per_row else draw.random() + 0.1
    zero = draw.integers(-3, 4, size=shape[0]).astype(float) if affine and kind == "int" and per_row else None
    axis = 0 if per_row else None
    number_format: Uniform = Int(bits, signed, scale=scale, zero_point=zero, axis=axis)
    if kind != "int":
        number_format = {"binary": Binary, "ternary": Ternary}[kind](scale=scale, axis=axis)
    mask = draw.random(shape) < 0.4 if pruned else None
    array = on_grid(shape, number_format)
    array = array if mask is None else np.where(mask, array, 0.0)
    encoding, stored = pack(array, number_format, mask, None)
    needed = {"binary": 1, "ternary": 2}.get(kind, bits)
    width = next(v for v in (1, 2, 4, 8, 16) if v >= needed)
    count = array.size if mask is None else int(mask.sum())
    assert stored.nbytes == -(-count * width // 8)
    np.testing.assert_array_equal(unpack(stored, encoding, shape, number_format, mask), array)


def test_files_are_as_small_as_their_weights(tmp_path: Path) -> None:
    shape = (64, 256)
    sizes = {}
    for bits, density in ((32, 1.0), (8, 1.0), (4, 1.0), (8, 0.1)):
        mask = rng.random(shape) < density if density < 1 else None
        number_format = None if bits == 32 else Int(bits, scale=0.125)
        weight = w(*shape).astype(np.float32) if number_format is None else on_grid(shape, number_format)
        weight = weight if mask is None else np.where(mask, weight, 0)
        save(as_graph(dense.Linear(weight, mask=mask, weight_format=number_format), [(256,)]), tmp_path / "m")
        sizes[bits, density] = (tmp_path / "m.nmg.safetensors").stat().st_size
    n = 64 * 256
    assert sizes[32, 1.0] < 4 * n + 500
    assert sizes[8, 1.0] < n + 500
    assert sizes[4, 1.0] < n / 2 + 500
    assert sizes[8, 0.1] < n / 8 + 0.12 * n + 500


def test_weights_off_the_grid_are_kept_exactly_and_dtype_rounds(tmp_path: Path) -> None:
    number_format = Int(4, scale=0.5)
    graph = as_graph(dense.Linear(np.array([[0.3, 1e-12, 1 / 3]]), weight_format=number_format), [(3,)])
    assert read_graph(save(graph, tmp_path / "m")) == graph
    half = read_graph(save(graph, tmp_path / "m", dtype="float16"))
    np.testing.assert_array_equal(half["y"].operator.weight, graph["y"].operator.weight.astype(np.float16))
    with pytest.raises(InputError, match="float16, float32, float64"):
        save(graph, tmp_path / "m", dtype="int8")


def test_nothing_is_written_for_nan_or_into_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="NaN"):
        save(as_graph(dense.Linear(np.full((2, 2), np.nan)), [(2,)]), tmp_path / "m")
    with pytest.raises(InputError, match="cannot be written"):
        save(small_graph(), tmp_path / "nowhere" / "m")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_files_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(small_graph(), tmp_path / "m")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    done = []

    def full(handle: int) -> None:
        if done:
            raise OSError(28, "No space left on device")
        done.append(handle)

    monkeypatch.setattr("os.fsync", full)  # the weights fit, the structure does not
    with pytest.raises(InputError, match="No space left"):
        save(as_graph(activation.ReLU(), [(3,)]), path)
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
