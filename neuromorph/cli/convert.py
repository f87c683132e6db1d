"""Command: turn a trained network into a spiking one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.graph.model import Graph


def convert(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file of a trained network with ReLU.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Spiking network, a .nmg.json file.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Training inputs that thresholds are found on (.npz with x, y).")
    ] = None,
    method: Annotated[str, typer.Option("--method", help="percentile, max, qcfs or hoyer.")] = "percentile",
    steps: Annotated[int, typer.Option("--steps", min=1, help="Time steps per sample.")] = 8,
    percentile: Annotated[float, typer.Option("--percentile", help="Of the activations, for that method.")] = 99.9,
    per_channel: Annotated[bool, typer.Option("--per-channel", help="A threshold per channel, not per layer.")] = False,
    dt: Annotated[str, typer.Option("--dt", help="Length of a step, e.g. '1 ms'.")] = "1 ms",
    samples: Annotated[int, typer.Option("--samples", min=1, help="How many of the inputs are used.")] = 512,
) -> None:
    """Turn a trained network into a spiking one by balancing thresholds, and compare both on the data's labels."""
    from neuromorph.errors import InputError, Place
    from neuromorph.files import check_target
    from neuromorph.graph.data import check_data, read_data
    from neuromorph.importers import read_graph
    from neuromorph.importers.portable import files_of, save
    from neuromorph.spiking.convert import convert as turn
    from neuromorph.spiking.convert import rate_deviations
    from neuromorph.terminal import progress as shown
    from neuromorph.units import parse

    for path in files_of(output):
        check_target(path, [model])
    graph = read_graph(model)
    x = y = None
    if data is not None:
        x, y = read_data(data, limit=samples)
        check_data(graph, x, y)
    elif method in ("percentile", "max"):
        raise InputError(f"method {method!r} needs data", Place(key="--data"), "a few hundred training inputs")
    with shown() as progress:
        spiking = turn(
            graph, x, method, steps=steps, percentile=percentile, per_channel=per_channel, dt_s=parse(dt, "s"),
            progress=progress,
        )  # fmt: skip
    written = save(spiking, output)
    if x is not None and y is not None:
        _compare(graph, spiking, x, y)
    if x is not None and method in ("percentile", "max"):
        for row in rate_deviations(graph, spiking, x):
            typer.echo(
                f"  {row.node}: rates are off by {row.error:.1%} (rms); {row.silent:.1%} of the neurons with a value "
                f"never fire, {row.full:.1%} fire in every step"
            )
    typer.echo(f"written: {written}")


def register(app: typer.Typer) -> None:
    app.command("convert")(convert)


def _compare(graph: Graph, spiking: Graph, x: np.ndarray, y: np.ndarray) -> None:
    import torch

    from neuromorph.graph.evaluate import evaluate
    from neuromorph.spiking.convert import answers_over_time

    with torch.no_grad():
        values = evaluate(graph, torch.from_numpy(x))
    assert isinstance(values, torch.Tensor)
    before = float((values.argmax(-1).numpy() == y).mean())
    after = answers_over_time(spiking, x).argmax(-1) == y[:, None]
    typer.echo(f"on {len(x)} of the inputs: {before:.2%} with values, with spikes by number of steps:")
    typer.echo("  " + "  ".join(f"{t + 1}: {share:.2%}" for t, share in enumerate(after.mean(0))))
