"""What a digital integer MAC-array core is made of."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.devices.layered import windows
from neuromorph.hardware.component import Component, ComponentKind, Slot, setting

F, E, T = "function", "energy", "time"


@dataclass(frozen=True)
class DigitalSettings:
    """A weight-stationary array of rows x columns integer multiply-accumulate units fed from on-chip memory."""

    rows: int = setting(
        doc="MAC units along the input dimension; the area follows mac.count",
        affects=(E, T),
        low=1,
        high=4096,
        vector=True,
    )
    columns: int = setting(
        doc="MAC units along the output dimension; the area follows mac.count",
        affects=(E, T),
        low=1,
        high=4096,
        vector=True,
    )
    clock: float = setting(
        "Hz", doc="clock frequency; each MAC unit does one operation a cycle", affects=(E, T), low=1.0, vector=True
    )
    weight_bits: int = setting(doc="bits of a weight code", affects=(F, E, T), default=8, low=1, high=16, vector=True)
    input_bits: int = setting(doc="bits of an input code", affects=(F, E, T), default=8, low=1, high=16, vector=True)
    precision: str = setting(
        doc="layers whose number formats have fewer bits use fewer bits of memory (per_layer), or never (fixed)",
        affects=(F, E, T),
        default="per_layer",
        choices=("per_layer", "fixed"),
    )
    accumulator_bits: int = setting(
        doc="bits of an accumulator; sums saturate there", affects=(F, E), default=32, low=4, high=64, vector=True
    )
    weight_scaling: str = setting(
        doc="one weight scale per layer or per output", affects=(F,), default="column", choices=("layer", "column")
    )
    input_percentile: float = setting(
        doc="percentile of the calibration inputs at the input range", affects=(F,), default=100.0, low=50.0, high=100.0
    )
    windows: str = setting(doc=windows.DOC, affects=(E, T), default="reread", choices=windows.CHOICES)
    skip_zeros: bool = setting(
        doc="multiplications by a zero input are gated and cost nothing", affects=(E,), default=False
    )


def _check(component: Component) -> list[str]:
    """The MAC part is priced by its operand widths and its number: they must be those of the core."""
    s, mac, count = component.settings, component["mac"].settings, component["mac"].count
    few = f"{s.rows} x {s.columns} MAC units, mac.count is {count}; set it to {s.rows * s.columns} or more"
    return (
        ([few] if count < s.rows * s.columns else [])
        + [
            f"{name}: {getattr(s, name)} bits for MAC units of {getattr(mac, name)} bits; set mac.{name} to the same"
            for name in ("weight_bits", "input_bits", "accumulator_bits")
            if getattr(s, name) > getattr(mac, name)
        ]
        + windows.needs_a_buffer(component)
    )


SPEC = ComponentKind(
    name="digital",
    family="core",
    doc="A core with a weight-stationary integer MAC array and on-chip memory; the digital reference.",
    settings=DigitalSettings,
    slots={
        "mac": Slot(("mac",)),
        "weight_buffer": Slot(("buffer",)),
        "input_buffer": Slot(("buffer",), required=False),
        "output_buffer": Slot(("buffer",), required=False),
    },
    check=_check,
    structural=True,
)
