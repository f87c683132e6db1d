"""Quantization of graphs: weights on grids, calibrated inputs, binary and ternary weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compress_networks import batch, cnn, mlp, outputs, recurrent, same_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.compress import binarize, grid, prune, quantization, quantize, ternarize
from neuromorph.errors import InputError
from neuromorph.graph import operators as op
from neuromorph.graph.evaluate import evaluate
from neuromorph.graph.model import Graph, Node

hows = st.fixed_dictionaries(
    {
        "granularity": st.sampled_from(grid.GRANULARITIES),
        "scheme": st.sampled_from(grid.SCHEMES),
        "method": st.sampled_from(grid.METHODS),
        "percentile": st.sampled_from([90.0, 99.9]),
    }
)


def matrices_of(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if n.operator.weight_slots]


@given(st.integers(0, 20), st.integers(2, 16), hows, st.floats(0, 0.9))
@settings(deadline=None, max_examples=40)
def test_weights_are_on_their_grid_masks_stay_and_repeating_changes_nothing(
    seed: int, bits: int, how: dict, sparsity: float
) -> None:
    graph = prune(mlp(seed, (5, 6, 3)), sparsity)
    result = quantize(graph, bits, **how)
    for node, old in zip(matrices_of(result), matrices_of(graph), strict=True):
        o = node.operator
        assert o.mask is None if old.operator.mask is None else np.array_equal(o.mask, old.operator.mask)
        assert grid.on_grid(o.weight, o.weight_format, o.mask)
        assert o.mask is None or not o.weight[~o.mask].any()
        assert (o.weight_format.bits, o.weight_format.axis) == (bits, 0 if how["granularity"] == "channel" else None)
        assert np.array_equal(o.bias, old.operator.bias)
    assert same_weights(quantize(result, bits, **how), result)


@pytest.mark.parametrize("granularity", grid.GRANULARITIES)
@pytest.mark.parametrize("scheme", grid.SCHEMES)
def test_evaluation_rounds_quantized_weights_to_themselves(granularity: str, scheme: str) -> None:
    """The formats on the operators mean the same to the arithmetic that training and execution use."""
    import torch

    from neuromorph.graph.tensors import fake_quantize

    o = quantize(mlp(), 5, granularity=granularity, scheme=scheme)["fc1"].operator
    assert np.array_equal(fake_quantize(torch.tensor(o.weight), o.weight_format).numpy(), o.weight)


def test_mse_and_channels_lower_the_error_of_the_weights() -> None:
    graph = mlp(3, (30, 40, 10))

    def error(**how: str) -> float:
        return sum(
            float(((a.operator.weight - b.operator.weight) ** 2).sum())
            for a, b in zip(matrices_of(quantize(graph, 3, **how)), matrices_of(graph), strict=True)
        )

    assert error(method="mse") < error()
    assert error(method="mse", granularity="channel") < error(granularity="channel") < error()


def test_outputs_approach_the_float_network_with_bits() -> None:
    graph = cnn()
    x = batch(graph, 8)
    exact = outputs(graph, x)
    errors = [
        float(np.abs(outputs(quantize(graph, b, activations=b, granularity="channel", data=x), x) - exact).max())
        for b in (4, 8, 12, 16)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 2e-3 * float(np.abs(exact).max())


def test_input_formats_come_from_what_the_products_saw() -> None:
    graph = mlp()
    x = batch(graph, 300)
    result = quantize(graph, 8, activations=8, data=x)
    seen: dict[str, np.ndarray] = {"x": x}
    evaluate(quantize(graph, 8), x, record=lambda name, value: seen.update({name: value.numpy()}))
    for name, source, signed in (("fc1", "x", True), ("fc2", "relu1", False), ("fc3", "relu2", False)):
        number_format = result[name].operator.input_format
        assert (number_format.name, number_format.bits, number_format.signed) == ("int", 8, signed)
        assert float(number_format.scale) == pytest.approx(np.abs(seen[source]).max() / (127 if signed else 255))
        assert number_format.zero_point is None
    affine = quantize(graph, 8, activations=8, activation_scheme="affine", data=x)["fc1"].operator
    assert affine.weight_format.zero_point is None
    assert float(affine.input_format.scale) == pytest.approx((x.max() - x.min()) / 255)
    assert quantize(graph, 8)["fc1"].operator.input_format is None
    assert same_weights(quantize(result, 8, activations=8, data=x), result)


def test_one_bit_inputs_are_binary_where_signed_and_a_single_level_where_not() -> None:
    graph = mlp()
    x = batch(graph)
    result = quantize(graph, 8, activations=1, data=x)
    first, second = result["fc1"].operator.input_format, result["fc2"].operator.input_format
    assert (first.name, first.stored_bits) == ("binary", 1)
    assert float(first.scale) == pytest.approx(np.abs(x).mean())
    assert (second.name, second.bits, second.signed) == ("int", 1, False)


def test_recurrent_cells_get_formats_for_both_products() -> None:
    x = batch(recurrent())
    lstm = quantize(recurrent(), 6, activations=8, granularity="channel", data=x)["cell"].operator
    joined = np.concatenate([lstm.weight_ih, lstm.weight_hh], axis=1)
    assert grid.on_grid(joined, lstm.weight_format)
    assert lstm.weight_format.scale.shape == (20,)
    assert np.abs(grid.to_codes(joined, lstm.weight_format)).max(axis=1).tolist() == [31] * 20
    assert lstm.input_format.signed
    gru = quantize(recurrent(cell="GRU"), 6, activations=8, data=x)["cell"].operator
    assert gru.weight_format.scale != gru.hidden_weight_format.scale
    assert float(gru.input_format.scale) == pytest.approx(np.abs(x).max() / 127)
    assert 0 < float(gru.hidden_format.scale) <= 1 / 127  # hidden states lie within (-1, 1)


def test_all_chosen_layers_and_no_others_are_quantized() -> None:
    x = batch(mlp())
    result = quantize(mlp(), 8, activations=8, data=x, exclude="fc3")
    assert result["fc3"].operator == mlp()["fc3"].operator
    assert result["fc2"].operator.input_format is not None
    mixed = quantize(result, 4, layers="fc3")
    assert [mixed[n].operator.weight_format.bits for n in ("fc1", "fc2", "fc3")] == [8, 8, 4]


def test_one_bit_is_binarization_and_masks_hold() -> None:
    graph = prune(mlp(), 0.4)
    for granularity in grid.GRANULARITIES:
        result = quantize(graph, 1, granularity=granularity)
        assert same_weights(result, binarize(graph, granularity=granularity))
        o, old = result["fc2"].operator, graph["fc2"].operator
        assert (o.weight_format.name, o.weight_format.stored_bits) == ("binary", 1)
        assert np.array_equal(np.sign(o.weight), np.sign(old.weight))
        assert np.array_equal(o.weight == 0, ~o.mask)
    channel = binarize(graph)["fc2"].operator
    expected = np.abs(old.weight).sum(axis=1) / old.mask.sum(axis=1)
    assert np.abs(channel.weight).max(axis=1) == pytest.approx(expected)
    again = binarize(binarize(graph))
    assert all(
        np.allclose(a.operator.weight, b.operator.weight, rtol=1e-12)
        for a, b in zip(matrices_of(again), matrices_of(binarize(graph)), strict=True)
    )


def test_ternary_weights_follow_the_rule_and_stay_when_repeated() -> None:
    graph = mlp()
    result = ternarize(graph)
    for node in matrices_of(result):
        w, o = graph[node.name].operator.weight, node.operator
        above = np.abs(w) > 0.7 * np.abs(w).mean(axis=1, keepdims=True)
        scale = np.array([np.abs(row[k]).mean() for row, k in zip(w, above, strict=True)])
        assert o.weight == pytest.approx(np.sign(w) * above * scale[:, None])
        assert (o.weight_format.name, o.weight_format.stored_bits, o.mask) == ("ternary", 2, None)
        assert grid.on_grid(o.weight, o.weight_format)
    assert same_weights(ternarize(result), result)
    few = ternarize(graph, threshold=2.0, granularity="tensor")["fc1"].operator.weight
    assert np.count_nonzero(few) < np.count_nonzero(result["fc1"].operator.weight)


def test_calibration_sees_every_batch_and_thins_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "SAMPLED_VALUES", 100)
    seen = quantization.Observed()
    values = np.arange(1, 1001, dtype=float)
    for part in np.array_split(values, [3, 50, 51, 400, 733]):
        seen.see(part)
    kept = np.concatenate(seen.chunks)
    assert 50 < kept.size <= 100
    assert (np.diff(kept) == kept[1] - kept[0]).all()  # one even stride over all parts
    assert (seen.low, seen.high) == (0.0, 1000.0)
    x = batch(mlp(), 300)
    x[290, 2] = 40.0
    assert float(quantize(mlp(), 8, activations=8, data=x)["fc1"].operator.input_format.scale) == 40.0 / 127


@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_an_outlier_is_clipped_by_percentile_and_mse(method: str) -> None:
    x = batch(mlp(), 2000)
    x[0, 0] = 30.0
    scale = float(quantize(mlp(), 8, activations=4, method=method, data=x)["fc1"].operator.input_format.scale)
    assert scale < 0.5 * 30.0 / 7


def test_data_is_taken_by_name_for_several_inputs() -> None:
    nodes = (
        Node("sum", op.Add(), ("a", "b")),
        Node("fc", op.Linear(np.ones((2, 3))), ("sum",)),
    )
    graph = Graph("two", {"a": (3,), "b": (3,)}, nodes, ("fc",))
    data = {"a": np.full((4, 3), 1.0), "b": np.full((4, 3), 2.0)}
    for given_data in (data, [data["a"], data["b"]]):
        result = quantize(graph, 8, activations=8, data=given_data)
        assert float(result["fc"].operator.input_format.scale) == pytest.approx(3.0 / 255)
    with pytest.raises(InputError, match="inputs are"):
        quantize(graph, 8, activations=8, data={"a": data["a"]})
    with pytest.raises(InputError, match="different numbers"):
        quantize(graph, 8, activations=8, data={"a": data["a"], "b": data["b"][:2]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "from 1 to 16"),
        ({"bits": 17}, "from 1 to 16"),
        ({"bits": 4.0}, "not an integer"),
        ({"bits": 8, "activations": 0, "data": np.zeros((1, 8))}, "activations: 0 bits"),
        ({"bits": 8, "activations": 8}, "needs data"),
        ({"bits": 8, "granularity": "row"}, "tensor, channel"),
        ({"bits": 8, "scheme": "log"}, "symmetric, affine"),
        ({"bits": 8, "activation_scheme": "log"}, "symmetric, affine"),
        ({"bits": 8, "method": "entropy"}, "minmax, percentile, mse"),
        ({"bits": 8, "percentile": 0}, "between 50 and 100"),
        ({"bits": 1, "scheme": "affine"}, "binarization"),
        ({"bits": 8, "layers": "conv1"}, "no layer is named 'conv1'"),
        ({"bits": 8, "activations": 8, "data": np.zeros((2, 7))}, r"not \(batch, 8\)"),
        ({"bits": 8, "activations": 8, "data": np.zeros(8)}, r"not \(batch, 8\)"),
        ({"bits": 8, "activations": 8, "data": np.zeros((0, 8))}, "no sample"),
        ({"bits": 8, "activations": 8, "data": np.full((2, 8), np.nan)}, "NaN"),
        ({"bits": 8, "activations": 8, "data": np.zeros((2, 8), dtype=np.uint8)}, "not floating point"),
        ({"bits": 8, "activations": 8, "data": [["a"]]}, "no array"),
        ({"bits": 8, "activations": 8, "data": np.array([None])}, "no array"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        quantize(mlp(), **arguments)


def test_bad_rules_of_ternary_and_binary_weights_are_refused() -> None:
    with pytest.raises(InputError, match="threshold"):
        ternarize(mlp(), threshold=-1)
    with pytest.raises(InputError, match="threshold"):
        ternarize(mlp(), threshold=float("nan"))
    with pytest.raises(InputError, match="tensor, channel"):
        binarize(mlp(), granularity="row")


def test_weights_that_are_not_finite_are_refused() -> None:
    graph = mlp()
    bad = op.Linear(np.where(np.eye(12, 8) > 0, np.nan, graph["fc1"].operator.weight))
    broken = replace(graph, nodes=(replace(graph.nodes[0], operator=bad), *graph.nodes[1:]))
    for change in (lambda g: quantize(g, 8), binarize, ternarize):
        with pytest.raises(InputError, match="fc1: 8 of 96"):
            change(broken)


def test_inputs_that_overflow_inside_the_network_are_refused() -> None:
    graph = mlp()
    big = op.Linear(graph["fc1"].operator.weight * 1e200)
    huge = replace(graph, nodes=(replace(graph.nodes[0], operator=big), *graph.nodes[1:]))
    with pytest.raises(InputError, match="overflow"):
        quantize(huge, 8, activations=8, data=batch(graph) * 1e200)
