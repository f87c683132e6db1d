"""Spikes of many samples in discrete time, held by their indices alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuromorph.errors import InputError


@dataclass(frozen=True, eq=False)
class Raster:
    """Which element fires at which step of which sample.

    samples, steps: how many of each; shape: of the elements at one step. Row sample * steps + step of the compressed
    rows lists the elements (flat, row-major over `shape`) that fire then: index[indptr[row]:indptr[row + 1]].
    indptr: (samples * steps + 1,) int64; index: (events,) int32, rising within a row; value: (events,) float32, or
    None where every event is 1 (several spikes of one element in a step are one event with that value). dt_s: length of
    a step, None where unknown.
    """

    samples: int
    steps: int
    shape: tuple[int, ...]
    indptr: np.ndarray
    index: np.ndarray
    value: np.ndarray | None = None
    dt_s: float | None = None

    def __post_init__(self) -> None:
        if self.indptr.shape != (self.samples * self.steps + 1,) or int(self.indptr[-1]) != self.index.size:
            raise InputError(
                f"raster of {self.samples} samples x {self.steps} steps has {self.indptr.size - 1} rows and "
                f"{self.index.size} events"
            )
        if self.value is not None and self.value.shape != self.index.shape:
            raise InputError(f"{self.value.size} values for {self.index.size} events")

    @property
    def size(self) -> int:
        """Elements of one step."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def events(self) -> int:
        return int(self.index.size)

    def __len__(self) -> int:
        return self.samples

    @staticmethod
    def from_dense(x: np.ndarray, dt_s: float | None = None) -> Raster:
        """x: (samples, steps, *shape); every non-zero element is an event with its value."""
        samples, steps, *shape = x.shape
        flat = x.reshape(samples * steps, -1)
        rows, index = np.nonzero(flat)
        value = flat[rows, index].astype(np.float32)
        indptr = np.zeros(samples * steps + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=samples * steps), out=indptr[1:])
        ones = bool((value == 1).all())
        return Raster(samples, steps, tuple(shape), indptr, index.astype(np.int32), None if ones else value, dt_s)

    def dense(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples start..stop as float32 (samples, steps, *shape)."""
        stop = self.samples if stop is None else min(stop, self.samples)
        first, last = start * self.steps, stop * self.steps
        x = np.zeros(((stop - start) * self.steps, self.size), np.float32)
        events = slice(int(self.indptr[first]), int(self.indptr[last]))
        rows = np.repeat(np.arange(last - first), np.diff(self.indptr[first : last + 1]))
        x[rows, self.index[events]] = 1.0 if self.value is None else self.value[events]
        return x.reshape(stop - start, self.steps, *self.shape)

    def part(self, start: int, stop: int) -> Raster:
        """The samples start..stop as a raster of their own."""
        stop = min(stop, self.samples)
        first, last = start * self.steps, stop * self.steps
        a, b = int(self.indptr[first]), int(self.indptr[last])
        value = None if self.value is None else self.value[a:b]
        indptr = self.indptr[first : last + 1] - a
        return Raster(stop - start, self.steps, self.shape, indptr, self.index[a:b], value, self.dt_s)

    def with_steps(self, steps: int, dt_s: float | None = None) -> Raster:
        """The first `steps` steps of each sample, silent steps added where there are fewer."""
        counts = np.diff(self.indptr).reshape(self.samples, self.steps)
        kept = np.zeros((self.samples, steps), np.int64)
        shared = min(steps, self.steps)
        kept[:, :shared] = counts[:, :shared]
        alive = np.repeat(np.tile(np.arange(self.steps) < steps, self.samples), counts.reshape(-1))
        indptr = np.zeros(self.samples * steps + 1, np.int64)
        np.cumsum(kept.reshape(-1), out=indptr[1:])
        value = None if self.value is None else self.value[alive]
        known = self.dt_s if dt_s is None else dt_s
        return Raster(self.samples, steps, self.shape, indptr, self.index[alive], value, known)

    def take(self, chosen: np.ndarray) -> Raster:
        """The samples with these numbers, in this order."""
        sizes = np.diff(self.indptr).reshape(self.samples, self.steps)[chosen]
        first = self.indptr[np.asarray(chosen, np.int64) * self.steps]
        length = sizes.sum(1)
        within = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        at = np.repeat(first, length) + within
        indptr = np.concatenate(([0], np.cumsum(sizes.reshape(-1)))).astype(np.int64)
        value = None if self.value is None else self.value[at]
        return Raster(len(sizes), self.steps, self.shape, indptr, self.index[at], value, self.dt_s)

    def counts(self) -> np.ndarray:
        """Events of every sample and step, (samples, steps) int64."""
        return np.diff(self.indptr).reshape(self.samples, self.steps)
