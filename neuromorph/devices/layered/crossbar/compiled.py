"""One draw of the chips compiled into effective matrices: what a read multiplies by.

Units: row drives v in [-1, 1], column results z in full-scale cells (one cell at level 1 driven at
full scale adds 1). Columns of a block are ordered (group, slice, output), the reference columns of an
offset code last in each slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from neuromorph.devices.layered.core import Draw, Tiling
from neuromorph.devices.layered.crossbar.cells import CellPhysics, Chips
from neuromorph.devices.layered.crossbar.coding import Coding, encode
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component

CELLS = 1 << 20
"""Cells programmed at once: copies of a small matrix together, of a large one in turns."""


@dataclass(frozen=True)
class Block:
    """The arrays that share the inputs [row0, row1) of a matrix.

    weight, variance: (trials, groups, rows, slices*columns) float32 torch tensors; variance is of one
    read, None without read noise. gain: (trials, groups*slices*columns) digital factor of each column
    (slice weight, drift compensation, and the weight scale where no reference has to be subtracted
    first). columns: the outputs kept, then one reference column per tile; tile_of: tile index of each
    column (outputs, then references) for ranges.
    """

    row0: int
    row1: int
    weight: torch.Tensor
    variance: torch.Tensor | None
    gain: np.ndarray
    outputs: np.ndarray
    tile_of: np.ndarray
    references: int
    slices: int

    @property
    def columns(self) -> int:
        return len(self.outputs) + self.references


@dataclass(frozen=True)
class Effective:
    """A matrix on its arrays: blocks, and the weight value of one unit of the summed result, (groups, cols)."""

    matrix: Matrix
    coding: Coding
    blocks: tuple[Block, ...]
    scale: np.ndarray


def row_blocks(tiling: Tiling) -> list[tuple[int, int, np.ndarray]]:
    """(row0, row1, tile indices of group 0 in column order) per row range with at least one tile."""
    blocks = []
    for row0, row1 in sorted(set(zip(tiling.row0.tolist(), tiling.row1.tolist(), strict=True))):
        index = np.flatnonzero((tiling.row0 == row0) & (tiling.row1 == row1))
        _, first = np.unique(tiling.col0[index], return_index=True)
        blocks.append((row0, row1, index[first]))
    return blocks


def _held(tiling: Tiling, rows: tuple[int, int], tiles: np.ndarray, groups: int) -> np.ndarray:
    """Which groups have each of a block's tiles, (groups, tiles): tiles left out as all zero have no devices."""
    held = np.zeros((groups, len(tiles)), bool)
    column = {int(c): k for k, c in enumerate(tiling.col0[tiles])}
    for t in np.flatnonzero((tiling.row0 == rows[0]) & (tiling.row1 == rows[1])):
        held[tiling.group[t], column[int(tiling.col0[t])]] = True
    return held


def _pair(g: np.ndarray) -> np.ndarray:
    """Difference of the two devices, or the single device: removes the device axis (trial, slice, device, ...)."""
    return g[:, :, 0] - g[:, :, 1] if g.shape[2] == 2 else g[:, :, 0]


