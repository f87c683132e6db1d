"""Command: map, which places a network on an architecture and shows how."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neuromorph.cli.models import (
    ArchName,
    ArchOption,
    Changes,
    Data,
    Dt,
    Preset,
    SemanticsFile,
    Steps,
    TimeScale,
    given,
    read_hardware,
    read_model,
    read_samples,
)

EFFORTS = "none, quick, normal or thorough"


def _show(found: dict[str, Any]) -> None:
    """The tables of a placement of any kind; see `devices.explained`."""
    from neuromorph.terminal import table

    heads = [label for _, label, _ in found["columns"]]
    rows = [[_cell(row[key], form) for key, _, form in found["columns"]] for row in found["layers"]]
    left = sum(form == "text" for _, _, form in found["columns"])
    table(f"{found['graph']} on {found['architecture']}", heads, rows, left=left)
    limits = [
        (
            row["limit"] + (" (binds)" if row["binds"] else ""), row["component"],
            *(_cell(row[end], "bit" if row["unit"] == "bit" else "number") for end in ("used", "available")),
            f"{row['degree']:.1%}" + ("" if row["hard"] or row["degree"] <= 1 else " (fetched in parts)"),
        )
        for row in found["limits"]
    ]  # fmt: skip
    table("Limits", ("limit", "component", "used", "available", "degree"), limits, left=2)
    of, form = found["measure"]["of"], found["measure"]["form"]
    orders = [(row["order"], _cell(row["cost"], form), f"{row['relative']:.2f}") for row in found["orders"]]
    table(of[0].upper() + of[1:], ("order", "cost", "relative"), orders)
    for line in found["lines"]:
        typer.echo(line)


def _cell(value: Any, form: str) -> str:
    if form == "text":
        return str(value)
    if form == "%":
        return f"{value:.1%}"
    from neuromorph.devices.explained import in_bits

    return in_bits(value) if form == "bit" else f"{value:.4g}" if isinstance(value, float) else str(value)


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""

    @app.command("map")
    def map_(
        model: Annotated[str, typer.Argument(help="A network file.")],
        architecture: ArchName = None,
        arch: ArchOption = None,
        output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the placement (JSON) here.")] = None,
        seed: Annotated[int, typer.Option(help="Seed of the search for tile positions.")] = 0,
        effort: Annotated[str | None, typer.Option(help=f"Length of that search: {EFFORTS}.")] = None,
        duplicate: Annotated[
            bool | None, typer.Option(help="Copy early layers into free arrays, on chips that host layers.")
        ] = None,
        data: Data = None,
        dt: Dt = None,
        steps: Steps = None,
        preset: Preset = None,
        semantics: SemanticsFile = None,
        time_scale: TimeScale = None,
        changes: Changes = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    ) -> None:
        """Place a network on an architecture: tiles or cores, copies, limits, traffic.

        On many-core chips --data (a few samples are enough) tells the mapper how often each neuron spikes.
        """
        import json

        from neuromorph.run import place
        from neuromorph.terminal import progress

        chip = read_hardware(architecture, arch, changes)
        graph, inputs, _ = read_samples(read_model(model, dt, preset, semantics, steps, time_scale), data, 8)
        with progress() as say:
            placement = place(graph, chip, inputs, seed=seed, progress=say, **given(effort=effort, duplicate=duplicate))
        found = placement.explain()
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            _show(found)
        if output is not None:
            files = placement.save(output)
            typer.echo(f"placement written to {', '.join(map(str, files))}", err=True)
