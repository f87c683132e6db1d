"""Command: encode values as events, or bring events into another file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.events.raster import Raster

ENCODERS = {
    "poisson": {"steps", "max_rate", "seed"},
    "latency": {"steps", "law", "threshold"},
    "delta": {"threshold", "count"},
    "stal": {"steps", "fit", "seed"},
    "direct": {"steps"},
    "events": {"steps", "count", "downsample", "shape", "merge", "absolute"},
}
"""The options that each encoder reads, besides those that all do."""

COMMON = {"data", "output", "encoder", "dt", "samples"}


def encode(
    context: typer.Context,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Values (.npz with x and y), or events in any format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Events, an .npz or .h5 file.")],
    encoder: Annotated[
        str,
        typer.Option("--encoder", "-e", help=f"One of {', '.join(ENCODERS)}; events: sort what DATA holds into steps."),
    ] = "poisson",
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Time steps per sample.")] = None,
    dt: Annotated[str, typer.Option("--dt", help="Length of a step, e.g. '1 ms'.")] = "1 ms",
    max_rate: Annotated[
        str | None, typer.Option("--max-rate", help="poisson: rate of a value of 1, e.g. '200 Hz'.")
    ] = None,
    law: Annotated[str, typer.Option("--law", help="latency: linear or log.")] = "linear",
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="latency: smallest value that fires (0.01); delta: a step's height (0.1)."),
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", help="delta, events: several events in a step are counted.")
    ] = False,
    fit: Annotated[Path | None, typer.Option("--fit", help="stal: values it learns from; default: DATA.")] = None,
    downsample: Annotated[
        int, typer.Option("--downsample", min=1, help="events: camera pixels joined along an axis.")
    ] = 1,
    shape: Annotated[
        str | None, typer.Option("--shape", help="events: polarities, height and width of the camera, e.g. 2,128,128.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="events: ON and OFF events share one channel.")] = False,
    absolute: Annotated[
        bool, typer.Option("--absolute", help="events: times on the camera's clock, not from the first event.")
    ] = False,
    samples: Annotated[int | None, typer.Option("--samples", min=1, help="Use only the first so many samples.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of all random draws.")] = 0,
) -> None:
    """Encode values as spikes, or sort recorded events into time steps, and write them as a file of events."""
    from neuromorph.errors import InputError, Place, suggest
    from neuromorph.events import read_events, write_events
    from neuromorph.files import check_target
    from neuromorph.units import parse

    if encoder not in ENCODERS:
        raise InputError(f"no encoder {encoder!r}", Place(key="--encoder"), suggest(encoder, ENCODERS))
    _check_read(context, encoder)
    dt_s = parse(dt, "s")
    check_target(output, [data], "data")
    if encoder == "events":
        raster, labels = read_events(
            data, dt=dt_s, steps=steps, shape=_shape(shape), limit=samples, count=count, downsample=downsample,
            merge=merge, absolute=absolute,
        )  # fmt: skip
    else:
        from neuromorph.graph.data import read_data

        x, labels = read_data(data, limit=samples)
        rate = None if max_rate is None else parse(max_rate, "Hz")
        learn = x if fit is None else read_data(fit)[0]
        raster = _encoded(x, learn, encoder, steps, dt_s, rate, law, threshold, count, seed)
    written = write_events(output, raster, labels)
    per_sample = raster.events / raster.samples
    typer.echo(
        f"{raster.samples} samples of {raster.steps} steps of {dt}, elements {raster.shape}: "
        f"{per_sample:.4g} events a sample, density {per_sample / (raster.steps * raster.size):.4g}"
    )
    typer.echo(f"written: {written}")


def _check_read(context: typer.Context, encoder: str) -> None:
    """InputError for an option on the command line that this encoder does not read."""
    from neuromorph.errors import InputError, Place

    for name in context.params:
        source = context.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and name not in COMMON | ENCODERS[encoder]:
            readers = ", ".join(e for e, read in ENCODERS.items() if name in read)
            place = Place(key=f"--{name.replace('_', '-')}")
            raise InputError(f"the encoder {encoder} does not read it", place, f"it is for: {readers}")


def _shape(text: str | None) -> tuple[int, ...] | None:
    """Sizes from a text such as "2,128,128" or "2x128x128"."""
    from neuromorph.errors import InputError, Place

    if text is None:
        return None
    parts = text.lower().replace("x", ",").strip("()[] ").split(",")
    if not all(part.strip().isdigit() and int(part) for part in parts):
        raise InputError(f"shape is {text!r}", Place(key="--shape"), "whole numbers from 1, e.g. 2,128,128")
    return tuple(int(part) for part in parts)


def register(app: typer.Typer) -> None:
    app.command("encode")(encode)


def _encoded(
    x: np.ndarray, learn: np.ndarray, encoder: str, steps: int | None, dt_s: float, rate_hz: float | None, law: str,
    threshold: float | None, count: bool, seed: int,
) -> Raster:  # fmt: skip
    from neuromorph.errors import InputError, Place
    from neuromorph.events import encoders

    if encoder == "delta":
        return encoders.delta(x, dt_s, threshold=0.1 if threshold is None else threshold, count=count)
    if encoder == "stal":
        from neuromorph.events.adaptive import fit_adaptive

        return fit_adaptive(learn, steps, seed=seed).encode(x, dt_s, steps)
    if steps is None:
        raise InputError(f"the encoder {encoder} needs the number of steps", Place(key="--steps"), "e.g. --steps 25")
    if encoder == "poisson":
        return encoders.poisson(x, steps, dt_s, max_rate_hz=rate_hz, seed=seed)
    if encoder == "latency":
        return encoders.latency(x, steps, dt_s, law=law, threshold=0.01 if threshold is None else threshold)
    return encoders.direct(x, steps, dt_s)
