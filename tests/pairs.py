"""Reports of nine pairs of network and chip, executed and assumed: recorded before a change and compared after it.

    python tests/pairs.py record before        # writes before/<pair>.json
    python tests/pairs.py compare before       # makes them again; prints every value that differs, exit code 1 if any

Everything but notes' wording, versions and file names must be equal: a refactoring changes no number.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MNIST = ["--data", "examples/mnist/mnist5k.npz", "--samples", "60"]
FORMAT, SUMMED = 1e-12, 1e-6
"""Relative differences that printing and reading back may leave, and that spreads over samples (summed in float32 in an
order that depends on where arrays lie in memory) have between two runs of the same code."""

NETWORKS = {
    "mlp": (
        "examples/mnist/mlp.nmg.json",
        [*MNIST, "--calibration", "examples/mnist/calibration.npz", "--trials", "3"],
    ),
    "lenet": ("examples/mnist/lenet.nmg.json", [*MNIST, "--trials", "2", "--effects"]),
    "nmnist": (
        "examples/nmnist/nmnist-conv.nmg.json",
        ["--data", "examples/nmnist/nmnist-test.npz", "--samples", "12", "--trials", "2"],
    ),
}
PAIRS = [
    *((n, c) for n in ("mlp", "lenet") for c in ("hermes-like", "isaac-like", "digital-int8")),
    *(("nmnist", c) for c in ("spinnaker2", "loihi-like", "hermes-like")),
]
FREE = {"notes", "provenance.neuromorph", "provenance.python", "provenance.model_file", "provenance.data_file"}


def make(folder: Path) -> None:
    """Writes the report of every pair, executed and assumed, as folder/<pair>.json."""
    from neuromorph.cli import main

    folder.mkdir(parents=True, exist_ok=True)
    for network, chip in PAIRS:
        model, options = NETWORKS[network]
        for origin, more in (("executed", options), ("assumed", [])):
            if chip in ("spinnaker2", "loihi-like"):
                more = [o for i, o in enumerate(more) if o != "--trials" and more[i - 1] != "--trials"]
            with tempfile.TemporaryDirectory() as out:
                code = main(["run", str(ROOT / model), chip, *_here(more), "--seed", "3", "-o", out])
                assert code == 0, f"{network} on {chip}, {origin}: exit code {code}"
                (folder / f"{network}-{chip}-{origin}.json").write_bytes((Path(out) / "report.json").read_bytes())


def _here(options: list[str]) -> list[str]:
    return [str(ROOT / o) if o.startswith("examples/") else o for o in options]


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Every leaf that differs, a line each."""
    if path in FREE or path.endswith(".note"):
        return
    if path == "metrics":  # by name; further ones are no difference
        before = {m["name"]: m for m in before}
        after = {m["name"]: m for m in after if m["name"] in before}
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(k for k in after if k not in before)]:
            inner = f"{path}.{key}" if path else str(key)
            if key not in before or key not in after:
                yield f"{inner}: only {'after' if key in after else 'before'}"
            else:
                yield from differences(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            yield f"{path}: {len(before)} rows before, {len(after)} after"
        for i, (a, b) in enumerate(zip(before, after, strict=False)):
            yield from differences(a, b, f"{path}[{i}]")
    elif isinstance(before, float) and isinstance(after, float | int) and not isinstance(after, bool):
        if not math.isclose(before, after, rel_tol=SUMMED if path.endswith("spread_j") else FORMAT, abs_tol=0.0):
            yield f"{path}: {before!r} before, {after!r} after"
    elif before != after:
        yield f"{path}: {before!r} before, {after!r} after"


def compare(before: Path, after: Path) -> int:
    """How many values of the recorded reports differ; prints the first of each report."""
    count = 0
    for file in sorted(before.glob("*.json")):
        found = list(differences(json.loads(file.read_text()), json.loads((after / file.name).read_text())))
        count += len(found)
        print(f"{file.stem}: {len(found) or 'no'} differences")
        print("".join(f"  {line}\n" for line in found[:20]), end="")
    return count


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", folder]:
            make(Path(folder))
        case ["compare", folder]:
            with tempfile.TemporaryDirectory() as fresh:
                make(Path(fresh))
                sys.exit(compare(Path(folder), Path(fresh)) > 0)
        case _:
            sys.exit(__doc__)
