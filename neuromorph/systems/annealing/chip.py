"""A cut search on a many-core chip: the pairs of neurons placed, one run's flips counted, timed and priced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuromorph.counts import ActivityRow
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.metrics import Metric, section
from neuromorph.errors import FitError
from neuromorph.hardware.component import Architecture
from neuromorph.report.model import Report
from neuromorph.systems.annealing.couplings import Couplings
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
    _check_weights(result.graph, architecture)
    number = result.numbers[result.best]
    done = trace(result.graph, result.order, result.temperatures, result.seed, number)
    dt_s = read_machine(architecture).step_s or STEP_S
    network = pair_network(result.graph, done.start, float(result.temperatures.max()), dt_s, told=False)
    fired = spikes(result.graph, result.order, done, result.temperatures.size, dt_s)
    draws = ActivityRow(ON, "chip.tile.core.random", "draw", float(result.proposals))
    return host(network, fired, architecture, extra=(draws,), seed=result.seed, effort=effort)


def _check_weights(graph: Couplings, architecture: Architecture) -> None:
    """Couplings are stored as whole multiples of their common divisor. FitError where one has too many bits."""
    if not graph.whole or not graph.weight.size:
        return
    levels = int(np.abs(graph.weight).max()) // int(np.gcd.reduce(np.abs(graph.weight)))
    bits = read_machine(architecture).weight_bits
    if levels >= 2**bits:
        raise FitError(
            f"{graph.name}: the largest coupling is {levels} times the common divisor of all, a weight has {bits} bits",
            hint=f"couplings of at most {2**bits - 1} times a common divisor, or more core.weight_bits",
        )


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
    seconds, joules = hosted.times.latency_s, hosted.cost.energy.single.total_j
    low, high = float(result.cuts.min()), float(result.cuts.max())
    groups, sweeps = result.order.groups, result.temperatures.size
    metrics = [
        Metric("cut", float(result.cuts.mean()), "1", low, high, note=f"mean of {runs} runs; range: least to largest"),
        Metric("best_cut", high, "1", note=f"of {runs} runs"),
        Metric("time_to_solution", _all(seconds, times), "s", note=again),
        Metric("energy_to_solution", _all(joules, times), "J", basis=hosted.cost.energy.single.basis, note=again),
        Metric("visits", float(result.proposals), "1", note="of a spin in one run, each with one random number"),
        Metric("flips", float(result.flips[result.best].sum()), "1", note="spins changed in the run that is priced"),
    ]  # fmt: skip
    notes = [
        "the run with the largest cut is priced",
        f"a sweep takes {groups} steps, one for each group of spins without couplings among them; the cores update all "
        f"neurons in every step, so {groups} times as often as spins are visited",
        "random numbers are counted and neither their energy nor their time is known",
    ]
    facts_of_search = section(
        "solution", "Solution", [("what", "", None), ("value", "value", None)],
        [
            ["graph", f"{result.graph.size} vertices, {result.graph.edges} edges, {groups} groups of spins"],
            ["cut", f"mean {result.cuts.mean():.8g}, best {high:.8g}, worst {low:.8g} of {runs} runs"],
            ["target", f"{goal:.8g}, reached by {share:.0%} of the runs"],
            ["time to solution", _or_unknown(seconds, times, "s")],
            ["energy to solution", _or_unknown(joules, times, "J")],
            ["one run", f"{sweeps} sweeps, {sweeps * groups} steps, {result.proposals} visits, a random number each"],
        ],
        f"To solution: until the target is reached with probability {SURE:.0%}.",
    )  # fmt: skip
    rows = [
        [str(number), f"{cut:.8g}", float(flips.sum()), float(flips.sum()) / result.proposals]
        for number, cut, flips in zip(result.numbers, result.cuts, result.flips, strict=True)
    ]
    columns = [("run", "run", None), ("cut", "cut", None), ("flips", "flips", "1"), ("rate", "flips per visit", "%")]
    listed = section("runs", "Runs", columns, rows)
    facts = {"network": result.graph.name, "seed": result.seed, "sweeps": sweeps, "runs": runs, **(provenance or {})}
    return hosted.report(facts, metrics, [facts_of_search, listed], notes)


def _all(one: float | None, runs: float) -> float | None:
    """Of so many runs; None where the one is not known or no run reaches the target."""
    return None if one is None or not math.isfinite(runs) else one * runs


def _or_unknown(one: float | None, runs: float, unit: str) -> str:
    if (total := _all(one, runs)) is not None:
        return f"{total:.4g} {unit}"
    return "not modelled" if one is None else "not known: no run reaches the target"
