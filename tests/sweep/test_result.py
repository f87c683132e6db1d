import importlib.util
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest

from neuromorph.errors import InputError, MissingExtraError
from neuromorph.fingerprint import fingerprint
from neuromorph.sweep.result import SweepResult

ROWS = [
    {"bits": b, "noise": n, "accuracy": a, "accuracy_low": 0.1, "status": s, "error": e}
    for b, n, a, s, e in [
        (4, "0x", 0.5, "done", ""),
        (4, "1x", 0.4, "done", ""),
        (5, "0x", None, "error", "ValueError: x"),
        (5, "1x", 0.6, "done", ""),
    ]
]
RESULT = SweepResult(ROWS, ("bits", "noise"))


def test_columns_failures_and_pareto():
    assert len(RESULT) == 4
    assert RESULT.metrics == ["accuracy"]
    assert RESULT.column("accuracy") == [0.5, 0.4, None, 0.6]
    assert RESULT.failed == [ROWS[2]]
    assert RESULT.pareto(maximise=["accuracy"], minimise=["bits"]) == [ROWS[0], ROWS[3]]
    with pytest.raises(InputError, match="columns: bits, noise"):
        RESULT.column("power")


def test_csv_is_what_is_written(tmp_path):
    assert (tmp_path / "t.csv").write_text("old")
    assert RESULT.to_csv(tmp_path / "t.csv") == (tmp_path / "t.csv").read_text()


@pytest.mark.skipif(importlib.util.find_spec("xarray") is not None, reason="xarray is installed")
def test_a_missing_extra_is_named(tmp_path):
    with pytest.raises(MissingExtraError, match=r"xarray is needed.*neuromorph\[tables\]"):
        RESULT.to_xarray()


def test_xarray_has_a_dimension_per_parameter():
    pytest.importorskip("xarray")
    found = RESULT.to_xarray()
    assert dict(found.sizes) == {"bits": 2, "noise": 2}
    assert found.accuracy.sel(bits=4, noise=1.0).item() == 0.4
    assert np.isnan(found.accuracy.sel(bits=5, noise=0.0).item())
    scattered = SweepResult([{**ROWS[0], "bits": i, "noise": f"{i}x"} for i in range(9)], ("bits", "noise"))
    with pytest.raises(InputError, match="no grid of 9 x 9"):
        scattered.to_xarray()


def test_parquet_comes_back(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    mixed = SweepResult([{**r, "mixed": m} for r, m in zip(ROWS, [1, "auto", 2.5, None], strict=True)], ("bits",))
    back = parquet.read_table(mixed.to_parquet(tmp_path / "t.parquet")).to_pydict()
    assert back["accuracy"] == [0.5, 0.4, None, 0.6]
    assert back["mixed"] == ["1", "auto", "2.5", None]


@dataclass(frozen=True)
class Thing:
    x: float
    weights: np.ndarray
    notes: str = ""


def test_fingerprint_follows_content_alone():
    thing = Thing(0.1, np.arange(4.0), "one")
    assert fingerprint(thing) == fingerprint(Thing(0.1, np.arange(8.0)[:4], "two"))
    changed = [replace(thing, x=0.2), replace(thing, weights=np.arange(4)), replace(thing, weights=np.eye(2))]
    assert len({fingerprint(c) for c in (thing, *changed)}) == 4
    assert fingerprint({"a": 1, "b": (2, 3)}) == fingerprint({"b": [2, 3], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 1.0})
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    with pytest.raises(TypeError, match="content of a function"):
        fingerprint(lambda: 0)


def test_fingerprint_is_the_same_in_another_process():
    code = "from neuromorph.fingerprint import fingerprint; print(fingerprint({'b', 'a', 'c'}))"
    seen = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONHASHSEED": s}).stdout
        for s in ("1", "2")
    }
    assert seen == {fingerprint({"c", "a", "b"}) + "\n"}
