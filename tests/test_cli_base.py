"""The command line's frame: exit codes, messages instead of tracebacks, a fast start."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import neuromorph.cli as cli
from neuromorph.errors import FitError, InputError, MissingExtraError, Place, Problem

ROOT = Path(__file__).resolve().parents[1]
START = "import sys; from neuromorph.cli import main; sys.exit(main(sys.argv[1:]))"

DATASHEET = """\
schema: 1
kind: toyadc
name: adc-a
title: A converter
sources:
  shafiee2016: {citation: "Shafiee et al., ISCA 2016"}
quantities:
  energy: {value: 1.56 pJ, basis: derived, source: shafiee2016, where: "Table 6", low: 1 pJ, high: 2 pJ}
"""
ARCHITECTURE = """\
schema: 1
name: toy
title: A toy
boundary: chip
chip:
  tile:
    count: 4
    adc: {part: adc-a, bits: 6, count: 2}
"""


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-c", START, *arguments], env=environment, text=True, check=False, timeout=60,
        **{"capture_output": "stdout" not in options, **options},
    )  # fmt: skip


@pytest.fixture
def toy_files(tmp_path: Path):
    """A datasheet and an architecture of kinds that exist only here."""
    from dataclasses import dataclass

    from neuromorph.hardware.component import ComponentKind, Slot, quantity, setting
    from neuromorph.hardware.registry import registered

    @dataclass(frozen=True)
    class Settings:
        bits: int = setting(doc="resolution", affects=("function",), default=8, low=1, high=16)

    @dataclass(frozen=True)
    class Quantities:
        energy: float = quantity("J", doc="energy", affects=("energy",), required=True)

    kinds = (
        ComponentKind("chip", "c", slots={"tile": Slot(("toytile",))}),
        ComponentKind("toytile", "t", slots={"adc": Slot(("toyadc",))}),
        ComponentKind("toyadc", "a", Settings, Quantities),
    )
    (tmp_path / "adc-a.yaml").write_text(DATASHEET)
    (tmp_path / "toy.yaml").write_text(ARCHITECTURE)
    with registered(*kinds):
        yield tmp_path


def test_help_starts_without_slow_imports() -> None:
    code = (
        "import sys\nfrom neuromorph.cli import main\ncode = main(['--help'])\n"
        "slow = {'numpy', 'torch', 'scipy', 'matplotlib', 'pydantic', 'numba', 'yaml', 'simpy', 'jinja2'}\n"
        "print(sorted(slow & set(sys.modules)), file=sys.stderr)\nsys.exit(code)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert found.returncode == 0
    assert found.stderr.strip() == "[]"
    assert "architectures" in found.stdout


@pytest.mark.parametrize("group", ["architectures", "devices"])
def test_hardware_files_are_listed_without_torch(group: str) -> None:
    code = (
        f"import sys\nfrom neuromorph.cli import main\nassert main(['{group}', 'list']) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert found.returncode == 0, found.stderr


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("neuromorph ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["devices", "show"], "Missing argument"),
        (["devices", "list", "--jsn"], "--jsn"),
        (["devices", "show", "no-such-part"], "there is no datasheet 'no-such-part'"),
        (["architectures", "show", "no-such-chip"], "there is no architecture 'no-such-chip'"),
        (["architectures", "check", "no/such.yaml"], "no such file"),
        (["devices", "check", "/"], "folder"),
        (["devices", "list", "--kind", "toaster"], "no datasheet is of kind 'toaster'"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
    assert len(error.splitlines()) == 1
    assert error.rstrip().endswith(")")


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    found = capsys.readouterr()
    assert "Usage: neuromorph" in found.out + found.err
    assert "error" not in found.err


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Gives the application one command, `fail`, that raises what the test wants."""

    def make(error: BaseException) -> None:
        def build() -> typer.Typer:
            app = typer.Typer(pretty_exceptions_enable=False)

            @app.callback()
            def root() -> None:
                pass

            @app.command()
            def fail() -> None:
                raise error

            return app

        monkeypatch.setattr(cli, "build_app", build)

    return make


