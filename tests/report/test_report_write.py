"""Reports as files: round trips, strict JSON, whole or not at all, and every fault of a file named."""

from __future__ import annotations

import csv
import io
import json
import math
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_example import HOSTILE, example

from neuromorph.errors import InputError
from neuromorph.report import Metric, Report, read_report, write_report
from neuromorph.report.check import problems
from neuromorph.report.write import to_json


def test_round_trip(tmp_path: Path):
    report = example(static_w=1e-3, name=HOSTILE)
    paths = write_report(report, tmp_path / "deep" / "folder")
    assert sorted(paths) == ["ledger.csv", "report.html", "report.json"]
    assert all(p.is_file() for p in paths.values())
    assert read_report(paths["report.json"]) == report
    assert read_report(tmp_path / "deep" / "folder") == report
    assert sorted(p.name for p in (tmp_path / "deep" / "folder").iterdir()) == sorted(paths)


@given(
    st.text(),
    st.floats(allow_nan=True) | st.none(),
    st.dictionaries(st.text(), st.floats() | st.text() | st.lists(st.integers())),
)
def test_json_is_strict_and_keeps_what_json_can_hold(name, value, facts):
    report = replace(example(1, 1), title=name, provenance=facts, metrics=(Metric("m", value, "J"),))
    text = to_json(report)
    data = json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))
    assert problems(data, "f") == []
    back = Report.from_dict(data)
    assert back.title == name
    kept = back.metrics[0].value
    assert kept == value or (kept is None and (value is None or not math.isfinite(value)))


def test_numpy_values_and_undecodable_names_are_written(tmp_path: Path):
    report = replace(example(), provenance={"seed": np.int64(3), "chips": np.array([1.5, np.nan]), "file": "a\udc80"})
    write_report(report, tmp_path)
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["provenance"] == {"seed": 3, "chips": [1.5, None], "file": "a\udc80"}


def test_ledger_csv_holds_every_row_and_an_empty_field_for_unknown(tmp_path: Path):
    report = example(static_w=1e-3)
    rows = list(csv.DictReader(io.StringIO(write_report(report, tmp_path)["ledger.csv"].read_text())))
    assert len(rows) == len(report.ledger)
    assert math.fsum(float(r["energy_j"]) for r in rows if r["energy_j"]) == pytest.approx(report["energy"].value)
    assert [r["energy_j"] for r in rows if r["component"] == "chip.buffer"] == [""] * 3
    with_nothing = replace(report, ledger=())
    assert write_report(with_nothing, tmp_path)["ledger.csv"].read_text().count("\n") == 1


def test_a_full_disk_leaves_the_old_files(tmp_path: Path):
    write_report(example(name="old"), tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # report.json fits, the page does not
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(InputError) as error:
            write_report(example(name="new"), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(tmp_path) in str(error.value)
    assert "raise the limit" in str(error.value)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("number", [28, 30, 13])
def test_the_system_s_errors_name_folder_and_remedy(tmp_path: Path, monkeypatch, number):
    write_report(example(name="old"), tmp_path)
    before = (tmp_path / "report.json").read_bytes()

    def fail(*_):
        raise OSError(number, "no")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(InputError, match=r"choose (another|a) folder|free space") as error:
        write_report(example(name="new"), tmp_path)
    assert str(tmp_path) in str(error.value)
    assert (tmp_path / "report.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_folder_below_a_file_is_refused(tmp_path: Path):
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "x"):
        with pytest.raises(InputError, match="choose another folder"):
            write_report(example(), folder)


def without(key: str):
    return lambda d: d.pop(key)


def put(path: str, value):
    def change(data):
        *inner, last = (int(p) if p.isdigit() else p for p in path.split("."))
        for step in inner:
            data = data[step]
        data[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("schema", 2), "schema version 2 is not known"),
        (put("schema", True), "schema version True"),
        (without("schema"), "no key 'schema'"),
        (without("ledger"), r"\[ledger\]: the key is missing"),
        (put("extra", 1), r"\[extra\]: unknown key; legal: title"),
        (put("ledger", {}), r"\[ledger\]: expected a list"),
        (put("ledger.0", 3), r"\[ledger.0\]: expected an object"),
        (put("ledger.0.energy_j", "1 pJ"), r"\[ledger.0.energy_j\]: expected a number or null"),
        (put("ledger.1.count", None), r"\[ledger.1.count\]: expected a number, got null"),
        (put("ledger.1.layer", 7), r"\[ledger.1.layer\]: expected text"),
        (put("gantt.0.sample", True), r"\[gantt.0.sample\]: expected a number"),
        (put("metrics.0.value", 10**400), r"\[metrics.0.value\]: expected a number or null"),
        (put("metrics.0.colour", 1), r"\[metrics.0.colour\]: unknown key"),
        (put("chips.accuracy", [0.5, "x"]), r"\[chips.accuracy\]: expected a list of numbers"),
        (put("chips.float_accuracy", "x"), r"\[chips.float_accuracy\]"),
        (put("floor.columns", None), r"\[floor.columns\]"),
        (put("floor.tiles.1.layers", "conv"), r"\[floor.tiles.1.layers\]: expected a list of texts"),
        (put("floor.links.0.bits", []), r"\[floor.links.0.bits\]: expected a number"),
        (put("floor", 3), r"\[floor\]: expected an object"),
        (put("unmodelled", "x"), r"\[unmodelled\]: expected a list of texts"),
        (put("title", None), r"\[title\]: expected text"),
        (put("metrics.2", {}), r"\[metrics.2.value\]: the key is missing"),
    ],
)
def test_wrong_content_is_named_with_its_key(tmp_path: Path, change, said):
    data = example().to_dict()
    change(data)
    file = tmp_path / "report.json"
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=said) as error:
        read_report(file)
    assert str(file) in str(error.value)


def test_all_faults_are_told_at_once(tmp_path: Path):
    data = example().to_dict()
    del data["layers"], data["notes"]
    data["ledger"][0]["count"] = "x"
    (tmp_path / "report.json").write_text(json.dumps(data))
    with pytest.raises(InputError) as error:
        read_report(tmp_path)
    assert len(error.value.problems) == 3
    data["ledger"] = [{}] * 500
    assert len(problems(data, "f")) == 21


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cut short"),
        (b"{", "cut short"),
        (b"nonsense", "not JSON"),
        (b"[1, 2]", "not a report"),
        (b'{"schema": NaN}', "NaN is no number of JSON"),
        (b"\xff\xfe\x00", "not a text file"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"text"', "not a report"),
    ],
)
def test_files_that_are_no_reports(tmp_path: Path, content, said):
    file = tmp_path / "report.json"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_report(file)


def test_a_file_cut_anywhere_is_refused(tmp_path: Path):
    text = to_json(example(2, 2)).rstrip().encode()
    file = tmp_path / "report.json"
    for length in range(0, len(text), 97):
        file.write_bytes(text[:length])
        with pytest.raises(InputError, match=r"report\.json:[0-9]+:[0-9]+: (the file ends too early|not JSON)"):
            read_report(file)


def test_missing_files_and_folders(tmp_path: Path):
    with pytest.raises(InputError, match=r"no report\.json"):
        read_report(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_report(tmp_path / "none.json")
