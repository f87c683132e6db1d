"""Command: maxcut, which searches large cuts of a graph and prices the search on a many-core chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuromorph.cli.models import ArchOption, Changes

if TYPE_CHECKING:
    from neuromorph.systems.annealing import MaxCutResult

SOLUTION = "solution.npz"


def maxcut(
    graph: Annotated[Path, typer.Argument(help="Graph in the G-set format: 'vertices edges', then 'i j weight'.")],
    sweeps: Annotated[int, typer.Option("--sweeps", min=1, help="Visits of every spin in a run.")] = 1000,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Independent runs.")] = 20,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all random draws.")] = 0,
    target: Annotated[
        float | None, typer.Option("--target", help="Cut that counts as solved; default: the best of these runs.")
    ] = None,
    arch: ArchOption = None,
    changes: Changes = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the solution and, with --arch, the report.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Threads; default: one per processor.")
    ] = None,
) -> None:
    """Search the largest cut of a graph by pairs of neurons with an annealed threshold (NeuroSA).

    With --arch, the run with the largest cut is placed on a many-core chip and counted, timed and priced.
    """
    from neuromorph.cli.models import read_hardware
    from neuromorph.devices.manycore import read_machine
    from neuromorph.files import make_folder
    from neuromorph.systems.annealing import maxcut as search
    from neuromorph.systems.annealing import read_gset
    from neuromorph.terminal import progress as shown
    from neuromorph.terminal import show

    problem = read_gset(graph)
    chip = None if arch is None else read_hardware(None, arch, changes)
    if chip is not None:
        read_machine(chip)  # refuses what is no many-core chip before the search
    with shown() as progress:
        result = search(problem, sweeps, runs, seed, workers=workers, progress=progress)
    if chip is None:
        _show(result, target)
    else:
        from neuromorph.report import write_report
        from neuromorph.report.terminal import summary
        from neuromorph.systems.annealing.chip import chip_report

        report = chip_report(result, chip, target, {"model_file": graph.name, "changes": changes or []})
        show(summary(report))
        if output is not None:
            for path in write_report(report, output).values():
                typer.echo(f"written: {path}")
    if output is not None:
        result.save(make_folder(output) / SOLUTION)
        typer.echo(f"written: {output / SOLUTION}")


def _show(result: MaxCutResult, target: float | None) -> None:
    graph = result.graph
    goal = float(result.cuts.max()) if target is None else target
    typer.echo(f"{graph.name}: {graph.size} vertices, {graph.edges} edges, {result.order.groups} groups of spins")
    typer.echo(f"cut: mean {result.cuts.mean():.6g}, best {result.cuts.max():.6g} of {len(result.cuts)} runs")
    typer.echo(f"{result.reached(goal):.0%} of the runs reach {goal:.6g}")
    flips = result.flips.sum(axis=1).mean()
    typer.echo(f"a run: {result.proposals} visits with one random number each, {flips:.6g} flips")


def register(app: typer.Typer) -> None:
    app.command("maxcut")(maxcut)
