"""The verbs of the road from a network to its costs, for every kind of hardware: place, execute, count, price, report.

Nothing here knows a kind: `kind_of` finds the one that hosts on an architecture, and all verbs go through it. Options
that a verb takes besides are those of `devices.protocol.Draw` and of the kind (`kind.options`); one that means nothing
on the hardware at hand is refused with the legal ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuromorph.devices.options import checked_torch_device, legal_names, settled
from neuromorph.devices.protocol import Assumption, Draw, Kind, Placement, Trace, kind_of
from neuromorph.devices.result import EffectCost, Execution, effect_cost
from neuromorph.errors import InputError, Place
from neuromorph.progress import Progress, part, silent
from neuromorph.provenance import provenance_of
from neuromorph.report.headline import cost_of
from neuromorph.report.model import Report, build_report
from neuromorph.report.ranges import again_on, ranges_of

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.devices.protocol import Inputs
    from neuromorph.graph.model import Graph
    from neuromorph.hardware.component import Architecture


def place(
    graph: Graph,
    architecture: Architecture,
    inputs: Inputs | None = None,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Placement:
    """Place a network on an architecture.

    inputs: a few samples that tell how often what is used, on hardware that places by it (many-core chips). options:
    seed (of the search for positions) and effort ("none", "quick", "normal", "thorough"); on chips that host layers
    copies and duplicate, on many-core chips rates. Raises FitError naming every limit that is exceeded and the smallest
    change that would fit; InputError for wrong options.
    """
    kind = kind_of(architecture)
    draw, own = settled(kind, architecture, "place", options)
    if inputs is not None and not kind.places_by_data:
        raise InputError(
            f"{architecture.name} places a network the same for any data", Place(key="inputs"), "leave inputs out"
        )
    return kind.place(graph, architecture, inputs, own, draw.seed, progress or silent)


def load_placement(path: str | Path, graph: Graph, architecture: Architecture) -> Placement:
    """Read a placement back. Raises InputError naming the difference for another network or architecture."""
    return kind_of(architecture).load(path, graph, architecture)


def execute(
    placement: Placement, inputs: Inputs, labels: np.ndarray | None = None, *, progress: Progress | None = None,
    **options: Any,
) -> Execution:  # fmt: skip
    """Run a placed network on its hardware and compare with the float network on the same samples.

    inputs: (samples, *shape), or events for networks over time. labels: class indices (samples,). options: seed, trials
    (a number of chips or their indices), time_s (seconds since programming, or "1 day"), off (names of effects to leave
    out), batch, workers, torch_device, calibration, calibration_inputs; on many-core chips seed, off, workers, stop.
    Raises InputError for options that mean nothing on this hardware, and for data that do not fit.
    """
    placement.graph.need_values("execution")
    kind = kind_of(placement.architecture)
    draw, own = settled(kind, placement.architecture, "execute", options)
    return kind.execute(placement, inputs, labels, draw, own, progress or silent)[0]


def calibrate(placement: Placement, inputs: Inputs, *, torch_device: str = "cpu") -> Any:
    """Ranges of inputs and converters, found on data; refused by hardware that has none."""
    placement.graph.need_values("calibration")
    device = checked_torch_device(torch_device)
    return kind_of(placement.architecture).calibrate(placement, inputs, torch_device=device)


def finetune(placement: Placement, inputs: Inputs, labels: np.ndarray | None = None, **settings: Any) -> Any:
    """Train a network against its hardware's noise: (trained graph, losses). settings: epochs, learning_rate, batch,
    redraw, seed, time_s, off, torch_device, progress; see `devices.layered.execute.finetune`."""
    placement.graph.need_values("training")
    kind = kind_of(placement.architecture)
    if labels is None:
        raise InputError("finetuning needs labels", Place(key="labels"), "give the class of every sample")
    return kind.finetune(placement, inputs, labels, **settings)


def estimate(
    graph: Graph, architecture: Architecture, values: Mapping[str, Sequence[Any]] | None = None, *, density: float = 0.5
) -> Any:
    """Energy, time and area of many designs in closed form, without placing any.

    values: one entry per design for each varied parameter, by path. density: fraction of inputs that are not zero.
    """
    return kind_of(architecture).estimate(graph, architecture, values or {}, density)


def attribute(
    placement: Placement, inputs: Inputs, labels: np.ndarray | None = None, *, base: Execution | None = None,
    progress: Progress | None = None, **options: Any,
) -> tuple[EffectCost, ...]:  # fmt: skip
    """Which effect costs how much accuracy: the same chips and samples with each effect left out in turn, then all.

    base: the execution that the others are compared with, where it is known. options: as for `execute`; effects in
    `off` stay off. Chips are drawn from the same streams, so differences are paired. Effects that the hardware does not
    have make no difference and are listed with gain 0.
    """
    placement.graph.need_values("execution")
    kind = kind_of(placement.architecture)
    draw, own = settled(kind, placement.architecture, "attribute", options)
    return _attribute(kind, placement, inputs, labels, draw, own, base, progress or silent)


def _attribute(
    kind: Kind, placement: Placement, inputs: Inputs, labels: np.ndarray | None, draw: Draw, own: Any,
    base: Execution | None, say: Progress,
) -> tuple[EffectCost, ...]:  # fmt: skip
    if labels is None:
        raise InputError("accuracy per effect needs labels", Place(key="labels"), "give the class of every sample")
    own = kind.prepared(placement, inputs, own, draw)
    effects = [e for e in kind.effects(placement.architecture) if e not in draw.off]
    turns: list[tuple[str, Iterable[str]]] = [*((e, (e,)) for e in effects), ("all", effects)]
    runs = len(turns) + (base is None)
    if base is None:
        base, _ = kind.execute(placement, inputs, labels, draw, own, part(say, 0.0, 1 / runs))
    rows = []
    for number, (effect, without) in enumerate(turns, start=runs - len(turns)):
        told = part(say, number / runs, 1 / runs, f"without {effect}: ")
        less = dataclasses.replace(draw, off=draw.off | frozenset(without))
        found, _ = kind.execute(placement, inputs, labels, less, own, told)
        rows.append(effect_cost(effect, base, found))
    return tuple(rows)


def run(
    graph: Graph,
    architecture: Architecture,
    inputs: Inputs | None = None,
    labels: np.ndarray | None = None,
    *,
    placement: Placement | None = None,
    effects: bool = False,
    assumption: Assumption | None = None,
    workload: bool | None = None,
    partner: Graph | None = None,
    progress: Progress | None = None,
    provenance: Mapping[str, Any] | None = None,
    **options: Any,
) -> Report:
    """Accuracy, energy, latency, power and area of a network on an architecture: all verbs in a row.

    inputs: (samples, *shape), or events for networks over time; without them nothing is executed and costs follow from
    `assumption`. effects: also run with each effect left out in turn. workload: count the network's own work
    (NeuroBench, accountings); left out: for networks over time. partner: a network without spikes of equal accuracy,
    for the break-even. options: those of `place` and `execute`. Raises FitError when the network does not fit.
    """
    from neuromorph.graph.decode import over_time

    kind, say = kind_of(architecture), progress or silent
    if inputs is not None:
        graph.need_values("execution")
    draw, own = settled(kind, architecture, "run", options)
    if effects and (inputs is None or labels is None):
        raise InputError(
            "accuracy per effect needs data with labels", Place(key="effects"), "give both or leave it out"
        )
    _check_used(kind, architecture, inputs, assumption, options)
    if placement is None:
        say(0.0, "placing the network")
        placement = kind.place(graph, architecture, inputs, own, draw.seed, part(say, 0.0, 0.1))
    elif kind_of(placement.architecture) is not kind:
        raise InputError(
            f"this placement is on {placement.architecture.name}, {architecture.name} is of another kind",
            Place(key="placement"), "place again",
        )  # fmt: skip
    elif late := [n for n in options if n not in {*legal_names(kind, "execute")} and n in legal_names(kind, "place")]:
        what = f"the network is placed already, {', '.join(late)} would change nothing"
        raise InputError(what, Place(key=late[0]), "leave it out, or place again with it")
    execution: Execution | None = None
    costs: tuple[EffectCost, ...] = ()
    if inputs is None:
        trace: Trace = kind.assume(placement, assumption)
    else:
        share = 0.8 / (len(kind.effects(architecture)) + 2) if effects else 0.8
        execution, trace = kind.execute(placement, inputs, labels, draw, own, part(say, 0.1, share))
        if effects:
            rest = part(say, 0.1 + share, 0.8 - share)
            costs = _attribute(kind, placement, inputs, labels, draw, own, execution, rest)
    say(0.9, "counting and pricing")
    tallied = kind.tally(placement, trace)
    ranges = ranges_of(architecture, tallied, *again_on(kind, placement, trace))
    cost = cost_of(architecture, *tallied, ranges)
    sections: Sequence[Mapping[str, Any]] = ()
    if inputs is not None and (over_time(graph) if workload is None else workload):
        from neuromorph.report.workload import work_sections

        energy_j, times = cost.energy.single.total_j, tallied[1]
        sections = work_sections(graph, inputs, partner, energy_j, architecture.boundary, times.throughput_hz)
    facts = provenance_of(graph, architecture, draw.seed, draw.time_s, execution, sorted(draw.off))
    return build_report(
        kind, placement, trace, execution, tallied, cost, {**facts, **(provenance or {})}, costs, sections
    )


def _check_used(
    kind: Kind, architecture: Architecture, inputs: Inputs | None, assumption: Assumption | None, options: Any
) -> None:
    """Raise InputError for what would change nothing: options of an execution without data, an activity with them."""
    if inputs is not None:
        if assumption is not None:
            what = "data tell the activity, an assumed density would change nothing"
            raise InputError(what, Place(key="density"), "leave one of them out")
        return
    placing = legal_names(kind, "place")
    idle = [n for n in legal_names(kind, "execute") if n not in placing and options.get(n) is not None]
    if idle:
        what = f"nothing is run without data, {', '.join(idle)} would change nothing"
        raise InputError(what, Place(key=idle[0]), "give data (--data FILE), or leave it out")
