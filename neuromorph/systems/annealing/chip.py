"""A cut search on a many-core chip: the pairs of neurons placed, one run's flips counted, timed and priced."""

from __future__ import annotations

import math
from typing import Any

from neuromorph.activity.layers import ActivityRow
from neuromorph.devices.manycore import read_machine
from neuromorph.hardware.component import Architecture
from neuromorph.report.model import Metric, Report, section
from neuromorph.systems.annealing.pairs import ON, pair_network, spikes
from neuromorph.systems.annealing.solve import MaxCutResult, trace
from neuromorph.systems.hosting import Hosted, host

SURE = 0.99
"""Probability with which the time to solution reaches the target."""

STEP_S = 1e-3
"""Length of a step where the chip has no real time of its own."""


def repeats(share: float) -> float:
    """Runs until the target is reached with probability SURE, where one run reaches it with probability `share`."""
    if share <= 0:
        return math.inf
    return 1.0 if share >= SURE else math.log(1 - SURE) / math.log(1 - share)


def on_chip(result: MaxCutResult, architecture: Architecture, effort: str = "normal") -> Hosted:
    """The best run on a many-core chip. A step tries one group of spins; thresholds and their noise are the cores' own.

    Counted beside the spikes: one random number per visit, which no datasheet prices, so it is listed as not modelled.
    Raises FitError where the pairs do not fit the chip.
    """
    number = result.numbers[result.best]
    done = trace(result.graph, result.order, result.temperatures, result.seed, number)
    dt_s = read_machine(architecture).step_s or STEP_S
    network = pair_network(result.graph, done.start, float(result.temperatures.max()), dt_s, told=False)
    fired = spikes(result.graph, result.order, done, result.temperatures.size, dt_s)
    draws = ActivityRow(ON, "chip.tile.core.random", "draw", float(result.proposals))
    return host(network, fired, architecture, extra=(draws,), seed=result.seed, effort=effort)


def chip_report(
    result: MaxCutResult,
    architecture: Architecture,
    target: float | None = None,
    provenance: dict[str, Any] | None = None,
    effort: str = "normal",
) -> Report:
    """Cuts, energy and time of one run, and to solution. target: cut that counts as solved, default the best found."""
    hosted = on_chip(result, architecture, effort)
    goal = float(result.cuts.max()) if target is None else target
    runs, share = len(result.cuts), result.reached(goal)
    times = repeats(share)
    again = f"a cut of {goal:g} with probability {SURE:.0%}; {share:.0%} of {runs} runs reach it"
    seconds = hosted.schedule.latency_s
    low, high = float(result.cuts.min()), float(result.cuts.max())
    groups, sweeps = result.order.groups, result.temperatures.size
    metrics = [
        Metric("cut", float(result.cuts.mean()), "1", low, high, note=f"mean of {runs} runs; range: least to largest"),
        Metric("best_cut", high, "1", note=f"of {runs} runs"),
        Metric("time_to_solution", seconds * times if math.isfinite(times) else None, "s", note=again),
        Metric("energy_to_solution", hosted.ledger.total_j * times if math.isfinite(times) else None, "J",
               basis=hosted.ledger.basis, note=again),
        Metric("visits", float(result.proposals), "1", note="of a spin in one run, each with one random number"),
        Metric("flips", float(result.flips[result.best].sum()), "1", note="spins changed in the run that is priced"),
    ]  # fmt: skip
    notes = [
        "the run with the largest cut is priced",
        f"a sweep takes {groups} steps, one for each group of spins without couplings among them; the cores update all "
        f"neurons in every step, so {groups} times as often as spins are visited",
        "random numbers are counted and neither their energy nor their time is known",
    ]
    rows = [
        [number, float(cut), float(flips.sum()), float(flips.sum()) / result.proposals]
        for number, cut, flips in zip(result.numbers, result.cuts, result.flips, strict=True)
    ]
    columns = [("run", "run", "1"), ("cut", "cut", "1"), ("flips", "flips", "1"), ("rate", "flips per visit", "%")]
    facts = {"network": result.graph.name, "seed": result.seed, "sweeps": sweeps, "runs": runs, **(provenance or {})}
    return hosted.report(facts, metrics, [section("runs", "Runs", columns, rows)], notes)
