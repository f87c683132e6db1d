"""Synaptic events per second and bytes per synapse of event-driven execution, on recurrent and layered LIF networks.

    python -m benchmarks.bench_events [--quick]

Baselines: a plain compiled loop over the same rows, in this process; and the simulator SANA-FE where it is installed in
an environment of its own (GPL-3.0: it is only ever run as another program). NEUROMORPH_SANAFE names the command,
"PYTHON SCRIPT", that takes the options --net --neurons --fanout --steps --mapping --timing and prints one JSON object
with fired_checksum, synaptic_events, wall_sim_s. Every row holds only if all engines count the same spikes per step.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from benchmarks.timing import compete, parse, show
from neuromorph.devices.manycore.execute import EventEngine, EventRun
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking import Population, Projection, SpikingNetwork
from neuromorph.spiking.arithmetic import Arithmetic

LEAK, THRESHOLD, GRID = 0.9375, 64.0, 1 / 64
LAYERS = 4
CASES = (
    ("rec", 1024, 100, 300), ("rec", 1024, 1000, 100), ("rec", 4096, 100, 100), ("rec", 4096, 1000, 40),
    ("rec", 16384, 100, 60), ("rec", 16384, 256, 40), ("ff", 1024, 256, 300), ("ff", 4096, 1000, 40),
    ("ff", 16384, 256, 40),
)  # fmt: skip
QUICK = (("rec", 1024, 100, 100), ("ff", 1024, 256, 100))


@dataclass(frozen=True, eq=False)
class Case:
    """A network whose neurons fire by their bias, all numbers exact in binary arithmetic."""

    name: str
    indptr: np.ndarray
    index: np.ndarray
    weight: np.ndarray
    bias: np.ndarray


def case(kind: str, neurons: int, fan_out: int, seed: int = 1) -> Case:
    """`fan_out` random targets per neuron: anywhere ("rec"), or in the next of four layers ("ff").

    Periods of 10 to 30 steps give the biases; weights are +-1 and +-2.
    """
    rng = np.random.default_rng(seed)
    period = rng.integers(10, 31, size=neurons)
    bias = np.ceil(THRESHOLD * (1 - LEAK) / (1 - LEAK**period) * 64) / 64 + GRID
    reach = neurons if kind == "rec" else neurons // LAYERS
    sources = neurons if kind == "rec" else neurons - reach
    fan_out = min(fan_out, reach)
    targets = np.empty((sources, fan_out), np.int32)
    for i, row in enumerate(targets):
        row[:] = np.arange(reach) if kind == "rec" and fan_out == reach else rng.choice(reach, fan_out, replace=False)
        row += 0 if kind == "rec" else (i // reach + 1) * reach
    weight = rng.integers(1, 3, size=targets.size).astype(np.float32)
    weight *= np.where(rng.random(targets.size) < 0.5, np.float32(-1), np.float32(1))
    order = np.argsort(targets, axis=1)
    weight = np.take_along_axis(weight.reshape(targets.shape), order, axis=1).ravel()
    fan = np.where(np.arange(neurons) < sources, fan_out, 0)
    indptr = np.concatenate(([0], np.cumsum(fan))).astype(np.int64)
    return Case(f"{kind} {neurons} x {fan_out}", indptr, np.take_along_axis(targets, order, 1).ravel(), weight, bias)


def network(given: Case) -> SpikingNetwork:
    """The case as a population that drives itself one step later."""
    n = given.bias.size
    full = {"a_syn": 0.0, "b_syn": 1.0, "a_mem": LEAK, "b_mem": 1.0, "c_mem": 0.0, "threshold": THRESHOLD,
            "v_reset": 0.0, "sign": 1.0, "v_init": 0.0}  # fmt: skip
    parameters = {name: np.full(n, value) for name, value in full.items()}
    neurons = Population("neurons", (n,), "linear", parameters, Semantics(1e-3), given.bias)
    rows = Projection("rows", 0, 0, given.indptr, given.index, given.weight, np.ones(1, np.uint8))
    return SpikingNetwork(given.name, (neurons,), (rows,), (), (), 1e-3)


@numba.njit(cache=True)
def plain(indptr, index, weight, bias, steps, fired):  # type: ignore[no-untyped-def]
    """The same network in one plain loop; returns the number of synaptic events."""
    n = bias.size
    v, now, later = np.zeros(n), np.zeros(n), np.zeros(n)
    events = 0
    for t in range(steps):
        for i in range(n):
            x = np.trunc(LEAK * v[i] * 64.0) / 64.0 + bias[i] + now[i]
            now[i] = 0.0
            if x > THRESHOLD:
                x = 0.0
                fired[t] += 1
                events += indptr[i + 1] - indptr[i]
                for j in range(indptr[i], indptr[i + 1]):
                    later[index[j]] += weight[j]
            v[i] = x
        now, later = later, now
    return events


def sanafe(kind: str, neurons: int, fan_out: int, steps: int, timing: str) -> dict[str, Any] | None:
    """What the peer measures of itself; None where it is not installed or fails."""
    command = shlex.split(os.environ.get("NEUROMORPH_SANAFE", ""))
    if not command:
        return None
    options = {
        "net": kind,
        "neurons": neurons,
        "fanout": fan_out,
        "steps": steps,
        "mapping": "packed",
        "timing": timing,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=600)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else None


def checksum(fired: np.ndarray) -> int:
    return int((np.arange(1, fired.size + 1) * fired).sum())


def speed_rows(kind: str, neurons: int, fan_out: int, steps: int, quick: bool) -> list[dict[str, Any]]:
    """One network against the plain loop, and against the peer where there is one."""
    given = case(kind, neurons, fan_out)
    engine = EventEngine(network(given), Arithmetic(state_grid=GRID))
    fired = np.zeros(steps, np.int64)
    weight = given.weight.astype(np.float64)

    def baseline() -> int:
        fired[:] = 0
        return int(plain(given.indptr, given.index, weight, given.bias, steps, fired))

    def subject() -> EventRun:
        return engine.run([], steps=steps)

    contest = compete(subject, baseline, 5 if quick else 15, warm=1)
    run = subject()
    assert run.synaptic_events[0] == baseline(), given.name
    assert np.array_equal(np.diff(run.spikes.indptr), fired), given.name
    events = int(run.synaptic_events[0])
    speed = events / min(contest.subject.wall_s)
    found: list[dict[str, Any]] = [{
        "name": f"events {given.name}", "ratio": min(contest.baseline.wall_s) / min(contest.subject.wall_s),
        "better": "higher", "baseline": "plain compiled loop", "events": events, "million_events_per_s": speed / 1e6,
        "baseline_million_events_per_s": events / min(contest.baseline.wall_s) / 1e6,
        "repeats": len(contest.subject.wall_s),
    }]  # fmt: skip
    for timing in ("simple", "detailed"):
        peer = sanafe(kind, neurons, fan_out, steps, timing)
        if peer is None:
            continue
        assert peer["fired_checksum"] == checksum(fired), given.name
        assert peer["synaptic_events"] == events, given.name
        theirs = events / peer["wall_sim_s"]
        found.append({
            "name": f"events {given.name}, against {timing} timing", "ratio": speed / theirs, "reach": 30,
            "better": "higher", "met": speed >= 30 * theirs, "baseline": "SANA-FE, packed",
            "million_events_per_s": speed / 1e6, "baseline_million_events_per_s": theirs / 1e6,
        })  # fmt: skip
    return found


def memory_row(quick: bool) -> dict[str, Any]:
    """Growth of this process's memory per synapse held, in a process of its own; every synapse with its own delay."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_events", "--memory", "2" if quick else "10"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def _peak_bytes() -> int:
    """Most memory this process ever held (of this program alone; getrusage begins with what its parent held)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024


def memory(millions: int) -> dict[str, Any]:
    """Builds and runs a network of that many million synapses, then of one synapse per neuron less."""

    def build(fan_out: int, neurons: int = 100_000) -> EventRun:
        rng = np.random.default_rng(1)
        index = np.empty((neurons, fan_out), np.int32)
        for rows in np.array_split(index, 100):
            rows[:] = np.sort(rng.integers(0, neurons, rows.shape, dtype=np.int32), axis=1)
        weight = np.empty(index.size, np.float32)
        delay = np.empty(index.size, np.uint8)
        for part in range(0, index.size, 1 << 18):
            weight[part : part + (1 << 18)] = rng.standard_normal(weight[part : part + (1 << 18)].size) * 2
            delay[part : part + (1 << 18)] = rng.integers(1, 9, delay[part : part + (1 << 18)].size)
        indptr = np.arange(neurons + 1, dtype=np.int64) * fan_out
        plain_case = Case("memory", indptr, index.ravel(), weight, rng.random(neurons) * 6)
        made = network(plain_case)
        rows = Projection("rows", 0, 0, indptr, plain_case.index, weight, delay)
        made = SpikingNetwork("memory", made.populations, (rows,), (), (), 1e-3)
        return EventEngine(made).run([], steps=5)

    build(1)
    before = _peak_bytes()
    run = build(millions * 10)
    grown = _peak_bytes() - before
    synapses = run.network.synapses
    return {
        "name": f"bytes per synapse, {synapses / 1e6:.0f} M synapses with delays of their own",
        "value": grown / synapses, "unit": "B", "reach": 20, "better": "lower", "met": grown <= 20 * synapses,
        "baseline": "SANA-FE: 830 B (measured beside this project)",
    }  # fmt: skip


def rows(quick: bool) -> list[dict[str, Any]]:
    found = [row for given in (QUICK if quick else CASES) for row in speed_rows(*given, quick)]
    return [*found, memory_row(quick)]


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] == ["--memory"]:
        show([memory(int(words[1]))])
        return 0
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
