"""A digital integer core: weights and inputs are integer codes, products are exact, accumulators saturate.

    y = s_w s_x clip(sum_i q_w,i q_x,i),   q = round(value / s)

Tiles of the weight matrix are loaded into the MAC array one after the other and stay there while all
products of a sample pass (weight-stationary); one product takes one cycle per tile.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neuromorph.devices.layered.codes import for_matrix
from neuromorph.devices.layered.core import (
    Assumption,
    CoreKind,
    Count,
    Draw,
    Group,
    Handover,
    Layout,
    Misfit,
    Occupancy,
    Ranges,
    Resources,
    Statistics,
    Tiling,
)
from neuromorph.devices.layered.digital import counting
from neuromorph.devices.layered.digital.counting import matrix_seconds
from neuromorph.devices.layered.digital.spec import SPEC
from neuromorph.devices.layered.place.memory import MEMORY
from neuromorph.devices.layered.tiling import cut_matrix, extent_of, over_rows
from neuromorph.devices.layered.windows import distinct_values, fetched_bits, held_values
from neuromorph.devices.physics import Physics, left_out
from neuromorph.graph.model import Matrix
from neuromorph.hardware.component import Component

if TYPE_CHECKING:
    from neuromorph.devices.layered.core import Calibrator, Programmed
    from neuromorph.devices.layered.design_counts import DenseLayers, DesignCounts


class DigitalKind(CoreKind):
    """The integer MAC array; see the module's equations."""

    spec = SPEC
    effects = ("weight_quantization", "input_quantization", "accumulator")

    def resources(self, unit: Component) -> Resources:
        s, memory = unit.settings, unit["weight_buffer"].settings
        capacity = memory.capacity * unit["weight_buffer"].count
        return Resources(MEMORY, {"bits": capacity}, signal_bits=s.input_bits)

    def admits(self, group: Group, unit: Component) -> Misfit | None:
        if not group.matrices:
            return Misfit(f"{group.operators} has no weight matrix", "operators with weight matrices")
        return None

    def cut(self, group: Group, unit: Component) -> tuple[Tiling, ...]:
        s = unit.settings
        return tuple(
            cut_matrix(
                item,
                m,
                s.rows,
                s.columns,
                height=lambda r: r,
                width=lambda c: c,
                bits_per_weight=for_matrix(unit, m).settings.weight_bits,
            )
            for item, m in group.matrices.items()
        )

    def calibrate(self, layout: Layout, torch_device: str = "cpu") -> Calibrator:
        from neuromorph.devices.layered.digital.programmed import DigitalCalibrator

        return DigitalCalibrator(layout)

    def program(self, layout: Layout, ranges: Ranges, draw: Draw) -> Programmed:
        from neuromorph.devices.layered.digital.programmed import ProgrammedDigital

        return ProgrammedDigital(layout, ranges, draw)

    def physics(self, unit: Component) -> tuple[Physics, ...]:
        s = unit.settings
        return (
            Physics("rounding of weights", True, f"integer codes of {s.weight_bits} bits", "weight_quantization"),
            Physics("rounding of inputs", True, f"integer codes of {s.input_bits} bits", "input_quantization"),
            Physics("saturation of accumulators", True, f"at {s.accumulator_bits} bits", "accumulator"),
            Physics("operations on zeros left out", bool(s.skip_zeros), "by the inputs of the run" if s.skip_zeros
                    else "the core does not: every product is done"),
            *left_out("energy by the bits that toggle", "faults of memory cells", "refresh of DRAM"),
        )  # fmt: skip

    def unhoused(self, unit: Component) -> tuple[str, ...]:
        return ("rescaling of results",)

    def assume(self, layout: Layout, assumption: Assumption) -> Statistics:
        values: dict[str, np.ndarray] = {}
        for tiling in layout.tilings:
            matrix = layout.matrix(tiling.item)
            values[f"{tiling.item}.active"] = np.full(
                (matrix.groups, matrix.rows), matrix.products * assumption.density
            )
        return Statistics(values, "assumed")

    def count(self, layout: Layout, statistics: Statistics) -> list[Count]:
        unit = layout.unit
        s, busy = unit.settings, 0.0
        counts: list[Count] = []
        for tiling in (t for t in layout.tilings if len(t)):
            matrix, extent = layout.matrix(tiling.item), extent_of(tiling)
            stored = for_matrix(unit, matrix).settings
            macs, spread = float(extent.weights) * matrix.products, 0.0
            if s.skip_zeros:
                active, columns = statistics.values[f"{tiling.item}.active"], tiling.col1 - tiling.col0
                macs, spread = float(over_rows(active, tiling) @ columns), statistics.spread
            found = counting.actions(
                extent,
                macs=macs,
                products=matrix.products,
                fetched=_fetched(unit, matrix, tiling),
                bits=(stored.weight_bits, stored.input_bits, s.accumulator_bits),
            )
            for (name, action), mean in found.items():
                if (part := unit.get(name)) is not None:
                    counts.append(Count(part.path, action, float(mean), spread * macs if action == "mac" else 0.0))
            busy += matrix_seconds(unit, matrix, tiling)
        counts += [Count(child.path, "busy", busy * child.count) for child in unit.parts.values()]
        return counts

    def handover(self, layout: Layout, statistics: Statistics) -> Handover:
        tilings = [(layout.matrix(t.item), t) for t in layout.tilings if len(t)]
        outputs = sum(m.groups * m.cols * m.products for m, _ in tilings)
        fetched = sum(_fetched(layout.unit, m, t) for m, t in tilings)
        return Handover(fetched, float(outputs * layout.unit.settings.accumulator_bits))

    def designs(self, layers: DenseLayers, unit: Component, assumption: Assumption) -> DesignCounts:
        from neuromorph.devices.layered.digital.designs import design_counts

        return design_counts(layers, unit, assumption)

    def occupancy(self, layout: Layout, statistics: Statistics) -> Occupancy:
        """Tiles are shared out over the layer's cores and take turns there."""
        unit, products, total = layout.unit, 1, 0.0
        for tiling in layout.tilings:
            matrix = layout.matrix(tiling.item)
            share = math.ceil(len(tiling) / max(layout.cores, 1)) / max(len(tiling), 1)
            total += matrix_seconds(unit, matrix, tiling) * share
            products = max(products, matrix.products)
        depth = (unit.settings.rows + unit.settings.columns) / unit.settings.clock
        return Occupancy(service_s=total / products, products=products, depth_s=depth)


def _fetched(unit: Component, matrix: Matrix, tiling: Tiling) -> float:
    bits = for_matrix(unit, matrix).settings.input_bits
    rows = extent_of(tiling).rows
    return float(fetched_bits(unit, rows, matrix.products, distinct_values(matrix), held_values(matrix), bits))


KIND = DigitalKind()
