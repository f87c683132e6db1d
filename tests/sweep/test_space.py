import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.sweep.space import FORMS, Axis, Point, make_points, parse_axes, parse_axis, split_value


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("core.adc.bits=4..8", (4, 5, 6, 7, 8)),
        ("b=4..17:4", (4, 8, 12, 16)),
        ("b=-2..1", (-2, -1, 0, 1)),
        ("b=1..3,8,16", (1, 2, 3, 8, 16)),
        ("cell.programming_noise=0x,0.5x, 1x,2.0x", ("0x", "0.5x", "1x", "2x")),
        ("v=0.1 V,0.20 V,2.0 V", ("0.1 V", "0.2 V", "2 V")),
        ("x=1e-3,.5,2.", (0.001, 0.5, 2.0)),
        ("x=log(1e-3, 1, 4)", (0.001, 0.01, 0.1, 1.0)),
        ("x=log:1 mV..100 mV:3", ("1 mV", "10 mV", "100 mV")),
        ("x=lin(0x,2x,5)", ("0x", "0.5x", "1x", "1.5x", "2x")),
        ("x=lin:0..1:3,5", (0.0, 0.5, 1.0, 5)),
        ("on=true,false", (True, False)),
        ("core.cell.part=hfox_1t1r,pcm-90nm", ("hfox_1t1r", "pcm-90nm")),
        ("model=a/b.nm,../c.nm", ("a/b.nm", "../c.nm")),
        ("seed=0..2", (0, 1, 2)),
    ],
)
def test_listed_axes(text, values):
    axis = parse_axis(text)
    assert axis == Axis(text.partition("=")[0], values)
    assert [type(v) for v in axis.values] == [type(v) for v in values]
    assert not axis.continuous


def test_continuous_axes():
    assert parse_axis("x=uniform(0.1 V, 1 V)") == Axis("x", low=0.1, high=1.0, unit="V")
    axis = parse_axis("x=loguniform(0.01x,100x)")
    assert [axis.at(u) for u in (0, 0.25, 0.5)] == ["0.01x", "0.1x", "1x"]
    assert Axis("x", low=2.0, high=4.0).at(0.5) == 3.0


def test_all_documented_forms_are_legal():
    for form in FORMS:
        axis = parse_axis(f"a={form}")
        assert axis.continuous == ("uniform" in form)
        assert axis.continuous or len(axis.values) >= 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bits", "not of the form path=values"),
        ("=4", "not of the form path=values"),
        ("a b=4", "not of the form path=values"),
        ("a=", "no values after '='"),
        ("a=8..4", "holds no value"),
        ("a=1..9:0", "holds no value"),
        ("a=1..99999999999", "more than 1,000,000 values"),
        ("a=0.1..0.5", "lin(first, last, number of values)"),
        ("a=1,,2", "empty value"),
        ("a=1,", "empty value"),
        ("a=log(0,1,3)", "both ends above zero"),
        ("a=log(1,10)", "three arguments"),
        ("a=log(1,10,1)", "2 or more"),
        ("a=log(1,10,x)", "2 or more"),
        ("a=log:1..10", "how many values"),
        ("a=log(10,1,3)", "first end below"),
        ("a=lin(1 V,2 A,3)", "same unit"),
        ("a=lin(a,b,3)", "does not start with a number"),
        ("a=logg(1,2,3)", "did you mean 'log'?"),
        ("a=uniform(1)", "two arguments"),
        ("a=uniform(0,1),3", "stands alone"),
        ("a=loguniform(0,1)", "above zero"),
        ("a=(1", "parenthesis open"),
        ("a=1)", "not opened"),
        ("a=nan", "not a finite number"),
        ("a=1e999", "not finite"),
        ("a=4,4", "listed twice"),
        ("a=1,1.0", "listed twice"),
        ("a=0.1 V,0.10 V", "listed twice"),
        ("seed=-1", "no legal seed"),
        ("seed=1.5", "no legal seed"),
        ("trials=0", "no legal trials"),
        ("a='x'", "is no value"),
    ],
)
def test_malformed_axes_name_the_path_and_the_legal_forms(text, message):
    with pytest.raises(InputError) as e:
        parse_axis(text)
    assert message in str(e.value)
    path = text.partition("=")[0]
    if path and " " not in path and "=" in text:
        assert str(e.value).startswith(f"{path}: ")
    if "twice" not in message and "no legal" not in message:
        assert "legal: path=4..8" in str(e.value)


