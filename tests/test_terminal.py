"""What the command line shows: width, tables, progress."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import pytest

from neuromorph import terminal
from neuromorph.progress import part, silent

SOURCE = Path(__file__).parents[1] / "neuromorph"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_has_a_fixed_width_and_a_terminal_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.console(io.StringIO()).width == terminal.PIPE_WIDTH
    assert terminal.console(Terminal()).width == 72


def test_a_table_aligns_texts_left_and_numbers_right(capsys: pytest.CaptureFixture) -> None:
    terminal.table("[title]", ("name", "n"), [("[x]", 7), ("long name", 1234)], footers=("all", "1241"))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == "[title]"  # no markup of rich
    cells = [line.split() for line in lines[1:] if "─" not in line]
    assert cells == [["name", "n"], ["[x]", "7"], ["long", "name", "1234"], ["all", "1241"]]
    assert len({len(line) for line in lines[1:] if "─" not in line}) == 1  # numbers end in one column


def test_columns_named_left_and_numbers_kept_whole() -> None:
    columns = terminal.grid("", ("a", "b", "c"), left=("a", "c"), whole=True).columns
    assert [c.justify for c in columns] == ["left", "right", "left"]
    assert [c.no_wrap for c in columns] == [False, True, False]


def test_a_long_row_is_not_folded_in_a_pipe(capsys: pytest.CaptureFixture) -> None:
    terminal.table("", ("a", "b"), [("x" * 100, "y" * 40)])
    assert re.search("x{100} +y{40}", capsys.readouterr().out)


def test_plain_lines_come_at_most_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    out = io.StringIO()
    with terminal.progress(out) as say:
        for second in range(25):
            now[0] = float(second)
            say(second / 25, f"part {second}")
        say(1.0, "done")
    assert out.getvalue().splitlines() == ["40% part 10", "80% part 20"]


def test_short_work_tells_nothing_in_a_pipe_unless_it_counts() -> None:
    out = io.StringIO()
    with terminal.progress(out) as say:
        say(0.0, "a")
        say(1.0, "b")
    assert out.getvalue() == ""
    with terminal.progress(out, counted=True) as say:
        for k in range(4):
            say(k / 3, f"{k}/3 points")
    assert out.getvalue() == "0/3 points\n3/3 points\n"


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with terminal.progress(out) as say:
        say(0.5, "half [of] it")
    assert "half [of] it" in out.getvalue()


def test_quiet() -> None:
    out = Terminal()
    with terminal.progress(out, quiet=True) as say:
        say(0.5, "half")
    assert say is silent
    assert out.getvalue() == ""


def test_part_of_a_whole() -> None:
    told: list[tuple[float, str]] = []
    say = part(lambda done, what: told.append((done, what)), 0.25, 0.5, "first: ")
    say(0.0, "a")
    say(1.0, "b")
    assert told == [(0.25, "first: a"), (0.75, "first: b")]
    part(None, 0.0, 1.0)(0.5, "nobody listens")


def test_every_callback_of_progress_has_the_one_type() -> None:
    """Parameters named progress or say are of the type `Progress`, or of its name in the protocol."""
    legal = {"Progress | None", "Progress", "Say | None", "Say"}
    # a sweep tells how many points are done, failed and left; a file reader hands on problems
    others = {("sweep/api.py", "progress"), ("sweep/engine.py", "progress"), ("systems/annealing/couplings.py", "say")}
    wrong = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.arg) and node.arg in ("progress", "say") and node.annotation is not None:
                found = (str(path.relative_to(SOURCE)), node.arg)
                if ast.unparse(node.annotation) not in legal:
                    wrong.add(found)
    assert wrong == others


def test_consoles_are_made_in_one_place() -> None:
    found = [
        str(p.relative_to(SOURCE)) for p in sorted(SOURCE.rglob("*.py")) if re.search(r"\bConsole\(", p.read_text())
    ]
    assert found == ["terminal.py"]
