"""A plain simulator of spiking networks, neuron by neuron and spike by spike, written from the stated semantics."""

from __future__ import annotations

import math

import numpy as np

from neuromorph.events import Raster
from neuromorph.graph.semantics import Semantics
from neuromorph.spiking import Population, Projection, SpikingNetwork


class Neuron:
    """One neuron in double precision (or in `real`, another floating point type)."""

    def __init__(self, population: Population, k: int, real=np.float64, grid=0.0, skip=0.0):
        self.p = {name: real(values[k]) for name, values in population.parameters.items()}
        self.model, self.s, self.real, self.grid, self.skip = population.model, population.semantics, real, grid, skip
        self.bias = None if population.bias is None else real(population.bias[k])
        self.v, self.i, self.h = self.p.get("v_init", real(0)), real(0), self.p.get("u_init", real(0))
        self.last = self.rest = 0
        self.above = 0
        self.pending = real(0)
        self.skipped = 0

    def over(self, x, threshold, at_least):
        sign = self.p.get("sign", 1)
        if sign == 0:
            return False
        if sign < 0:
            return x <= threshold if at_least else x < threshold
        return x >= threshold if at_least else x > threshold

    def many(self, threshold):
        s = self.s
        if not self.over(self.v, threshold, s.compare == ">="):
            return 0
        if s.spikes_per_step == 1 or threshold <= 0 or self.p["sign"] <= 0:
            return 1
        held = self.v / threshold
        n = max(1, math.floor(held) if s.compare == ">=" else math.ceil(held) - 1)
        return n if s.spikes_per_step is None else min(n, s.spikes_per_step)

    def step(self, x):
        if self.bias is not None:
            x = x + self.bias
        if self.model == "readout":
            return x
        if self.skip:
            x = x + self.pending
            if abs(x) < self.skip:
                self.pending, self.skipped = x, self.skipped + 1
                if self.model in ("linear", "adaptive"):
                    self.v = self.delayed(self.v, self.v)
                    self.last = 0
                self.rest = max(0, self.rest - 1)
                return 0 if self.fires else self.v
            self.pending = self.real(0)
        if self.model == "threshold":
            return int(self.over(x, self.p["threshold"], False))
        rest = self.rest > 0
        count = self.izhikevich(x, rest) if self.model == "izhikevich" else self.linear(x, rest)
        if self.s.refractory:
            self.rest = self.s.refractory if count and self.fires else max(0, self.rest - 1)
        return count

    @property
    def fires(self):
        return self.model in ("izhikevich", "threshold") or self.spiking

    spiking = True

    def izhikevich(self, x, rest):
        p, dt = self.p, self.real(self.s.dt_s * 1e3)
        v, u = self.v, self.h
        for _ in range(2):
            v = v + dt / 2 * (self.real(0.04) * v * v + 5 * v + 140 - u + x)
        u = u + dt * p["a"] * (p["b"] * v - u)
        if rest:
            v, u = self.v, self.h
        fired = not rest and v >= p["v_peak"]
        self.v, self.h = (p["c"], u + p["d"]) if fired else (v, u)
        return int(fired)

    def delayed(self, new, old):
        """The delayed resets of items 2 and 4 on a neuron that does not integrate."""
        s = self.s
        if not s.delayed_reset or not self.last:
            return old
        if s.reset == "value":
            return self.p["v_reset"]
        return old - self.last * self.p["threshold"] if s.reset.startswith("subtract") else old

    def linear(self, x, rest):
        p, s = self.p, self.s
        before = self.i
        self.i = p["a_syn"] * self.i + p["b_syn"] * x
        current = before if s.order == "membrane_first" and (p["a_syn"] != 0 or p["b_syn"] != 1) else self.i
        late = s.delayed_reset and self.last
        v = p["v_reset"] if late and s.reset == "value" and s.input_at_reset else self.v
        old = v
        kept = p["a_mem"] * v
        if self.grid:
            kept = np.trunc(kept / self.grid) * self.grid
        new = kept + p["b_mem"] * current + p["c_mem"]
        v = old if rest else new
        if late and s.reset.startswith("subtract"):
            v = v - self.last * p["threshold"]
        if late and s.reset == "value" and not s.input_at_reset:
            v = p["v_reset"]
        guarded = s.reset == "subtract_guarded" and not s.delayed_reset
        if guarded and self.above:
            v = v - p["threshold"]
        if s.v_min is not None:
            v = max(v, self.real(s.v_min))
        self.v = v
        if not self.spiking:
            return v
        raised = p["threshold"]
        if self.model == "adaptive":
            raised = raised + p["b_adapt"] * self.h
        count = 0 if rest else self.many(raised)
        if self.model == "adaptive":
            self.h = p["a_adapt"] * self.h + (count > 0)
        if s.delayed_reset:
            self.last = count
        elif count and s.reset == "value":
            self.v = p["v_reset"]
        elif count and s.reset == "subtract":
            self.v = self.v - count * p["threshold"]
        elif guarded:
            if count != self.above:
                self.v = self.v - (count - self.above) * p["threshold"]
            self.above = int(self.over(self.v, p["threshold"], s.compare == ">="))
        return count


