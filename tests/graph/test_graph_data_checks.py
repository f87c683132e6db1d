"""Inputs and labels in whatever form they come are checked in one place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from graph_examples import as_graph, w

from neuromorph.errors import InputError
from neuromorph.events.inputs import as_inputs, as_raster
from neuromorph.events.raster import Raster
from neuromorph.graph.data import as_array, as_labels, as_targets, check_data, classes_of, read_data
from neuromorph.graph.operators import activation, dense


@pytest.mark.parametrize("make", [np.array, list, torch.tensor, lambda v: torch.tensor(v, dtype=torch.uint8)])
def test_labels_in_any_form(make) -> None:
    found = as_labels(make([0, 2, 1]), 3, 3)
    assert found is not None
    assert found.dtype == np.int64
    assert found.tolist() == [0, 2, 1]
    assert as_labels(None, 3, 3) is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], "labels: 2 labels for 3 samples"),
        ([0, 1, 3], "labels run from 0 to 3, the network tells classes 0 to 2"),
        ([0, -1, 2], "labels run from -1 to 2"),
        ([0.0, 1.0, 2.0], "dtype float64, expected whole numbers: a label is a class"),
        (torch.tensor([0.0, 1.0, 2.0]), "dtype float32"),
        ([True, False, True], "dtype bool"),
        (np.eye(3), r"shape \(3, 3\), expected one per sample: \(3,\) \(give class numbers, not one-hot rows\)"),
        (np.zeros((3, 1), int), r"shape \(3, 1\), expected one per sample"),
        (["a", "b", "c"], "expected real numbers"),
        ([[0], [1, 2], []], "different lengths"),
    ],
)
def test_wrong_labels_are_refused(labels, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_labels(labels, 3, 3)


def test_a_label_at_each_place_may_be_1_at_one_place_of_every_sample(tmp_path) -> None:
    """Which token is the one asked for looks like one-hot rows, and is none where outputs have classes per token."""
    tags = np.array([[0, 1, 0, 0], [0, 0, 0, 1]])
    per_token = as_graph(dense.Linear(w(2, 3)), [(4, 3)])
    assert as_targets(tags, 2, per_token).tolist() == tags.tolist()
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=np.ones((2, 4, 3)), y=tags)
    x, y = read_data(path)
    assert y is not None
    assert y.tolist() == tags.tolist()
    check_data(per_token, x, y)
    with pytest.raises(InputError, match="one-hot rows"):
        as_targets(tags, 2, as_graph(dense.Linear(w(4, 3)), [(3,)]))
    with pytest.raises(InputError, match="one-hot rows"):
        as_targets(tags * 1.0, 2, as_graph(dense.Linear(w(4, 3)), [(3,)]))


def test_classes_of_a_graph() -> None:
    assert classes_of(as_graph(dense.Linear(w(3, 4)), [(4,)])) == 3
    with pytest.raises(InputError, match=r"returns values of shape \(2, 2\)"):
        classes_of(as_graph(activation.ReLU(), [(2, 2)]))


@pytest.mark.parametrize(
    "make", [np.asarray, np.ndarray.tolist, torch.from_numpy, lambda x: torch.from_numpy(x).half()]
)
def test_inputs_in_any_form(make) -> None:
    graph = as_graph(dense.Linear(w(3, 4)), [(4,)])
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    assert np.array_equal(as_inputs(make(x), graph, dense=True), x)


def test_a_tensor_of_bfloat16_and_one_that_learns() -> None:
    assert as_array(torch.ones(2, dtype=torch.bfloat16)).tolist() == [1, 1]
    assert as_array(torch.ones(2, requires_grad=True)).tolist() == [1, 1]


IMAGES = as_graph(activation.ReLU(), [(3, 8, 6)])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((5, 8, 6, 3), r"\(8, 6, 3\), one takes \(3, 8, 6\) .*transpose with \w+.transpose\(0, 3, 1, 2\)"),
        ((5, 6, 8, 3), r"transpose with \w+.transpose\(0, 3, 2, 1\); a reshape would mix values"),
        ((3, 8, 6), r"this is one sample: give \w+\[None\]"),
        ((5, 144), r"reshape \w+ to \('samples', 3, 8, 6\)"),
        ((5, 1, 8, 6), "use data of that length"),
        ((5, 7), "the network was trained for"),
        ((0, 3, 8, 6), "hold no sample"),
        ((), "hold no sample"),
    ],
)  # fmt: skip
def test_inputs_of_another_shape_get_the_advice_that_keeps_values_in_place(shape, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_inputs(np.ones(shape, np.float32), IMAGES, dense=True)
    if len(shape) > 1 and shape[0]:
        with pytest.raises(InputError, match=message):
            check_data(IMAGES, np.ones(shape, np.float32), None)


def test_the_advice_to_transpose_is_right() -> None:
    last = np.random.default_rng(0).random((2, 8, 6, 3))
    assert np.array_equal(as_inputs(last.transpose(0, 3, 1, 2), IMAGES, dense=True), np.moveaxis(last, -1, -3))


@pytest.mark.parametrize(("bad", "message"), [(np.nan, "1 of 8 values are not finite"), (np.inf, "not finite")])
def test_values_that_are_not_finite(bad: float, message: str) -> None:
    x = np.ones((2, 4))
    x[1, 2] = bad
    for dense_ in (True, False):
        graph = as_graph(activation.ReLU(), [(4,)]) if dense_ else as_graph(activation.ReLU(), [(2, 2)])
        with pytest.raises(InputError, match=message):
            as_inputs(x if dense_ else x.reshape(2, 2, 2), graph, dense=dense_)


def test_a_graph_of_two_inputs() -> None:
    from neuromorph.graph.operators import wiring

    two = as_graph(wiring.Concat(-1), [(4,), (4,)])
    with pytest.raises(InputError, match="takes 2 inputs"):
        as_inputs(np.ones((1, 4)), two, dense=True)


def test_events_and_values_stand_for_each_other() -> None:
    graph = as_graph(activation.ReLU(), [(5, 2, 3, 4)])
    x = (np.random.default_rng(1).random((3, 5, 2, 3, 4)) < 0.3).astype(np.float32)
    raster = Raster.from_dense(x)
    assert np.array_equal(as_inputs(raster, graph, dense=True), x)
    flat = Raster.from_dense(x.reshape(3, 5, -1))
    assert np.array_equal(as_inputs(flat, graph, dense=True), x)
    for given in (x, x.tolist(), torch.from_numpy(x), x.reshape(3, 5, -1), raster):
        found = as_inputs(given, graph, dense=False)
        assert isinstance(found, Raster)
        assert np.array_equal(found.dense().reshape(x.shape), x)


def test_events_that_do_not_fit() -> None:
    graph = as_graph(activation.ReLU(), [(5, 2, 3, 4)])
    with pytest.raises(InputError, match=r"events are over \(7,\), one takes \(2, 3, 4\) at every step"):
        as_inputs(Raster.from_dense(np.ones((1, 5, 7))), graph, dense=False)
    with pytest.raises(InputError, match=r"transpose with inputs.transpose\(0, 1, 4, 2, 3\)"):
        as_inputs(np.ones((1, 5, 3, 4, 2)), graph, dense=False)
    with pytest.raises(InputError, match="6 along its first axis, not 5"):
        as_inputs(Raster.from_dense(np.ones((1, 6, 2, 3, 4))), graph, dense=True)
    with pytest.raises(InputError, match=r"events are binned in steps of 0\.002 s, net takes steps of 0\.001 s"):
        as_raster(Raster.from_dense(np.ones((1, 5, 24)), 2e-3), (24,), 1e-3, "net")
    with pytest.raises(InputError, match="no time axis"):
        as_inputs(np.ones((1, 4)), as_graph(activation.ReLU(), [(4,)]), dense=False)
