"""Products dealt out over copies of a matrix: each copy is devices of its own, so each has its own noise.

The products of a sample (window positions, time steps) go to the copies in equal runs, in their order: product p of P
is that of copy floor(p R / P). Streams are keyed by the copy, so no result depends on batches or workers.

Everything lies with products before samples, (steps, products, samples, ...): the run of a copy is then one piece of
memory, and the converters of all copies are one pass.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from neuromorph.devices.layered.crossbar.compiled import Effective
from neuromorph.devices.layered.crossbar.converters import Adc, convert_dealt
from neuromorph.devices.layered.crossbar.drives import Drives, drive
from neuromorph.devices.layered.crossbar.host import PIECE, Tally, joined_steps
from neuromorph.devices.layered.crossbar.inputs import InputCoding
from neuromorph.devices.layered.products import WHOLE, product
from neuromorph.graph.model import Window


def runs(products: int, copies: int) -> list[tuple[int, int]]:
    """The half-open run of products of each copy."""
    ends = [-(-c * products // copies) for c in range(copies + 1)]
    return list(itertools.pairwise(ends))


@dataclass(frozen=True)
class Dealt:
    """All copies of a matrix on some chips. adcs: [copy][block]; weights: (steps,), what a step is worth.

    wide: weights and variances by (block, copy, trial, which), columns padded as products of equal rounding need them.
    """

    copies: Sequence[Effective]
    adcs: Sequence[Sequence[Adc]]
    weights: np.ndarray
    wide: dict[tuple[int, int, int, str], torch.Tensor] = field(default_factory=dict)

    def matrix(self, index: int, copy: int, trial: int, which: str) -> torch.Tensor:
        """(groups, rows, columns) of a block, at least `WHOLE` columns where there is one group."""
        weight: torch.Tensor = getattr(self.copies[copy].blocks[index], which)[trial]
        if weight.shape[0] > 1 or weight.shape[2] >= WHOLE:
            return weight
        key = (index, copy, trial, which)
        if key not in self.wide:
            self.wide[key] = functional.pad(weight, (0, WHOLE - weight.shape[2]))
        return self.wide[key]


@dataclass(frozen=True)
class _Rows:
    """Drives of every product as rows, (steps, products, samples, groups*rows), and their squares."""

    v: torch.Tensor
    squared: torch.Tensor | None


class _LastRows:
    """The rows of the last inputs: chips that take turns with one batch cut its windows out once."""

    def __init__(self) -> None:
        self.of: weakref.ref[torch.Tensor] | None = None
        self.key: object = None
        self.rows: _Rows | None = None

    def get(self, x: torch.Tensor, key: object) -> _Rows | None:
        found = self.of() if self.of is not None else None
        return self.rows if found is x and self.key == key else None

    def keep(self, x: torch.Tensor, key: object, rows: _Rows) -> None:
        self.of, self.key, self.rows = weakref.ref(x, lambda _: self.drop()), key, rows

    def drop(self) -> None:
        self.of = self.rows = None


_last = _LastRows()


class DealtHost:
    """A matrix on several copies for one batch. Only weights, gains and streams of the copies differ."""

    def __init__(
        self,
        dealt: Dealt,
        coding: InputCoding,
        keys: Sequence[Sequence[Sequence[int]]],
        tally: Tally,
        first_sample: int = 0,
    ) -> None:
        """keys: streams [copy][trial][block]."""
        self.dealt, self.coding, self.keys, self.tally = dealt, coding, keys, tally
        self.copies, self.first_sample, self.matrix = dealt.copies, first_sample, dealt.copies[0].matrix
        self.trials = self.copies[0].blocks[0].weight.shape[0] if self.copies[0].blocks else 1

    def linear(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., rows) -> (trials, batch, ..., cols)."""
        batch, middle = x.shape[1], x.shape[2:-1]
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        found = []
        for shared in range(flat.shape[0]):
            drives = self._drives(flat[shared], 1, batch, x)
            rows = _Rows(*(None if v is None else self._by_product(v, batch) for v in (drives.v, drives.squared)))  # type: ignore[arg-type]
            found.append(self._products(rows, 0, self._trials(x, shared)))
        out = torch.cat(found).transpose(1, 2)
        return out.reshape(self.trials, batch, *middle, self.matrix.cols)

    def conv(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., channels, height, width) -> (trials, batch, ..., groups*cols, rows, columns)."""
        matrix, batch, middle = self.matrix, x.shape[1], x.shape[2:-3]
        assert matrix.window is not None
        height, width = matrix.window.output(x.shape[-2], x.shape[-1])
        maps = x.reshape(x.shape[0], -1, *x.shape[-3:])
        times = maps.shape[1] // batch
        count, outputs = times * height * width, matrix.groups * matrix.cols
        out = torch.empty(self.trials, batch, outputs, count, device=x.device)
        size = max(1, 4 * PIECE // (matrix.groups * matrix.rows * count * self.coding.step_count))
        for shared in range(maps.shape[0]):
            drives = self._drives(maps[shared], 3, batch, x)
            trials = self._trials(x, shared)
            for start in range(0, batch, size):
                rows = self._windows(x, drives, slice(start, min(start + size, batch)), times, size >= batch)
                found = self._products(rows, start, trials)
                out[trials, start : start + size] = found.permute(0, 2, 3, 1)
        shape = (self.trials, batch, outputs, times, height, width)
        return out.view(shape).transpose(2, 3).reshape(self.trials, batch, *middle, outputs, height, width)

    def _drives(self, x: torch.Tensor, features: int, batch: int, whole: torch.Tensor) -> Drives:
        noisy = any(b.variance is not None for b in self.copies[0].blocks)
        drives = drive(self.coding, x, features, noisy)
        self.tally.add(drives, batch, self.trials if whole.shape[0] == 1 else 1)
        return drives

    def _trials(self, x: torch.Tensor, shared: int) -> range:
        return range(self.trials) if x.shape[0] == 1 else range(shared, shared + 1)

    def _by_product(self, v: torch.Tensor, batch: int) -> torch.Tensor:
        return v.view(v.shape[0], batch, -1, v.shape[-1]).transpose(1, 2).contiguous()

    def _windows(self, x: torch.Tensor, drives: Drives, samples: slice, times: int, whole: bool) -> _Rows:
        """The windows of some samples' maps; kept for the next chip where they are those of the whole batch."""
        window = self.matrix.window
        assert window is not None
        key = (self.coding, window, self.matrix.groups, drives.squared is None)
        shareable = whole and x.shape[0] == 1
        if shareable and (known := _last.get(x, key)) is not None:
            return known
        v = cut(drives.v[:, samples.start * times : samples.stop * times], window, times)
        squared = None if drives.squared is None else v if self.coding.binary else v.square()
        rows = _Rows(v, squared)
        if shareable:
            _last.keep(x, key, rows)
        return rows

    def _products(self, rows: _Rows, start: int, trials: range) -> torch.Tensor:
        """(trials, products, samples, groups*cols). start: index of the first sample in the batch."""
        matrix, first = self.matrix, self.first_sample + start
        _, count, batch, _ = rows.v.shape
        ends = [0, *(last for _, last in runs(count, len(self.copies)))]
        out = torch.zeros(len(trials), count, batch, matrix.groups, matrix.cols, device=rows.v.device)
        for index, block in enumerate(self.copies[0].blocks):
            for place, trial in enumerate(trials):
                z = self._multiplied(rows.v, index, trial, ends, "weight")
                var = None
                if block.variance is not None and rows.squared is not None:
                    var = self._multiplied(rows.squared, index, trial, ends, "variance").clamp_(min=0.0)
                if self.coding.accumulated:
                    z, var = joined_steps(self.coding.weights(), z, var)
                acc = torch.zeros(count, batch, matrix.groups * block.columns, device=z.device)
                adcs = [own[index] for own in self.dealt.adcs]
                keys = [own[trial][index] for own in self.keys]
                found = convert_dealt(
                    z, var, adcs, trial, self.dealt.weights, block.slices, block.columns, keys, ends, first, acc
                )
                self.tally.converted(found, z.shape[0] * count * batch * block.weight.shape[1] * block.weight.shape[3])
                value = acc.view(count, batch, matrix.groups, block.columns)
                kept = len(block.outputs)
                if block.references:
                    scale = torch.as_tensor(self.copies[0].scale[:, block.outputs], dtype=acc.dtype, device=acc.device)
                    reference = value[..., kept:]
                    if block.references > 1:
                        reference = reference[..., block.tile_of[:kept]]
                    value = (value[..., :kept] - reference) * scale
                if kept == matrix.cols:
                    out[place] += value
                else:
                    out[place][..., block.outputs] += value
        return out.view(len(trials), count, batch, -1)

    def _multiplied(self, rows: torch.Tensor, index: int, trial: int, ends: Sequence[int], which: str) -> torch.Tensor:
        """Column results (steps, products, samples, at least groups*columns) of a block, each run by its own copy."""
        steps, count, batch, _ = rows.shape
        groups, height, width = self.dealt.matrix(index, 0, trial, which).shape
        z = torch.empty(steps, count, batch, groups * width, device=rows.device)
        for copy, (first, last) in enumerate(itertools.pairwise(ends)):
            weight = self.dealt.matrix(index, copy, trial, which)
            for k, g in itertools.product(range(steps), range(groups)):
                begin = g * self.matrix.rows + self.copies[0].blocks[index].row0
                mine = rows[k, first:last].flatten(0, 1)[:, begin : begin + height]
                target = z[k, first:last].flatten(0, 1)
                if groups == 1 and len(mine) % WHOLE == 0:
                    torch.mm(mine, weight[0], out=target)
                else:
                    target[:, g * width : (g + 1) * width] = product(mine, weight[g])
        return z


def cut(v: torch.Tensor, window: Window, times: int) -> torch.Tensor:
    """Windows of maps (steps, samples*times, channels, height, width) as rows (steps, times*positions, samples, rows).

    Rows run over (channel, kernel row, kernel column), channel slowest.
    """
    top, bottom, left, right = window.padding
    v = functional.pad(v, (left, right, top, bottom)).contiguous()
    steps, maps, channels, height, width = v.shape
    rows, cols = window.output(height - top - bottom, width - left - right)
    s = v.stride()
    sizes = (steps, maps // times, times, channels, rows, cols, *window.kernel)
    over = (s[0], s[1] * times, s[1], s[2], s[3] * window.stride[0], s[4] * window.stride[1])
    inside = (s[3] * window.dilation[0], s[4] * window.dilation[1])
    windows = v.as_strided(sizes, (*over, *inside)).permute(0, 2, 4, 5, 1, 3, 6, 7)
    return windows.reshape(steps, times * rows * cols, maps // times, -1)
