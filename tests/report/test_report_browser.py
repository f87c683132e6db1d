"""The page in a real browser: no errors, tables sort and filter, nothing wider than a telephone."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from report_example import HOSTILE, example, variant

from neuromorph.report import compare, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]

PROBE = """<!DOCTYPE html><html><body><iframe id="f" src="{page}" style="width:390px;height:900px;border:0"></iframe>
<script>document.getElementById("f").onload = function () {{
var d = this.contentDocument.documentElement;
document.title = "width " + d.scrollWidth + " of " + d.clientWidth; }};</script></body></html>"""


def browse(folder: Path, address: str, *options: str) -> tuple[str, str]:
    """The page's document after its scripts have run, and what the browser logged."""
    done = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
         f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--log-level=0",
         "--hide-scrollbars", "--virtual-time-budget=3000", *options, "--dump-dom", address],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr


def console(log: str) -> list[str]:
    return [line for line in log.splitlines() if "CONSOLE" in line]


def column(document: str, table: str, place: int) -> list[str]:
    body = re.search(rf'data-key="{table}".*?<tbody>(.*?)</tbody>', document, re.DOTALL).group(1)
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    return [re.sub("<[^>]*>", "", re.findall(r"<td.*?</td>", row, re.DOTALL)[place]).strip() for row in rows]


def test_sorting_by_the_address_and_no_console_errors(tmp_path: Path):
    report = example(12, name=HOSTILE)
    flat = {**report.layers[0], "layer": "flat", "energy_j": None}
    page = write_report(report.__class__(**{**vars(report), "layers": (flat, *report.layers)}), tmp_path)["report.html"]
    document, log = browse(tmp_path, f"{page.as_uri()}#sort=energy")
    assert console(log) == []
    names = column(document, "layers", 0)
    assert [re.search(r"\d+$", n).group() for n in names[:-1]] == [str(i) for i in reversed(range(12))]
    assert names[-1] == "flat"
    assert re.search(r'data-col="energy"[^>]*aria-sort="descending"', document)


def test_filtering_the_ledger_by_the_address(tmp_path: Path):
    page = write_report(example(4), tmp_path)["report.html"]
    document, log = browse(tmp_path, f"{page.as_uri()}#filter=net-1%20adc")
    assert console(log) == []
    assert "1 of 12 rows" in document
    assert document.count('<tr hidden="">') == 11


@pytest.mark.parametrize("which", ["report", "compare"])
def test_pages_fit_a_telephone(tmp_path: Path, which):
    report = example(20, name="a_rather_long_name_of_a_layer_without_any_gap", side=5)
    if which == "report":
        page = write_report(report, tmp_path)["report.html"]
    else:
        page = compare([report, variant(report, 0.9, energy=3.0)], tmp_path).files["compare.html"]
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(page=page.as_uri()))
    document, log = browse(tmp_path, probe.as_uri(), "--allow-file-access-from-files")
    assert console(log) == []
    width, room = map(int, re.search(r"<title>width (\d+) of (\d+)</title>", document).groups())
    assert width <= room == 390
