"""Command: sweep a network on an architecture over any parameters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuromorph.cli.models import Dt, Preset, SemanticsFile, Steps, TimeScale, given, read_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from neuromorph.sweep import SweepResult
    from neuromorph.sweep.store import Begun

_VARY = (
    "A parameter and its values, repeatable: core.adc.bits=4..8, cell.programming_noise=0x,0.5x,1x, "
    "'read_voltage=0.1 V,0.2 V', 'x=log(1e-3, 1, 7)', with a sampling method also 'x=uniform(0.1 V, 1 V)'. "
    "Besides paths: seed, trials, time, model, architecture."
)
ROWS_SHOWN = 24
PICTURES = ("png", "svg", "pdf", "none")


def sweep(
    model: Annotated[Path, typer.Argument(help="Model file.", metavar="MODEL")],
    architecture: Annotated[str, typer.Argument(help="Architecture name or YAML file.", metavar="ARCHITECTURE")],
    vary: Annotated[list[str], typer.Option("--vary", help=_VARY)],
    data: Annotated[
        Path | None, typer.Option("--data", help="Test data, .npz with x and y; left out, activity is assumed.")
    ] = None,
    calibration: Annotated[
        Path | None, typer.Option("--calibrate", help="Data that converter ranges are found on, .npz.")
    ] = None,
    samples: Annotated[int | None, typer.Option("--samples", help="Use the first so many samples.")] = None,
    dt: Dt = None,
    steps: Steps = None,
    preset: Preset = None,
    semantics: SemanticsFile = None,
    time_scale: TimeScale = None,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Chips per point (10 where chips differ).", min=1)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of chips and sampling.", min=0)] = 0,
    time: Annotated[
        str | None, typer.Option("--time", help="Time between programming and reading, e.g. '1 h'.")
    ] = None,
    off: Annotated[list[str] | None, typer.Option("--off", help="Leave an effect out, repeatable.")] = None,
    method: Annotated[str, typer.Option("--method", help="grid, random, lhs or sobol.")] = "grid",
    points: Annotated[int | None, typer.Option("--points", help="Number of points that are sampled.")] = None,
    torch_device: Annotated[str | None, typer.Option("--torch-device", help="cpu or cuda.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; one per core if left out, 0 for none.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help="File that keeps finished points; OUTPUT/sweep.sqlite if left out.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for sweep.csv and the plots.")] = Path("sweep"),
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Intervals of published ranges for each point; ten times as slow.")
    ] = False,
    plots: Annotated[str, typer.Option("--plots", help="png, svg, pdf or none.")] = "png",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Run a network over a space of parameters; killed, the same command goes on where it was.

    Every finished point is kept at once. Points that differ only in price are executed once.
    """
    from neuromorph.errors import InputError, Place, suggest
    from neuromorph.files import make_folder
    from neuromorph.sweep import SweepInterrupted
    from neuromorph.sweep.api import sweep as run_sweep
    from neuromorph.sweep.progress import shown

    if plots not in PICTURES:
        raise InputError(f"{plots!r} is no picture format", Place(key="--plots"), suggest(plots, PICTURES))
    told = any(option is not None for option in (dt, preset, semantics, steps, time_scale))
    network = read_model(model, dt, preset, semantics, steps, time_scale) if told else model
    make_folder(output)
    kept = store or output / "sweep.sqlite"
    try:
        with shown(quiet=quiet) as progress:
            result = run_sweep(
                network, architecture, vary=vary, data=data, samples=samples, method=method, points=points, store=kept,
                workers=workers, progress=progress, begun=_teller(kept), seed=seed,
                intervals=intervals,
                **given(calibration_data=calibration, trials=trials, time_s=time, off=off, torch_device=torch_device),
            )  # fmt: skip
    except SweepInterrupted as stop:
        typer.echo(str(stop), err=True)
        raise typer.Exit(130) from None
    _finish(result, output, plots)


def _finish(result: SweepResult, output: Path, plots: str) -> None:
    """Write the table and the plots, and show what came out."""
    from neuromorph.errors import InputError

    written = [output / "sweep.csv"]
    result.to_csv(written[0])
    if plots != "none" and any(r["status"] == "done" for r in result.rows):
        written += result.plot(output, kind=plots)
    _print(result)
    typer.echo(f"written: {written[0]}" + (f" and {len(written) - 1} plots in {output}" if written[1:] else ""))
    if not any(r["status"] in ("done", "misfit") for r in result.rows):
        raise InputError(f"no point gave a result: {result.rows[0]['error']}")


def register(app: typer.Typer) -> None:
    app.command("sweep")(sweep)


def _teller(store: Path) -> Callable[[Begun, int], None]:
    def tell(begun: Begun, points: int) -> None:
        if begun.resumed:
            typer.echo(f"{points} points, going on with what {store} holds", err=True)
        elif begun.changed:
            what = ", ".join(begun.changed)
            typer.echo(f"{points} points, all new: {what} changed since the last sweep in {store}", err=True)
        else:
            typer.echo(f"{points} points, kept in {store}", err=True)

    return tell


def _print(result: SweepResult) -> None:
    from neuromorph.terminal import table

    names = [m for m in ("accuracy", "energy_j", "latency_s", "power_w", "area_m2") if m in result.metrics]
    rows = [
        [*(row[p] for p in result.parameters), *(_shown(row[m], m) for m in names), row["status"]]
        for row in result.rows[:ROWS_SHOWN]
    ]
    table("", [*result.parameters, *names, "status"], rows, left=(*result.parameters, "status"))
    if len(result) > ROWS_SHOWN:
        typer.echo(f"... {len(result) - ROWS_SHOWN} more rows in sweep.csv")
    for status, what in (("misfit", "do not fit"), ("error", "failed"), ("died", "lost their process")):
        found = [r for r in result.rows if r["status"] == status]
        if found:
            first = found[0]["error"].splitlines()[0]
            typer.echo(f"{len(found)} of {len(result)} points {what}, the first: {first}", err=True)


def _shown(value: Any, name: str) -> str:
    from neuromorph.units import format_si

    if value is None:
        return ""
    unit = {"_j": "J", "_s": "s", "_w": "W", "_m2": "m^2"}.get(name[name.rfind("_") :], "")
    return format_si(value, unit) if unit else f"{value:.4f}"
