"""A delay line of Legendre memories: its error by order, and the same memory carried by spikes, placed on chips.

    python examples/legendre/run.py [--orders 2,4,6,8,12] [--steps 2000] [--each 60] [--chips loihi-like,spinnaker2]

A memory of 200 ms hears a slow noise and is read back at delays of up to 200 ms. With spikes, every state is held by a
population of neurons; on a chip in its number format, with the latency of its hops. An L2MU, whose signal, states and
hidden state are single layers of spiking neurons with weights that want training, is placed and priced beside it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

DT_S, THETA_S, BAND_HZ = 1e-3, 0.2, 5.0
SKIP = 400
"""Steps until the memory has forgotten that it was empty: two windows."""

BITS = (8, 10, 12, 16)
"""Of the weights, with 12-bit decays and one exponent of two per projection, as on Loihi."""

AT = (0.25, 0.5, 1.0)
"""Delays read, in theta."""

SPIKING_ORDER = 6
TAU_S, SYNAPSE_S = (-DT_S / math.log1p(-n / 4096) for n in (200, 41))
"""20 ms and 99 ms, as decays that 12 bits hold: any other would change the gain of the loop on such chips."""

PAIRS, RATE = 50, 0.1
"""Neurons of the input of each sign, and their spikes per step at 0."""


def noise(steps: int, seed: int) -> np.ndarray:
    """Gaussian noise of unit variance without anything above BAND_HZ: (steps,)."""
    rng = np.random.default_rng(seed)
    frequency = np.fft.rfftfreq(steps, DT_S)
    passed = (frequency > 0) & (frequency <= BAND_HZ)
    spectrum = np.where(passed, rng.normal(size=passed.size) + 1j * rng.normal(size=passed.size), 0)
    signal = np.fft.irfft(spectrum, steps)
    return signal / signal.std()


def late(signal: np.ndarray, r: float = 1.0) -> np.ndarray:
    """The signal r theta later, silent before."""
    shift = round(r * THETA_S / DT_S)
    return np.concatenate([np.zeros(shift), signal[: signal.size - shift]])


def error(read: np.ndarray, wanted: np.ndarray) -> float:
    """Root mean square of the difference over that of what is wanted, once the memory is full."""
    return float(np.sqrt(np.mean((read - wanted)[SKIP:] ** 2) / np.mean(wanted[SKIP:] ** 2)))


def values(order: int, signal: np.ndarray) -> np.ndarray:
    """Errors of the memory without spikes at the delays of AT."""
    import torch

    from neuromorph.graph.evaluate import evaluate
    from neuromorph.spiking.lmu import legendre, lmu

    graph = lmu(1, order, THETA_S, DT_S, signal.size)
    states: Any = evaluate(graph, torch.from_numpy(signal[:, None]))
    read = states.numpy() @ legendre(order, np.array(AT)).T
    return np.array([error(read[:, k], late(signal, r)) for k, r in enumerate(AT)])


def per_step(current: np.ndarray) -> np.ndarray:
    """Spikes per step of a leaky neuron with threshold 1 and reset to 0 under these constant currents.

    An interval is TAU_S ln(J / (J - 1)) and, since neurons fire at steps only, half a step more on average.
    """
    above = np.maximum(current, 1 + 1e-9)
    steps = -TAU_S / DT_S * np.log1p(-1 / above) + 0.5
    return np.where(current > 1, 1 / steps, 0.0)


@dataclass(frozen=True, eq=False)
class Ensembles:
    """One population of neurons per state. state: (neurons,) which; encode: current per unit of it; bias: current
    without; decode: what a spike is worth, so that the filtered sum of all is the state."""

    state: np.ndarray
    encode: np.ndarray
    bias: np.ndarray
    decode: np.ndarray


def ensembles(order: int, each: int, seed: int = 0) -> Ensembles:
    """Neurons that begin to fire anywhere between -1 and 1, upwards or downwards, and reach 100 to 200 Hz there.

    Decoders by regularised least squares over -1 to 1 (Eliasmith and Anderson, Neural Engineering, 2003).
    """
    rng = np.random.default_rng(seed)
    size = order * each
    sign = np.where(rng.random(size) < 0.5, -1.0, 1.0)
    begins = rng.uniform(-0.95, 0.95, size)
    strongest = -1 / np.expm1(-rng.uniform(5, 10, size) * DT_S / TAU_S)
    gain = (strongest - 1) / (1 - begins)
    bias = 1 - gain * begins
    x = np.linspace(-1, 1, 201)
    decode = np.zeros(size)
    for k in range(order):
        mine = slice(k * each, (k + 1) * each)
        rates = per_step(gain[mine] * sign[mine] * x[:, None] + bias[mine])
        noise = x.size * (0.02 * rates.max()) ** 2
        decode[mine] = np.linalg.solve(rates.T @ rates + noise * np.eye(each), rates.T @ x)
    return Ensembles(np.repeat(np.arange(order), each), gain * sign, bias, decode)


def heard(signal: np.ndarray) -> Any:
    """The signal as 50 neurons that fire 0.1 (1 + s) times a step and 50 that fire 0.1 (1 - s) times, in turn."""
    from neuromorph.events import Raster

    turn = np.arange(PAIRS) / PAIRS
    sums = np.concatenate([np.cumsum(RATE * (1 + side * signal))[:, None] + turn for side in (1, -1)], axis=1)
    return Raster.from_dense(np.diff(np.floor(sums), axis=0, prepend=0)[None].astype(np.float32), DT_S)


def spiking(order: int, each: int, steps: int) -> Any:
    """The memory in spikes: neurons whose synapses filter with SYNAPSE_S, so that m = A m + B u are their weights."""
    from neuromorph.graph.model import Graph, Node
    from neuromorph.graph.operators.dense import Linear
    from neuromorph.graph.operators.neurons import LI, CubaLIF
    from neuromorph.graph.semantics import Semantics
    from neuromorph.spiking.lmu import lmu_matrices, on_neurons, zero_order_hold

    e = ensembles(order, each)
    a, b = on_neurons(*zero_order_hold(*lmu_matrices(order, THETA_S), DT_S), DT_S, SYNAPSE_S)
    one, every = np.ones(1), np.ones(order)
    exact = Semantics(DT_S, "exponential", bias_at_start=False)
    cells = CubaLIF(SYNAPSE_S * one, TAU_S * one, one, 0 * one, one, 0 * one, one, exact)
    signs = np.repeat([1.0, -1.0], PAIRS) / (2 * RATE * PAIRS)
    read = np.where(np.arange(order)[:, None] == e.state, e.decode, 0.0)
    nodes = (
        Node("write", Linear(np.outer(e.encode * b[e.state], signs), e.bias), ("u",)),
        Node("memory", cells, ("write",), feedback=("keep",)),
        Node("keep", Linear(e.encode[:, None] * a[e.state][:, e.state] * e.decode), ("memory",)),
        Node("read", Linear(read), ("memory",)),
        Node("states", LI(SYNAPSE_S * every, every, 0 * every, exact), ("read",)),
    )
    return Graph("legendre", {"u": (steps, 2 * PAIRS)}, nodes, ("states",), {"decode": "last"})


def unit(order: int, memories: int, hidden: int, steps: int) -> Any:
    """An L2MU as published, with random weights: what its structure costs, not what it learns."""
    from neuromorph.spiking.lmu import l2mu

    rng = np.random.default_rng(0)
    states = memories * order
    shapes = {
        "e_x": (memories, 2 * PAIRS), "e_h": (memories, hidden), "e_m": (memories, states),
        "w_x": (hidden, 2 * PAIRS), "w_h": (hidden, hidden), "w_m": (hidden, states),
    }  # fmt: skip
    weights = {name: rng.normal(size=shape) / np.sqrt(shape[1]) for name, shape in shapes.items()}
    return l2mu(weights, THETA_S, DT_S, 10e-3, steps, threshold=0.1)


def filtered(signal: np.ndarray) -> np.ndarray:
    """The signal as the synapses pass it on."""
    from scipy.signal import lfilter

    kept = np.exp(-DT_S / SYNAPSE_S)
    found: np.ndarray = lfilter([1 - kept], [1, -kept], signal)
    return found


def errors(states: np.ndarray, signal: np.ndarray, delay: int = 0) -> list[float]:
    """Errors at the delays of AT against the signal through the same filter; the states come `delay` steps late."""
    from neuromorph.spiking.lmu import legendre

    read = states[delay:] @ legendre(states.shape[1], np.array(AT)).T
    wanted = [filtered(late(signal, r))[: len(read)] for r in AT]
    return [error(read[:, k], w) for k, w in enumerate(wanted)]


def on_chip(graph: Any, events: Any, name: str) -> tuple[Any, Any]:
    """The run of a graph in a chip's number format, and the network placed, timed and priced for its spikes."""
    from neuromorph.devices.manycore import read_machine
    from neuromorph.devices.manycore.execute import EventEngine
    from neuromorph.devices.manycore.place.graph import flat
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.systems.hosting import host

    chip = load_architecture(name)
    run = EventEngine(flat(graph, chip), read_machine(chip).arithmetic).run(events)
    return run, host(run.network, run.spikes, chip)