TWO = (Problem("bad a", Place("f.yaml", 3, 4, "chip.a"), "write b"), Problem("bad c", Place(key="--x")))


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (InputError(TWO), 2, ["error: f.yaml:3:4 [chip.a]: bad a (write b)", "error: --x: bad c", "2 problems"]),
        (FitError("too big", hint="use 4 tiles"), 2, ["error: too big (use 4 tiles)"]),
        (MissingExtraError("nir", "nir"), 2, ["error: nir is needed for this and is not installed"]),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x/y"),
            2,
            ["error: /x/y: No space left on device (free space"],
        ),
        (
            OSError(errno.EROFS, "Read-only file system", "/x"),
            2,
            ["error: /x: Read-only file system (choose a folder"],
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, ["error: /x: Permission denied (choose another"]),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "q"),
            2,
            ["error: q: No such file or directory (ch"],
        ),
        (MemoryError(), 2, ["error: not enough memory (use a smaller batch"]),
        (KeyboardInterrupt(), 130, []),
        (typer.Abort(), 130, ["aborted"]),
        (typer.Exit(3), 3, []),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, []),
        (ValueError("two\nlines"), 70, ["error: unexpected ValueError at test_cli_base.py:"]),
        (RecursionError(), 70, ["error: unexpected RecursionError"]),
    ],
)
def test_every_failure_has_its_code_and_no_traceback(
    error: BaseException, code: int, lines: list[str], failing, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("NEUROMORPH_DEBUG", raising=False)
    monkeypatch.setattr(cli, "_silence", lambda: None)
    failing(error)
    try:
        found = cli.main(["fail"])
    except SystemExit as stop:  # older versions of click leave by sys.exit on a broken pipe
        found = {1: 141}.get(stop.code, stop.code)
    text = capfd.readouterr().err
    assert found == code
    assert "Traceback" not in text
    assert len(text.splitlines()) == max(len(lines), 0) or code == 130
    for line, start in zip(text.splitlines(), lines, strict=False):
        assert line.startswith(start)


def test_debug_lets_the_exception_through(failing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROMORPH_DEBUG", "1")
    failing(ValueError("inside"))
    with pytest.raises(ValueError, match="inside"):
        cli.main(["fail"])


def test_unexpected_failures_ask_for_a_report(failing, capsys: pytest.CaptureFixture[str]) -> None:
    failing(ZeroDivisionError("division by zero"))
    assert cli.main(["fail"]) == 70
    assert "please report it" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_under_standard_output() -> None:
    with open("/dev/full", "w") as full:
        found = run("devices", "schema", stdout=full, stderr=subprocess.PIPE)
    assert found.returncode == 2
    assert found.stderr.startswith("error: ")
    assert "No space left on device (free space" in found.stderr
    assert "Traceback" not in found.stderr


def test_reader_that_goes_away() -> None:
    read, write = os.pipe()
    os.close(read)
    found = run("devices", "schema", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert found.returncode in (1, 141)
    assert found.stderr == ""


def test_terminal_that_knows_only_ascii() -> None:
    found = run("devices", "list", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert found.returncode == 0
    assert found.stderr == ""


def test_check_reports_all_files_at_once(toy_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = toy_files / "bad.yaml"
    bad.write_text(DATASHEET.replace("1.56 pJ", "-1").replace("derived", "magic"))
    worse = toy_files / "worse.yaml"
    worse.write_text("schema: [1\n")
    good = toy_files / "adc-a.yaml"
    assert cli.main(["devices", "check", str(good), str(bad), str(worse)]) == 2
    out, error = capsys.readouterr()
    assert out == f"{good}: ok\n"
    assert len([line for line in error.splitlines() if line.startswith(f"error: {bad}:8:")]) == 2
    assert len([line for line in error.splitlines() if line.startswith(f"error: {worse}:2:")]) == 1
    assert error.splitlines()[-1] == "3 problems"


def test_architecture_check_and_show(toy_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(toy_files / "toy.yaml")
    assert cli.main(["architectures", "check", path]) == 0
    assert capsys.readouterr().out == f"{path}: ok\n"
    assert cli.main(["architectures", "show", path]) == 0
    text = capsys.readouterr().out
    for words in ("chip.tile.adc: toyadc x 2 (8 in all), part adc-a", "1.56 pJ", "1 pJ .. 2 pJ", "derived",
                  "shafiee2016", "Table 6", "Shafiee et al., ISCA 2016", "boundary: chip"):  # fmt: skip
        assert words in text
    assert cli.main(["architectures", "show", path, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    adc = data["chip"]["children"]["tile"]["children"]["adc"]
    assert adc["settings"]["bits"] == {"value": 6, "unit": ""}
    assert adc["quantities"]["energy"] == {
        "value": 1.56e-12, "unit": "J", "low": 1e-12, "high": 2e-12, "basis": "derived", "source": "shafiee2016",
        "where": "Table 6"}  # fmt: skip


def test_datasheet_show(toy_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(toy_files / "adc-a.yaml")
    assert cli.main(["devices", "show", path]) == 0
    text = capsys.readouterr().out
    assert all(words in text for words in ("adc-a: A converter", "1.56 pJ", "derived", "shafiee2016", "Table 6"))
    assert cli.main(["devices", "show", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["quantities"]["energy"]["value"] == 1.56e-12


@pytest.mark.parametrize("group", ["architectures", "devices"])
def test_lists_and_schemas_are_json(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([group, "list", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), list)
    assert cli.main([group, "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"].endswith("2020-12/schema")
