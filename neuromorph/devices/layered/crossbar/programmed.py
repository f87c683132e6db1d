"""A group of nodes programmed on crossbar chips, and the calibration of its ranges."""

from __future__ import annotations

import math

import numpy as np
import torch

from neuromorph.devices.layered.codes import InputRange
from neuromorph.devices.layered.core import Draw, Layout, Ranges, Statistics
from neuromorph.devices.layered.crossbar.cells import CellPhysics
from neuromorph.devices.layered.crossbar.compiled import Block, Effective, compile_copies
from neuromorph.devices.layered.crossbar.converters import Adc
from neuromorph.devices.layered.crossbar.dealt import Dealt, DealtHost
from neuromorph.devices.layered.crossbar.geometry import EFFECTS, used
from neuromorph.devices.layered.crossbar.host import MatrixHost, Tally, quantizing, recording
from neuromorph.devices.layered.crossbar.inputs import InputCoding, input_coding
from neuromorph.devices.layered.products import window_rows
from neuromorph.errors import InputError
from neuromorph.graph.functions import ExactFunctions
from neuromorph.graph.model import Host
from neuromorph.hardware.component import Component
from neuromorph.rng import key64

NOMINAL = frozenset({"on_off", "weight_quantization"})
"""Effects that are known before anything is drawn; calibration keeps them."""


def output_signed(unit: Component, coding: InputCoding) -> bool:
    """Whether a column result can be negative: pairs subtract before the converter, inputs may be bipolar."""
    return unit.settings.signed_weights == "differential" or (
        coding.signed and (coding.phases == 1 or coding.accumulated)
    )


def adc_limits(unit: Component, signed: bool) -> tuple[float, float]:
    bits = unit["adc"].settings.bits
    return (-(2.0 ** (bits - 1)) + 1, 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)


def adc_of(block: Block, top: np.ndarray, unit: Component, coding: InputCoding, enabled: bool) -> Adc:
    """Converters of a block for calibrated tops (groups, slices, tiles)."""
    low, high = adc_limits(unit, output_signed(unit, coding))
    if not enabled:
        return Adc.ideal(block.gain)
    step = np.where(top > 0, top, 1.0) / max(high, 1.0)
    cell_bits = unit["array"]["cell"].settings.bits
    if unit.settings.converter_range == "integer" and cell_bits and coding.quantized:
        levels = 2**coding.plane_bits - 1 if coding.serial and not coding.accumulated else coding.top
        one = 1.0 / (levels * (2**cell_bits - 1))
        step = one * np.exp2(np.maximum(np.ceil(np.log2(np.maximum(step / one, 1e-9))), 0))
    return Adc.of(block.gain, np.ascontiguousarray(step[:, :, block.tile_of]).reshape(-1), low, high)


def _tops(ranges: Ranges, name: str, index: int, effective: Effective) -> np.ndarray:
    """Calibrated column results of a block, (groups, slices, tiles)."""
    block = effective.blocks[index]
    wanted = (effective.matrix.groups, block.slices, int(block.tile_of.max()) + 1)
    found = np.shape(ranges.get(f"{name}.output{index}", 0.0))
    if found != wanted:
        raise InputError(
            f"the calibration has ranges of shape {found} for block {index} of {name}, the placement has {wanted}",
            hint="calibrate on this placement",
        )
    return ranges[f"{name}.output{index}"]


class CrossbarCalibrator:
    """Nominal cells, quantized inputs, ideal converters: notes the ranges that the data need."""

    def __init__(self, layout: Layout, torch_device: str) -> None:
        self.layout, self.unit = layout, layout.unit
        draw = Draw(0, (0,), off=frozenset(EFFECTS) - NOMINAL, torch_device=torch_device)
        self.units = {t.item: used(layout.unit, layout.matrix(t.item)) for t in layout.tilings}
        self.effective = {
            t.item: compile_copies(layout.matrix(t.item), t, self.units[t.item], draw, ["calibration"])[0]
            for t in layout.tilings
        }
        s = layout.unit.settings
        self.inputs = {name: InputRange(s.input_percentile) for name in self.effective}
        self.seen: dict[str, list[list[torch.Tensor]]] = {
            name: [[] for _ in e.blocks] for name, e in self.effective.items()
        }

    def host(self) -> Host:
        return _CalibratingHost(self)

    def matrix_host(self, name: str) -> MatrixHost:
        coding = self.coding(name)
        convert = recording(self.seen[name], coding.step_weights(), self.unit.settings.output_percentile)
        return MatrixHost(self.effective[name], coding, convert, None)

    def coding(self, name: str) -> InputCoding:
        watched = self.inputs[name]
        grid = self.effective[name].matrix.input_format
        return input_coding(self.units[name], watched.full_scale, watched.signed, grid=grid)

    def ranges(self) -> Ranges:
        found: dict[str, np.ndarray] = {}
        for name, effective in self.effective.items():
            found |= self.inputs[name].named(name)
            for index, block in enumerate(effective.blocks):
                if not self.seen[name][index]:
                    continue
                top = torch.stack(self.seen[name][index]).amax(0).double().cpu().numpy()
                per_column = top.reshape(effective.matrix.groups, block.slices, block.columns)
                tiles = int(block.tile_of.max()) + 1
                found[f"{name}.output{index}"] = np.stack(
                    [per_column[..., block.tile_of == t].max(axis=-1) for t in range(tiles)], axis=-1
                )
        return found


