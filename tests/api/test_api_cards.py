"""What results show of themselves fits a screen and says its columns alike."""

from __future__ import annotations

import builtins
import sys
import types
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import torch

import neuromorph as nm
from neuromorph.card import Card
from neuromorph.errors import InputError, MissingExtraError

X = np.random.default_rng(0).random((6, 4), dtype=np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(scope="module")
def shown() -> dict[str, Card]:
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
    graph, chip = nm.from_torch(net, (4,), name="tiny <net>"), nm.load_architecture("hermes-like")
    placement = nm.place(graph, chip)
    report = nm.run(graph, chip, X, Y, placement=placement, trials=2)
    return {
        "graph": graph, "chip": chip, "placement": placement, "report": report, "part": nm.load_part("pcm-hermes-2"),
        "execution": nm.execute(placement, X, Y, trials=2), "cores": nm.place(nm.convert(graph, X), "spinnaker2"),
        "sweep": nm.sweep(graph, chip, vary={"core.adc.bits": [6, 7]}, data=(X, Y), workers=0, trials=1),
        "comparison": nm.compare([report, report]),
    }  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_each_has_a_line_a_text_and_a_card(shown: dict[str, Card]) -> None:
    for name, thing in shown.items():
        assert "\n" not in repr(thing), name
        assert repr(thing).startswith(f"<{type(thing).__name__} ")
        assert len(repr(thing)) <= 400
        assert len(thing.summary().splitlines()) <= 40
        page = thing._repr_html_()
        assert page.count("<tr>") <= 32, name
        tags = Tags()
        tags.feed(page)
        assert tags.open == []
        assert "tiny <net>" not in page


def test_the_report_says_accuracy_energy_and_what_is_left_out(shown: dict[str, Card]) -> None:
    text = shown["report"].summary()
    for word in ("Accuracy", "Energy per inference", "Latency", "not modelled"):
        assert word in text


@pytest.mark.parametrize(
    ("name", "table", "columns"),
    [
        ("report", "ledger", {"layer", "component", "action", "energy_j", "basis", "source"}),
        ("report", "layers", {"layer", "energy_j"}),
        ("report", "sources", {"part", "quantity", "value", "unit", "basis", "citation"}),
        ("sweep", "", {"core.adc.bits", "energy_j", "energy_j_low", "latency_s", "accuracy"}),
        ("comparison", "", {"name", "energy_j", "energy_j_low", "latency_s", "accuracy", "area_m2"}),
        ("chip", "sources", {"component", "quantity", "value", "unit", "basis"}),
        ("placement", "limits", {"limit", "degree"}),
    ],
)
def test_tables_become_frames(
    shown: dict[str, Card], name: str, table: str, columns: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", types.SimpleNamespace(DataFrame=list))  # type: ignore[arg-type]
    rows = shown[name].to_frame(table)
    assert columns <= set(rows[0])
    assert rows == [dict(row) for row in shown[name].tables()[table or next(iter(shown[name].tables()))]]


def test_a_real_frame(shown: dict[str, Card]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas makes frames (extra tables)")
    frame = shown["report"].to_frame("ledger")
    assert isinstance(frame, pandas.DataFrame)
    assert frame["energy_j"].sum() == pytest.approx(shown["report"]["energy"].value)  # type: ignore[index]


def test_a_table_that_is_none_and_a_missing_pandas(shown: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="did you mean 'ledger'"):
        shown["report"].to_frame("legder")
    monkeypatch.setitem(sys.modules, "pandas", None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=r"neuromorph\[tables\]"):
        shown["report"].to_frame("ledger")
    assert builtins.KeyError in type(_refusal(shown["report"])).__mro__


def _refusal(report: Any) -> Exception:
    with pytest.raises(InputError, match="did you mean 'energy'") as refusal:
        report["enrgy"]
    return refusal.value
