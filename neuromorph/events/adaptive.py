"""A learned encoder: thresholds that adapt to each feature of a signal, trained by gradient.

Assumed form. Trainable adaptive-threshold encoders (spike threshold adaptive learning, STAL) are published, but their
exact rule could not be read; what is here is an integrate-and-fire encoder with an adapting threshold and parameters
per feature, in the spirit of theirs:

    v(t) = v(t - 1) e^(-1/m) + x(t),    s(t) = 1 where v(t) >= theta + beta h(t),    v -= theta where it fired,
    h(t + 1) = h(t) e^(-1/k) + s(t),

with theta > 0 (threshold), beta >= 0 (how much a spike raises it), k (steps in which that decays) and m (steps in
which the membrane decays) learned per feature. Signals of both signs are split into a positive and a negative channel
first. Without labels the parameters are those from which a linear decoder (a decaying trace of the spikes, a gain and
an offset per feature, learned along) rebuilds the signal with the smallest squared error plus a price for every spike.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.events.encoders import _checked
from neuromorph.events.raster import Raster
from neuromorph.files import write_file

if TYPE_CHECKING:
    import torch

_FIELDS = ("threshold", "rise", "decay_steps", "leak_steps")


@dataclass(frozen=True, eq=False)
class AdaptiveThreshold:
    """Parameters per feature, each of the shape of one step (split: per channel of each sign, (2, *shape)).

    threshold: theta, above 0; rise: beta, 0 or more; decay_steps: k, above 0; leak_steps: m, above 0. split: whether
    negative values go through a channel of their own, so that the raster's shape is (2, *shape): negative, positive.
    """

    threshold: np.ndarray
    rise: np.ndarray
    decay_steps: np.ndarray
    leak_steps: np.ndarray
    split: bool = False

    def __post_init__(self) -> None:
        shapes = {np.shape(getattr(self, name)) for name in _FIELDS}
        if len(shapes) != 1:
            raise InputError(f"parameters have shapes {sorted(shapes)}", hint="all alike: one value per feature")
        for name in _FIELDS:
            values = np.asarray(getattr(self, name), np.float64)
            low = 0.0 if name == "rise" else np.nextafter(0.0, 1.0)
            if not np.isfinite(values).all() or (values < low).any():
                raise InputError(f"{name} has values that are not finite and above 0")
            object.__setattr__(self, name, values)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the elements of one step of the raster."""
        return tuple(self.threshold.shape)

    def encode(self, x: np.ndarray, dt_s: float, steps: int | None = None) -> Raster:
        """x: (samples, steps, *shape), or (samples, *shape) held for `steps` steps; InputError where it differs."""
        x = _over_time(x, self.shape[1:] if self.split else self.shape, steps, dt_s)
        x = _split(x) if self.split else x
        v = np.zeros((len(x), *self.shape))
        h = np.zeros_like(v)
        kept, fading = np.exp(-1 / self.leak_steps), np.exp(-1 / self.decay_steps)
        out = np.zeros(x.shape, np.float32)
        for t in range(x.shape[1]):
            v = v * kept + x[:, t]
            fires = v >= self.threshold + self.rise * h
            v = v - fires * self.threshold
            h = h * fading + fires
            out[:, t] = fires
        return Raster.from_dense(out, dt_s)

    def save(self, path: str | Path) -> None:
        """Writes the parameters as .npz. Raises InputError where they cannot be written."""
        data = io.BytesIO()
        np.savez(data, split=self.split, **{name: getattr(self, name) for name in _FIELDS})
        path = Path(path)
        write_file(path if path.suffix == ".npz" else path.with_name(path.name + ".npz"), data.getvalue())

    @staticmethod
    def load(path: str | Path) -> AdaptiveThreshold:
        """Reads what `save` wrote; nothing pickled. Raises InputError where it is something else."""
        from neuromorph.graph.data import DAMAGED

        try:
            with np.load(path, allow_pickle=False) as file:
                return _made({name: file[name] for name in _FIELDS}, bool(file["split"]))
        except InputError:
            raise
        except (*DAMAGED, KeyError, OSError, TypeError) as error:
            raise InputError(f"holds no encoder: {error}", Place(str(path)), f"arrays {', '.join(_FIELDS)}") from None


