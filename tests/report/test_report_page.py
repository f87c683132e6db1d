"""The page: sums, escaping, self-containment, words for what is not known, and size."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from report_example import HOSTILE, example, ledger_row, variant

from neuromorph.report import Metric, charts, figures, tables
from neuromorph.report.floor import floor_map, layer_numbers, window, window_note
from neuromorph.report.html import page
from neuromorph.report.svg import fit, log_ticks, ticks

VOID = {"meta", "input", "link", "br", "img", "hr"}


class Reader(HTMLParser):
    """Elements with their text; fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        for tag in set(self.stack):
            self.texts[tag][-1] += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.stack == []
    return reader


def card(text: str, metric: str) -> str:
    return re.search(rf'data-metric="{metric}".*?</div>', text, re.DOTALL).group()


def foot_value(text: str, table: str) -> float:
    found = re.search(rf'data-key="{table}".*?<tfoot>(.*?)</tfoot>', text, re.DOTALL).group(1)
    return float(re.search(r'data-v="([^"]+)"', found).group(1))


@pytest.mark.parametrize("static_w", [None, 0.0, 2e-3])
def test_totals_of_the_page_are_the_ledgers_sum(static_w):
    report = example(5, static_w=static_w)
    expected = math.fsum(r["energy_j"] for r in report.ledger if r["energy_j"] is not None)
    text = page(report)
    assert foot_value(text, "ledger") == expected
    assert float(re.search(r'data-v="([^"]+)"', card(text, "energy")).group(1)) == pytest.approx(expected, rel=1e-12)
    assert figures.quantity(expected, "J") in re.sub("\u00a0", " ", card(text, "energy"))
    series = charts.EnergySeries(report.ledger)
    assert series.total == pytest.approx(expected, rel=1e-12)
    assert "adds up to" not in text


def test_a_headline_that_is_not_the_ledgers_sum_is_told():
    report = variant(example(), 0.9, energy=1.01)
    assert "The ledger adds up to" in page(report)


def test_layer_shares_and_chart_bars_add_up():
    report = example(4)
    table = tables.layers(report)
    share = next(i for i, c in enumerate(table.columns) if c.key == "share")
    assert math.fsum(row[share].sort for row in table.rows) == pytest.approx(1.0)
    chart = str(charts.energy_by_component(charts.EnergySeries(report.ledger), charts.HALF))
    widths = [float(w) for w in re.findall(r'width="([0-9.]+)" height="18" class="s', chart)]
    assert widths[1] / widths[0] == pytest.approx(5e-13 / 3e-12, rel=0.01)


def test_layers_are_drawn_in_the_networks_order():
    report = example(4)
    series = charts.EnergySeries(report.ledger)
    chart = str(charts.energy_by_layer(report.ledger[::-1], [f"net-{i}" for i in range(4)], series, charts.HALF))
    assert re.findall(r"</title>(net-\d)<", chart) == ["net-0", "net-1", "net-2", "net-3"]


def test_every_name_is_escaped():
    report = example(name=HOSTILE)
    report = replace(
        report,
        title=HOSTILE,
        provenance={"network": HOSTILE, HOSTILE: HOSTILE, "architecture_title": HOSTILE, "boundary": HOSTILE},
        notes=(HOSTILE,),
        unmodelled=(HOSTILE, f"{HOSTILE}: leakage", f"chip: {HOSTILE}"),
        metrics=(*report.metrics, Metric("accuracy", None, HOSTILE, basis=HOSTILE)),
        ledger=(*report.ledger, ledger_row(HOSTILE, HOSTILE, HOSTILE, 1.0, 1e-9, HOSTILE)),
        effects=({"effect": HOSTILE, "accuracy": 0.9, "gain": 0.1, "error": 0.0},),
        traffic={**report.traffic, HOSTILE: 3.0},
        gantt=({**report.gantt[0], "state": HOSTILE}, *report.gantt),
    )
    text = page(report)
    reader = read(text)
    assert "<script>alert" not in text
    assert "<img" not in text
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert not {tag for tag, _ in reader.elements} & {"img", "iframe", "object", "embed", "link", "form"}
    for _, attributes in reader.elements:
        assert not [a for a in attributes if a.startswith("on")]


