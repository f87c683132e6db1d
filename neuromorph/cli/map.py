"""Command: map, which places a network on an architecture and shows how."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    read_hardware,
    read_model,
    read_samples,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture

EFFORTS = "none, quick, normal or thorough"


def _bits(value: float) -> str:
    for unit, size in (("Gbit", 1e9), ("Mbit", 1e6), ("kbit", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} bit"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for k, column in enumerate(columns):
        table.add_column(column, overflow="fold", justify="left" if k < left else "right")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # piped output is not wrapped at 80 columns
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _shape(layer: dict[str, Any]) -> str:
    return " + ".join((f"{g} of " if g > 1 else "") + f"{r} x {c}" for g, r, c in layer["matrices"])


def _show(found: dict[str, Any]) -> None:
    s, t = found["summary"], found["traffic"]
    layers = [
        (
            row["layer"],
            row["operator"],
            _shape(row),
            str(row["products"]),
            str(row["tiles"]) + (f" (+{row['skipped_tiles']} empty)" if row["skipped_tiles"] else ""),
            str(row["copies"]),
            str(row["arrays"]),
            f"{row['utilisation']:.1%}",
            _bits(row["bits_in"]),
            _bits(row["bits_partial"]),
        )
        for row in found["layers"]
    ]
    heads = ("layer", "operator", "matrix", "products", "tiles", "copies", "arrays", "used", "bits in", "partial sums")
    _table(f"{found['graph']} on {found['architecture']}", heads, layers, left=3)
    limits = [
        (
            row["limit"] + (" (binds)" if row["binds"] else ""),
            row["component"],
            _bits(row["used"]) if row["unit"] == "bit" else f"{row['used']:.0f}",
            _bits(row["available"]) if row["unit"] == "bit" else f"{row['available']:.0f}",
            f"{row['degree']:.1%}" + ("" if row["hard"] or row["degree"] <= 1 else " (fetched in parts)"),
        )
        for row in found["limits"]
    ]
    _table("Limits", ("limit", "component", "used", "available", "degree"), limits, left=2)
    orders = [(row["order"], _bits(row["bit_hops"]), f"{row['relative']:.2f}") for row in found["orders"]]
    _table("Traffic between tiles per sample", ("order of tiles", "bits x hops", "relative"), orders)
    shared = ", layers share arrays" if s["layers_share_arrays"] else ""
    store = "weight memories" if s["utilisation_of"] == "weight memory" else "arrays"
    typer.echo(f"{s['shards']} tiles in {s['arrays']} {store} (at least {s['array_lower_bound']} for one copy){shared}")
    typer.echo(f"{s['utilisation']:.1%} of the {s['utilisation_of']} used, {s['skipped_tiles']} empty tiles left out")
    before, now = s["steps_of_slowest_before"], s["steps_of_slowest"]
    typer.echo(f"slowest layer {s['slowest_layer']}: {now:.4g} steps per sample, {before:g} with one copy and core")
    typer.echo(f"{_bits(t['bits_between_tiles'])} between tiles, {t['mean_hops']:.2f} hops on average, ", nl=False)
    typer.echo(
        f"{_bits(t['max_link_bits'])} over the busiest link, {_bits(t['bits_in'])} in, {_bits(t['bits_out'])} out"
    )


def _show_cores(found: dict[str, Any]) -> None:
    """A placement on a many-core chip."""
    rows = [
        (r["population"], r["model"], f"{r['neurons']}", f"{r['slices']}", f"{r['cores']}", f"{r['synapses']}")
        for r in found["populations"]
    ]
    heads = ("population", "model", "neurons", "slices", "cores", "synapses in")
    _table(f"{found['network']} on {found['architecture']}", heads, rows, left=2)
    limits = [
        (
            row["limit"] + (" (binds)" if row["binds"] else ""), row["component"],
            _bits(row["used"]) if row["unit"] == "bit" else f"{row['used']:.0f}",
            _bits(row["available"]) if row["unit"] == "bit" else f"{row['available']:.0f}", f"{row['degree']:.1%}",
        )
        for row in found["limits"]
    ]  # fmt: skip
    _table("Limits", ("limit", "component", "used", "available", "degree"), limits, left=2)
    best = next((r["hops"] for r in found["orders"] if r["order"] == "optimised"), 0.0) or 1.0
    orders = [(r["order"], f"{r['hops']:.4g}", f"{r['hops'] / best:.2f}") for r in found["orders"]]
    _table("Packets times hops per sample", ("placement", "packet hops", "relative"), orders)


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""

    @app.command("map")
    def map_(
        model: Annotated[str, typer.Argument(help="A network file.")],
        architecture: ArchName = None,
        arch: ArchOption = None,
        output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the placement (JSON) here.")] = None,
        seed: Annotated[int, typer.Option(help="Seed of the search for tile positions.")] = 0,
        effort: Annotated[str, typer.Option(help=f"Length of that search: {EFFORTS}.")] = "normal",
        duplicate: Annotated[
            bool, typer.Option(help="Copy early layers into free arrays to balance the pipeline.")
        ] = True,
        data: Data = None,
        dt: Dt = None,
        steps: Steps = None,
        preset: Preset = None,
        semantics: SemanticsFile = None,
        changes: Changes = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    ) -> None:
        """Place a network on an architecture: tiles or cores, copies, limits, traffic.

        On many-core chips --data (a few samples are enough) tells the mapper how often each neuron spikes.
        """
        import json

        from neuromorph.devices.manycore import is_manycore

        chip = read_hardware(architecture, arch, changes)
        graph = read_model(model, dt, preset, semantics, steps)
        if is_manycore(chip):
            placement: Any = _on_cores(graph, chip, data, seed, effort)
        else:
            from neuromorph.devices.layered.place.placement import place

            placement = place(graph, chip, seed=seed, effort=effort, duplicate=duplicate)
        found = placement.explain()
        if as_json:
            typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            (_show_cores if is_manycore(chip) else _show)(found)
        if output is not None:
            files = placement.save(output)
            typer.echo(f"placement written to {', '.join(map(str, files))}", err=True)


def _on_cores(graph: Graph, chip: Architecture, data: Path | None, seed: int, effort: str) -> Any:
    """Placed on a many-core chip, by the spikes of the data where given."""
    from neuromorph.devices.manycore.execute.spiking import as_raster, expected_rates
    from neuromorph.devices.manycore.place.graph import flat, place_graph

    graph, inputs, _ = read_samples(graph, data, 8)
    network = flat(graph, chip)
    rates = None if inputs is None else expected_rates(network, as_raster(inputs, network))
    return place_graph(graph, chip, network=network, rates=rates, seed=seed, effort=effort)
