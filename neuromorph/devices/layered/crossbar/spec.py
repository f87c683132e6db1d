"""What a resistive crossbar core is made of: its settings and the facts of its cells, as a schema."""

from __future__ import annotations

from dataclasses import dataclass

from neuromorph.devices.layered import windows
from neuromorph.hardware.component import (
    Component,
    ComponentKind,
    Footprint,
    Quantity,
    Slot,
    quantity,
    setting,
    weakest,
)

BIT_SERIAL = ("bit_serial", "bit_serial_analog")
"""Input codings that drive the rows with one digit after the other."""

PULSE_TRAIN = "pulse_train"

F, E, T, A = "function", "energy", "time", "area"


@dataclass(frozen=True)
class CellSettings:
    """One resistive device."""

    bits: int = setting(
        doc="bits stored per device; 0: continuous conductance",
        affects=(F, E, T),
        default=0,
        low=0,
        high=6,
        vector=True,
    )


@dataclass(frozen=True)
class CellQuantities:
    """Facts of one resistive device. Curves take u = conductance / conductance_max."""

    conductance_max: Quantity = quantity(
        "S", doc="highest programmed conductance", affects=(F, E), required=True, vector=True
    )
    conductance_min: Quantity = quantity(
        "S", doc="lowest programmed conductance", affects=(F, E), required=True, vector=True
    )
    read_voltage: Quantity | None = quantity("V", doc="full-scale read voltage", affects=(E,), high=5.0, vector=True)
    read_time: Quantity | None = quantity(
        "s", doc="time a full-scale input stays on the line, one step", affects=(E, T), vector=True
    )
    programming_noise: Quantity | None = quantity(
        "S", doc="standard deviation of the programmed conductance around its target", affects=(F,), shape="curve"
    )
    retention_times: Quantity | None = quantity(
        "s", doc="times of the retention_noise curves", affects=(F,), shape="list"
    )
    retention_noise_1: Quantity | None = quantity(
        "S", doc="standard deviation around the target at retention_times[0]", affects=(F,), shape="curve"
    )
    retention_noise_2: Quantity | None = quantity(
        "S", doc="standard deviation around the target at retention_times[1]", affects=(F,), shape="curve"
    )
    retention_noise_3: Quantity | None = quantity(
        "S", doc="standard deviation around the target at retention_times[2]", affects=(F,), shape="curve"
    )
    retention_noise_4: Quantity | None = quantity(
        "S", doc="standard deviation around the target at retention_times[3]", affects=(F,), shape="curve"
    )
    retention_noise_5: Quantity | None = quantity(
        "S", doc="standard deviation around the target at retention_times[4]", affects=(F,), shape="curve"
    )
    relaxation_shift: Quantity | None = quantity(
        "S", doc="mean conductance change per natural logarithm of time in seconds", affects=(F,), low=None
    )
    relaxation_spread: Quantity | None = quantity(
        "S", doc="[a, b]: standard deviation a + b ln(t / 1 s) of the relaxed conductance", affects=(F,), shape="list"
    )
    drift_exponent_mean: Quantity | None = quantity(
        "1", doc="mean drift exponent of G(t) = G0 ((t + t0)/t0)^-nu", affects=(F,), shape="curve"
    )
    drift_exponent_deviation: Quantity | None = quantity(
        "1", doc="standard deviation of the drift exponent between devices", affects=(F,), shape="curve"
    )
    drift_time_zero: Quantity | None = quantity("s", doc="t0 of the drift law", affects=(F,))
    flicker_noise: Quantity | None = quantity(
        "1",
        doc="relative amplitude Q(u) of 1/f noise: sigma/G = Q sqrt(ln((t + t0 + tr)/(2 tr)))",
        affects=(F,),
        shape="curve",
    )
    flicker_read_time: Quantity | None = quantity("s", doc="tr of the 1/f noise law", affects=(F,))
    read_noise: Quantity | None = quantity(
        "S", doc="standard deviation of the conductance from one read to the next", affects=(F,), shape="curve"
    )
    stuck_on: Quantity | None = quantity(
        "1", doc="fraction of devices stuck at conductance_max", affects=(F,), high=1.0
    )
    stuck_off: Quantity | None = quantity(
        "1", doc="fraction of devices stuck at conductance_min", affects=(F,), high=1.0
    )
    valid_time: Quantity | None = quantity("s", doc="longest time after programming the data cover", affects=(F,))
    area: Quantity | None = quantity(
        "m^2", doc="area of one device with its access transistor", affects=(A,), vector=True
    )


@dataclass(frozen=True)
class ArraySettings:
    """One crossbar array: rows x columns crosspoints."""

    rows: int = setting(doc="word lines", affects=(F, E, T, A), low=1, high=16384, vector=True)
    columns: int = setting(doc="bit lines", affects=(F, E, T, A), low=1, high=16384, vector=True)
    pair: str = setting(
        doc="where the two devices of a signed weight sit: in one crosspoint, on adjacent columns, or on adjacent rows",
        affects=(F, E, T, A),
        default="columns",
        choices=("crosspoint", "columns", "rows"),
    )


