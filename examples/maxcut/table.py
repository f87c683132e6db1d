"""Mean and best cut of 20 runs for graphs of the G-set, against the best known cuts.

    python examples/maxcut/table.py FOLDER [--sweeps 1000] [--graphs G1,G4] [-o results.csv]

FOLDER holds `gset.zip` (the graphs as text files) and `best_known.csv`; by default `gset` in the folder that
NEUROMORPH_DATA names. Without --graphs: every graph up to 2,000 vertices. The same rule sets the temperatures of all
graphs; nothing is tuned.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

COLUMNS = ("graph", "vertices", "edges", "best_known", "mean", "best", "worst", "mean_over_best_known",
           "best_over_best_known", "reached", "groups", "flips_per_visit")  # fmt: skip
LARGEST = 2000


def graphs(folder: Path, names: Sequence[str] = ()) -> Iterator[tuple[Path, float]]:
    """Each graph as a text file, with the best known cut."""
    with open(folder / "best_known.csv", encoding="utf-8") as file:
        known = {r["graph"]: r for r in csv.DictReader(file)}
    wanted = list(names) or [n for n, r in known.items() if int(r["n"]) <= LARGEST]
    with zipfile.ZipFile(folder / "gset.zip") as archive, tempfile.TemporaryDirectory() as place:
        files = {Path(n).stem: n for n in archive.namelist()}
        for name in wanted:
            path = Path(place) / f"{name}.txt"
            path.write_bytes(archive.read(files[name]))
            yield path, float(known[name]["best_known_cut"])


def row(path: Path, known: float, sweeps: int, runs: int) -> dict[str, str]:
    """One line of the table."""
    from neuromorph.systems.annealing import maxcut, read_gset

    graph = read_gset(path)
    found = maxcut(graph, sweeps, runs, seed=0)
    values = (
        graph.name, graph.size, graph.edges, f"{known:g}", f"{found.cuts.mean():g}", f"{found.cuts.max():g}",
        f"{found.cuts.min():g}", f"{found.cuts.mean() / known:.4f}", f"{found.cuts.max() / known:.4f}",
        f"{found.reached(known):g}", found.order.groups, f"{found.flips.sum() / runs / found.proposals:.4f}",
    )  # fmt: skip
    return dict(zip(COLUMNS, map(str, values), strict=True))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(os.environ.get("NEUROMORPH_DATA", ".")) / "gset")
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--graphs", default="")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args(argv)
    if not (options.folder / "gset.zip").is_file():
        parser.error(f"no gset.zip in {options.folder}: name the folder, or set NEUROMORPH_DATA")
    started, rows = time.perf_counter(), []
    for path, known in graphs(options.folder, [n for n in options.graphs.split(",") if n]):
        rows.append(row(path, known, options.sweeps, options.runs))
        print("  ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
    if options.output is not None:
        with open(options.output, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    print(f"{len(rows)} graphs, {time.perf_counter() - started:.1f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
