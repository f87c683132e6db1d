"""Multiplies on crossbar arrays: encode the inputs, read every block, convert, add up digitally."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn import functional

from neuromorph.devices.crossbar.compiled import Block, Effective
from neuromorph.devices.crossbar.converters import Adc, convert
from neuromorph.devices.crossbar.drives import Drives, drive
from neuromorph.devices.crossbar.inputs import InputCoding
from neuromorph.devices.ranges import sampled_rows

SAMPLED_ROWS = 1 << 16
"""Results per column and batch that a percentile is taken from."""

Convert = Callable[[int, int, Block, torch.Tensor, "torch.Tensor | None", torch.Tensor], None]
"""(trial, block index, block, z, var, acc): adds converted results to acc."""


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

    def add(self, drives: Drives, batch: int) -> None:
        """The drives of `batch` samples (several rows each where a matrix is used over time)."""
        self.power = drives.power if self.power is None else self.power + drives.power
        self.active = drives.active if self.active is None else self.active + drives.active
        self.per_sample.append(drives.per_row.reshape(batch, -1).sum(1))
        self.samples += batch


class MatrixHost:
    """Runs one matrix on its arrays for one batch; `convert_block` decides what the converters do.

    The same code serves calibration (nominal cells, recording converters) and execution.
    """

    def __init__(self, effective: Effective, coding: InputCoding, convert_block: Convert, tally: Tally | None) -> None:
        self.effective, self.coding, self.convert_block, self.tally = effective, coding, convert_block, tally
        self.trials = effective.blocks[0].weight.shape[0] if effective.blocks else 1

    def _drives(self, x: torch.Tensor, features: int, batch: int) -> Drives:
        noisy = any(b.variance is not None for b in self.effective.blocks)
        drives = drive(self.coding, x, features, noisy)
        if self.tally is not None:
            self.tally.add(drives, batch)
        return drives

    def linear(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, ..., rows) -> (trials, batch, ..., cols)."""
        matrix, middle = self.effective.matrix, x.shape[2:-1]
        flat = x.reshape(x.shape[0], -1, x.shape[-1])
        out = torch.zeros(self.trials, flat.shape[1], matrix.cols, device=x.device)
        for shared in range(flat.shape[0]):
            drives = self._drives(flat[shared], 1, x.shape[1])
            v, squared = drives.v, drives.squared
            for trial in range(self.trials) if flat.shape[0] == 1 else (shared,):
                for index, block in enumerate(self.effective.blocks):
                    rows = slice(block.row0, block.row1)
                    driven = v[..., rows].reshape(-1, block.row1 - block.row0)
                    z = (driven @ block.weight[trial, 0]).view(v.shape[0], v.shape[1], -1, 1)
                    var = None
                    if block.variance is not None and squared is not None:
                        powers = squared[..., rows].reshape(driven.shape)
                        var = (powers @ block.variance[trial, 0]).view(z.shape)
                    self._convert(trial, index, block, z, var, out[trial].view(-1, 1, matrix.cols, 1))
        return out.reshape(self.trials, x.shape[1], *middle, matrix.cols)

    def conv(self, x: torch.Tensor) -> torch.Tensor:
        """x (trials or 1, batch, channels, height, width) -> (trials, batch, groups*cols, out height, out width)."""
        matrix = self.effective.matrix
        window = matrix.window
        assert window is not None
        height, width = window.output(x.shape[-2], x.shape[-1])
        out = torch.zeros(self.trials, x.shape[1], matrix.groups, matrix.cols, height * width, device=x.device)
        for shared in range(x.shape[0]):
            drives = self._drives(x[shared], 3, x.shape[1])
            v, squared = drives.v, drives.squared
            for trial in range(self.trials) if x.shape[0] == 1 else (shared,):
                for index, block in enumerate(self.effective.blocks):
                    z = self._windows(v, block, block.weight[trial]).view(*v.shape[:2], -1, height * width)
                    var = None
                    if block.variance is not None and squared is not None:
                        var = self._windows(squared, block, block.variance[trial]).view(z.shape)
                        var.clamp_(min=0.0)  # fast convolution algorithms may round a zero sum below zero
                    self._convert(trial, index, block, z, var, out[trial])
        return out.reshape(self.trials, x.shape[1], matrix.groups * matrix.cols, height, width)

    def _convert(
        self, trial: int, index: int, block: Block, z: torch.Tensor, var: torch.Tensor | None, out: torch.Tensor
    ) -> None:
        """Adds a block's converted results to out (rows of samples, groups, cols, positions)."""
        kept = len(block.outputs)
        if not block.references and kept == out.shape[2]:
            self.convert_block(trial, index, block, z, var, out.view(out.shape[0], -1, out.shape[3]))
            return
        acc = torch.zeros(out.shape[0], out.shape[1], block.columns, out.shape[3], device=out.device)
        self.convert_block(trial, index, block, z, var, acc.view(out.shape[0], -1, out.shape[3]))
        value = acc[:, :, :kept]
        if block.references:
            scale = torch.as_tensor(self.effective.scale[:, block.outputs], dtype=out.dtype, device=out.device)
            value = (value - acc[:, :, kept:][:, :, block.tile_of[:kept]]) * scale[..., None]
        out[:, :, block.outputs] += value

    def _windows(self, v: torch.Tensor, block: Block, weight: torch.Tensor) -> torch.Tensor:
        """Window products of one block: v (steps, batch, channels, h, w), weight (groups, rows, columns)."""
        matrix = self.effective.matrix
        window = matrix.window
        assert window is not None
        area = window.kernel[0] * window.kernel[1]
        first, last = block.row0 // area, -(-block.row1 // area)
        kernel = weight
        if block.row0 % area or block.row1 % area:  # the block cuts through a channel: zero what it does not hold
            kernel = functional.pad(weight, (0, 0, block.row0 - first * area, last * area - block.row1))
        kernel = kernel.transpose(1, 2).reshape(-1, last - first, *window.kernel)
        steps, batch, channels = v.shape[:3]
        maps = v.reshape(steps * batch, matrix.groups, channels // matrix.groups, *v.shape[3:])[:, :, first:last]
        maps = maps.reshape(steps * batch, -1, *v.shape[3:])
        top, bottom, left, right = window.padding
        padding: tuple[int, int] = (0, 0)
        if top == bottom and left == right:
            padding = (top, left)
        else:
            maps = functional.pad(maps, (left, right, top, bottom))
        return functional.conv2d(maps, kernel, None, window.stride, padding, window.dilation, matrix.groups)


def quantizing(
    adcs: list[Adc], weights: np.ndarray, keys: list[list[int]], tally: Tally, first: Callable[[int], int]
) -> Convert:
    """Converters of a programmed chip. weights: (steps,) float32; keys[trial][block] are noise streams; first(rows) the
    first noise row index."""

    def run(trial: int, index: int, block: Block, z: torch.Tensor, var: torch.Tensor | None, acc: torch.Tensor) -> None:
        clipped, codes = convert(
            z, var, adcs[index], trial, weights, block.slices, block.columns, keys[trial][index], first(z.shape[1]), acc
        )
        tally.clipped += clipped
        tally.codes += codes
        tally.conversions += z.numel()

    return run


def recording(seen: list[list[torch.Tensor]], weights: np.ndarray, percentile: float) -> Convert:
    """Ideal converters that note, per block, each column's |z| percentile over the batch."""

    def run(trial: int, index: int, block: Block, z: torch.Tensor, var: torch.Tensor | None, acc: torch.Tensor) -> None:
        flat = z.detach().abs().transpose(2, 3).reshape(-1, z.shape[2])
        if percentile >= 100.0:
            top = flat.amax(0)
        else:
            kept = flat
            if len(flat) > SAMPLED_ROWS:
                kept = flat[sampled_rows(len(flat), SAMPLED_ROWS).to(flat.device)]
            rank = min(kept.shape[0], max(1, int(np.ceil(percentile / 100 * kept.shape[0]))))
            top = kept.kthvalue(rank, dim=0).values
        seen[index].append(top)
        convert(z, None, Adc.ideal(block.gain), trial, weights, block.slices, block.columns, 0, 0, acc)

    return run
