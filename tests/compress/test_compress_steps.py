"""Compression written as text: parsing, strict errors, and the same result as the functions."""

from __future__ import annotations

import numpy as np
import pytest
from compress_networks import batch, cnn, mlp, same_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.compress import apply_steps, binarize, needs_data, parse_steps, prune, quantize, ternarize
from neuromorph.errors import InputError


def test_steps_do_what_the_functions_do() -> None:
    graph = mlp()
    x = batch(graph)
    text = "prune:0.9,scope=global;quantize:8,activations=8,method=mse,granularity=channel"
    expected = quantize(prune(graph, 0.9), 8, activations=8, method="mse", granularity="channel", data=x)
    assert same_weights(apply_steps(graph, text, x), expected)
    assert same_weights(apply_steps(graph, parse_steps(text), x), expected)
    assert same_weights(apply_steps(graph, "binarize:granularity=tensor"), binarize(graph, granularity="tensor"))
    assert same_weights(
        apply_steps(graph, "ternarize:0.5,exclude=fc1+fc3"), ternarize(graph, threshold=0.5, layers="fc2")
    )
    assert same_weights(
        apply_steps(graph, " prune : structure = 2:4 , layers=fc1 ;"), prune(graph, structure="2:4", layers="fc1")
    )
    small = apply_steps(cnn(), "prune:0.5,structure=channel,remove=true,norm=l2")
    assert small["conv1"].operator.weight.shape[0] < 6


def test_values_are_typed_and_names_split() -> None:
    (step,) = parse_steps("quantize:bits=4,percentile=99.5,scheme=affine,exclude=a+b*")
    assert step.arguments == {"bits": 4, "percentile": 99.5, "scheme": "affine", "exclude": ("a", "b*")}
    (step,) = parse_steps("prune:.5,remove=false")
    assert step.arguments == {"sparsity": 0.5, "remove": False}


def test_only_calibration_needs_data() -> None:
    assert needs_data(parse_steps("prune:0.5;quantize:4,activations=8"))
    assert not needs_data(parse_steps("prune:0.5;quantize:4;binarize"))


@given(
    st.lists(
        st.sampled_from(
            [
                "prune:0.5,scope=layer",
                "prune:structure=2:4",
                "prune:0.25,structure=channel,remove=true",
                "quantize:8,activations=4",
                "quantize:3,layers=fc1+fc2",
                "binarize",
                "ternarize:0.7",
            ]
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=20)
def test_a_step_prints_as_the_text_that_makes_it(steps: list[str]) -> None:
    parsed = parse_steps(";".join(steps))
    assert [str(s) for s in parsed] == steps
    assert parse_steps(";".join(map(str, parsed))) == parsed


@given(st.text(alphabet="prune:quantize0.9,=;+ \t\nbit", max_size=30))
@settings(deadline=None, max_examples=150)
def test_any_text_is_parsed_or_refused_with_a_problem(text: str) -> None:
    try:
        steps: tuple = parse_steps(text)
    except InputError as error:
        steps = error.problems
    assert steps


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a step is empty"),
        (";", "a step is empty"),
        ("prune:0.5;;quantize:8", "step 2: a step is empty"),
        ("prun:0.5", "step 1: step 'prun' is not known .did you mean 'prune'"),
        ("compress:8", "legal: prune, quantize, binarize, ternarize"),
        ("prune:0.5,scop=layer", "option 'scop' is not known .did you mean 'scope'"),
        ("prune:0.5,scope=lyer", "'lyer' is not known .did you mean 'layer'"),
        ("quantize:8,method=kl", "legal: minmax, percentile, mse"),
        ("prune:half", "sparsity: 'half' is not a number"),
        ("quantize:8.5", "bits: '8.5' is not an integer"),
        ("quantize", "bits is missing"),
        ("quantize:activations=8", "bits is missing"),
        ("quantize:8,bits=4", "given twice"),
        ("quantize:8,4", "'4' has no name"),
        ("quantize:8,,method=mse", "an argument is empty"),
        ("quantize:8,method=", "has no value"),
        ("binarize:3", "has no name"),
        ("prune:0.5,structure=channel,remove=yes", "not true or false"),
        ("quantize:8,data=x", "option 'data' is not known"),
    ],
)
def test_wrong_texts_are_refused_with_place_and_remedy(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_steps(text)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_steps("prun:0.5;quantize:x,methd=mse;prune:0.5")
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prune:0.5;prune:2", r"step 2 \(prune:2.0\) sparsity: sparsity 2.0 is not"),
        ("quantize:8,activations=8", r"step 1 \(quantize:8,activations=8\) data: .* needs data"),
        ("quantize:20", "from 1 to 16"),
        ("prune:0.5,layers=fcc1", "did you mean 'fc1'"),
        ("prune:0.5,structure=3:4", "contradicts"),
        ("prune:structure=3:5", r"divisible by 5"),
        ("prune:structure=diagonal", "is not known"),
        ("prune", "sparsity is missing"),
    ],
)
def test_problems_of_a_step_name_the_step(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        apply_steps(mlp(), text)


def test_the_graph_given_is_left_as_it_was() -> None:
    graph = mlp()
    before = {n.name: {k: np.array(v) for k, v in n.operator.arrays().items()} for n in graph.nodes}
    apply_steps(graph, "prune:0.5;quantize:2;binarize;ternarize")
    for node in graph.nodes:
        assert all(np.array_equal(before[node.name][k], v) for k, v in node.operator.arrays().items())
        assert getattr(node.operator, "mask", None) is None
