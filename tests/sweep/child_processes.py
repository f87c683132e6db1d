"""Programs that tests start, signal and end.

A shell that runs tests in the background makes them ignore Ctrl-C, and children inherit that: `started` gives its
program Python's own handling again, unless told to leave what it inherits. Whatever happens in the test, the program,
its workers and its pipes are gone when the block ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

PATIENCE_S = 120
"""After which a program is taken to hang. No test measures a time."""

_HEARS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
_DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
_RUN = (
    "import runpy, sys; sys.argv = sys.argv[1:]; sys.path.insert(0, {folder!r}); "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


@contextlib.contextmanager
def started(
    script: Path, arguments: Sequence[str], *, cwd: Path | None = None, ignores_interrupts: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """The script in a process group of its own, standard error merged into its output."""
    code = "; ".join([_DEAF if ignores_interrupts else _HEARS, _RUN.format(folder=str(script.parent))])
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(script), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
        process.wait(timeout=PATIENCE_S)


def end(process: subprocess.Popen[str]) -> str:
    """The rest of what the program and its workers print until the last of them ends."""
    output, _ = process.communicate(timeout=PATIENCE_S)
    return output


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Lines up to the first with this text."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if text in line:
            return "".join(seen)
    raise AssertionError(f"the program ended without {text!r}:\n{''.join(seen)}")
