"""The report and compare commands, and the summary they print."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from report_example import example, variant
from rich.console import Console

from neuromorph.cli import main
from neuromorph.report import write_report
from neuromorph.report.terminal import comparison_table, summary


def printed(what, width: int = 160) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(what)
    return out.getvalue()


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    base = example()
    for i in range(3):
        write_report(variant(base, 0.9 + 0.01 * i, energy=1.0 + i), tmp_path / f"run{i}")
    return [str(tmp_path / f"run{i}") for i in range(3)]


def test_summary_names_values_bases_and_what_is_missing():
    text = printed(summary(example(static_w=None)))
    for part in ("95.75 %", "94.75 % to 96.75 %", "2.1 nJ", "2.1 nJ to 4.2 nJ", "derived", "1 MAC", "net-2"):
        assert part in text or part == "1 MAC"
    assert "Static energy" in text
    assert "no component has a figure for its static power" in text
    assert "Area of chip.link" in text
    assert "note: one note" in text
    rows = [line for line in text.splitlines() if line.strip().startswith("chip.core.adc conversion")]
    assert rows
    assert "85.7 %" in rows[0]


def test_summary_does_not_read_names_as_markup_and_fits_any_width():
    report = example(2, name="[red]layer[/red][/nonsense]")
    assert "[red]layer[/red][/nonsense]-1" in printed(summary(report))
    assert max(map(len, printed(summary(report), 60).splitlines())) <= 60


def test_summary_of_assumed_activity_says_not_run():
    assert "not run" in printed(summary(example(chips=0)))


def test_comparison_table_numbers_and_names_reports():
    from neuromorph.report import compare

    text = printed(comparison_table(compare([example(), variant(example(), 0.99, energy=2.0)], names=["a", "b"])))
    assert "× 2" in text
    assert "not beaten in accuracy and energy, beyond intervals: 1 a; 2 b" in text
    assert "1 MAC = 2 operations" in text


def test_report_command_writes_the_page_again(runs, capsys):
    page = Path(runs[0]) / "report.html"
    page.write_text("old")
    assert main(["report", runs[0]]) == 0
    assert "written: " in capsys.readouterr().out
    assert page.read_text().startswith("<!DOCTYPE html>")
    page.write_text("old")
    assert main(["report", runs[0] + "/report.json", "--show-only"]) == 0
    assert "Energy per inference" in capsys.readouterr().out
    assert page.read_text() == "old"


def test_compare_command_prints_writes_and_gives_json(runs, tmp_path, capsys):
    assert main(["compare", *runs, "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "Efficiency" in out
    assert (tmp_path / "out" / "compare.html").is_file()
    assert main(["compare", *runs, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["reports"]) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "nowhere"], "cannot be read"),
        (["compare", "RUN"], "two reports or more, got 1"),
        (["compare", "RUN", "nowhere"], "nowhere"),
        (["compare"], "Missing argument"),
        (["compare", "RUN", "RUN", "-o", "RUN/report.json"], "choose another folder"),
    ],
)
def test_wrong_use_is_told_in_one_line(runs, capsys, arguments, said):
    assert main([a.replace("RUN", runs[0]) for a in arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
