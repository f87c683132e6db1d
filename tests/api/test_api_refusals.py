"""Every public function is fed wrong values in the place of each argument: what comes out is a result or one of the
project's own errors, which are all ValueErrors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import neuromorph as nm
from neuromorph.errors import FitError, InputError, MissingExtraError, NeuromorphError
from neuromorph.hardware.paths import resolve
from neuromorph.sweep import SweepInterrupted

X = np.random.default_rng(0).random((6, 4), dtype=np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])
NET = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
WRONG: tuple[Any, ...] = (
    None, "nonsense", "", -1, 0, 3.5, float("nan"), True, b"bytes", object(), [], {}, {"a": 1}, (1, 2, 3), ["x"], NET,
    torch.nn.Linear, np.zeros((2, 3)), np.zeros((0, 4)), np.array(["a"]), torch.full((2, 4), float("nan")),
    Path("missing/file.npz"), "missing.nmg.json", "\0", 10**30, lambda: None, [[1.0], [1.0, 2.0]],
)  # fmt: skip


@cache
def made() -> dict[str, Any]:
    graph, chip = nm.from_torch(NET, (4,)), nm.load_architecture("hermes-like")
    placement = nm.place(graph, chip, effort="none")
    report = nm.run(graph, chip, X, Y, placement=placement, trials=1)
    return {"graph": graph, "chip": chip, "placement": placement, "report": report}


def call_of(name: str, folder: Path) -> dict[str, Any]:
    """A legal call of a public function, as its keyword arguments; short where it works."""
    m = made()
    graph, chip, placement, report = m["graph"], m["chip"], m["placement"], m["report"]
    file = folder / "net.nmg.json"
    nm.save_graph(graph, file)
    np.savez(folder / "data.npz", x=X, y=Y)
    np.savez(folder / "events.npz", t=np.array([0.0, 1e-3]), x=np.array([0, 1]))
    placement.save(folder / "placement.json")
    nm.write_report(report, folder / "run")
    data: dict[str, Any] = {"inputs": X, "labels": Y}
    drawn: dict[str, Any] = {"seed": 0, "time_s": "1 day", "off": "adc", "batch": 4, "torch_device": "cpu"}
    drawn_chips = {**drawn, "trials": 1, "workers": 1, "calibration_inputs": X, "calibration": None, "output": None}
    return {
        "attribute": {"placement": placement, **data, **drawn_chips, "base": None, "progress": None},
        "calibrate": {"placement": placement, "inputs": X, "torch_device": "cpu"},
        "compare": {"reports": [report, report], "folder": folder / "both", "names": ["a", "b"]},
        "compress": {"graph": graph, "steps": "prune:0.5", "data": X, "progress": None},
        "convert": {
            "graph": graph, "calibration": X, "method": "max", "steps": 4, "percentile": 99.0, "per_channel": False,
            "initial": 0.5, "dt_s": 1e-3, "progress": None,
        },
        "estimate": {"graph": graph, "architecture": chip, "values": {"core.adc.bits": [6, 7]}, "density": 0.5},
        "execute": {"placement": placement, **data, **drawn_chips, "progress": None},
        "finetune": {"placement": placement, **data, **drawn, "epochs": 1, "learning_rate": 1e-3, "redraw": 1},
        "from_torch": {"module": NET, "example": (4,), "name": "n", "batch_axis": 0, "check": False},
        "list_architectures": {},
        "list_parts": {"kind": "adc"},
        "load_architecture": {"name_or_path": "hermes-like"},
        "load_part": {"name_or_path": "pcm-hermes-2", "near": None},
        "load_placement": {"path": folder / "placement.json", "graph": graph, "architecture": chip},
        "place": {
            "graph": graph, "architecture": chip, "inputs": None, "progress": None, "seed": 0, "effort": "none",
            "copies": None, "duplicate": False, "example": (4,),
        },
        "read_data": {"path": folder / "data.npz", "limit": 2},
        "read_events": {
            "path": folder / "events.npz", "dt": "1 ms", "steps": 2, "shape": (2,), "limit": 1, "count": False,
            "downsample": 1, "merge": False, "node": None, "absolute": False,
        },
        "read_graph": {"path": file, "dt": None, "preset": None, "semantics": None},
        "read_report": {"path": folder / "run"},
        "run": {
            "graph": graph, "architecture": chip, **data, **drawn_chips, "placement": placement, "effects": False,
            "assumption": None, "workload": False, "partner": graph, "progress": None, "provenance": {},
            "example": (4,),
        },
        "save_graph": {"graph": graph, "path": file, "dtype": None},
        "sweep": {
            "model": graph, "architecture": chip, "vary": {"core.adc.bits": [6]}, "data": (X, Y), "samples": 2,
            "method": "grid", "points": None, "store": None, "workers": 0, "progress": None, "begun": None, **drawn,
            "trials": 1, "calibration_data": X, "executor": None,
        },
        "write_report": {"report": report, "folder": folder / "again"},
    }[name]  # fmt: skip


OWN = {("epochs", 10**30), ("workers", None)}
"""Wishes that are legal and take long."""

CALLBACKS = ("progress", "begun", "executor")
"""Functions of the caller: what they raise is the caller's own."""

NAMES = sorted(set(nm.__all__) - {"__version__"})


def wrong_calls(name: str, legal: dict[str, Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    verb = getattr(nm, name)
    yield "an argument that is none", lambda: verb(**legal, colour="red")
    yield "too many", lambda: verb(*legal.values(), *range(20))
    if legal:
        yield "no argument", lambda: verb()
        first, *rest = legal.values()
        yield "swapped", lambda: verb(*rest[:1], first)
        yield "reversed", lambda: verb(*reversed(list(legal.values())[:3]))
    for argument in legal:
        for value in WRONG:
            if isinstance(value, int | None) and (argument, value) in OWN:
                continue
            if argument in CALLBACKS and name == "sweep" and callable(value):
                continue
            yield f"{argument}={value!r:.60}", lambda a=argument, v=value: verb(**{**legal, a: v})


@pytest.mark.parametrize("name", NAMES)
def test_wrong_values_get_the_projects_own_errors(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    legal = call_of(name, tmp_path)
    faults, refused = [], 0
    for what, call in wrong_calls(name, legal):
        try:
            call()
        except NeuromorphError as error:
            refused += 1
            if not str(error).strip():
                faults.append(f"{what}: says nothing")
        except Exception as error:
            faults.append(f"{what}: {type(error).__name__}: {error}"[:300])
    assert not faults, "\n".join(faults)
    assert refused > 1 or not legal


@pytest.mark.parametrize("name", NAMES)
def test_the_legal_calls_are_legal(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert getattr(nm, name)(**call_of(name, tmp_path)) is not None


def test_all_errors_are_value_errors() -> None:
    for error in (NeuromorphError, InputError, FitError, MissingExtraError):
        assert issubclass(error, ValueError)
    assert issubclass(SweepInterrupted, KeyboardInterrupt)


@pytest.mark.parametrize("changes", [None, "core.adc.bits=6", {"core.adc.bits": None}, {"nothing": 1}, {1: 2}])
def test_a_change_that_is_none_is_refused(changes: Any) -> None:
    with pytest.raises(InputError):
        made()["chip"].replace(changes)


def test_a_change_makes_another_architecture() -> None:
    chip = made()["chip"]
    found = chip.replace({"core.adc.bits": 6})
    assert resolve(found, "core.adc.bits").value == 6
    assert resolve(chip, "core.adc.bits").value != 6
    assert found.name == chip.name
