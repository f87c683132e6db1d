"""A slow simulator of flat spiking networks, written from their documentation alone, to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuromorph.graph.semantics import Semantics
from neuromorph.spiking import Population, SpikingNetwork


class Cells:
    """The neurons of one population; `step` takes the input of a step and returns the output."""

    def __init__(self, population: Population) -> None:
        self.p = population
        self.s = population.semantics
        n = population.size
        par = population.parameters
        self.v = np.array(par["v_init"]) if "v_init" in par else np.zeros(n)
        self.u = np.array(par["u_init"]) if "u_init" in par else np.zeros(n)
        self.i, self.h = np.zeros(n), np.zeros(n)
        self.last, self.above, self.rest = np.zeros(n), np.zeros(n, bool), np.zeros(n, int)
        self.sent: list[np.ndarray] = []

    def step(self, x: np.ndarray) -> np.ndarray:
        if self.p.model == "readout":
            return x
        par = self.p.parameters
        if self.p.model == "threshold":
            return np.array(
                [float(s * (a - th) > 0) for a, th, s in zip(x, par["threshold"], par["sign"], strict=True)]
            )
        out = np.array([self._izhikevich(k, x[k]) if self.p.model == "izhikevich" else self._linear(k, x[k])
                        for k in range(self.p.size)])  # fmt: skip
        assert self.s is not None
        self.sent.append(out)
        late = len(self.sent) - 1 - self.s.output_shift
        return self.sent[late] if late >= 0 else np.zeros_like(out)

    def _linear(self, k: int, x: float) -> float:
        par: Mapping[str, float] = {name: values[k] for name, values in self.p.parameters.items()}
        s = self.s
        assert s is not None
        old = self.i[k]
        self.i[k] = par["a_syn"] * old + par["b_syn"] * x
        drive = old if s.order == "membrane_first" else self.i[k]
        resting, fired_before, th = self.rest[k] > 0, self.last[k], par["threshold"]
        v = self.v[k]
        if s.delayed_reset and s.reset == "value" and s.input_at_reset and fired_before:
            v = par["v_reset"]
        if not resting:
            v = par["a_mem"] * v + par["b_mem"] * drive + par["c_mem"]
        if s.delayed_reset and s.reset.startswith("subtract"):
            v -= fired_before * th
        if s.delayed_reset and s.reset == "value" and not s.input_at_reset and fired_before:
            v = par["v_reset"]
        guarded = s.reset == "subtract_guarded" and not s.delayed_reset
        if guarded and self.above[k]:
            v -= th
        if s.v_min is not None:
            v = max(v, s.v_min)
        if np.isinf(th):
            self.v[k] = v
            return float(v)
        raised = th + (par["b_adapt"] * self.h[k] if self.p.model == "adaptive" else 0.0)
        count = 0.0 if resting else self._spikes(v, raised, par["sign"], s)
        if self.p.model == "adaptive":
            self.h[k] = par["a_adapt"] * self.h[k] + (count > 0)
        self.rest[k] = s.refractory if count else max(self.rest[k] - 1, 0)
        self.last[k] = count
        if not s.delayed_reset:
            if s.reset == "value" and count:
                v = par["v_reset"]
            elif s.reset == "subtract":
                v -= count * th
            elif guarded:
                v -= (count - float(self.above[k])) * th
                self.above[k] = fires(v, th, par["sign"], s.compare)
        self.v[k] = v
        return count

    def _spikes(self, v: float, th: float, sign: float, s: Semantics) -> float:
        if not fires(v, th, sign, s.compare):
            return 0.0
        if s.spikes_per_step == 1 or th <= 0 or sign <= 0:
            return 1.0
        count = np.floor(v / th) if s.compare == ">=" else np.ceil(v / th) - 1
        return float(min(max(count, 1), s.spikes_per_step or np.inf))

    def _izhikevich(self, k: int, x: float) -> float:
        par = {name: values[k] for name, values in self.p.parameters.items()}
        s, v, u = self.s, self.v[k], self.u[k]
        assert s is not None
        resting = self.rest[k] > 0
        ms = s.dt_s * 1000
        if not resting:
            v += ms / 2 * (0.04 * v * v + 5 * v + 140 - u + x)
            v += ms / 2 * (0.04 * v * v + 5 * v + 140 - u + x)
            u += ms * par["a"] * (par["b"] * v - u)
        fired = v >= par["v_peak"] and not resting
        if fired:
            v, u = par["c"], u + par["d"]
        self.v[k], self.u[k] = v, u
        self.rest[k] = s.refractory if fired else max(self.rest[k] - 1, 0)
        return float(fired)


def fires(v: float, th: float, sign: float, compare: str) -> bool:
    over = sign * (v - th)
    return bool(sign != 0 and (over > 0 if compare == ">" else over >= 0))


def simulate(network: SpikingNetwork, inputs: Sequence[np.ndarray], steps: int) -> list[np.ndarray]:
    """inputs: (steps, size) of each input population; returns (steps, size) of every population."""
    cells = [Cells(p) for p in network.populations]
    found = [np.zeros((steps, p.size)) for p in network.populations]
    given = dict(zip(network.inputs, inputs, strict=True))
    for t in range(steps):
        for k, population in enumerate(network.populations):
            if population.model == "input":
                found[k][t] = given[k][t] if t < len(given[k]) else 0
                continue
            if t < population.start:
                continue
            x = np.zeros(population.size) if population.bias is None else population.bias.copy()
            for p in network.projections:
                if p.target != k:
                    continue
                delay = np.broadcast_to(p.delay, p.index.shape).astype(int)
                for source in range(network.populations[p.source].size):
                    for e in range(int(p.indptr[source]), int(p.indptr[source + 1])):
                        if t - delay[e] >= 0:
                            x[p.index[e]] += float(p.weight[e]) * found[p.source][t - delay[e], source]
            found[k][t] = cells[k].step(x)
    return found
