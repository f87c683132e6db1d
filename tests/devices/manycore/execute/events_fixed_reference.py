"""Chips' arithmetic in Python's unbounded integers, one neuron and one synapse at a time."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np


def nearest(x: Fraction) -> int:
    """Round half to even."""
    return round(x)


def clip(x: int, low: int, high: int) -> int:
    return max(low, min(high, x))


class Cell:
    """A linear or adaptive neuron of a chip; `kind` spinnaker or loihi."""

    def __init__(self, kind, population, k, scale, bits):
        p = {name: Fraction(float(v[k])) for name, v in population.parameters.items() if np.isfinite(v[k])}
        self.kind, self.s, self.model = kind, population.semantics, population.model
        self.low, self.high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        whole = lambda name: clip(nearest(p[name] * scale), self.low, self.high)  # noqa: E731
        self.threshold = whole("threshold") if "threshold" in p else None
        self.reset, self.v, self.c = whole("v_reset"), whole("v_init"), whole("c_mem")
        self.sign = int(p["sign"])
        bias = Fraction(0) if population.bias is None else Fraction(float(population.bias[k])) * scale
        if kind == "spinnaker":
            self.a_syn = clip(nearest(p["a_syn"] * 2**32), 0, 2**32 - 1)
            self.b_syn, self.a, self.b = (nearest(p[n] * 2**15) for n in ("b_syn", "a_mem", "b_mem"))
            self.bias = clip(nearest(bias), self.low, self.high)
        else:
            self.a_syn, self.a = (4096 - math.floor(4096 * (1 - float(p[n]))) for n in ("a_syn", "a_mem"))
            self.bias = clip(nearest(bias * p["b_syn"] * p["b_mem"]), self.low, self.high)
        if self.model == "adaptive":
            self.a_h, self.b_h = nearest(p["a_adapt"] * 2**15), whole("b_adapt")
            self.b_h = nearest(p["b_adapt"] * 2**15)
        self.current = p["a_syn"] != 0 or p["b_syn"] != 1
        self.i = self.h = self.last = self.rest = self.met = 0

    def bounded(self, x: int) -> int:
        y = clip(x, self.low, self.high)
        self.met += y != x
        return y

    def filtered(self, x):
        if self.kind == "spinnaker":
            self.i = self.bounded((self.i * self.a_syn) // 2**32 + (self.b_syn * x) // 2**15)
        else:
            self.i = self.bounded(decayed(self.i, self.a_syn) + x)

    def step(self, x: int) -> int:
        s, x = self.s, x + self.bias
        if self.current and s.order == "current_first":
            self.filtered(x)
        if s.delayed_reset and self.last and s.reset == "value":
            self.v = self.reset
        source = self.i if self.current else x
        if not self.rest:
            if self.kind == "spinnaker":
                source = clip(source, self.low, self.high)
                self.v = self.bounded(self.a * self.v // 2**15 + self.b * source // 2**15 + self.c)
            else:
                self.v = self.bounded(decayed(self.v, self.a) + source + self.c)
        if s.delayed_reset and self.last and s.reset == "subtract":
            self.v -= self.last * self.threshold
        if self.current and s.order == "membrane_first":
            self.filtered(x)
        if self.threshold is None:
            return self.v
        threshold = self.threshold + (self.b_h * self.h // 2**15 if self.model == "adaptive" else 0)
        over = self.sign * (self.v - threshold)
        fired = int(not self.rest and self.sign != 0 and (over > 0 if s.compare == ">" else over >= 0))
        if self.model == "adaptive":
            self.h = self.a_h * self.h // 2**15 + 2**15 * fired
        if s.delayed_reset:
            self.last = fired
        elif fired:
            self.v = self.reset if s.reset == "value" else self.v - self.threshold
        if s.reset != "value":
            self.v = self.bounded(self.v)
        if s.refractory:
            self.rest = s.refractory if fired else max(0, self.rest - 1)
        return fired


def decayed(x: int, kept: int) -> int:
    return (abs(x) * kept // 4096) * (1 if x >= 0 else -1)


def simulate_fixed(network, kind, weights, scale, ring, bits, inputs, steps):
    """network of inputs and linear or adaptive populations; weights: per projection, integers in ring units.

    scale, ring: per population, state units and exponent of a ring unit. Returns sent values and saturations.
    """
    cells = [
        None if p.model == "input" else [Cell(kind, p, k, Fraction(float(scale[i])), bits) for k in range(p.size)]
        for i, p in enumerate(network.populations)
    ]
    rings = {}
    met = [0] * len(network.populations)
    sent = np.zeros((steps, network.neurons), np.int64)
    for t in range(steps):
        for i, p in enumerate(network.populations):
            first = int(network.first[i])
            for k in range(p.size):
                if cells[i] is None:
                    which = network.inputs.index(i)
                    sent[t, first + k] = int(inputs[which][t, k]) if t < len(inputs[which]) else 0
                    continue
                up, down = rings.pop((t, i, k, 0), 0), rings.pop((t, i, k, 1), 0)
                sent[t, first + k] = cells[i][k].step((up - down) * 2 ** int(ring[i]))
            for q, projection in enumerate(network.projections):
                if projection.source == i:
                    met[projection.target] += _deliver(projection, weights[q], sent[t, first:], t, rings, kind)
    for i, mine in enumerate(cells):
        met[i] += 0 if mine is None else sum(c.met for c in mine)
    return sent, met


def _deliver(p, weights, sent, t, rings, kind):
    met = 0
    for k in range(p.indptr.size - 1):
        for j in range(p.indptr[k], p.indptr[k + 1]) if sent[k] else ():
            add = int(weights[j]) * int(sent[k])
            key = (t + int(p.delay[j if p.delay.size > 1 else 0]), p.target, int(p.index[j]), int(add < 0))
            total = rings.get(key, 0) + abs(add)
            if kind == "spinnaker":
                met += total > 65535
                total = min(total, 65535)
            rings[key] = total
    return met