def compile_copies(
    matrix: Matrix, tiling: Tiling, unit: Component, draw: Draw, paths: Sequence[str]
) -> list[Effective]:
    """Programs copies of a matrix, whose streams are keyed by their paths, on all trials of a draw."""
    coding = encode(matrix, unit, "weight_quantization" not in draw.off)
    trials, found = len(draw.trials), []
    size = max(1, CELLS // max(1, trials * coding.levels.size))
    for start in range(0, len(paths), size):
        mine = paths[start : start + size]
        together = _compiled(matrix, tiling, unit, draw, coding, mine)
        found += [_only(together, slice(c * trials, (c + 1) * trials)) for c in range(len(mine))]
    return found


def _only(effective: Effective, chips: slice) -> Effective:
    """Views of some of the chips."""
    blocks = (
        replace(
            b, weight=b.weight[chips], gain=b.gain[chips], variance=None if b.variance is None else b.variance[chips]
        )
        for b in effective.blocks
    )
    return replace(effective, blocks=tuple(blocks))


def _compiled(
    matrix: Matrix, tiling: Tiling, unit: Component, draw: Draw, coding: Coding, paths: Sequence[str]
) -> Effective:
    """Effective blocks of all copies and trials, copies outside."""
    chips = [(trial, path) for path in paths for trial in draw.trials]
    part = unit["array"]["cell"].part
    assert part is not None
    cells = CellPhysics(part, draw.off)
    cells.check_time(draw.time_s)
    unit_g = cells.g_max - cells.g_min
    fresh, aged = cells.states(coding.levels, draw, chips)
    spread = cells.read_variance(aged)
    weight = _pair(aged) / unit_g
    start = _pair(fresh) / unit_g
    variance = None if spread is None else spread.sum(axis=2) / unit_g**2
    compensate = unit.settings.drift_compensation == "global" and "drift" not in draw.off and draw.time_s > 0
    blocks = []
    for row0, row1, tiles in row_blocks(tiling):
        outputs = np.concatenate([np.arange(tiling.col0[t], tiling.col1[t]) for t in tiles])
        tile_of = np.repeat(np.arange(len(tiles)), tiling.col1[tiles] - tiling.col0[tiles])
        rows = slice(row0, row1)
        held = _held(tiling, (row0, row1), tiles, matrix.groups)[:, None]
        pieces = [a[..., rows, :][..., outputs] for a in (weight, start)]
        noise = None if variance is None else variance[..., rows, :][..., outputs]
        references = 0
        if coding.reference is not None:
            references = len(tiles)
            own = [(trial, f"{path}/reference{row0}") for trial, path in chips]
            extra = _reference(coding, cells, draw, own, (matrix.groups, row1 - row0, references))
            pieces = [np.concatenate([p, e], axis=-1) for p, e in zip(pieces, extra[:2], strict=True)]
            noise = None if noise is None else np.concatenate([noise, extra[2]], axis=-1)
            tile_of = np.concatenate([tile_of, np.arange(len(tiles))])
        if not held.all():
            pieces = [p * held[..., tile_of] for p in pieces]
            noise = None if noise is None else noise * held[..., tile_of]
        gain = np.repeat(coding.weights[:, None, None], len(tile_of), axis=2) * np.ones((1, matrix.groups, 1))
        if references:
            gain[..., -references:] = _unit_gain(coding, cells)
        else:
            gain = gain * coding.scale[:, outputs]
        gain = np.broadcast_to(gain, (len(chips), *gain.shape))
        if compensate:
            gain = gain * _compensation(pieces[1], pieces[0], tile_of)
        blocks.append(
            Block(
                row0, row1, _columns_last(pieces[0], draw), None if noise is None else _columns_last(noise, draw),
                np.ascontiguousarray(gain.transpose(0, 2, 1, 3)).reshape(len(chips), -1),
                outputs, tile_of, references, coding.slices,
            )
        )  # fmt: skip
    return Effective(matrix, coding, tuple(blocks), coding.scale)


def _reference(
    coding: Coding, cells: CellPhysics, draw: Draw, chips: Chips, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Reference columns as (trials, slices, groups, rows, tiles): aged, fresh, read variance; 0 but in one slice."""
    assert coding.reference is not None
    levels = np.broadcast_to(coding.reference[:, None, None, None, None], (coding.slices, 1, *shape))
    fresh, aged = cells.states(levels, draw, chips)
    unit_g = cells.g_max - cells.g_min
    spread = cells.read_variance(aged)
    there = (coding.reference > 0)[:, None, None, None]  # one column, converted with one of the slices
    return (
        there * aged[:, :, 0] / unit_g, there * fresh[:, :, 0] / unit_g,
        None if spread is None else there * spread[:, :, 0] / unit_g**2,
    )  # fmt: skip


def _unit_gain(coding: Coding, cells: CellPhysics) -> float:
    """What the reference column counts: the middle of the codes and the lowest conductance in every slice, per unit of
    input, over what the column itself passes per unit of input."""
    assert coding.reference is not None
    lowest = cells.g_min / (cells.g_max - cells.g_min)
    return (lowest * float(coding.weights.sum()) + coding.middle) / (lowest + float(coding.reference.max()))


def _compensation(start: np.ndarray, now: np.ndarray, tile_of: np.ndarray) -> np.ndarray:
    """Global drift compensation per array: ratio of the mean absolute outputs to unit vectors, then and now.

    start, now: (trials, slices, groups, rows, columns) -> (trials, slices, groups, columns).
    """
    before, after = np.abs(start).sum(axis=3), np.abs(now).sum(axis=3)
    count = tile_of.max() + 1
    factor = np.empty_like(after)
    for tile in range(count):
        mine = tile_of == tile
        total = np.maximum(after[..., mine].sum(axis=-1), 1e-12)
        factor[..., mine] = (before[..., mine].sum(axis=-1) / total)[..., None]
    return factor


def _columns_last(a: np.ndarray, draw: Draw) -> torch.Tensor:
    """(trials, slices, groups, rows, columns) -> (trials, groups, rows, slices*columns) float32 on the torch device."""
    t, s, g, r, c = a.shape
    flat = np.ascontiguousarray(a.transpose(0, 2, 3, 1, 4), dtype=np.float32).reshape(t, g, r, s * c)
    return torch.from_numpy(flat).to(draw.torch_device)