def percents(found: Sequence[float]) -> str:
    return " ".join(f"{100 * e:6.2f} %" for e in found)


def lines(orders: Sequence[int], steps: int, each: int, chips: Sequence[str]) -> Iterator[str]:
    """What is printed."""
    from neuromorph.devices.manycore.execute import EventEngine
    from neuromorph.spiking.arithmetic import Arithmetic
    from neuromorph.spiking.lower import lower

    signal = 0.4 * noise(steps, seed=0)
    yield f"error (rms, of the signal's) at a delay of {' '.join(f'{1e3 * r * THETA_S:g}' for r in AT)} ms"
    for order in orders:
        yield f"order {order:2d}, values: {percents(values(order, signal))}"
    events, order = heard(signal), SPIKING_ORDER
    graph = spiking(order, each, steps)
    network = lower(graph)
    run = EventEngine(network).run(events)
    fired = run.spikes.events - events.events
    rate = fired / (order * each * steps * DT_S)
    yield f"order {order:2d}, spikes: {percents(errors(run.outputs[0][0], signal))}"
    yield f"in spikes: {order * each} neurons at {rate:.1f} Hz, {network.synapses} synapses"
    for bits in BITS:
        found = EventEngine(network, Arithmetic("loihi", bits, 24)).run(events)
        yield f"{bits:2d}-bit weights: {percents(errors(found.outputs[0][0], signal))}"
    small = unit(order, 20, 40, steps)
    for name in chips:
        on, hosted = on_chip(graph, events, name)
        yield f"{name}: {percents(errors(on.outputs[0][0], signal, on.network.latency))}"
        yield f"  {price(hosted, steps)}"
        yield f"  L2MU of 20 memories and 40 hidden neurons: {price(on_chip(small, events, name)[1], steps)}"


def price(hosted: Any, steps: int) -> str:
    """Cores, energy and time on the chip."""
    seconds = steps * DT_S
    report = hosted.report({"network": hosted.placement.network.name})
    names = ("cores_used", "energy", "static_energy", "latency")
    cores, energy, static, latency = (report[name].value for name in names)
    part = "static energy not modelled" if static is None else f"{static / energy:.0%} of it static"
    return f"{cores:g} cores, {energy * 1e6:.4g} uJ ({part}) and {latency * 1e3:.4g} ms for {seconds:g} s of signal"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orders", default="2,4,6,8,12", help="of the memory without spikes")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--each", type=int, default=60, help="neurons per state of the memory in spikes")
    parser.add_argument("--chips", default="loihi-like,spinnaker2", help="none: leave them out")
    options = parser.parse_args(argv)
    chips = [name for name in options.chips.split(",") if name != "none"]
    for line in lines([int(n) for n in options.orders.split(",")], options.steps, options.each, chips):
        print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
