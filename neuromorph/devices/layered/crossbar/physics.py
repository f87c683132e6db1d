"""Which physics of a crossbar core its numbers follow: what cells and converters give decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuromorph.devices.physics import Physics, given, left_out

if TYPE_CHECKING:
    from neuromorph.hardware.component import Component


def physics_of(unit: Component) -> tuple[Physics, ...]:
    """Entries in the order of a signal's way, each effect of the kind among them."""
    cell, s = unit["array"]["cell"], unit.settings
    part, bits = cell.part, cell.settings.bits
    levels = f"{2**bits} levels a device" if bits else "continuous conductances"
    return (
        Physics("rounding of weights", True, f"{s.weight_bits} bits, {levels}", "weight_quantization"),
        given("programming noise", part, ("programming_noise", "retention_noise_1", "relaxation_spread"),
              "spread of conductances around their targets, a draw for each device and chip", "programming"),
        given("drift and relaxation", part, ("drift_exponent_mean", "relaxation_shift", "retention_noise_1"),
              "conductances follow time since programming", "drift"),
        given("1/f noise", part, ("flicker_noise",), "grows with time since programming", "flicker"),
        given("read noise", part, ("read_noise",), "new at every read", "read"),
        given("stuck cells", part, ("stuck_on", "stuck_off"), "a fraction of all devices", "faults"),
        Physics("finite on/off ratio", True, "the least conductance of cells adds to every column", "on_off"),
        Physics("rounding of inputs", True, f"converters of {unit['dac'].settings.bits} bits", "dac"),
        Physics("rounding and clipping of results", True, f"converters of {unit['adc'].settings.bits} bits", "adc"),
        *left_out(
            "voltage drop on wires", "noise, offset and non-linearity of converters", "non-linearity of cells",
            "settling and line capacitance beyond stated times", "disturb and crosstalk of neighbouring cells",
            "sneak paths", "energy and time of writing", "endurance",
        ),
    )  # fmt: skip
