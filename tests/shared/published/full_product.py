"""One matrix-vector product that fills a whole crossbar core, priced and timed from its components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.devices.layered.crossbar import counting
from neuromorph.devices.layered.crossbar.geometry import geometry_of, slices_needed_of, step_count
from neuromorph.hardware.component import Component


@dataclass(frozen=True)
class CoreProduct:
    """operations: two per weight and product. energies_j: by "component.action"; actions without a price are absent."""

    operations: float
    time_s: float
    energies_j: Mapping[str, float]


def full_product(core: Component, drive: float, level: float) -> CoreProduct:
    """All rows, columns and arrays of a core in use, unsigned inputs.

    drive: mean input of a step relative to full scale (its mean square for amplitude coding).
    level: mean conductance of the devices of a weight added up, relative to conductance_max.
    Counters count to the end of their range, 2^(bits - 1), at drive 1.
    """
    g, array = geometry_of(core), core["array"]
    steps = step_count(core, signed=False)
    weight_rows, weight_columns = int(g.weight_rows), int(g.weight_columns)
    rows = weight_rows * int(g.rows_per_weight) * array.count
    outputs = (weight_columns * slices_needed_of(core) + int(g.reference_columns)) * array.count
    s, bits = core.settings, core.settings.input_bits
    converted, reads = counting.converted_steps(s, bits, steps), counting.reads(s, bits, steps)
    time = converted * _step_time(core, outputs, reads / converted)
    cell = array["cell"].part
    high = 0.0 if cell is None else cell.value("conductance_max")
    devices = weight_rows * weight_columns * slices_needed_of(core) * array.count
    counts = {
        ("array", "read"): reads * drive * level * high * devices,
        ("array", "row"): reads * rows * drive,
        ("array", "busy"): time * array.count,
        ("dac", "conversion"): steps * rows,
        ("adc", "busy"): time * core["adc"].count,
        ("adc", "conversion"): converted * outputs,
        ("adc", "count"): converted * outputs * drive * 2.0 ** (core["adc"].settings.bits - 1),
        ("sample_hold", "sample"): steps * outputs,
        ("adder", "add"): converted * outputs,
    }
    return CoreProduct(2.0 * weight_rows * weight_columns * array.count, time, _priced(core, counts))


def _step_time(core: Component, outputs: int, reads: float) -> float:
    cell, adc = core["array"]["cell"].part, core["adc"]
    times = adc.kind.times(adc) if adc.kind.times else {}
    read = 0.0 if cell is None else cell.value("read_time", 0.0)
    return float(
        counting.step_time(
            read,
            outputs,
            adc.count,
            times.get("conversion", 0.0),
            core.settings.conversion == "sequential",
            reads=reads,
        )
    )


def _priced(core: Component, counts: Mapping[tuple[str, str], float]) -> dict[str, float]:
    energies = {}
    for (name, action), count in counts.items():
        component = core.get(name)
        costs = component.kind.costs(component) if component is not None and component.kind.costs else {}
        if action in costs:
            energies[f"{name}.{action}"] = count * costs[action].energy_j
    return energies
