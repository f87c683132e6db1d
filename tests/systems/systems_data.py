"""What the tests of whole systems share: where shared data lies, a small reference for networks, random graphs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from neuromorph.systems.annealing import couplings


def shared_data(name: str) -> Path:
    """A folder of the data that is not part of the repository; skips the test where it is absent."""
    places = [Path(p) for p in (os.environ.get("NEUROMORPH_DATA"),) if p]
    places += [p / "shared" / "data" for p in Path(__file__).resolve().parents]
    for place in places:
        if (place / name).is_dir():
            return place / name
    pytest.skip(f"no {name} data (NEUROMORPH_DATA names the folder that holds it)")


def random_graph(size: int, seed: int, density: float = 0.4, weights=(-1, 1)):
    random = np.random.default_rng(seed)
    i, j = np.triu_indices(size, 1)
    there = random.random(i.size) < density
    return couplings("random", size, i[there], j[there], random.choice(np.array(weights), there.sum()))


def all_states(size: int) -> np.ndarray:
    """(2^size, size) of +-1; bit k of the row number is spin k."""
    return 2 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1) - 1


def dense_reference(network, events) -> np.ndarray:
    """Spikes (steps, neurons) of a network of inputs and perfect integrators, step by step with dense matrices."""
    first, total = network.first, network.neurons
    horizon = network.max_delay + 1
    told = events.dense()[0]
    arriving = np.zeros((told.shape[0] + horizon, total))
    v = np.concatenate([p.parameters.get("v_init", np.zeros(p.size)) for p in network.populations])
    fired = np.zeros((told.shape[0], total))
    for t in range(told.shape[0]):
        for k, population in enumerate(network.populations):
            part = slice(first[k], first[k + 1])
            if population.model == "input":
                fired[t, part] = told[t]
            else:
                v[part] += arriving[t, part]
                fired[t, part] = v[part] > population.parameters["threshold"]
            for p in network.projections:
                if p.source == k:
                    rows = np.repeat(np.arange(population.size), p.fan_out)
                    delay = np.broadcast_to(p.delay.astype(np.int64), p.index.shape)
                    np.add.at(arriving, (t + delay, first[p.target] + p.index), p.weight * fired[t, part][rows])
    return fired
