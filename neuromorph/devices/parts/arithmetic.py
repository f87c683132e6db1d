"""Energies of single operations, for the accountings that papers compare networks with. No component of a chip."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.hardware.component import ComponentKind, Quantity, quantity

E = ("energy",)


@dataclass(frozen=True)
class ArithmeticQuantities:
    """Energy of one operation or one memory access."""

    fp32_add: Quantity = quantity("J", doc="32-bit floating-point addition", affects=E, required=True)
    fp32_multiply: Quantity = quantity("J", doc="32-bit floating-point multiplication", affects=E, required=True)
    fp16_add: Quantity = quantity("J", doc="16-bit floating-point addition", affects=E, required=True)
    fp16_multiply: Quantity = quantity("J", doc="16-bit floating-point multiplication", affects=E, required=True)
    int32_add: Quantity = quantity("J", doc="32-bit integer addition", affects=E, required=True)
    int32_multiply: Quantity = quantity("J", doc="32-bit integer multiplication", affects=E, required=True)
    int8_add: Quantity = quantity("J", doc="8-bit integer addition", affects=E, required=True)
    int8_multiply: Quantity = quantity("J", doc="8-bit integer multiplication", affects=E, required=True)
    sram_8kb: Quantity = quantity("J", doc="64-bit access to 8 KB of SRAM", affects=E, required=True)
    sram_32kb: Quantity = quantity("J", doc="64-bit access to 32 KB of SRAM", affects=E, required=True)
    sram_1mb: Quantity = quantity("J", doc="64-bit access to 1 MB of SRAM", affects=E, required=True)
    traffic: Quantity = quantity("J/bit", doc="traffic of parameters and state, any memory", affects=E, required=True)


ARITHMETIC = ComponentKind(
    name="arithmetic",
    doc="Energies of single operations, for accountings that leave the hardware open.",
    quantities=ArithmeticQuantities,
)
