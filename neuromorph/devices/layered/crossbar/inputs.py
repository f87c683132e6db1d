"""How inputs reach the rows: codes, steps (bit planes, phases) and the digital weight of each step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuromorph.devices.layered.codes import aligned_input
from neuromorph.devices.layered.crossbar.spec import BIT_SERIAL, PULSE_TRAIN
from neuromorph.devices.layered.tiling import whole_parts
from neuromorph.graph.model import NumberFormat
from neuromorph.hardware.component import Component


@dataclass(frozen=True)
class InputCoding:
    """One layer's input coding.

    An input x becomes the code round(x / full_scale * top), clipped; steps turn codes into row
    drives v in [-1, 1] (see drives.drive) with x ~ full_scale * sum_k weights[k] v[k]. accumulated: the column results
    of all steps are added up with these weights before one conversion, otherwise each step is converted.
    """

    full_scale: float
    signed: bool
    bits: int
    plane_bits: int
    serial: bool
    two_phase: bool
    quantized: bool = True
    widths: bool = False
    twos_complement: bool = False
    accumulated: bool = False

    @property
    def top(self) -> int:
        """Largest code: all ones unsigned; symmetric (one bit for the sign) when inputs are signed."""
        return max(1, 2 ** (self.bits - 1) - 1) if self.signed else 2**self.bits - 1

    @property
    def phases(self) -> int:
        return 2 if self.signed and (self.two_phase or self.serial) and not self.complement else 1

    @property
    def complement(self) -> bool:
        """The planes of a signed code are the bits of its two's complement; one bit alone has no sign in it."""
        return self.twos_complement and self.serial and self.signed and self.bits > 1

    @property
    def planes(self) -> int:
        if not self.serial:
            return 1
        return whole_parts(self.bits - 1 if self.signed and not self.complement else self.bits, self.plane_bits)

    @property
    def step_count(self) -> int:
        return self.phases * self.planes

    def weights(self) -> list[float]:
        """Digital weight of each step, phase slowest."""
        base, digit = 2**self.plane_bits, 2**self.plane_bits - 1
        one = [digit * base**k / self.top for k in range(self.planes)] if self.serial else [1.0]
        if self.complement:  # the highest bit counts negative
            return [*one[:-1], -one[-1]]
        return one + [-w for w in one] if self.phases == 2 else one

    def step_weights(self) -> np.ndarray:
        """Value of what is converted, at full drive: weights times full scale, float32 (steps,), or (1,) where results
        were added up before."""
        weights = [1.0] if self.accumulated else self.weights()
        return np.asarray(weights, np.float32) * np.float32(self.full_scale)

    @property
    def binary(self) -> bool:
        """Drives are 0 or 1, so a drive equals its square."""
        return self.serial and self.plane_bits == 1


def input_coding(
    unit: Component, full_scale: float, signed: bool, quantized: bool = True, grid: NumberFormat | None = None
) -> InputCoding:
    """The coding of one layer on this core for a calibrated range; grid: the network's own format of these inputs."""
    s = unit.settings
    serial = s.input_coding in BIT_SERIAL and quantized
    coding = InputCoding(
        full_scale=full_scale if full_scale > 0 else 1.0,
        signed=signed or (s.input_coding == PULSE_TRAIN and quantized),  # the polarity is there all the same
        bits=s.input_bits,
        plane_bits=unit["dac"].settings.bits,
        serial=serial,
        two_phase=s.signed_inputs == "two_phase" or s.read_phases == "four",
        quantized=quantized,
        widths=s.input_coding in ("pulse_width", PULSE_TRAIN),
        twos_complement=s.signed_inputs == "twos_complement",
        accumulated=serial and s.input_coding == "bit_serial_analog",
    )
    return replace(coding, full_scale=aligned_input(coding.full_scale, grid, coding.top))