class _CalibratingHost(ExactFunctions):
    """Widens the input range by what it sees, then multiplies with it."""

    def __init__(self, calibrator: CrossbarCalibrator) -> None:
        self.calibrator = calibrator

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        self.calibrator.inputs[matrix].see(x)
        return self.calibrator.matrix_host(matrix).linear(x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        self.calibrator.inputs[matrix].see(x)
        return self.calibrator.matrix_host(matrix).conv(x)


def drawn_copies(layout: Layout, draw: Draw) -> int:
    """Copies that differ: each is devices of its own; all alike where devices do not vary."""
    part = layout.unit["array"]["cell"].part
    return layout.copies if part is not None and CellPhysics(part, draw.off).vary(draw.time_s) else 1


class ProgrammedCrossbar:
    """A group of nodes on its chips; see CoreKind.program."""

    def __init__(self, layout: Layout, ranges: Ranges, draw: Draw) -> None:
        self.layout, self.draw = layout, draw
        unit = layout.unit
        self.path = f"{draw.scope}{unit.path}/{layout.group.name}"
        self.copies: dict[str, list[Effective]] = {}
        self.codings: dict[str, InputCoding] = {}
        self.adcs: dict[str, list[list[Adc]]] = {}
        self.tallies: dict[str, Tally] = {}
        self.weights: dict[str, np.ndarray] = {}
        self.dealt: dict[str, Dealt] = {}
        self._keys: dict[tuple[str, int, int], list[list[int]]] = {}
        count = drawn_copies(layout, draw)
        for tiling in layout.tilings:
            name = tiling.item
            matrix = layout.matrix(name)
            mine = used(unit, matrix)
            own = f"{draw.scope}{unit.path}/{layout.devices}"
            copies = compile_copies(matrix, tiling, mine, draw, [_path(own, name, copy) for copy in range(count)])
            full_scale, signed = InputRange.from_ranges(ranges, name)
            coding = input_coding(mine, full_scale, signed, "dac" not in draw.off, matrix.input_format)
            self.copies[name], self.codings[name], self.tallies[name] = copies, coding, Tally()
            self.weights[name] = coding.step_weights()
            self.adcs[name] = [
                [
                    adc_of(block, _tops(ranges, name, index, effective), mine, coding, "adc" not in draw.off)
                    for index, block in enumerate(effective.blocks)
                ]
                for effective in copies
            ]
            self.dealt[name] = Dealt(copies, self.adcs[name], self.weights[name])

    def keys(self, name: str, call: int, copy: int = 0) -> list[list[int]]:
        """Noise streams [trial][block] of the call-th product of a pass (time steps of a recurrent cell)."""
        if (name, call, copy) not in self._keys:
            self._keys[name, call, copy] = [
                [
                    key64(self.draw.seed, trial, f"{_path(self.path, name, copy)}/{block.row0}", f"read{call}")
                    for block in self.copies[name][copy].blocks
                ]
                for trial in self.draw.trials
            ]
        return self._keys[name, call, copy]

    def host(self, first_sample: int) -> Host:
        return _RunningHost(self, first_sample)

    def statistics(self) -> Statistics:
        """power, active: (groups, rows) sums of v^2 (|v| for pulse widths) and of non-zero drives per sample; steps;
        code: mean |code|; clipped: fraction of conversions."""
        values: dict[str, np.ndarray] = {}
        spreads = []
        for name, tally in self.tallies.items():
            matrix, coding = self.copies[name][0].matrix, self.codings[name]
            passes = max(tally.samples / max(tally.calls, 1), 1)
            for label, total in (("power", tally.power), ("active", tally.active)):
                if total is None:
                    rows = np.zeros((matrix.groups, matrix.rows))
                elif matrix.window is not None:
                    rows = window_rows(matrix, total.reshape(matrix.input_shape[-3:]))
                else:
                    rows = total.reshape(matrix.groups, matrix.rows)
                values[f"{name}.{label}"] = rows / passes
            values[f"{name}.steps"] = np.asarray(float(coding.step_count))
            values[f"{name}.code"] = np.asarray(tally.codes / max(tally.conversions, 1.0))
            values[f"{name}.clipped"] = np.asarray(tally.clipped / max(tally.conversions, 1.0))
            if tally.per_sample:
                each = np.concatenate(tally.per_sample)
                spreads.append(float(each.std() / each.mean()) if each.mean() > 0 else 0.0)
        return Statistics(values, "executed", math.fsum(spreads) / len(spreads) if spreads else 0.0)


def _path(group: str, name: str, copy: int) -> str:
    """What the streams of one copy of a matrix of a group are keyed by."""
    return f"{group}/{name}" + (f"/copy{copy}" if copy else "")


class _RunningHost(ExactFunctions):
    """The host of one batch: knows the index of its first sample and how often each matrix was used."""

    def __init__(self, programmed: ProgrammedCrossbar, first_sample: int) -> None:
        self.programmed, self.first_sample = programmed, first_sample
        self.calls = dict.fromkeys(programmed.copies, 0)

    def _matrix_host(self, name: str) -> MatrixHost | DealtHost:
        p = self.programmed
        call, tally, coding, copies = self.calls[name], p.tallies[name], p.codings[name], p.copies[name]
        tally.begin(call)
        self.calls[name] += 1
        keys = [p.keys(name, call, copy) for copy in range(len(copies))]
        if len(copies) > 1:
            return DealtHost(p.dealt[name], coding, keys, tally, self.first_sample)
        convert = quantizing(p.adcs[name][0], p.weights[name], keys[0], tally)
        return MatrixHost(copies[0], coding, convert, tally, self.first_sample)

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self._matrix_host(matrix).linear(x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        return self._matrix_host(matrix).conv(x)
