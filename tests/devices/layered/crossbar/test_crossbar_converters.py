"""Drivers and converters: rounding, clipping, bit planes and phases against brute force, both code paths alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuromorph.counter import normal_rows
from neuromorph.devices.layered.crossbar import converters, drives
from neuromorph.devices.layered.crossbar.converters import Adc
from neuromorph.devices.layered.crossbar.inputs import InputCoding

CODINGS = [
    InputCoding(2.0, signed, bits, plane_bits, serial, two_phase, quantized, widths)
    for signed in (False, True)
    for bits, plane_bits, serial in ((8, 8, False), (8, 1, True), (7, 3, True), (1, 1, True), (4, 6, True))
    for two_phase in (False, True)
    for quantized, widths in ((True, False), (True, True), (False, False))
    if quantized or not serial
]


def coding_id(c: InputCoding) -> str:
    words = [f"{c.bits}b", f"planes{c.plane_bits}" if c.serial else "whole", "signed" if c.signed else "unsigned"]
    return "-".join([*words, *(w for w in ("two_phase", "quantized", "widths") if getattr(c, w))])


@pytest.mark.parametrize("coding", CODINGS, ids=coding_id)
def test_drives_add_up_to_the_rounded_input(coding: InputCoding) -> None:
    x = np.random.default_rng(1).normal(size=(6, 700)).astype(np.float32)
    if not coding.signed:
        x = np.abs(x)  # two phases cannot pass a negative input of a range without sign
    x[0, :4] = (2.0, -2.0, 0.0, 5.0)  # full scale, and beyond it
    d = drives.drive(coding, torch.tensor(x), 1, True)
    weights = np.asarray(coding.weights())
    assert d.v.shape == (coding.step_count, 6, 700) == (len(weights), 6, 700)
    total = coding.full_scale * np.einsum("k,kbf->bf", weights, d.v.double().numpy())
    if coding.quantized:
        low = -coding.top if coding.signed else 0
        step = coding.full_scale / coding.top
        expected = np.clip(np.floor(x.astype(float) / step + 0.5), low, coding.top) * step
        assert d.v.abs().max() <= 1
    else:
        expected = x
    ties = np.abs(np.abs(x / (coding.full_scale / coding.top)) % 1 - 0.5) < 1e-4  # may fall either way in float32
    assert np.allclose(np.where(ties, 0, total), np.where(ties, 0, expected), atol=3e-6)


@pytest.mark.parametrize("coding", CODINGS, ids=coding_id)
def test_drives_report_what_passed(coding: InputCoding) -> None:
    x = torch.randn(5, 2, 3, 4, generator=torch.Generator().manual_seed(2))
    d = drives.drive(coding, x, 3, True)
    v = d.v.double().numpy()
    power = np.abs(v) if coding.widths else v**2
    assert np.allclose(d.power, power.sum((0, 1)).ravel(), rtol=1e-5)
    assert np.array_equal(d.active, (v != 0).sum((0, 1)).ravel())
    assert np.allclose(d.per_row, power.sum((0, 2, 3, 4)), rtol=1e-5)
    assert d.squared is not None
    assert np.allclose(d.squared.numpy(), v**2, rtol=1e-6)


@pytest.mark.parametrize("coding", CODINGS, ids=coding_id)
def test_both_ways_to_drive_are_the_same(coding: InputCoding) -> None:
    x = torch.randn(5, 600, generator=torch.Generator().manual_seed(3))
    ours, theirs = drives.drive(coding, x, 1, True), drives._drive_torch(coding, x, 1, True)
    assert torch.allclose(ours.v, theirs.v, atol=1e-7)
    assert ours.squared is not None
    assert theirs.squared is not None
    assert torch.allclose(ours.squared, theirs.squared, atol=1e-7)
    for name in ("power", "active", "per_row"):
        assert np.allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-5)


class Case:
    """Column results of two steps, three samples; groups x slices x columns of them at some positions."""

    def __init__(self, groups: int, slices: int, columns: int, positions: int, bits: int, signed: bool = True) -> None:
        r = np.random.default_rng(4)
        width = groups * slices * columns
        self.slices, self.columns, self.groups = slices, columns, groups
        self.z = r.normal(size=(2, 3, width, positions)).astype(np.float32) * 2
        self.var = r.random(self.z.shape).astype(np.float32)
        self.gain = r.random((2, width)) + 0.5
        self.step = (r.random(width) + 0.5) * 4 / 2**bits
        self.low = -(2.0 ** (bits - 1)) + 1 if signed else 0.0
        self.high = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1
        self.adc = Adc.of(self.gain, self.step, self.low, self.high)
        self.weights = np.array([1.0, -0.25], np.float32)

    def convert(self, function=converters.convert, noisy=False, trial=1, adc=None, first=5):  # type: ignore[no-untyped-def]
        acc = torch.ones(3, self.groups * self.columns, self.z.shape[-1])
        var = torch.tensor(self.var) if noisy else None
        tally = function(
            torch.tensor(self.z), var, adc or self.adc, trial, self.weights, self.slices, self.columns, 99, first, acc
        )
        return acc.numpy(), tally

    def brute(self, z: np.ndarray, trial: int = 1) -> tuple[np.ndarray, float, float]:
        codes = np.floor(z.astype(float) / self.step[:, None] + 0.5)
        kept = np.clip(codes, self.low, self.high)
        value = kept * (self.step * self.gain[trial])[:, None] * self.weights[:, None, None, None]
        total = value.sum(0).reshape(3, self.groups, self.slices, self.columns, -1).sum(2)
        return 1 + total.reshape(3, self.groups * self.columns, -1), float((kept != codes).sum()), np.abs(kept).sum()


CASES = [
    (groups, slices, columns, positions, bits, signed)
    for groups, positions in ((1, 1), (1, 6), (3, 1), (2, 5))
    for slices, columns in ((1, 7), (3, 4))
    for bits, signed in ((4, True), (6, False), (2, True))
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_converters_round_clip_and_add_up_like_brute_force(case) -> None:  # type: ignore[no-untyped-def]
    c = Case(*case)
    expected, clipped, codes = c.brute(c.z)
    for function in (converters.convert, converters._convert_torch):
        found, tally = c.convert(function)
        assert np.allclose(found, expected, atol=2e-5)
        assert tally == (clipped, pytest.approx(codes))
    assert clipped > 0


@pytest.mark.parametrize("case", [(1, 2, 5, 1, 8, True), (2, 2, 3, 4, 8, True)], ids=str)
def test_read_noise_is_added_before_conversion_in_both_paths(case) -> None:  # type: ignore[no-untyped-def]
    c = Case(*case)
    ideal = Adc.ideal(c.gain)
    noise = normal_rows(99, 5 * 2, 3 * 2, c.z[0, 0].size).reshape(3, 2, *c.z.shape[2:]).transpose(1, 0, 2, 3)
    z = c.z + np.sqrt(c.var) * noise
    for function in (converters.convert, converters._convert_torch):
        found, _ = c.convert(function, noisy=True, adc=ideal)
        value = z * c.gain[1][:, None] * c.weights[:, None, None, None]
        total = value.sum(0).reshape(3, c.groups, c.slices, c.columns, -1).sum(2).reshape(found.shape)
        assert np.allclose(found, 1 + total, atol=2e-5)
    ours, theirs = (c.convert(f, noisy=True)[0] for f in (converters.convert, converters._convert_torch))
    # a result within float32 rounding of a code's edge may fall on either side of it
    assert (np.abs(ours - theirs) > 1e-4).mean() < 0.02


def test_noise_belongs_to_the_row_whatever_came_before() -> None:
    c = Case(1, 1, 6, 1, 8)
    whole, _ = c.convert(noisy=True, first=0)
    rows = [slice(0, 1), slice(1, 3)]
    z, var = torch.tensor(c.z), torch.tensor(c.var)
    for rows_ in rows:
        acc = torch.ones(rows_.stop - rows_.start, 6, 1)
        part = (z[:, rows_].clone(), var[:, rows_].clone())
        converters.convert(*part, c.adc, 1, c.weights, 1, 6, 99, rows_.start, acc)
        assert np.array_equal(acc.numpy(), whole[rows_])


def test_ideal_converters_pass_values_through() -> None:
    c = Case(2, 2, 3, 4, 4)
    found, tally = c.convert(adc=Adc.ideal(c.gain), trial=0)
    value = (c.z * c.gain[0][:, None] * c.weights[:, None, None, None]).sum(0)
    assert np.allclose(found, 1 + value.reshape(3, 2, 2, 3, 4).sum(2).reshape(3, 6, 4), atol=1e-5)
    assert tally[0] == 0
