"""Command: compress a network by pruning and quantization steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuromorph.cli.models import Dt, Preset, SemanticsFile, TimeScale, read_model, read_samples

if TYPE_CHECKING:
    from neuromorph.compress import Compression

_STEPS_HELP = (
    "Steps in order, separated by ';': prune:SPARSITY, quantize:BITS, binarize, ternarize, each with options after "
    "commas, e.g. 'prune:0.9,scope=layer;quantize:8,activations=8,method=mse'."
)


def compress(
    model: Annotated[Path, typer.Argument(help="Model file.", metavar="MODEL")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Compressed model, a .nmg.json file.")],
    steps: Annotated[str, typer.Option("--steps", "-s", help=_STEPS_HELP)],
    data: Annotated[
        Path | None, typer.Option("--data", help="Inputs that calibrate activations, an .npz file.")
    ] = None,
    samples: Annotated[int, typer.Option("--samples", help="How many of the inputs calibration uses.")] = 512,
    dt: Dt = None,
    preset: Preset = None,
    semantics: SemanticsFile = None,
    time_scale: TimeScale = None,
) -> None:
    """Prune and quantize a network and write it as a portable graph; masks and number formats stay with it."""
    from neuromorph.compress import apply_steps, needs_data, parse_steps, summary
    from neuromorph.errors import InputError, Place
    from neuromorph.files import check_target
    from neuromorph.importers.portable import files_of, save
    from neuromorph.terminal import progress as shown

    parsed = parse_steps(steps)
    for written in files_of(output):
        check_target(written, [model])
    if needs_data(parsed) and data is None:
        raise InputError("quantizing activations needs data", Place(key="--data"), "a .npz file with inputs as array x")
    graph = read_model(model, dt, preset, semantics, None, time_scale)
    inputs = None
    if data is not None and needs_data(parsed):
        graph, found, _ = read_samples(graph, data, samples)
        inputs = getattr(found, "dense", lambda: found)()
    before = summary(graph)
    with shown() as progress:
        compressed = apply_steps(graph, parsed, inputs, progress)
    path = save(compressed, output)
    _print(before, summary(compressed))
    typer.echo(f"written: {path}")


def register(app: typer.Typer) -> None:
    app.command("compress")(compress)


def _print(before: Compression, after: Compression) -> None:
    from neuromorph.terminal import table

    totals = ("total", "", f"{after.weights:,}", f"{after.nonzero:,}", f"{after.sparsity:.1%}", "")
    footers = (*totals, f"{after.dense_bytes:,}", f"{after.packed_bytes:,}")
    columns = ("layer", "operator", "weights", "non-zero", "zeros", "format", "bytes", "packed")
    rows = [
        (r.layer, r.operator, f"{r.weights:,}", f"{r.nonzero:,}", f"{r.sparsity:.1%}", r.format, f"{r.dense_bytes:,}",
         f"{r.packed_bytes:,}")
        for r in after.rows
    ]  # fmt: skip
    table("", columns, rows, ("layer", "operator", "format"), footers)
    ratio = before.packed_bytes / after.packed_bytes if after.packed_bytes else 1.0
    typer.echo(f"weights {before.packed_bytes:,} -> {after.packed_bytes:,} bytes ({ratio:.1f}x smaller)")
