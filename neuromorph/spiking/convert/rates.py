"""How well the rates of a converted network stand for the values of the network it was made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Graph
from neuromorph.graph.operators.neurons import IF
from neuromorph.graph.simplify import simplify

MOST_SAMPLES = 64
"""Samples that are compared; every layer is held over all steps."""


@dataclass(frozen=True)
class RateDeviation:
    """error: root mean square of rate times threshold less the activation, relative to that of the activation.
    silent: share of the neurons with an activation above zero that never fire; full: of those that fire every step."""

    node: str
    error: float
    silent: float
    full: float


def rate_deviations(graph: Graph, spiking: Graph, x: np.ndarray) -> tuple[RateDeviation, ...]:
    """Layer by layer, what `convert` made of a graph against the graph itself on inputs (samples, *shape).

    Raises InputError where the spiking network is not made of this one.
    """
    import torch

    from neuromorph.graph.evaluate import evaluate

    (steps, *_), x = next(iter(spiking.input_shapes.values())), np.asarray(x, np.float32)[:MOST_SAMPLES]
    values: dict[str, torch.Tensor] = {}
    spikes: dict[str, torch.Tensor] = {}
    neurons = {n.name: n.operator.v_threshold for n in spiking.nodes if isinstance(n.operator, IF)}
    with torch.no_grad():
        evaluate(simplify(graph), x, record=values.__setitem__)
        repeated = torch.from_numpy(x)[:, None].expand(-1, steps, *x.shape[1:])
        evaluate(spiking, repeated, record=lambda n, v: spikes.update({n: v.mean(1)}) if n in neurons else None)
    if missing := sorted(set(neurons) - set(values)):
        raise InputError(f"{spiking.name} has neurons {', '.join(missing)}, {graph.name} has no such layers")
    found = []
    for name, threshold in neurons.items():
        rate, wanted = spikes[name].double().numpy(), values[name].double().numpy()
        alive = wanted > 0
        scale = max(float(np.sqrt((wanted**2).mean())), 1e-300)
        error = float(np.sqrt(((rate * threshold - wanted) ** 2).mean())) / scale
        silent, full = (float(((rate == v) & alive).sum() / max(alive.sum(), 1)) for v in (0.0, 1.0))
        found.append(RateDeviation(name, error, silent, full))
    return tuple(found)
