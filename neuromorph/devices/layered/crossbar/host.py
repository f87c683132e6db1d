"""Multiplies on crossbar arrays: encode the inputs, read every block, convert, add up digitally."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from neuromorph.devices.layered.crossbar.compiled import Block, Effective
from neuromorph.devices.layered.crossbar.converters import Adc, convert
from neuromorph.devices.layered.crossbar.drives import Drives, drive
from neuromorph.devices.layered.crossbar.inputs import InputCoding
from neuromorph.devices.layered.products import convolution, product

PIECE = 1 << 20
"""Column results held at once: batches are read in pieces that stay in the cache."""

Convert = Callable[[int, int, Block, torch.Tensor, "torch.Tensor | None", torch.Tensor, int], None]
"""(trial, block index, block, z, var, acc, row): adds converted results to acc; row: index of the first noise row."""


@dataclass
class Tally:
    """What flowed through one matrix, summed over trials and samples: see CrossbarKind.count."""

    samples: int = 0
    calls: int = 0
    power: np.ndarray | None = None
    active: np.ndarray | None = None
    per_sample: list[np.ndarray] = field(default_factory=list)
    clipped: float = 0.0
    codes: float = 0.0
    conversions: float = 0.0
    start: int = 0
    cursor: int = 0

    def add(self, drives: Drives, batch: int, chips: int) -> None:
        """The drives of `batch` samples (several rows each where a matrix is used over time), equal on some chips."""
        self.power = chips * drives.power if self.power is None else self.power + chips * drives.power
        self.active = chips * drives.active if self.active is None else self.active + chips * drives.active
        each = drives.per_row.reshape(batch, -1).sum(1)
        for _ in range(chips):
            if self.cursor < len(self.per_sample):  # a later time step of the same samples
                self.per_sample[self.cursor] = self.per_sample[self.cursor] + each
            else:
                self.per_sample.append(each)
            self.cursor += 1
        self.samples += batch * chips

    def converted(self, found: tuple[float, float], conversions: int) -> None:
        """found: clipped conversions and the sum of |code| among so many."""
        self.clipped += found[0]
        self.codes += found[1]
        self.conversions += conversions

    def begin(self, call: int) -> None:
        """The call-th product of a batch begins: its samples are those of the first."""
        if call == 0:
            self.start = len(self.per_sample)
        self.cursor = self.start
        self.calls = max(self.calls, call + 1)


def joined_steps(
    weights: Sequence[float], z: torch.Tensor, var: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:  # fmt: skip
    """Column results of all steps added up in analogue, and the variance of that: one step each."""
    total = sum(w * z[k : k + 1] for k, w in enumerate(weights))
    spread = None if var is None else sum(w * w * var[k : k + 1] for k, w in enumerate(weights))
    return total, spread  # type: ignore[return-value]


class MatrixHost:
    """Runs one matrix on its arrays for one batch; `convert_block` decides what the converters do.

    The same code serves calibration (nominal cells, recording converters) and execution.
    """

    def __init__(
        self,
        effective: Effective,
        coding: InputCoding,
        convert_block: Convert,
        tally: Tally | None,
        first_sample: int = 0,
    ) -> None:
        self.effective, self.coding, self.convert_block, self.tally = effective, coding, convert_block, tally
        self.first_sample = first_sample
        self.trials = effective.blocks[0].weight.shape[0] if effective.blocks else 1

    def _drives(self, x: torch.Tensor, features: int, batch: int, chips: int) -> Drives:
        noisy = any(b.variance is not None for b in self.effective.blocks)
        drives = drive(self.coding, x, features, noisy)
        if self.tally is not None:
            self.tally.add(drives, batch, chips)
        return drives

    def _pieces(self, rows: int, positions: int) -> list[slice]:
        """Slices of a batch of `rows` rows of samples whose column results fit into a piece."""
        widest = max((b.weight.shape[1] * b.weight.shape[3] for b in self.effective.blocks), default=1)
        size = max(1, PIECE // (self.coding.step_count * widest * positions))
        return [slice(i, min(i + size, rows)) for i in range(0, rows, size)]

    def linear(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., rows) -> (trials, batch, ..., cols)."""
        matrix, middle = self.effective.matrix, x.shape[2:-1]
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        out = torch.zeros(self.trials, flat.shape[1], matrix.cols, device=x.device)
        chips = self.trials if flat.shape[0] == 1 else 1
        for shared in range(flat.shape[0]):
            drives = self._drives(flat[shared], 1, x.shape[1], chips)
            v, squared = drives.v, drives.squared
            first = self.first_sample * (flat.shape[1] // x.shape[1])
            for piece in self._pieces(flat.shape[1], 1):
                for index, block in enumerate(self.effective.blocks):
                    rows = slice(block.row0, block.row1)
                    driven = v[:, piece, rows].reshape(-1, block.row1 - block.row0)
                    powers = None if squared is None else squared[:, piece, rows].reshape(driven.shape)
                    for trial in range(self.trials) if flat.shape[0] == 1 else (shared,):
                        z = product(driven, block.weight[trial, 0]).view(v.shape[0], -1, block.weight.shape[3], 1)
                        var = None
                        if block.variance is not None and powers is not None:
                            var = product(powers, block.variance[trial, 0]).view(z.shape)
                        target = out[trial, piece].view(-1, 1, matrix.cols, 1)
                        self._convert(trial, index, block, z, var, target, first + piece.start)
        return out.reshape(self.trials, x.shape[1], *middle, matrix.cols)

    def conv(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., channels, height, width) -> (trials, batch, ..., groups*cols, rows, columns)."""
        matrix, batch, middle = self.effective.matrix, x.shape[1], x.shape[2:-3]
        window = matrix.window
        assert window is not None
        height, width = window.output(x.shape[-2], x.shape[-1])
        x = x.reshape(x.shape[0], -1, *x.shape[-3:])  # steps of a sample are rows of their own
        out = torch.zeros(self.trials, x.shape[1], matrix.groups, matrix.cols, height * width, device=x.device)
        chips = self.trials if x.shape[0] == 1 else 1
        first = self.first_sample * (x.shape[1] // batch)
        for shared in range(x.shape[0]):
            drives = self._drives(x[shared], 3, batch, chips)
            v, squared = drives.v, drives.squared
            for piece in self._pieces(x.shape[1], height * width):
                for index, block in enumerate(self.effective.blocks):
                    driven = self._channels(v[:, piece], block)
                    powers = None if squared is None else self._channels(squared[:, piece], block)
                    shape = (v.shape[0], piece.stop - piece.start, -1, height * width)
                    for trial in range(self.trials) if x.shape[0] == 1 else (shared,):
                        z = self._windows(driven, block, block.weight[trial]).view(shape)
                        var = None
                        if block.variance is not None and powers is not None:
                            var = self._windows(powers, block, block.variance[trial]).view(shape)
                            var.clamp_(min=0.0)  # fast convolution algorithms may round a zero sum below zero
                        self._convert(trial, index, block, z, var, out[trial, piece], first + piece.start)
        return out.reshape(self.trials, batch, *middle, matrix.groups * matrix.cols, height, width)

    def _convert(
        self,
        trial: int,
        index: int,
        block: Block,
        z: torch.Tensor,
        var: torch.Tensor | None,
        out: torch.Tensor,
        row: int,
    ) -> None:
        """Adds a block's converted results to out (rows of samples, groups, cols, positions)."""
        if self.coding.accumulated:
            z, var = joined_steps(self.coding.weights(), z, var)
        kept = len(block.outputs)
        if not block.references and kept == out.shape[2]:
            self.convert_block(trial, index, block, z, var, out.view(out.shape[0], -1, out.shape[3]), row)
            return
        acc = torch.zeros(out.shape[0], out.shape[1], block.columns, out.shape[3], device=out.device)
        self.convert_block(trial, index, block, z, var, acc.view(out.shape[0], -1, out.shape[3]), row)
        value = acc[:, :, :kept]
        if block.references:
            scale = torch.as_tensor(self.effective.scale[:, block.outputs], dtype=out.dtype, device=out.device)
            reference = acc[:, :, kept:]
            if block.references > 1:
                reference = reference[:, :, block.tile_of[:kept]]
            value = value.sub_(reference).mul_(scale[..., None])
        if kept == out.shape[2]:
            out += value
        else:
            out[:, :, block.outputs] += value

    def _held(self, block: Block) -> tuple[int, int]:
        """Channels of a group [first, last) that a block holds rows of."""
        window = self.effective.matrix.window
        assert window is not None
        area = window.kernel[0] * window.kernel[1]
        return block.row0 // area, -(-block.row1 // area)

    def _channels(self, v: torch.Tensor, block: Block) -> torch.Tensor:
        """The maps a block reads, padded where sides differ: (steps, batch, channels, h, w) -> (steps*batch, ...)."""
        matrix = self.effective.matrix
        window = matrix.window
        assert window is not None
        first, last = self._held(block)
        maps = v.reshape(-1, matrix.groups, v.shape[2] // matrix.groups, *v.shape[3:])
        maps = maps[:, :, first:last].reshape(maps.shape[0], -1, *v.shape[3:])
        top, bottom, left, right = window.padding
        return maps if (top, left) == (bottom, right) else functional.pad(maps, (left, right, top, bottom))

    def _windows(self, maps: torch.Tensor, block: Block, weight: torch.Tensor) -> torch.Tensor:
        """Window products of one block: maps from _channels, weight (groups, rows, columns)."""
        matrix = self.effective.matrix
        window = matrix.window
        assert window is not None
        area, (first, last) = window.kernel[0] * window.kernel[1], self._held(block)
        kernel = weight
        if block.row0 % area or block.row1 % area:  # the block cuts through a channel: zero what it does not hold
            kernel = functional.pad(weight, (0, 0, block.row0 - first * area, last * area - block.row1))
        kernel = kernel.transpose(1, 2).reshape(-1, last - first, *window.kernel)
        top, bottom, left, right = window.padding
        padding = (top, left) if (top, left) == (bottom, right) else (0, 0)
        return convolution(maps, kernel, window.stride, padding, window.dilation, matrix.groups)


def quantizing(adcs: list[Adc], weights: np.ndarray, keys: list[list[int]], tally: Tally) -> Convert:
    """Converters of a programmed chip. weights: (steps,) float32; keys[trial][block] are noise streams."""

    def run(
        trial: int, index: int, block: Block, z: torch.Tensor, var: torch.Tensor | None, acc: torch.Tensor, row: int
    ) -> None:
        found = convert(z, var, adcs[index], trial, weights, block.slices, block.columns, keys[trial][index], row, acc)
        tally.converted(found, z.numel())

    return run


def recording(seen: list[list[torch.Tensor]], weights: np.ndarray, percentile: float) -> Convert:
    """Ideal converters that note each column's |z| percentile over every piece of a batch."""

    def run(
        trial: int, index: int, block: Block, z: torch.Tensor, var: torch.Tensor | None, acc: torch.Tensor, row: int
    ) -> None:
        size = z.detach().abs().permute(2, 0, 1, 3).reshape(z.shape[2], -1)
        above = int((1 - percentile / 100) * size.shape[1])
        seen[index].append(size.topk(above + 1, dim=1).values[:, -1] if above else size.amax(1))
        convert(z, None, Adc.ideal(block.gain), trial, weights, block.slices, block.columns, 0, 0, acc)

    return run