def simulate(network: SpikingNetwork, inputs, steps, sample=0, real=np.float64, grid=0.0, skip=0.0):
    """Values that each population sends, (steps, neurons), and updates skipped per population."""
    waiting = [[np.zeros((network.max_delay + 1, p.size), real)] for p in network.populations]
    neurons = []
    for p in network.populations:
        if p.model == "input":
            neurons.append(None)
            continue
        mine = [Neuron(p, k, real, grid, skip) for k in range(p.size)]
        for neuron in mine:
            neuron.spiking = p.spiking
        neurons.append(mine)
    sent = np.zeros((steps, network.neurons), real)
    given = dict(zip(network.inputs, inputs, strict=True))
    late = [[] for _ in network.populations]
    for t in range(steps):
        for i, p in enumerate(network.populations):
            arriving = waiting[i][0]
            x = arriving[0].copy()
            arriving[:-1] = arriving[1:].copy()
            arriving[-1] = 0
            if p.model == "input":
                y = given[i][sample, t].ravel().astype(real) if t < given[i].shape[1] else np.zeros(p.size, real)
            elif t < p.start:
                y = np.zeros(p.size, real)
            else:
                y = np.array([n.step(value) for n, value in zip(neurons[i], x, strict=True)], real)
            if p.semantics is not None and p.semantics.output_shift and p.model != "input":
                late[i].append(y)
                y = late[i].pop(0) if len(late[i]) > p.semantics.output_shift else np.zeros(p.size, real)
            sent[t, network.first[i] : network.first[i + 1]] = y
            for q in sorted((q for q in network.projections if q.source == i), key=network.projections.index):
                deliver(q, y, waiting[q.target][0], q.target > i, real)
    skipped = [0 if n is None else sum(x.skipped for x in n) for n in neurons]
    return sent, skipped


def deliver(q: Projection, y, ring, forward: bool, real):
    """Row after row; what a population has not read yet of this step lies in slot 0, else the next step does."""
    for k in np.flatnonzero(y):
        for j in range(q.indptr[k], q.indptr[k + 1]):
            delay = int(q.delay[j if q.delay.size > 1 else 0])
            ring[delay if forward else delay - 1, q.index[j]] += real(q.weight[j]) * y[k]


def network_of(populations, edges, inputs, outputs, latency=0, dt_s=1e-3) -> SpikingNetwork:
    """edges: (source, target, dense weights (sources, targets) with 0 for no synapse, delay: number or array)."""
    projections = []
    for number, (source, target, weight, delay) in enumerate(edges):
        there = weight != 0
        indptr = np.concatenate(([0], np.cumsum(there.sum(axis=1)))).astype(np.int64)
        index = np.nonzero(there)[1].astype(np.int32)
        d = np.array([delay], np.uint8) if np.isscalar(delay) else np.asarray(delay)[there].astype(np.uint8)
        projections.append(Projection(f"p{number}", source, target, indptr, index, weight[there].astype(np.float32), d))
    return SpikingNetwork("net", tuple(populations), tuple(projections), tuple(inputs), tuple(outputs), dt_s, latency)


def linear(name, size, semantics=None, model="linear", bias=None, start=0, **given) -> Population:
    """A population with neutral parameters but those given (numbers or arrays)."""
    neutral = {
        "a_syn": 0, "b_syn": 1, "a_mem": 0.9, "b_mem": 1, "c_mem": 0, "threshold": 1, "v_reset": 0, "sign": 1,
        "v_init": 0,
    }  # fmt: skip
    if model == "adaptive":
        neutral |= {"a_adapt": 0.95, "b_adapt": 0.2}
    parameters = {
        name: np.broadcast_to(np.asarray(value, float), (size,)).copy() for name, value in (neutral | given).items()
    }
    return Population(name, (size,), model, parameters, semantics or Semantics(1e-3), bias, start)


def source(name, size) -> Population:
    return Population(name, (size,), "input")


def noise(rng, samples, steps, size, rate=0.2) -> Raster:
    return Raster.from_dense((rng.random((samples, steps, size)) < rate).astype(np.float32))
