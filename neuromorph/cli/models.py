"""Options and reading that commands share: models over time, data of both kinds, architectures with changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.events import Raster
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Model file: network.nmg.json or network.nir.")]
ArchName = Annotated[
    str | None, typer.Argument(metavar="[ARCH]", help="Name of a shipped architecture, or a YAML file.")
]
ArchOption = Annotated[str | None, typer.Option("--arch", help="The architecture, in place of the argument.")]
Data = Annotated[
    Path | None, typer.Option("--data", help="Data set: .npz with x and y, or events (.h5, .npz, .bin, .dat, folder).")
]
Dt = Annotated[str | None, typer.Option("--dt", help="Length of a time step, e.g. '1 ms' (networks over time).")]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="Time steps per sample; default: what the data hold.")
]
Preset = Annotated[
    str | None, typer.Option("--preset", help="Dialect a NIR file was written in: snntorch, norse, sinabs, ...")
]
TimeScale = Annotated[
    float | None, typer.Option("--time-scale", help="Seconds per unit of the times in a NIR file, e.g. 0.001 for ms.")
]
SemanticsFile = Annotated[
    Path | None, typer.Option("--semantics", help="YAML file with what NIR leaves open; default: beside the model.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a parameter: core.adc.bits=6, cell.programming_noise=0.5x. Repeatable."),
]


def read_model(
    path: Path | str, dt: str | None = None, preset: str | None = None, semantics: Path | None = None,
    steps: int | None = None, time_scale: float | None = None,
) -> Graph:  # fmt: skip
    """A model file. Options that were given and that its format cannot use are refused."""
    from neuromorph.errors import InputError, Place
    from neuromorph.hardware.catalog import architecture_names
    from neuromorph.importers import read_graph

    if Path(path).suffix in (".yaml", ".yml") or (not Path(path).exists() and str(path) in architecture_names()):
        raise InputError("is an architecture, not a network", Place(str(path)), "the model comes first: MODEL ARCH")
    options = {"dt": dt, "preset": preset, "semantics": semantics, "time_scale": time_scale}
    graph = read_graph(path, **{k: v for k, v in options.items() if v is not None})
    return graph if steps is None else with_steps_of(graph, steps)


def with_steps_of(graph: Graph, steps: int) -> Graph:
    """The graph for so many steps. Raises InputError where it has no time."""
    from neuromorph.errors import InputError, Place
    from neuromorph.graph.decode import over_time
    from neuromorph.spiking.steps import with_steps

    if not over_time(graph):
        raise InputError(f"{graph.name} has no time steps", Place(key="--steps"), "leave --steps out")
    return with_steps(graph, steps)


def read_hardware(name: str | None, option: str | None, changes: list[str] | None) -> Architecture:
    """The architecture of the argument or of --arch, with its changes."""
    from neuromorph.errors import InputError, Place
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.hardware.paths import replace

    if (name is None) == (option is None):
        what = "no architecture is named" if name is None else "two architectures are named"
        raise InputError(what, Place(key="--arch"), "give one, as an argument or with --arch")
    named = name or option or ""
    if Path(named).suffix not in (".yaml", ".yml") and Path(named).is_file():
        from neuromorph.importers import importers

        if any(named.lower().endswith(suffix) for suffix in importers()):
            raise InputError("is a network, not an architecture", Place(named), "the model comes first: MODEL ARCH")
    chip = load_architecture(named)
    wanted: dict[str, Any] = {}
    for change in changes or []:
        path, equals, value = change.partition("=")
        if not equals or not path.strip() or not value.strip():
            raise InputError(f"{change!r} is no change", Place(key="--set"), "path=value, e.g. core.adc.bits=6")
        wanted[path.strip()] = value.strip()
    return replace(chip, wanted) if wanted else chip


def read_samples(
    graph: Graph, path: Path | None, limit: int | None, steps: int | None = None
) -> tuple[Graph, np.ndarray | Raster | None, np.ndarray | None]:
    """See `api.read_samples`."""
    from neuromorph.api import read_samples

    return read_samples(graph, path, limit, steps)


def names_of(text: str) -> tuple[str, ...]:
    """Names of a comma-separated list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def given(**options: Any) -> dict[str, Any]:
    """The options that were given: what is left out is the verb's own affair, and refused where it means nothing."""
    return {name: value for name, value in options.items() if value is not None}