@dataclass(frozen=True)
class ArrayQuantities:
    """Facts of one array that are known as a whole."""

    active_power: Quantity | None = quantity(
        "W",
        doc="power of one array while it is read, where the cells' read voltage is not known",
        affects=(E,),
        vector=True,
    )
    area: Quantity | None = quantity("m^2", doc="area of one array", affects=(A,), vector=True)
    leakage: Quantity | None = quantity("W", doc="static power of one array", affects=(E,), vector=True)
    row_energy: Quantity | None = quantity(
        "J", doc="energy to charge one word line, per non-zero input and step", affects=(E,), vector=True
    )


@dataclass(frozen=True)
class CrossbarSettings:
    """One crossbar core: arrays with their converters."""

    input_bits: int = setting(doc="bits of an input code", affects=(F, E, T), default=8, low=1, high=16, vector=True)
    weight_bits: int = setting(
        doc="bits of a weight code when cells hold bits (bit slicing); unused with continuous cells",
        affects=(F, E, T),
        default=8,
        low=1,
        high=16,
        vector=True,
    )
    precision: str = setting(
        doc="layers whose number formats have fewer bits use fewer slices and bit steps (per_layer), or never (fixed)",
        affects=(F, E, T),
        default="per_layer",
        choices=("per_layer", "fixed"),
    )
    input_coding: str = setting(
        doc="how an input reaches the row: voltage amplitude, pulse width, bits in sequence, each converted "
        "(bit_serial) or added up in analogue and converted once (bit_serial_analog), or a pulse for each bit of the "
        "magnitude with the sign as its polarity, added up in analogue (pulse_train)",
        affects=(F, E, T),
        default="amplitude",
        choices=("amplitude", "pulse_width", "bit_serial", "bit_serial_analog", PULSE_TRAIN),
    )
    train_bits: int = setting(
        doc="bits of an input, sign included, that one conversion of a pulse_train adds up at most; wider inputs are "
        "read and converted in so many parts; 0: all bits",
        affects=(E, T),
        default=0,
        low=0,
        high=16,
    )
    read_phases: str = setting(
        doc="one: a product is read at once; four: positive and negative inputs, positive and negative devices each "
        "read and converted by themselves, whatever the sign of the inputs",
        affects=(F, E, T),
        default="one",
        choices=("one", "four"),
    )
    signed_weights: str = setting(
        doc="differential pair of devices, or one device with a subtracted reference column",
        affects=(F, E, T),
        default="differential",
        choices=("differential", "offset"),
    )
    signed_inputs: str = setting(
        doc="drivers of both polarities, positive and negative inputs in two phases, or bits of the two's complement "
        "whose last counts negative (bit_serial with drivers of 1 bit)",
        affects=(F, E, T),
        default="bipolar",
        choices=("bipolar", "two_phase", "twos_complement"),
    )
    weight_scaling: str = setting(
        doc="full-scale conductance stands for the largest weight of the layer or of each column",
        affects=(F, E),
        default="column",
        choices=("layer", "column"),
    )
    input_percentile: float = setting(
        doc="percentile of the calibration inputs at the input range",
        affects=(F, E),
        default=100.0,
        low=50.0,
        high=100.0,
    )
    output_percentile: float = setting(
        doc="percentile of the calibration outputs at the converter range",
        affects=(F,),
        default=99.99,
        low=50.0,
        high=100.0,
    )
    converter_range: str = setting(
        doc="converter step from calibrated ranges, or the smallest power of two of one cell unit that covers them",
        affects=(F,),
        default="calibrated",
        choices=("calibrated", "integer"),
    )
    conversion: str = setting(
        doc="converters work while the array is read (held samples, or integration), or after it",
        affects=(E, T),
        default="overlapped",
        choices=("overlapped", "sequential"),
    )
    pipeline_steps: int = setting(
        doc="steps from the last one of a product until its result is there: the depth of the core's pipeline",
        affects=(T,),
        default=1,
        low=0,
        high=1000,
        vector=True,
    )
    windows: str = setting(doc=windows.DOC, affects=(E, T), default="reread", choices=windows.CHOICES)
    drift_compensation: str = setting(
        doc="none, or one digital factor per array that restores the mean output (global)",
        affects=(F,),
        default="none",
        choices=("none", "global"),
    )


CELL = ComponentKind(
    name="crossbar_cell",
    doc="A resistive memory device (PCM, ReRAM, SONOS ...) at a crosspoint.",
    settings=CellSettings,
    quantities=CellQuantities,
)