def fit_adaptive(
    x: np.ndarray,
    steps: int | None = None,
    *,
    epochs: int = 30,
    rate: float = 0.05,
    price: float = 0.02,
    batch: int = 64,
    seed: int = 0,
) -> AdaptiveThreshold:
    """Learns an encoder from signals without labels (see the module for what is minimised).

    x: (samples, steps, *shape), or (samples, *shape) held for `steps` steps. price: of a spike, in parts of the
    feature's variance; more gives fewer spikes. Results depend on x, the arguments and the seed alone.
    Raises InputError for signals that never change and values that are not finite.
    """
    import torch

    signals = _over_time(x, None, steps, 1.0)
    split = bool(signals.min() < 0)
    signals = _split(signals) if split else signals
    variance = signals.var((0, 1))
    if not float(variance.max()) > 0:
        raise InputError("all values are alike: nothing can be learned from them")
    variance = np.maximum(variance, 1e-6 * variance.max())
    if epochs < 1 or not rate > 0 or price < 0 or batch < 1:
        raise InputError(f"{epochs} epochs, rate {rate}, price {price}, batch {batch}", hint="positive numbers")
    module = trainable(_initial(signals, split))
    values = torch.from_numpy(signals.astype(np.float32))
    weight = torch.from_numpy((1 / variance).astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=rate)
    for _ in range(epochs):
        for chosen in torch.randperm(len(values), generator=generator).split(batch):
            spikes = module(values[chosen])
            error = ((module.decode(spikes) - values[chosen]).square() * weight).mean()
            loss = error + price * spikes.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    learned: AdaptiveThreshold = module.parameters_of()
    return learned


def _initial(signals: np.ndarray, split: bool) -> AdaptiveThreshold:
    """Thresholds of three times the mean value: about a spike every three steps."""
    mean = np.abs(signals).mean((0, 1))
    threshold = 3 * np.where(mean > 0, mean, max(float(mean.max()), 1e-12))
    one = np.ones_like(threshold)
    return AdaptiveThreshold(threshold, 0.1 * threshold, 5.0 * one, 5.0 * one, split)


def trainable(encoder: AdaptiveThreshold) -> Any:
    """The encoder as a torch module, to be trained alone or in front of a network.

    Its forward pass takes (batch, steps, *shape), already split where the encoder splits, and gives spikes; backwards a
    spike's step is 1 / (1 + (pi (v - threshold) / theta)^2). `decode(spikes)` rebuilds the signal, `parameters_of()`
    gives the encoder with the present values.
    """
    import torch
    from torch import nn

    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            smallest = {"rise": 1e-3 * encoder.threshold}
            for name in _FIELDS:  # learned as logarithms of factors, so that the unit of the signal does not matter
                base = np.maximum(getattr(encoder, name), smallest.get(name, 0.0))
                self.register_buffer(f"base_{name}", torch.tensor(base, dtype=torch.float32))
                self.register_parameter(name, nn.Parameter(torch.zeros(encoder.shape)))
            self.gain = nn.Parameter(torch.zeros(encoder.shape))
            self.offset = nn.Parameter(torch.zeros(encoder.shape))

        def present(self, name: str) -> torch.Tensor:
            return self.get_buffer(f"base_{name}") * self.get_parameter(name).exp()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            from neuromorph.graph.operators.dynamics import fired

            theta, beta, k, m = (self.present(name) for name in _FIELDS)
            kept, fading = torch.exp(-1 / m), torch.exp(-1 / k)
            v = h = torch.zeros_like(x[:, 0])
            one = torch.ones((), dtype=x.dtype)
            out = []
            for t in range(x.shape[1]):
                v = v * kept + x[:, t]
                spikes = fired((v - beta * h) / theta, one, None, strict=False)
                v = v - spikes * theta
                h = h * fading + spikes
                out.append(spikes)
            return torch.stack(out, 1)

        def decode(self, spikes: torch.Tensor) -> torch.Tensor:
            kept = torch.exp(-1 / self.present("leak_steps"))
            unit = self.get_buffer("base_threshold") / 3
            trace = torch.zeros_like(spikes[:, 0])
            out = []
            for t in range(spikes.shape[1]):
                trace = trace * kept + spikes[:, t]
                out.append(unit * (self.gain.exp() * trace + self.offset))
            return torch.stack(out, 1)

        @torch.no_grad()
        def parameters_of(self) -> AdaptiveThreshold:
            return _made({name: self.present(name).double().numpy() for name in _FIELDS}, encoder.split)

    return Module()


def _made(values: dict[str, np.ndarray], split: bool) -> AdaptiveThreshold:
    return AdaptiveThreshold(values["threshold"], values["rise"], values["decay_steps"], values["leak_steps"], split)


def _split(x: np.ndarray) -> np.ndarray:
    """(samples, steps, *shape) -> (samples, steps, 2, *shape): negative parts, positive parts."""
    return np.stack([np.maximum(-x, 0), np.maximum(x, 0)], axis=2)


def _over_time(x: np.ndarray, shape: tuple[int, ...] | None, steps: int | None, dt_s: float) -> np.ndarray:
    x = _checked(x, 1 if steps is None else steps, dt_s).astype(np.float64)
    held = steps is not None and (x.shape[1:] == shape if shape is not None else True)
    if held:
        x = np.repeat(x[:, None], steps or 1, axis=1)
    if x.ndim < 3 or (shape is not None and x.shape[2:] != shape):
        expected = "(samples, steps, ...)" if shape is None else f"(samples, steps, {', '.join(map(str, shape))})"
        raise InputError(f"x has shape {x.shape}, expected {expected}", hint="or values of one step, and steps")
    return x
