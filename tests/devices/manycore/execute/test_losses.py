"""Packets that come late or not at all are missing in the answers: against a run in lockstep, step after step."""

from __future__ import annotations

from functools import cache

import nir
import numpy as np
import pytest

import neuromorph as nm
from neuromorph.devices.manycore import read_machine
from neuromorph.devices.manycore.kind import CoreTrace
from neuromorph.devices.manycore.losses import Losses
from neuromorph.devices.manycore.tally.noc import fabric_of, missing, step_times
from neuromorph.devices.options import settled
from neuromorph.devices.protocol import kind_of
from neuromorph.events.raster import Raster
from neuromorph.hardware.paths import replace

STEPS = 8
SLOW = {"core.clock": "1 MHz", "core.weight_bits": 32}
CHIPS = {
    "spinnaker2": {"core.level": None, **SLOW},
    "spinnaker1": {"core.arithmetic": "float32", "core.ring_rate": None, "core.ring_deviations": None, **SLOW},
}


@cache
def graph():
    rng = np.random.default_rng(0)
    cells = lambda n: nir.IF(np.ones(n), np.full(n, 2.5), np.zeros(n))  # noqa: E731
    weights = [1000.0 * rng.integers(-2, 4, shape) for shape in ((60, 30), (40, 60))]
    nodes = {
        "input": nir.Input(np.array([30])), "fc": nir.Linear(weights[0]), "a": cells(60),
        "fd": nir.Linear(weights[1]), "b": cells(40), "output": nir.Output(np.array([40])),
    }  # fmt: skip
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:], strict=False)))


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("losses") / "net.nir"
    nir.write(path, graph())
    return nm.read_graph(path, dt="1 ms", steps=STEPS)


def placed(network, chip, **changes):
    found = {"core.neurons": 20} | CHIPS[chip] | changes
    return nm.place(network, replace(nm.load_architecture(chip), found), effort="none")


def inputs(samples=2):
    return (np.random.default_rng(1).random((samples, STEPS, 30)) < 0.4).astype(np.float32)


def in_lockstep(placement, x):
    """(steps, neurons) spikes of one sample; each step is timed before the next begins."""
    net, machine, core = placement.network, read_machine(placement.architecture), placement.core_of_neuron
    fabric, steps = fabric_of(placement, machine), STEPS + placement.network.latency
    arriving, spikes = np.zeros((steps + 20, net.neurons)), np.zeros((steps, net.neurons), np.float32)
    v = np.zeros(net.neurons)
    threshold = np.concatenate([p.parameters.get("threshold", np.zeros(p.size)) for p in net.populations])
    gain = np.concatenate([p.parameters.get("b_mem", np.zeros(p.size)) for p in net.populations])
    gone = 0
    for t in range(steps):
        for p, first in zip(net.populations, net.first, strict=False):
            mine = slice(int(first), int(first) + p.size)
            if p.model == "input":
                spikes[t, mine] = x[t] if t < STEPS else 0
            elif t >= p.start:
                v[mine] += gain[mine] * arriving[t, mine]
                spikes[t, mine] = v[mine] > threshold[mine]
                v[mine][spikes[t, mine] > 0] = 0
        alone = np.zeros((1, t + 1, net.neurons), np.float32)
        alone[0, t] = spikes[t]
        losses = missing(step_times(fabric, Raster.from_dense(alone)), machine.late == "next")
        gone += losses.packets
        fate = {(n, c): (a, b) for n, c, a, b in zip(losses.neuron, losses.core, losses.lost, losses.late, strict=True)}
        for q in net.projections:
            first, to = int(net.first[q.source]), int(net.first[q.target])
            for i in np.flatnonzero(spikes[t, first : first + q.indptr.size - 1]):
                for j in range(q.indptr[i], q.indptr[i + 1]):
                    target = to + int(q.index[j])
                    lost, late = fate.get((first + i, core[target]), (0, 0))
                    if not lost:
                        delay = int(q.delay[j % q.delay.size]) + (1 if late else 0)
                        arriving[t + delay, target] += q.weight[j]
    return spikes, gone


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("changes", [
    {"core.clock": "0.4 MHz"}, {"core.clock": "0.4 MHz", "chip.late": "next"}, {"core.clock": "20 MHz"},
    {"chip.queue": 1, "chip.link.bandwidth": "2 Mbit/s", "core.clock": "200 MHz"},
])  # fmt: skip
def test_a_run_with_losses_is_the_run_in_lockstep(network, chip, changes):
    if chip == "spinnaker2":
        changes = {k: v for k, v in changes.items() if "link" not in k}
    placement = placed(network, chip, **changes)
    found = nm.execute(placement, inputs())
    dense = found.spikes.dense()
    total = 0
    for sample, x in enumerate(inputs()):
        expected, gone = in_lockstep(placement, x)
        np.testing.assert_array_equal(dense[sample], expected)
        total += gone
    assert found.feedback.apart == 0
    assert found.feedback.packets == total
    if "core.clock" in changes and changes["core.clock"] == "0.4 MHz":
        assert total > 0


def test_a_chip_that_serves_nothing_in_time_hears_nothing(network):
    found = nm.execute(placed(network, "spinnaker2", **{"core.clock": "1 kHz"}), inputs())
    assert set(found.spikes.index) <= set(range(30))
    whole = nm.execute(placed(network, "spinnaker2", **{"core.clock": "1 kHz"}), inputs(), off=["losses"])
    assert whole.spikes.events > found.spikes.events


def test_the_report_prints_the_accuracy_with_the_losses_and_says_how_many(network):
    slow = placed(network, "spinnaker2", **{"core.clock": "0.4 MHz"})
    report = nm.run(network, slow.architecture, inputs(), np.array([0, 1]), placement=slow)
    assert report["accuracy"].value == nm.execute(slow, inputs(), np.array([0, 1])).accuracy.mean()
    assert any("left out of the answers" in note for note in report.notes)


def test_a_trace_priced_on_a_chip_that_loses_others_gives_no_answers(network):
    slow, fast = (placed(network, "spinnaker2", **{"core.clock": c}) for c in ("0.4 MHz", "200 MHz"))
    kind = kind_of(slow.architecture)
    draw = settled(kind, fast.architecture, "execute", {})
    _, trace = kind.execute(fast, inputs(), None, draw[0], draw[1], lambda *_: None)
    assert kind.tally(fast, trace)[1].losses == ""
    assert "too late" in kind.tally(slow, trace)[1].losses
    again = CoreTrace.unpack(*trace.pack())
    assert kind.tally(fast, again)[1].losses == ""


def test_packets_apart_are_those_whose_fate_differs():
    row, neuron, core = np.array([0, 0, 2]), np.array([5, 5, 1]), np.array([3, 3, 0])
    a = Losses.of(3, row, neuron, core, np.array([True, False, False]), 8)
    b = Losses.of(3, row[:2], neuron[:2], core[:2], np.array([True, False]), 8)
    assert (a.lost.tolist(), a.late.tolist(), a.indptr.tolist()) == ([1, 1], [1, 0], [0, 1, 1, 2])
    assert a.apart(a) == 0
    assert a.apart(b) == b.apart(a) == 1
    assert a.apart(Losses.none(3)) == 2
