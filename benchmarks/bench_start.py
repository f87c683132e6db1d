"""Speed of the command line's start: `neuromorph --help` against a Python that imports numpy, each a fresh process.

python -m benchmarks.bench_start [--quick]
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.timing import compete, parse, show


def process(*arguments: str) -> Callable[[], None]:
    def run() -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    return run


def rows(quick: bool) -> list[dict[str, Any]]:
    """One row: help over numpy's import. Processor times are those of the children's starter, so left out."""
    help_ = process("-c", "import sys; from neuromorph.cli import main; sys.exit(main(['--help']))")
    contest = compete(help_, process("-c", "import numpy"), 5 if quick else 25)
    row = contest.row("start of neuromorph --help", 3.0, "python -c 'import numpy'")
    del row["cpu_ratio"]
    return [row]


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
