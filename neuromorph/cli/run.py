"""Commands: run a network on an architecture, and finetune it against that hardware."""

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
    Model,
    Preset,
    SemanticsFile,
    Steps,
    TimeScale,
    given,
    names_of,
    read_hardware,
    read_model,
    read_samples,
)

Calibration = Annotated[
    Path | None, typer.Option("--calibration", help="Data set (.npz) converter ranges are found on; default: --data.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all random draws.")]
Time = Annotated[str | None, typer.Option("--time", help="Time between programming and reading, e.g. '1 day'.")]
Off = Annotated[str | None, typer.Option("--off", help="Effects to leave out, comma separated, e.g. adc,read.")]
Samples = Annotated[int | None, typer.Option("--samples", min=1, help="Use only the first so many samples.")]
Batch = Annotated[int | None, typer.Option("--batch", min=1, help="Samples at once (128); does not change results.")]
Device = Annotated[str | None, typer.Option("--torch-device", help="Where torch computes: cpu or cuda.")]


def run(
    model: Model,
    architecture: ArchName = None,
    arch: ArchOption = None,
    data: Data = None,
    dt: Dt = None,
    steps: Steps = None,
    preset: Preset = None,
    semantics: SemanticsFile = None,
    time_scale: TimeScale = None,
    calibration: Calibration = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder the report is written to.")] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="How many chips are drawn (10 where chips differ).")
    ] = None,
    samples: Samples = None,
    seed: Seed = 0,
    time: Time = None,
    off: Off = None,
    effects: Annotated[
        bool, typer.Option("--effects", help="Also run with each effect left out: which costs how much accuracy.")
    ] = False,
    changes: Changes = None,
    placement: Annotated[Path | None, typer.Option("--placement", help="Placement saved by `neuromorph map`.")] = None,
    density: Annotated[
        float | None,
        typer.Option(
            "--density",
            min=0.0,
            max=1.0,
            help="Without --data: assumed fraction of non-zero inputs (0.5), or of neurons that spike a step (0.05).",
        ),
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option("--confidence", min=0.0, max=1.0, help="Stop a sample once its answer is this sure (many-core)."),
    ] = None,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Scale of the outputs in that confidence's softmax.")
    ] = 1.0,
    neurobench: Annotated[
        bool | None,
        typer.Option(help="Count the network's own work and its accountings; default: for networks over time."),
    ] = None,
    partner: Annotated[
        Path | None, typer.Option("--partner", help="Network without spikes of equal accuracy, for the break-even.")
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes that share the work.")] = None,
    batch: Batch = None,
    torch_device: Device = None,
) -> None:
    """Place a network on an architecture, run it on chips with their noise, and report accuracy, energy and latency.

    Without --data nothing is run: energy and latency follow from an assumed activity.
    """
    from neuromorph.devices.protocol import Assumption
    from neuromorph.errors import InputError, Place
    from neuromorph.files import make_folder
    from neuromorph.report import write_report
    from neuromorph.report.terminal import summary
    from neuromorph.run import load_placement
    from neuromorph.run import run as run_all
    from neuromorph.terminal import progress as shown
    from neuromorph.terminal import show

    if data is None and samples is not None:
        raise InputError("nothing is run without data", Place(key="--samples"), "give --data FILE, or leave it out")
    if confidence is None and temperature != 1.0:
        what = "without --confidence no sample is stopped, it would change nothing"
        raise InputError(what, Place(key="--temperature"), "give both, or leave it out")
    chip = read_hardware(architecture, arch, changes)
    if output is not None:
        make_folder(output)
    graph, x, y = read_samples(read_model(model, dt, preset, semantics, steps, time_scale), data, samples, steps)
    _, cx, _ = read_samples(graph, calibration, None, steps)
    placed = None if placement is None else load_placement(placement, graph, chip)
    options = given(
        trials=trials, time_s=time, off=None if off is None else names_of(off), batch=batch, workers=workers,
        torch_device=torch_device, calibration_inputs=cx, stop=_stop(confidence, temperature),
    )  # fmt: skip
    with shown() as progress:
        report = run_all(
            graph, chip, x, y, placement=placed, seed=seed, effects=effects, progress=progress,
            assumption=None if density is None else Assumption(density), workload=neurobench,
            partner=None if partner is None else read_model(partner),
            provenance={"model_file": model.name, "data_file": data.name if data else "", "changes": changes or []},
            **options,
        )  # fmt: skip
    show(summary(report))
    if output is not None:
        for path in write_report(report, output).values():
            typer.echo(f"written: {path}")


def finetune(
    model: Model,
    architecture: Annotated[
        str, typer.Argument(metavar="ARCH", help="Name of a shipped architecture, or a YAML file.")
    ],
    data: Annotated[Path, typer.Option("--data", help="Training data (.npz with arrays x and y).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Trained model, a .nmg.json file.")],
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Passes over the data.")] = 3,
    learning_rate: Annotated[float, typer.Option("--learning-rate", help="Start of the cosine schedule.")] = 1e-3,
    redraw: Annotated[int, typer.Option("--redraw", min=1, help="Batches between new chips.")] = 1,
    samples: Samples = None,
    seed: Seed = 0,
    time: Time = None,
    off: Off = None,
    changes: Changes = None,
    batch: Batch = None,
    torch_device: Device = None,
) -> None:
    """Train a network against the noise of its target hardware and write it as a portable graph."""
    from neuromorph.errors import InputError, Place
    from neuromorph.files import check_target
    from neuromorph.importers.portable import files_of, save
    from neuromorph.run import finetune as train
    from neuromorph.run import place
    from neuromorph.terminal import progress as shown

    for path in files_of(output):
        check_target(path, [model])
    chip = read_hardware(architecture, None, changes)
    graph, x, y = read_samples(read_model(model), data, samples)
    if x is None or y is None:
        raise InputError("finetuning needs labels", Place(str(data), key="y"), "a .npz file with arrays x and y")
    with shown() as progress:
        trained, tuning = train(
            place(graph, chip, seed=seed), x, y, epochs=epochs, learning_rate=learning_rate, redraw=redraw, seed=seed,
            progress=progress, **given(time_s=time, off=None if off is None else names_of(off), batch=batch,
                                       torch_device=torch_device),
        )  # fmt: skip
    typer.echo(f"loss per epoch: {', '.join(f'{v:.4f}' for v in tuning.losses)}")
    typer.echo(f"written: {save(trained, output)}")


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("finetune")(finetune)


def _stop(confidence: float | None, temperature: float) -> Any:
    from neuromorph.devices.manycore.execute import StopRule

    return None if confidence is None else StopRule(temperature, confidence)
