"""Reports side by side: differences, fronts, names that tell them apart, and what is refused."""

from __future__ import annotations

import csv
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_example import HOSTILE, example, variant

from neuromorph.errors import InputError
from neuromorph.report import compare, write_report
from neuromorph.report.comparison import pareto
from neuromorph.report.comparison_page import scatter
from neuromorph.report.comparison_page import table as page_table

BASE = example(chips=4)

spans = st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)).map(
    lambda t: (t[0] - t[1], t[0], sum(t[::2]))
)
pairs = st.lists(st.tuples(spans, spans) | st.none(), max_size=12)


@given(pairs)
def test_front_is_what_nothing_beats_beyond_the_intervals(points):
    known = [i for i, p in enumerate(points) if p is not None]

    def beats(i, j):
        (cost, merit), (other_cost, other_merit) = points[i], points[j]
        no_worse = cost[1] <= other_cost[1] and merit[1] >= other_merit[1]
        return no_worse and (cost[2] < other_cost[0] or merit[0] > other_merit[2])

    expected = {j for j in known if not any(beats(i, j) for i in known)}
    assert set(pareto(points)) == expected
    assert bool(known) == bool(expected)
    assert [points[i][0][1] for i in pareto(points)] == sorted(points[i][0][1] for i in expected)


@given(pairs)
def test_wider_intervals_beat_no_more(points):
    wide = [p and tuple((s[0] - 1, s[1], s[2] + 1) for s in p) for p in points]
    assert set(pareto(points)) <= set(pareto(wide))


def priced(joules, unmodelled=()):
    """BASE with a ledger of these rows: (component, kind) -> J."""
    one = {**BASE.ledger[0], "each_j": 1.0, "low_j": None, "high_j": None}
    rows = tuple(
        {**one, "component": path, "kind": kind, "count": value, "energy_j": value}
        for (path, kind), value in joules.items()
    )
    whole = sum(joules.values())
    metrics = tuple(replace(m, value=whole) if m.name == "energy" else m for m in BASE.metrics)
    return replace(BASE, ledger=rows, metrics=metrics, unmodelled=tuple(unmodelled))


def test_the_ratio_of_energies_is_that_of_the_parts_that_all_price():
    core, io = ("chip.tile.core.adc", "dynamic"), ("chip.io", "static")
    one = priced({core: 1.0, ("chip.tile.core.dac", "dynamic"): 1.0}, ["chip.io: absent", "clocks: no component"])
    other = priced({("chip.tile.core", "dynamic"): 2.6, io: 17.0}, ["chip.tile.core.mac: refresh"])
    found = compare([one, other], names=["a", "b"])
    assert found.coverage.common == ("core",)
    assert found.coverage.shared == pytest.approx((2.0, 2.6))
    assert found.coverage.whole == pytest.approx((2.0, 19.6))
    assert found.difference_text(1, "energy") == "common +30 %, whole × 9.8"
    assert found.difference_text(1, "power").startswith("whole")
    assert [s["core"] for s in found.coverage.status] == ["priced", "in part"]
    assert [s["io"] for s in found.coverage.status] == ["not on this chip", "–"]
    assert found.coverage.status[0]["clocks"] == "not modelled"
    reports = json.loads(found.to_json())["coverage"]["reports"]
    assert reports[1]["common_ratio"] == pytest.approx(1.3)
    assert reports[1]["whole_ratio"] == pytest.approx(9.8)


def test_reports_with_nothing_in_common_have_no_ratio():
    found = compare([priced({("chip.io", "dynamic"): 1.0}), priced({("chip.link", "dynamic"): 3.0})], names=["a", "b"])
    assert found.coverage.common == ()
    assert found.difference_text(1, "energy") == "nothing in common, whole × 3"
    assert json.loads(found.to_json())["coverage"]["reports"][1]["common_ratio"] is None


def test_differences_are_to_the_first():
    found = compare([BASE, variant(BASE, 0.99, energy=1.5, latency=4.0, area=0.02)], names=["a", "b"])
    assert found.difference(0, "energy") == 0.0
    assert found.difference_text(0, "energy") == ""
    assert found.difference(1, "energy") == pytest.approx(0.5)
    assert found.difference_text(1, "energy") == "+50 %"
    assert found.difference_text(1, "latency") == "× 4"
    assert found.difference_text(1, "area") == "× 0.02"
    assert found.difference_text(1, "throughput") == "equal"
    assert found.difference(1, "accuracy") == pytest.approx(0.99 - BASE["accuracy"].value)
    assert found.difference_text(1, "accuracy") == f"{99 - 100 * BASE['accuracy'].value:+.2f} points"


