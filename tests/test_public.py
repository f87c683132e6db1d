"""What a user imports: every public name is there whatever was imported before, the README runs, the wheel is whole."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import neuromorph

ROOT = Path(__file__).resolve().parent.parent


def python(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_public_name_is_callable_however_its_module_was_imported(tmp_path: Path) -> None:
    names = [n for n in neuromorph.__all__ if not n.startswith("_")]
    homes = sorted({home.partition(":")[0] for home in neuromorph._HOMES.values()})
    before = "".join(f"import {home}\n" for home in homes)
    check = f"import neuromorph\nfor n in {2 * names}:\n    assert callable(getattr(neuromorph, n)), n\n"
    python(check, tmp_path)
    python(before + check, tmp_path)


def test_importing_is_quick(tmp_path: Path) -> None:
    loaded = python(
        "import sys, neuromorph; print([m for m in ('numpy', 'torch', 'scipy') if m in sys.modules])", tmp_path
    )
    assert loaded.strip() == "[]"


def test_the_python_lines_of_the_readme_run(tmp_path: Path) -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert code is not None
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    small = code[1].replace("limit=500", "limit=40").replace("trials=10", "trials=2")
    said = python(small, tmp_path)
    assert "Interval(mean=" in said
    assert (tmp_path / "out" / "report.html").exists()


def test_the_readmes_lines_on_spiking_networks_run(tmp_path: Path) -> None:
    _, code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    accuracy, per_event, latency = map(float, python(code, tmp_path).split())
    assert accuracy >= 0.8
    assert 1e-13 < per_event < 1e-3
    assert latency > 0
    assert (tmp_path / "network.nir").exists()


def test_the_wheel_brings_its_data(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel (extra dev)")
    build = f"from hatchling.build import build_wheel; build_wheel({str(tmp_path)!r})"
    python(build, ROOT)
    (wheel,) = tmp_path.glob("*.whl")
    inside = tmp_path / "inside"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(inside)
    code = (
        f"import sys; sys.path.insert(0, {str(inside)!r})\nimport neuromorph\n"
        f"assert neuromorph.__file__.startswith({str(inside)!r})\n"
        "from neuromorph.hardware.catalog import architecture_names, load_architecture\n"
        "print([load_architecture(n).name for n in architecture_names()])"
    )
    assert "isaac-like" in python(code, tmp_path)
    assert (inside / "neuromorph" / "report" / "templates" / "report.html.j2").exists()
