"""How inputs reach the rows: codes, steps (bit planes, phases) and the digital weight of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuromorph.hardware.component import Component

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class InputCoding:
    """One layer's input coding.

    An input x becomes the code round(x / full_scale * top), clipped; steps() turns codes into row
    drives v in [-1, 1] with x ~ full_scale * sum_k weights[k] v[k].
    """

    full_scale: float
    signed: bool
    bits: int
    plane_bits: int
    serial: bool
    two_phase: bool
    quantized: bool = True

    @property
    def top(self) -> int:
        """Largest code: all ones unsigned; symmetric (one bit for the sign) when inputs are signed."""
        return max(1, 2 ** (self.bits - 1) - 1) if self.signed else 2**self.bits - 1

    @property
    def phases(self) -> int:
        return 2 if self.signed and (self.two_phase or self.serial) else 1

    @property
    def planes(self) -> int:
        if not self.serial:
            return 1
        return math.ceil((self.bits - 1 if self.signed else self.bits) / self.plane_bits) or 1

    @property
    def step_count(self) -> int:
        return self.phases * self.planes

    def weights(self) -> list[float]:
        """Digital weight of each step, phase slowest."""
        base, digit = 2**self.plane_bits, 2**self.plane_bits - 1
        one = [digit * base**k / self.top for k in range(self.planes)] if self.serial else [1.0]
        return one + [-w for w in one] if self.phases == 2 else one

    def steps(self, x: torch.Tensor) -> torch.Tensor:
        """Row drives (steps, *x.shape) in [-1, 1] for inputs x."""
        import torch

        if not self.quantized:
            v = (x / self.full_scale).clamp_(-1.0 if self.signed else 0.0, 1.0)
            if self.phases == 2:
                return torch.stack([v.clamp(min=0), (-v).clamp_(min=0)])
            return v[None]
        code = (x * (self.top / self.full_scale)).round_()
        code.clamp_(-self.top if self.signed else 0, self.top)
        parts = [code.clamp(min=0), (-code).clamp_(min=0)] if self.phases == 2 else [code]
        if not self.serial:
            return torch.stack([p.div_(self.top) for p in parts]) if len(parts) > 1 else parts[0].div_(self.top)[None]
        digit, planes = 2**self.plane_bits - 1, []
        for part in parts:
            whole = part.to(torch.int32)
            planes += [((whole >> (self.plane_bits * k)) & digit).to(x.dtype).div_(digit) for k in range(self.planes)]
        return torch.stack(planes)


def input_coding(unit: Component, full_scale: float, signed: bool, quantized: bool = True) -> InputCoding:
    """The coding of one layer on this core for a calibrated range."""
    s = unit.settings
    serial = s.input_coding == "bit_serial" and quantized
    return InputCoding(
        full_scale=full_scale if full_scale > 0 else 1.0,
        signed=signed,
        bits=s.input_bits,
        plane_bits=unit["dac"].settings.bits,
        serial=serial,
        two_phase=s.signed_inputs == "two_phase",
        quantized=quantized,
    )
