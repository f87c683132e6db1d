"""A group of nodes in the memory of integer cores: codes, exact products, saturating accumulators."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from neuromorph.devices.layered.codes import InputRange, aligned_input, aligned_weights, for_matrix
from neuromorph.devices.layered.core import Draw, Layout, Ranges, Statistics
from neuromorph.devices.layered.products import window_rows
from neuromorph.graph.evaluate import FloatHost, convolve
from neuromorph.graph.functions import ExactFunctions
from neuromorph.graph.model import Host, Matrix
from neuromorph.hardware.component import Component

EXACT_IN_FLOAT32 = 2.0**24
"""Integers up to here are exact in float32; larger accumulators are computed in float64."""


class _IntegerMatrix:
    """Codes of one matrix with their scales, and what flowed through it."""

    def __init__(self, matrix: Matrix, unit: Component, input_range: tuple[float, bool], off: frozenset[str]) -> None:
        s = for_matrix(unit, matrix).settings
        self.matrix, self.signed = matrix, input_range[1]
        top = np.abs(matrix.weight).max(axis=1)
        if s.weight_scaling == "layer":
            top = np.broadcast_to(top.max(), top.shape)
        top = np.where(top > 0, top, 1.0)
        limit = max(1, 2 ** (s.weight_bits - 1) - 1)
        self.weight_step = aligned_weights(matrix, top, limit, s.weight_scaling) / limit
        codes = matrix.weight / self.weight_step[:, None, :]
        self.codes = codes if "weight_quantization" in off else np.rint(codes)
        self.input_top = max(1, 2 ** (s.input_bits - 1) - 1) if self.signed else 2**s.input_bits - 1
        self.input_step = aligned_input(input_range[0], matrix.input_format, self.input_top) / self.input_top
        self.quantize_inputs = "input_quantization" not in off
        self.saturation = None if "accumulator" in off else 2.0 ** (s.accumulator_bits - 1) - 1
        largest = self.input_top * float(np.abs(self.codes).sum(axis=1).max())
        self.dtype = torch.float32 if largest < EXACT_IN_FLOAT32 else torch.float64
        self.exact = "weight_quantization" not in off and self.quantize_inputs
        self.samples, self.calls, self.saturated, self.results = 0, 0, 0.0, 0.0
        self.active: np.ndarray | None = None
        self.per_sample: list[np.ndarray] = []

    def encode(self, x: torch.Tensor, samples: int, call: int) -> torch.Tensor:
        """Codes of x (trials, samples, ...); call: how many products of these samples came before (time steps)."""
        code = x / self.input_step
        if self.quantize_inputs:
            code = code.round_().clamp_(-self.input_top if self.signed else 0, self.input_top)
        features = 3 if self.matrix.window is not None else 1
        live = (code != 0).reshape(-1, *code.shape[code.dim() - features :])
        count = live.sum(0).double().cpu().numpy()
        self.active = count if self.active is None else self.active + count
        each = live.reshape(x.shape[0] * samples, -1).sum(1).double().cpu().numpy()
        if call:
            self.per_sample[-1] = self.per_sample[-1] + each
        else:
            self.per_sample.append(each)
        self.samples += x.shape[0] * samples
        return code.to(self.dtype)

    def decode(self, total: torch.Tensor, axis: int) -> torch.Tensor:
        """Accumulators (..., groups*cols at axis, ...) to values, saturated."""
        if self.saturation is not None:
            kept = total.clamp(-self.saturation - 1, self.saturation)
            self.saturated += float((kept != total).sum())
            self.results += total.numel()
            total = kept
        step = torch.as_tensor(self.weight_step.reshape(-1) * self.input_step, dtype=total.dtype, device=total.device)
        shape = [1] * total.dim()
        shape[axis] = -1
        return (total * step.reshape(shape)).to(torch.float32)


class ProgrammedDigital:
    """See CoreKind.program. Every chip computes the same, so the trial axis of a result is that of its input."""

    def __init__(self, layout: Layout, ranges: Ranges, draw: Draw) -> None:
        self.matrices = {
            t.item: _IntegerMatrix(layout.matrix(t.item), layout.unit, InputRange.from_ranges(ranges, t.item), draw.off)
            for t in layout.tilings
        }

    def host(self, first_sample: int) -> Host:
        return _IntegerHost(self)

    def statistics(self) -> Statistics:
        """active: (groups, rows) non-zero input codes per sample; saturated: fraction of accumulators."""
        values: dict[str, np.ndarray] = {}
        spreads = []
        for name, m in self.matrices.items():
            shape = (m.matrix.groups, m.matrix.rows)
            rows = np.zeros(shape)
            if m.active is not None:
                rows = window_rows(m.matrix, m.active) if m.matrix.window is not None else m.active.reshape(shape)
            values[f"{name}.active"] = rows / max(m.samples / max(m.calls, 1), 1)
            values[f"{name}.clipped"] = np.asarray(m.saturated / max(m.results, 1.0))
            if m.per_sample:
                power = np.concatenate(m.per_sample)
                spreads.append(float(power.std() / power.mean()) if power.mean() > 0 else 0.0)
        return Statistics(values, "executed", float(np.mean(spreads)) if spreads else 0.0)


class _IntegerHost(ExactFunctions):
    def __init__(self, programmed: ProgrammedDigital) -> None:
        self.matrices = programmed.matrices
        self.calls = dict.fromkeys(self.matrices, 0)

    def _use(self, name: str) -> _IntegerMatrix:
        self.calls[name] += 1
        m = self.matrices[name]
        m.calls = max(m.calls, self.calls[name])
        return m

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        m = self._use(matrix)
        code = m.encode(x, x.shape[1], self.calls[matrix] - 1)
        weight = torch.as_tensor(m.codes[0].T, dtype=m.dtype, device=x.device)
        return m.decode(functional.linear(code, weight), -1)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        m = self._use(matrix)
        window = m.matrix.window
        assert window is not None
        code = m.encode(x, x.shape[1], self.calls[matrix] - 1)
        kernel = m.codes.transpose(0, 2, 1).reshape(m.matrix.groups * m.matrix.cols, -1, *window.kernel)
        weight = torch.as_tensor(np.ascontiguousarray(kernel), dtype=m.dtype, device=x.device)
        total = convolve(code.reshape(-1, *code.shape[-3:]), weight, window, m.matrix.groups)
        if m.exact:  # fast convolution algorithms are not exact; sums of integer codes are integers
            total = total.round()
        return m.decode(total.reshape(*code.shape[:-3], *total.shape[1:]), -3)


class DigitalCalibrator:
    """Watches the inputs of a layer in float."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.inputs = {t.item: InputRange(layout.unit.settings.input_percentile) for t in layout.tilings}

    def host(self) -> Host:
        return _WatchingHost(self)

    def ranges(self) -> Ranges:
        return {k: v for name, watched in self.inputs.items() for k, v in watched.named(name).items()}


class _WatchingHost(FloatHost):
    def __init__(self, calibrator: DigitalCalibrator) -> None:
        super().__init__(calibrator.layout.group.nodes[0].operator)
        self.calibrator = calibrator

    def linear(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        self.calibrator.inputs[matrix].see(x)
        return super().linear(matrix, x)

    def conv(self, matrix: str, x: torch.Tensor) -> torch.Tensor:
        self.calibrator.inputs[matrix].see(x)
        return super().conv(matrix, x)