def test_all_faulty_axes_are_reported_at_once():
    with pytest.raises(InputError) as e:
        parse_axes(["a=8..4", "b=1..2", "c=nan", "b=3"])
    assert [p.place.key for p in e.value.problems] == ["a", "c", "vary"]
    assert "b is varied twice" in str(e.value)
    with pytest.raises(InputError, match="nothing is varied"):
        parse_axes([])


def test_axes_from_python_values():
    axes = parse_axes({"a": [4, 5], "b": "4..5", "c": np.array([0.5, 1.0]), "d": 3, "e": Axis("e", (1,)), "f": ["1x"]})
    assert [a.values for a in axes] == [(4, 5), (4, 5), (0.5, 1.0), (3,), (1,), ("1x",)]
    assert all(type(v) is float for v in axes[2].values)
    for bad in ([None], [float("nan")], [[1]], ["(x"], []):
        with pytest.raises(InputError, match="a: "):
            parse_axes({"a": bad})


def test_grid_order_and_keys():
    points = make_points(parse_axes(["a=1..2", "b=x,y"]))
    assert [dict(p.parameters) for p in points] == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert [p.index for p in points] == [0, 1, 2, 3]
    assert len({p.key for p in points}) == 4
    assert Point(7, {"b": "x", "a": 1}).key == points[0].key  # neither order nor place matter


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["random", "lhs", "sobol"]), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_sampled_points_lie_in_their_ranges_and_repeat(method, number, seed):
    axes = parse_axes(["u=uniform(-1,3)", "l=loguniform(1 nA,1000 nA)", "n=4..8"])
    points = make_points(axes, method=method, points=number, seed=seed)
    assert len(points) == number
    assert points == make_points(axes, method=method, points=number, seed=seed)
    for p in points:
        assert -1 <= p.parameters["u"] <= 3
        current, unit = split_value(p.parameters["l"])
        assert unit == "nA"
        assert 1 <= current <= 1000
        assert p.parameters["n"] in range(4, 9)
        assert json.loads(json.dumps(dict(p.parameters))) == p.parameters


def test_latin_hypercube_and_sobol_fill_evenly():
    axis = parse_axes(["u=uniform(0,16)"])
    for method in ("lhs", "sobol"):
        cells = sorted(math.floor(p.parameters["u"]) for p in make_points(axis, method=method, points=16, seed=3))
        assert cells == list(range(16))  # one point in each of sixteen equal cells
    # Listed values get equal shares, and combinations that come twice appear once.
    assert [p.parameters["n"] for p in make_points(parse_axes(["n=1..4"]), method="lhs", points=64)] != []
    assert len(make_points(parse_axes(["n=1..4"]), method="lhs", points=64)) == 4


@pytest.mark.parametrize(
    ("vary", "options", "message"),
    [
        ("a=1..3", {"method": "gird"}, "legal: grid, random, lhs, sobol"),
        ("a=1..3", {"method": "lhs"}, "needs a number of points"),
        ("a=1..3", {"method": "random", "points": 0}, "needs a number of points"),
        ("a=1..3", {"method": "random", "points": 10**7}, "more than 1,000,000"),
        ("a=1..3", {"points": 4}, "leave --points out"),
        ("a=uniform(0,1)", {}, "no grid"),
    ],
)
def test_contradicting_options(vary, options, message):
    with pytest.raises(InputError, match=message):
        make_points(parse_axes([vary]), **options)


def test_a_grid_too_large_is_refused_before_it_is_built():
    with pytest.raises(InputError, match="1,000,000,000 points"):
        make_points(parse_axes([f"{c}=1..1000" for c in "abc"]))


def test_split_value():
    assert [split_value(v) for v in (4, 0.5, "0.5x", "0.1 V", "2e-3 uS", "word", "8bit", True)] == [
        (4.0, ""),
        (0.5, ""),
        (0.5, "x"),
        (0.1, "V"),
        (2e-3, "uS"),
        (None, ""),
        (None, ""),
        (None, ""),
    ]
