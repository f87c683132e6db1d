"""Runs all benchmarks, each in a process of its own, and shows their rows as one table.

    python -m benchmarks [--quick] [--only forward,start] [-o benchmarks/results.json]

Rows are also written as JSON with the number of cores. The exit code is 1 where a benchmark fails or a row of a full
run misses what it is to reach; short runs are too small to judge by.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import machine

HERE = Path(__file__).resolve().parent


QUICK = {"sweep": ["--points", "60", "--samples", "200", "--trials", "2", "--repeats", "1"]}
"""Arguments of a short run where a benchmark has no --quick."""

REACH = {"sweep": {"reach": 100, "better": "higher", "baseline": "running each point"}}
"""What rows that do not say it themselves are to reach."""


def modules() -> list[str]:
    """Names of the benchmarks without their prefix."""
    return sorted(p.stem.removeprefix("bench_") for p in HERE.glob("bench_*.py"))


def run(name: str, quick: bool) -> list[dict[str, Any]]:
    """The rows that one benchmark prints; a row with an error where it fails."""
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", *(QUICK.get(name, ["--quick"]) if quick else [])]
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, check=False)
    rows = []
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            rows.append({"name": name, **REACH.get(name, {}), **json.loads(line), "benchmark": name})
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        rows.append({"name": f"bench_{name}", "benchmark": name, "met": False, "error": last[0]})
    return rows


def met(row: dict[str, Any]) -> bool | None:
    """Whether a row reaches what it is to reach; None where there is no such number."""
    if "met" in row:
        return bool(row["met"])
    found, reach = row.get("ratio", row.get("value")), row.get("reach")
    if not isinstance(found, int | float) or not isinstance(reach, int | float):
        return None
    return bool(found >= reach if row.get("better") == "higher" else found <= reach)


def number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value or "")


def table(rows: Sequence[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("benchmark", "result", "reach", "met", "against"):
        shown.add_column(column, justify="right" if column in ("result", "reach") else "left", overflow="fold")
    words = {True: "yes", False: "NO", None: ""}
    for row in rows:
        result = row.get("error") or row.get("ratio", row.get("value", row.get("seconds")))
        unit = "x" if "ratio" in row else "s" if "seconds" in row and "value" not in row else row.get("unit", "")
        sign = ">= " if row.get("better") == "higher" else "<= "
        reach = number(row.get("reach"))
        cells = (
            str(row["name"]),
            f"{number(result)} {unit}".strip(),
            sign + reach if isinstance(row.get("reach"), int | float) else reach,
            words[met(row)],
            str(row.get("baseline", "")),
        )
        shown.add_row(*map(Text, cells))
    Console(width=None if sys.stdout.isatty() else 130).print(shown)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed, as ratios against baselines.")
    parser.add_argument("--quick", action="store_true", help="few repeats and small cases, to see that it runs")
    parser.add_argument("--only", default="", help=f"some of {', '.join(modules())}")
    parser.add_argument("-o", "--output", type=Path, default=HERE / "results.json", help="where the rows go, JSON")
    options = parser.parse_args(argv)
    chosen = [n for n in options.only.split(",") if n] or modules()
    if unknown := sorted(set(chosen) - set(modules())):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(modules())}")
    rows: list[dict[str, Any]] = []
    for name in chosen:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += run(name, options.quick)
    options.output.write_text(json.dumps({"machine": machine(), "quick": options.quick, "rows": rows}, indent=1))
    table(rows)
    print(f"{machine()['cores']} cores; rows written to {options.output}")
    failed = any("error" in row for row in rows)
    return 1 if failed or (not options.quick and any(met(row) is False for row in rows)) else 0


if __name__ == "__main__":
    sys.exit(main())
