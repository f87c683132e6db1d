"""Normalizations of the membrane as thresholds of its neurons."""

from __future__ import annotations

import dataclasses

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.operators.neurons import IF, LIF, CubaLIF

ALWAYS = float(np.finfo(np.float32).min)
"""A threshold that every membrane exceeds."""


def fold_membrane_norm(
    neuron: IF | LIF | CubaLIF, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, variance: np.ndarray,
    epsilon: float = 1e-5, axis: int = 0,
) -> IF | LIF | CubaLIF:  # fmt: skip
    """The neuron that fires on its normalized membrane, with thresholds of its own for each channel.

    It fires where g (v - mean)/s + b > th, with s = sqrt(variance + epsilon): where g > 0 that is v > th', where g < 0
    v < th', with th' = (th - b) s/g + mean; where g = 0 it is a constant, always or never (MPBN, Guo et al., ICCV
    2023, whose code compares with half of the threshold it names: give that half).
    scale g, shift b, mean, variance: one per channel along `axis` of the neuron's features. The reset acts on the raw
    membrane. Raises InputError for a neuron whose reset takes away its threshold: with another threshold that is
    another amount.
    """
    if neuron.semantics.reset.startswith("subtract"):
        raise InputError(
            "the reset takes away the threshold, which the normalization changes",
            hint='reset "value" or "none": only these act on the raw membrane alone',
        )
    if neuron.sign is not None and (neuron.sign != 1).any():
        raise InputError("the neuron has signed thresholds already")
    along = [1] * neuron.rank
    along[axis] = -1
    arrays = {"scale": scale, "shift": shift, "mean": mean, "variance": variance}
    for name, values in arrays.items():
        size = np.size(values)
        if size not in (1, neuron.features[axis]) or not np.isfinite(values).all():
            raise InputError(
                f"{name} holds {size} values for {neuron.features[axis]} channels, or one that is no number"
            )
    g, b, m, var = (np.asarray(a, np.float64).reshape(along) for a in arrays.values())
    if (var + epsilon <= 0).any():
        raise InputError("variance + epsilon is not above 0")
    g, b, m, s, th = np.broadcast_arrays(g, b, m, np.sqrt(var + epsilon), neuron.v_threshold)
    dead = g == 0
    threshold = (th - b) * s / np.where(dead, 1.0, g) + m
    fires = b >= th if neuron.semantics.compare == ">=" else b > th
    return dataclasses.replace(
        neuron,
        v_threshold=np.where(dead, np.where(fires, ALWAYS, 0.0), threshold),
        sign=np.where(dead, np.where(fires, 1.0, 0.0), np.sign(g)),
    )