def test_nothing_is_fetched_and_only_web_addresses_are_linked():
    text = page(example())
    reader = read(text)
    links = [a["href"] for tag, a in reader.elements if tag == "a" and not a["href"].startswith("#")]
    assert links == ["https://example.org/book"]
    assert not [a for _, a in reader.elements if "src" in a]
    assert "url(http" not in text
    assert "@import" not in text
    policy = next(a["content"] for tag, a in reader.elements if a.get("http-equiv"))
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"'sha256-{digest}'" in policy
    assert tables.safe_url("javascript:alert(1)") == ""
    assert tables.safe_url("HTTPS://a.b/c") == "HTTPS://a.b/c"


def test_ids_are_unique_and_links_within_the_page_lead_somewhere():
    reader = read(page(example()))
    ids = [a["id"] for _, a in reader.elements if "id" in a]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for tag, a in reader.elements if tag == "a" and a["href"].startswith("#")}
    assert targets <= set(ids)
    charts_found = [a for tag, a in reader.elements if tag == "svg" and a.get("role") == "img"]
    assert charts_found
    assert all(a["aria-label"] for a in charts_found)


def test_what_is_not_known_is_never_zero():
    report = example(chips=0)
    report = replace(
        report,
        metrics=tuple(replace(m, value=None, low=None, high=None) if m.name in ("area", "latency") else m
                      for m in report.metrics),
        layers=(*report.layers, {**report.layers[0], "layer": "flat", "energy_j": None, "snr_db": None}),
    )  # fmt: skip
    text = page(report)
    assert "not modelled" in card(text, "area")
    assert "not modelled" in card(text, "latency")
    assert "data-v" not in card(text, "area")
    assert "not run" in card(text, "accuracy")
    # the report says 0 J of static energy, but no component has a figure for it
    assert report["static_energy"].value == 0.0
    assert "static share: not modelled" in card(text, "energy")
    table = tables.layers(report)
    cells = dict(zip([c.key for c in table.columns], table.rows[-1], strict=True))
    assert (cells["energy"].text, cells["energy"].sort) == ("not modelled", None)
    assert cells["share"].sort is None
    for row in tables.ledger(report)[0].rows:
        if row[1].sort == "chip.buffer":
            assert (row[5].text, row[7].text, row[7].sort) == ("not modelled", "not modelled", None)
    area = tables.area(report)
    assert area.rows[1][3].text == "not modelled"
    assert area.foot[3].sort == 2e-6
    assert "<strong>Area of</strong> chip.link: not modelled." in text


def test_a_known_static_energy_of_zero_is_zero():
    text = page(example(static_w=0.0))
    assert "static share: 0\u00a0% of what is modelled" in card(text, "energy")
    half = example(1, static_w=100.0 * 3.5e-12 / 1e-6)
    assert "static share: 50\u00a0%" in card(page(half), "energy")
    assert "of what is" not in card(page(replace(half, unmodelled=())), "energy")


def test_columns_that_no_layer_uses_are_left_out():
    report = example()
    report = replace(report, layers=tuple({**r, "arrays": None} for r in report.layers))
    assert "arrays" not in [c.key for c in tables.layers(report).columns]


def test_an_empty_report_still_has_a_page():
    report = replace(
        example(chips=0), metrics=(), layers=(), ledger=(), area=(), gantt=(), floor={}, traffic={}, sources=(),
        effects=(), unmodelled=(), notes=(), provenance={},
    )  # fmt: skip
    text = page(report)
    read(text)
    assert "no action of this architecture has a price" in text
    assert figures.figure(report, "energy").text == "not modelled"


def test_large_reports_stay_small():
    report = example(300, 100, "a-layer-of-a-large-network", side=20)
    waits = [
        {**row, "begin_s": row["begin_s"] + k * 1e-9, "end_s": row["begin_s"] + (k + 0.5) * 1e-9, "state": s}
        for row in report.gantt[:30]
        for k in range(50)
        for s in ("busy", "waiting")
    ]
    text = page(replace(report, gantt=tuple(waits) + report.gantt[30:]))
    assert len(text.encode()) < 1.5e6
    assert foot_value(text, "ledger") == pytest.approx(report["energy"].value)


