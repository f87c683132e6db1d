"""Command: write a spiking network as a NIR file and check that the file means the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuromorph.cli.models import TimeScale

if TYPE_CHECKING:
    from neuromorph.graph.model import Graph

CHECK_STEPS = 50


def export(
    model: Annotated[Path, typer.Argument(help="Model file over time (.nmg.json or .nir).", metavar="MODEL")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, usually a .nir file.")],
    dt: Annotated[str | None, typer.Option("--dt", help="Time step of a .nir MODEL, e.g. '1 ms'.")] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="Dialect of a .nir MODEL, e.g. snntorch.")] = None,
    time_scale: TimeScale = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Random samples that the check runs.")] = 4,
    rate: Annotated[float, typer.Option("--rate", min=0.0, max=1.0, help="Spike rate of these samples.")] = 0.2,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of these samples.")] = 0,
) -> None:
    """Write a network in the format of the output's suffix; read it again and run both on the same random spikes.

    What NIR cannot say (time step, scheme, reset, feedback) goes into NAME.semantics.yaml beside it.
    """
    from neuromorph.errors import InputError, Place
    from neuromorph.files import check_target
    from neuromorph.importers import read_graph, save_graph

    check_target(output, [model])
    graph = read_graph(model, dt=dt, preset=preset, time_scale=time_scale)
    written = save_graph(graph, output)
    total, differing, farthest = _compare(graph, read_graph(written), samples, rate, seed)
    typer.echo(f"written: {written}")
    beside = written.with_name(written.name.removesuffix(".nir") + ".semantics.yaml")
    if written.name.endswith(".nir") and beside.is_file():
        typer.echo(f"written: {beside}")
    if differing:
        raise InputError(
            f"read again, {differing} of {total} output values differ, by {farthest:.3g} at most",
            Place(file=str(written)),
            "sums in another order may tip a neuron that is exactly at its threshold; compare the two on your data",
        )
    typer.echo(f"checked: {samples} random samples give the same {total} output values")


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def _compare(first: Graph, second: Graph, samples: int, rate: float, seed: int) -> tuple[int, int, float]:
    """Output values compared, how many differ by more than rounding, and the largest difference."""
    import numpy as np
    import torch

    from neuromorph.graph.evaluate import Evaluator
    from neuromorph.spiking.steps import with_steps

    steps = max(CHECK_STEPS, *(s[0] for s in first.input_shapes.values()))
    random = np.random.default_rng(seed)
    first, second = with_steps(first, steps), with_steps(second, steps)
    inputs = [
        torch.as_tensor((random.random((samples, *shape)) < rate).astype(np.float64))
        for shape in first.input_shapes.values()
    ]
    results = []
    for graph in (first, second):
        found = Evaluator(graph)(inputs)
        results.append(found if isinstance(found, tuple) else (found,))
    total, differing, farthest = 0, 0, 0.0
    for a, b in zip(*results, strict=True):
        difference = (a - b).abs()
        total += difference.numel()
        differing += int((difference > 1e-9 * (1 + a.abs())).sum())
        farthest = max(farthest, float(difference.max()))
    return total, differing, farthest
