"""Command: estimate, quick tables of many designs in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np

_VARY = "A parameter and its values, repeatable: core.adc.bits=4..8, 'core.array.rows=64,128,256', 'x=log(1, 8, 4)'."
ROWS_SHOWN = 30


def _table(path: Path | None, columns: dict[str, Any]) -> None:
    """Writes CSV, or to the terminal where no file is given."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(c.tolist() if hasattr(c, "tolist") else c for c in columns.values()), strict=True))
    if path is None:
        typer.echo(out.getvalue(), nl=False)
    else:
        from neuromorph.files import make_folder, write_file

        make_folder(path.parent)
        write_file(path, out.getvalue())


def _show(title: str, columns: dict[str, Any], order: np.ndarray) -> None:
    from neuromorph.terminal import table

    table(title, list(columns), ([_cell(c[i]) for c in columns.values()] for i in order[:ROWS_SHOWN]), left=0)
    if len(order) > ROWS_SHOWN:
        typer.echo(f"{ROWS_SHOWN} of {len(order)} shown; write all with -o table.csv")


def _cell(value: Any) -> str:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def estimate(
    model: Annotated[str, typer.Argument(help="A network file.", metavar="MODEL")],
    architecture: Annotated[str, typer.Argument(help="Architecture name or YAML file.", metavar="ARCHITECTURE")],
    vary: Annotated[list[str] | None, typer.Option("--vary", help=_VARY)] = None,
    density: Annotated[float, typer.Option(help="Fraction of inputs that are not zero.", min=0.0, max=1.0)] = 0.5,
    method: Annotated[str, typer.Option("--method", help="grid, random, lhs or sobol.")] = "grid",
    points: Annotated[int | None, typer.Option("--points", help="Number of designs that are sampled.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sampling.", min=0)] = 0,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Keep designs that no other one beats in all three.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write all designs here, CSV.")] = None,
) -> None:
    """Estimate energy, time and area of a space of designs in closed form, without placing any of them.

    One copy of each layer, assumed activity; no routers, links, boundary or static power. SI units.
    """
    import numpy as np

    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.importers import read_graph
    from neuromorph.run import estimate as run
    from neuromorph.sweep.space import make_points, parse_axes

    graph, found = read_graph(model), load_architecture(architecture)
    axes = parse_axes(vary) if vary else ()
    designs = make_points(axes, method=method, points=points, seed=seed) if axes else []
    values = {a.path: [p.parameters[a.path] for p in designs] for a in axes}
    results = run(graph, found, values, density=density)
    columns: dict[str, Any] = {**values, **results.columns()}
    best = results.pareto()
    columns = {k: np.asarray(v) for k, v in columns.items()} | {"pareto": best}
    if pareto:
        columns = {k: v[best] for k, v in columns.items()}
    if output is not None:
        _table(output, columns | _parts(results.energy_by, best if pareto else slice(None)))
        typer.echo(f"{len(columns['energy_j'])} designs written to {output}", err=True)
    shown = {k: v for k, v in columns.items() if k not in ("leakage_w", "cores")}
    _show(f"{graph.name} on {found.name}", shown, np.argsort(shown["energy_j"], kind="stable"))
    typer.echo(f"not included: {', '.join(results.not_included)}")


def _parts(energy_by: Any, which: Any) -> dict[str, Any]:
    return {f"energy_j {path}": joules[which] for path, joules in energy_by.items()}


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command("estimate")(estimate)