def test_the_rows_left_out_of_a_long_ledger_are_counted():
    report = example(1 + tables.MOST_ROWS // 3)
    table, _ = tables.ledger(report)
    assert len(table.rows) == tables.MOST_ROWS
    assert table.notes == (
        f"{len(report.ledger) - tables.MOST_ROWS} rows with the smallest energies are in ledger.csv only",
    )
    assert table.foot[7].sort == pytest.approx(report["energy"].value)


def test_coarsened_bars_cover_the_same_time():
    rows = []
    for k in range(1000):
        rows.append({"stage": "a", "sample": 0, "begin_s": k, "end_s": k + 0.3, "state": "busy"})
        rows.append({"stage": "a", "sample": 0, "begin_s": k + 0.3, "end_s": k + 1, "state": "waiting"})
    assert charts.coarsened(rows, 0.1) == rows
    few = charts.coarsened(rows, 50.0)
    assert len(few) <= 41
    assert (few[0]["begin_s"], few[-1]["end_s"]) == (0, 1000)
    assert few[0]["state"] == "busy"
    assert all(a["end_s"] <= b["begin_s"] for a, b in pairwise(few))


def test_chips_of_one_value_and_one_chip_have_a_picture():
    for values in ([0.5], [0.5] * 20, [0.0, 1.0]):
        chart = str(charts.chips_strip(values, None, values[0], None, None, 340, "Accuracy"))
        assert chart.count("<circle") == len(values)
        assert not re.search(r">100\.\d|>10[1-9]", chart)
        assert "nan" not in chart


def test_floor_map_draws_every_tile_and_link():
    report = example(3)
    numbers = layer_numbers(report.floor, ["net-2", "net-0", "net-1", "unplaced"])
    assert numbers == {"net-2": 1, "net-0": 2, "net-1": 3}
    chart = str(floor_map(report.floor, numbers, 760))
    assert chart.count('class="tile"') == 3
    assert chart.count('class="tile-empty"') == 1
    assert "640 bit per inference" in chart
    assert "utilisation 25 %" in chart


def tile(x: int, y: int, used: bool) -> dict:
    return {"x": x, "y": y, "tile": 0, "utilisation": 0.5, "layers": ["a"] if used else []}


@pytest.mark.parametrize(("side", "used", "drawn", "note"), [
    (3, {(1, 1)}, 9, ""),
    (10, {(0, 0), (1, 0)}, 6, "3 by 2 of 10 by 10 tiles are drawn; the rest is not used."),
    (10, {(0, 0), (9, 9)}, 100, ""),
    (60, {(5, 5), (59, 59)}, 1600, "40 by 40 of 60 by 60 tiles are drawn; 1 of those in use are among the rest."),
])  # fmt: skip
def test_floor_map_shows_the_part_in_use(side, used, drawn, note):
    plan = {"columns": side, "rows": side, "links": [],
            "tiles": [tile(x, y, (x, y) in used) for y in range(side) for x in range(side)]}  # fmt: skip
    for width in (760, 340):
        chart = str(floor_map(plan, {"a": 1}, width))
        assert chart.count('class="tile"') + chart.count('class="tile-empty"') == drawn
        assert not re.search(r'(width|height)="-', chart)
    assert window_note(plan, window(plan)) == note


def test_short_paths_are_the_shortest_unique_endings():
    assert figures.short_paths(["chip.tile.buffer", "chip.core.buffer", "chip.core.adc", "chip"]) == {
        "chip.tile.buffer": "tile.buffer", "chip.core.buffer": "core.buffer", "chip.core.adc": "adc", "chip": "chip",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.2e-6, "J", "1.2 µJ"), (5.084e-5, "m^2", "50.84 mm²"), (3.2e12, "1/J", "3.2 TOPS/W"), (0.0, "J", "0 J"),
        (5.015e5, "1/s", "501.5 k/s"), (12.0, "1/s", "12 /s"), (None, "J", "not modelled"), (416520.0, "1", "416.5 k"),
        (math.inf, "s", "not modelled"), (3e-13, "m^2", "0.3 µm²"), (64.0, "1", "64"), (3.456e3, "bit", "3.456 kbit"),
    ],
)  # fmt: skip
def test_quantities_in_words(value, unit, text):
    assert figures.quantity(value, unit) == text


def test_percentages_never_round_to_nothing():
    assert figures.percent(1e-9) == "<0.01 %"
    assert figures.percent(-1e-9) == "> -0.01 %"
    assert figures.percent(0.0) == "0 %"
    assert figures.percent(None) == "not modelled"
    assert figures.shown("accuracy", 0.99, "1") == "99.00 %"


def test_ticks_are_round_and_inside():
    assert ticks(0.0, 1.0, 6) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(2.0, 2.0) == [2.0]
    assert log_ticks(1e-9, 1e-6) == pytest.approx([1e-9, 1e-8, 1e-7, 1e-6])
    assert log_ticks(3e-7, 9e-7) == pytest.approx([5e-7])
    assert fit("layer-of-net-12", 60, 12) == "laye…-12"
    assert fit("abc", 300, 12) == "abc"
    assert fit("abc", 5, 12) == ""