def _array_footprint(component: Component) -> Footprint:
    part, cell = component.part, component["cell"].part
    leakage = part.value("leakage") if part else None
    area = part.get("area") if part else None
    if area is not None:
        return Footprint(area.value, leakage, area.basis, area.source)
    one = cell.get("area") if cell else None
    if one is None:
        return Footprint(None, leakage)
    s = component.settings
    cells = s.rows * s.columns * (2 if s.pair == "crosspoint" else 1)
    return Footprint(one.value * cells, leakage, weakest(one.basis, "derived"), one.source)


def _array_costs(component: Component) -> dict:
    """read: joules per siemens of conductance read at full scale, V^2 t; busy: watts; row: joules per driven row."""
    from neuromorph.hardware.component import Cost

    costs = {}
    part, cell = component.part, component["cell"].part
    voltage = cell.get("read_voltage") if cell else None
    duration = cell.get("read_time") if cell else None
    power = part.get("active_power") if part else None
    if voltage is not None and duration is not None:
        basis = weakest(voltage.basis, duration.basis, "derived")
        costs["read"] = Cost(voltage.value**2 * duration.value, basis, voltage.source)
    elif power is not None:
        costs["busy"] = Cost(power.value, power.basis, power.source, power.low, power.high)
    row = part.get("row_energy") if part else None
    if row is not None:
        costs["row"] = Cost(row.value, row.basis, row.source, row.low, row.high)
    return costs


ARRAY = ComponentKind(
    name="crossbar_array",
    doc="A crossbar array of resistive cells.",
    settings=ArraySettings,
    quantities=ArrayQuantities,
    slots={"cell": Slot(("crossbar_cell",))},
    costs=_array_costs,
    footprint=_array_footprint,
    within=("row",),
    structural=True,
)


LAW_TIMES = {
    "drift_exponent_mean": ("drift_time_zero",),
    "flicker_noise": ("drift_time_zero", "flicker_read_time"),
}
"""Times without which a law of time means nothing."""


def _check(component: Component) -> list[str]:
    problems = []
    cell, settings, dac = component["array"]["cell"], component.settings, component["dac"]
    bits = cell.settings.bits
    if cell.part is not None:
        low, high = cell.part.value("conductance_min"), cell.part.value("conductance_max")
        if not 0 <= low < high:
            problems.append(f"conductance_min {low:g} S must be below conductance_max {high:g} S")
        for law, needed in LAW_TIMES.items():
            missing = [name for name in needed if cell.part.get(law) is not None and cell.part.get(name) is None]
            problems += [f"{law} needs the quantity {name}" for name in missing]
        times = cell.part.value("retention_times", ())
        curves = [k for k in range(1, 6) if cell.part.get(f"retention_noise_{k}") is not None]
        if len(times) != len(curves):
            problems.append(f"{len(times)} retention_times for {len(curves)} retention_noise curves")
        if sorted(set(times)) != list(times):
            problems.append("retention_times must increase")
        if len(cell.part.value("relaxation_spread", (0.0, 0.0))) != 2:
            problems.append("relaxation_spread needs two values [a, b]")
    if cell.count != 1:
        problems.append(f"count of the cell is {cell.count}; an array has rows x columns cells, leave count out")
    if settings.signed_weights == "differential" and component["adc"].settings.bits < 2:
        problems.append("adc bits: results of differential pairs have a sign and need 2 bits or more, got 1")
    if bits and bits > settings.weight_bits:
        problems.append(f"cell bits {bits} exceed weight_bits {settings.weight_bits}")
    if settings.input_coding not in BIT_SERIAL and dac.settings.bits < settings.input_bits:
        problems.append(
            f"{settings.input_coding} coding needs dac bits >= input_bits {settings.input_bits}, "
            f"got {dac.settings.bits}"
        )
    if settings.signed_inputs == "twos_complement" and (
        settings.input_coding not in BIT_SERIAL or dac.settings.bits != 1
    ):
        problems.append(
            "signed_inputs: twos_complement needs bits in sequence (bit_serial, bit_serial_analog) and dac bits 1"
        )
    if settings.train_bits == 1 or (settings.train_bits and settings.input_coding != PULSE_TRAIN):
        problems.append("train_bits: of 2 bits or more, for input_coding pulse_train alone")
    if settings.read_phases == "four" and (
        settings.signed_weights != "differential" or settings.input_coding not in ("amplitude", "pulse_width")
    ):
        problems.append("read_phases: four needs differential weights and amplitude or pulse_width inputs")
    return problems + windows.needs_a_buffer(component)


SPEC = ComponentKind(
    name="crossbar",
    family="core",
    doc="A core of resistive crossbar arrays with digital-to-analog and analog-to-digital converters.",
    settings=CrossbarSettings,
    slots={
        "array": Slot(("crossbar_array",)),
        "dac": Slot(("dac",)),
        "adc": Slot(("adc",)),
        "sample_hold": Slot(("sample_hold",), required=False),
        "adder": Slot(("adder",), required=False),
        "input_buffer": Slot(("buffer",), required=False),
        "output_buffer": Slot(("buffer",), required=False),
    },
    check=_check,
    structural=True,
)