def test_unknown_values_have_no_difference_and_are_not_zero(tmp_path: Path):
    unknown = replace(BASE, metrics=tuple(m for m in BASE.metrics if m.name not in ("energy", "accuracy")))
    found = compare([BASE, unknown], tmp_path, names=["a", "b"])
    assert found.text(1, "energy") == "not modelled"
    assert found.text(1, "accuracy") == "not run"
    assert found.difference(1, "energy") is None
    assert found.difference_text(1, "energy") == ""
    rows = list(csv.DictReader(found.files["compare.csv"].read_text().splitlines()))
    assert (rows[0]["energy_j"], rows[1]["energy_j"]) == (str(BASE["energy"].value), "")
    # both reports write 0 J of static energy without any component that has a figure for it
    assert [r["static_energy_j"] for r in rows] == ["", ""]
    data = json.loads(found.files["compare.json"].read_text())
    assert [r["metrics"]["static_energy"]["value"] for r in data["reports"]] == [None, None]
    assert any("not in the plots: b" in note for note in found.notes)


def test_files_read_back(tmp_path: Path):
    for i in range(3):
        write_report(variant(BASE, 0.9 + 0.01 * i, energy=1.0 + i), tmp_path / f"run{i}")
    folders = [tmp_path / "run0", str(tmp_path / "run1" / "report.json"), BASE]
    found = compare(folders, tmp_path / "out")
    assert sorted(found.files) == ["compare.csv", "compare.html", "compare.json"]
    data = json.loads(found.files["compare.json"].read_text(), parse_constant=lambda c: pytest.fail(c))
    assert data["schema"] == 1
    assert [r["name"] for r in data["reports"]] == list(found.names)
    assert data["pareto"]["energy"] == [found.names[i] for i in found.front("energy")]
    assert data["reports"][1]["difference"]["energy"] == pytest.approx(1.0)


def test_equal_titles_are_told_apart():
    later = replace(BASE, provenance={**BASE.provenance, "time_s": 3600.0, "seed": 4})
    found = compare([BASE, later, BASE, replace(BASE, title="other")])
    assert len(set(found.names)) == 4
    assert "after 60 min" in found.names[1]
    assert found.names[3] == "other"
    assert [n[-3:] for n in (found.names[0], found.names[2])] == ["(1)", "(2)"]


def test_unlike_reports_are_pointed_out():
    board = replace(BASE, provenance={**BASE.provenance, "boundary": "board"})
    assert compare([BASE, board]).notes == ("The reports differ in what costs include: board, chip.",)
    assert compare([BASE, BASE]).notes == ()
    assert "leave out" in compare([BASE, replace(BASE, unmodelled=())]).notes[0]


@pytest.mark.parametrize("reports", [[], [BASE]])
def test_fewer_than_two_reports_are_refused(reports):
    with pytest.raises(InputError, match=f"two reports or more, got {len(reports)}"):
        compare(reports)


def test_differing_schemas_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="differing schema versions: 1, 2"):
        compare([BASE, replace(BASE, schema=2)])
    write_report(BASE, tmp_path / "a")
    data = BASE.to_dict() | {"schema": 2}
    (tmp_path / "b.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="schema version 2 is not known"):
        compare([tmp_path / "a", tmp_path / "b.json"])


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_names_must_fit(names):
    with pytest.raises(InputError, match="all different"):
        compare([BASE, BASE], names=names)


def test_page_escapes_names_and_keeps_unknown_values_unsorted():
    hostile = replace(BASE, title=HOSTILE, metrics=BASE.metrics[2:])
    found = compare([BASE, hostile])
    from neuromorph.report.comparison_page import page

    text = page(found)
    assert "<script>alert" not in text
    assert "<img" not in text
    cells = dict(zip([c.key for c in page_table(found).columns], page_table(found).rows[1], strict=True))
    assert (cells["accuracy"].text, cells["accuracy"].sort) == ("not run", None)


def boxes(chart: str) -> list[tuple[float, float, float, float]]:
    found = re.findall(r'<text x="([-0-9.]+)" y="([-0-9.]+)" class="strong halo"[^>]*>(\d+)<', chart)
    return [(float(x) - 3.4 * len(t), float(y) - 10, float(x) + 3.4 * len(t), float(y)) for x, y, t in found]


@pytest.mark.parametrize("width", [540, 340])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_numbers_of_many_marks_do_not_overlap(width, spread):
    rng = np.random.default_rng(0)
    points = [(i, 1e-9 * float(np.exp(spread * rng.normal() * 2)), 0.95 + 0.02 * spread * float(rng.random()))
              for i in range(30)]  # fmt: skip
    chart = str(scatter(points, [0], [f"report {i}" for i in range(30)], "energy", "J", width))
    found = boxes(chart)
    assert len(found) == 30
    for a, b in itertools.combinations(found, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert all(a[0] >= 0 and a[2] <= width for a in found)
    assert chart.count("<circle") == 30
    assert "nan" not in chart
