"""Products dealt out over copies of a matrix: each copy is devices of its own, so each has its own noise.

The products of a sample (window positions, time steps) go to the copies in equal runs, in their order: product p of P
is that of copy floor(p R / P). Streams are keyed by the copy, so no result depends on batches or workers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch.nn import functional

from neuromorph.devices.layered.crossbar.compiled import Block, Effective
from neuromorph.devices.layered.crossbar.drives import Drives
from neuromorph.devices.layered.crossbar.host import PIECE, Convert, MatrixHost, Tally
from neuromorph.devices.layered.crossbar.inputs import InputCoding
from neuromorph.devices.layered.products import product


def runs(products: int, copies: int) -> list[tuple[int, int]]:
    """The half-open run of products of each copy."""
    ends = [-(-c * products // copies) for c in range(copies + 1)]
    return list(itertools.pairwise(ends))


class DealtHost(MatrixHost):
    """A matrix on several copies. effective, convert: one per copy; only the weights, gains and streams differ."""

    def __init__(
        self,
        copies: Sequence[Effective],
        coding: InputCoding,
        converts: Sequence[Convert],
        tally: Tally | None,
        first_sample: int = 0,
    ) -> None:
        super().__init__(copies[0], coding, converts[0], tally, first_sample)
        self.copies = [
            MatrixHost(e, coding, convert, None, first_sample) for e, convert in zip(copies, converts, strict=True)
        ]

    def linear(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., rows) -> (trials, batch, ..., cols)."""
        matrix, batch, middle = self.effective.matrix, x.shape[1], x.shape[2:-1]
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        found = []
        for shared in range(flat.shape[0]):
            drives = self._drives(flat[shared], 1, batch, self._sharing(x))
            steps = drives.v.shape[0]
            rows = drives.v.view(steps, batch, -1, matrix.groups * matrix.rows)
            squared = None if drives.squared is None else drives.squared.view(rows.shape)
            found.append(self._products(rows, squared, 0, self._trials(x, shared)))
        out = torch.cat(found).transpose(2, 3)
        return out.reshape(self.trials, batch, *middle, matrix.cols)

    def conv(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., channels, height, width) -> (trials, batch, ..., groups*cols, rows, columns)."""
        matrix, batch, middle = self.effective.matrix, x.shape[1], x.shape[2:-3]
        window = matrix.window
        assert window is not None
        height, width = window.output(x.shape[-2], x.shape[-1])
        maps = x.reshape(x.shape[0], -1, *x.shape[-3:])
        times = maps.shape[1] // batch
        out = torch.empty(self.trials, batch, matrix.groups * matrix.cols, times * height * width, device=x.device)
        values = matrix.groups * matrix.rows * times * height * width * self.coding.step_count
        size = max(1, 4 * PIECE // values)
        for shared in range(maps.shape[0]):
            drives = self._drives(maps[shared], 3, batch, self._sharing(x))
            trials = self._trials(x, shared)
            for start in range(0, batch, size):
                piece = slice(start * times, min(start + size, batch) * times)
                rows, squared = self._windows_of(drives, piece, times)
                found = self._products(rows, squared, start, trials)
                out[trials, start : start + size] = found
        shape = (self.trials, batch, matrix.groups * matrix.cols, times, height, width)
        return out.view(shape).transpose(2, 3).reshape(self.trials, batch, *middle, *shape[2:3], height, width)

    def _sharing(self, x: torch.Tensor) -> int:
        return self.trials if x.shape[0] == 1 else 1

    def _trials(self, x: torch.Tensor, shared: int) -> slice:
        return slice(0, self.trials) if x.shape[0] == 1 else slice(shared, shared + 1)

    def _windows_of(self, drives: Drives, piece: slice, times: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Drives of every window of some maps as rows, (steps, samples, products, groups*rows), and their squares."""
        window = self.effective.matrix.window
        assert window is not None
        top, bottom, left, right = window.padding

        def rows_of(v: torch.Tensor) -> torch.Tensor:
            maps = functional.pad(v[:, piece].reshape(-1, *v.shape[2:]), (left, right, top, bottom))
            rows = functional.unfold(maps, window.kernel, dilation=window.dilation, stride=window.stride)
            return rows.transpose(1, 2).reshape(v.shape[0], (piece.stop - piece.start) // times, -1, rows.shape[1])

        rows = rows_of(drives.v)
        if drives.squared is None:
            return rows, None
        return rows, rows if self.coding.binary else rows.square()

    def _products(
        self, rows: torch.Tensor, squared: torch.Tensor | None, start: int, trials: slice
    ) -> torch.Tensor:  # fmt: skip
        """rows (steps, samples, products, groups*rows) -> (trials, samples, groups*cols, products).

        start: index of the first sample in the batch.
        """
        matrix = self.effective.matrix
        steps, batch, count, _ = rows.shape
        chosen = range(self.trials)[trials]
        out = torch.zeros(len(chosen), batch, matrix.groups, matrix.cols, count, device=rows.device)
        for copy, (first, last) in zip(self.copies, runs(count, len(self.copies)), strict=True):
            length = last - first
            for index, block in enumerate(copy.effective.blocks):
                driven = self._driven(rows, block, first, last)
                powers = None if squared is None else self._driven(squared, block, first, last)
                for place, trial in enumerate(chosen):
                    shape = (steps, batch, length)
                    z = self._multiplied(driven, block.weight[trial], shape)
                    var = None
                    if block.variance is not None and powers is not None:
                        var = self._multiplied(powers, block.variance[trial], shape).clamp_(min=0.0)
                    acc = torch.zeros(batch, matrix.groups, matrix.cols, length, device=rows.device)
                    copy._convert(trial, index, block, z, var, acc, self.first_sample + start)
                    out[place, ..., first:last] += acc
        return out.view(len(chosen), batch, -1, count)

    def _driven(self, rows: torch.Tensor, block: Block, first: int, last: int) -> list[torch.Tensor]:
        """What drives a block in a run of products, of each group: (steps*samples*products, rows)."""
        height = self.effective.matrix.rows
        run = rows[:, :, first:last]
        starts = (g * height for g in range(self.effective.matrix.groups))
        return [run[..., s + block.row0 : s + block.row1].reshape(-1, block.row1 - block.row0) for s in starts]

    def _multiplied(
        self, driven: list[torch.Tensor], weight: torch.Tensor, shape: tuple[int, int, int]
    ) -> torch.Tensor:  # fmt: skip
        """Column results (steps, samples, groups*columns, products) of rows per group; weight (groups, rows, cols)."""
        groups = [product(rows, weight[g]).view(*shape, -1) for g, rows in enumerate(driven)]
        wide = groups[0] if len(groups) == 1 else torch.cat(groups, dim=-1)
        return wide.transpose(2, 3).contiguous()
