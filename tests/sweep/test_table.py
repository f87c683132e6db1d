import csv
import io
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.sweep.plots import plot_all, plot_heat, plot_metric, plot_pareto, save
from neuromorph.sweep.space import make_points, parse_axes
from neuromorph.sweep.store import Outcome
from neuromorph.sweep.table import metric_names, pareto, tidy, to_csv


def sample():
    """A table whose accuracy depends on bits and noise, whose area on bits alone."""
    points = make_points(parse_axes(["core.adc.bits=4..7", "core.cell.noise=0x,1x,2x"]))
    outcomes = []
    for p in points:
        bits, noise = p.parameters["core.adc.bits"], float(str(p.parameters["core.cell.noise"])[:-1])
        accuracy = 1 - math.exp(-bits) - 0.05 * noise
        metrics = {"accuracy": accuracy, "accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.02}
        metrics |= {"energy_j": 1e-9 * 2**bits * (1 + noise / 100), "area_m2": 1e-6 * bits}
        outcomes.append(Outcome(p.key, "done", metrics))
    return points, outcomes


def test_every_row_has_every_column_and_csv_keeps_every_digit():
    points, outcomes = sample()
    outcomes[3] = Outcome(outcomes[3].key, "error", {}, 'ValueError: "quoted",\nwith a line break')
    table = tidy(points, outcomes)
    columns = ["core.adc.bits", "core.cell.noise", "accuracy", "accuracy_low", "accuracy_high", "energy_j", "area_m2"]
    assert all(list(r) == [*columns, "status", "error"] for r in table)
    back = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert len(back) == 12
    assert back[3]["accuracy"] == ""
    assert back[3]["error"] == outcomes[3].error
    assert all(float(b["accuracy"]) == r["accuracy"] for b, r in zip(back, table, strict=True) if b["accuracy"])
    assert metric_names(table, ["core.adc.bits", "core.cell.noise"]) == ["accuracy", "energy_j", "area_m2"]
    assert to_csv([]) == "\n"


def test_a_metric_with_a_parameters_name_gets_a_column_of_its_own():
    points = make_points(parse_axes(["trials=1..2"]))
    table = tidy(points, [Outcome(p.key, "done", {"trials": 9.0}) for p in points])
    assert [r["trials"] for r in table] == [1, 2]
    assert [r["trials (metric)"] for r in table] == [9.0, 9.0]


@given(st.lists(st.tuples(*[st.integers(0, 6) | st.none()] * 3), max_size=40))
def test_pareto_equals_the_definition(values):
    table = [dict(zip("abc", v, strict=True)) for v in values] or [{"a": None, "b": None, "c": None}]
    known = [r for r in table if None not in r.values()]

    def beats(r, s):
        mine, other = (r["a"], r["b"], -r["c"]), (s["a"], s["b"], -s["c"])
        return all(m <= o for m, o in zip(mine, other, strict=True)) and mine != other

    expected = [r for r in known if not any(beats(s, r) for s in known)]
    assert pareto(table, minimise=["a", "b"], maximise=["c"]) == expected


def test_pareto_needs_metrics_that_exist():
    table = tidy(*sample())
    with pytest.raises(InputError, match=r"columns: core\.adc\.bits"):
        pareto(table, minimise=["energy"])
    with pytest.raises(InputError, match="no metric"):
        pareto(table)


def test_plot_draws_the_rows_with_their_intervals():
    table = tidy(*sample())
    figure = plot_metric(table, "accuracy", "core.adc.bits", by="core.cell.noise")
    containers = figure.axes[0].containers
    assert len(containers) == 3
    assert list(containers[0].lines[0].get_xdata()) == [4, 5, 6, 7]
    assert list(containers[0].lines[0].get_ydata()) == [r["accuracy"] for r in table[::3]]
    bars = containers[0].lines[2][0].get_segments()
    assert bars[0][0][1] == pytest.approx(table[0]["accuracy"] - 0.01)
    assert bars[0][1][1] == pytest.approx(table[0]["accuracy"] + 0.02)
    # Where several rows share a mark it is their median, and the band reaches from the least to the greatest.
    axes = plot_metric(table, "accuracy", "core.adc.bits").axes[0]
    assert list(axes.lines[0].get_ydata()) == [r["accuracy"] for r in table[1::3]]
    band = axes.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((table[2]["accuracy"], table[9]["accuracy"]))


def test_heat_map_and_pareto_plot_hold_the_values():
    table = tidy(*sample())
    image = plot_heat(table, "area_m2", "core.adc.bits", "core.cell.noise").axes[0].images[0]
    assert [[round(v, 9) for v in line] for line in image.get_array().tolist()] == [[4, 5, 6, 7]] * 3  # mm²
    front = pareto(table, minimise=["energy_j"], maximise=["accuracy"])
    line = plot_pareto(table, minimise=["energy_j"], maximise=["accuracy"]).axes[0].lines[0]
    assert list(line.get_xdata()) == sorted(r["energy_j"] for r in front)
    with pytest.raises(InputError, match="two metrics"):
        plot_pareto(table, minimise=["energy_j"])
    with pytest.raises(InputError, match="no column 'power'"):
        plot_metric(table, "power", "core.adc.bits")


def test_word_axes_and_wide_axes():
    table = [
        {"part": p, "x": x, "y": 1.0 * i, "status": "done", "error": ""}
        for i, (p, x) in enumerate([("pcm", "1 nA"), ("reram", "10 nA"), ("sonos", "1000 nA")])
    ]
    axes = plot_metric(table, "y", "part").axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["pcm", "reram", "sonos"]
    assert plot_metric(table, "y", "x").axes[0].get_xscale() == "log"


def test_pictures_of_a_sweep(tmp_path):
    points, outcomes = sample()
    table = tidy(points, [replace(o, metrics={k: o.metrics[k] for k in ("accuracy", "area_m2")}) for o in outcomes])
    files = plot_all(table, list(points[0].parameters), tmp_path, kind="svg")
    assert [f.name for f in files] == [
        "pareto_area_m2.svg",
        "accuracy_against_core.adc.bits.svg",
        "accuracy_against_core.cell.noise.svg",
        "accuracy_map.svg",
        "area_m2_against_core.adc.bits.svg",  # and none over the noise, which area does not depend on
    ]
    assert all(f.read_text().rstrip().endswith("</svg>") for f in files)


def test_a_picture_is_the_same_each_time_and_of_a_known_format(tmp_path):
    table = tidy(*sample())
    for kind, mark in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        files = [
            save(plot_pareto(table, minimise=["energy_j", "area_m2"]), tmp_path / f"{i}.{kind}").read_bytes()
            for i in "ab"
        ]
        assert files[0] == files[1]
        assert files[0].startswith(mark)
    with pytest.raises(InputError, match=r"end the name with \.png"):
        save(plot_pareto(table, minimise=["energy_j", "area_m2"]), tmp_path / "p.bmp")
