"""Sections of a report about the network's own work: NeuroBench's counts, and the accountings that papers use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neuromorph.costing.accounting import accounts, break_even
from neuromorph.devices.metrics import section

if TYPE_CHECKING:
    import numpy as np

    from neuromorph.events import Raster
    from neuromorph.graph.model import Graph
    from neuromorph.graph.workload import Workload
    from neuromorph.hardware.component import Datasheet

WORK_SAMPLES = 256
"""Samples the network's own work is counted on: the counts are means, and this many fix them to a few per mille."""


def workload_sections(
    workload: Workload,
    physical_j: float | None,
    boundary: str,
    *,
    rate_hz: float | None = None,
    partner: Workload | None = None,
    part: Datasheet | None = None,
) -> list[Mapping[str, Any]]:
    """NeuroBench's counts, every accounting beside the energy on this hardware, and the break-even spike rate.

    physical_j: energy of one inference on the hardware of the report. rate_hz: inferences per second, for the model
    execution rate. partner: work of an ANN of equal accuracy on the same data, else its density is assumed.
    """
    found = [_neurobench(workload, rate_hz), _accounting(workload, physical_j, boundary, part)]
    fair = break_even(workload, part, partner=partner)
    if fair is not None:
        assumed = "counted on the partner" if fair.ann_measured else "assumed"
        rows: list[list[Any]] = [
            ["energy of this spiking network", fair.snn_j, "J", ""],
            [f"energy of its partner, one pass with {fair.bits}-bit inputs", fair.ann_j, "J",
             f"density of non-zero inputs {fair.ann_density:.2f}, {assumed}"],
            ["energy, spiking over partner", fair.snn_j / fair.ann_j if fair.ann_j else None, "1", ""],
            ["spikes per neuron and inference", fair.spikes, "1", f"over {fair.steps} steps"],
            ["the same at which both cost as much", fair.break_even, "1",
             "" if fair.break_even is not None else "the states alone cost more than the partner"],
        ]  # fmt: skip
        note = f"Same scheme for both: {fair.note}. Static power and routing are in neither."
        found.append(_mixed("break-even", "Break-even with a network without spikes", rows, note))
    return found


def _mixed(key: str, title: str, rows: list[list[Any]], note: str) -> Mapping[str, Any]:
    """Rows (what, value, unit, remark) with a unit each."""
    from neuromorph.report.figures import MISSING, quantity

    texts = [[what, MISSING if v is None else quantity(v, unit), remark] for what, v, unit, remark in rows]
    return section(key, title, [("what", "", None), ("value", "value", None), ("remark", "remark", None)], texts, note)


def _neurobench(workload: Workload, rate_hz: float | None) -> Mapping[str, Any]:
    rows: list[list[Any]] = [
        ["footprint", float(workload.footprint_bytes), "B", "parameters in float32, zeros included"],
        ["parameter_count", float(workload.parameters), "1", ""],
        ["connection_sparsity", workload.connection_sparsity, "1", ""],
        ["activation_sparsity", workload.activation_sparsity, "1", f"{workload.samples} samples, all steps"],
        ["synaptic_operations Dense", workload.dense, "1", "per sample"],
        ["synaptic_operations Effective_MACs", workload.effective_macs, "1", "per sample"],
        ["synaptic_operations Effective_ACs", workload.effective_acs, "1", "per sample"],
    ]
    if rate_hz is not None:
        rows.append(["model_execution_rate", rate_hz, "1/s", "inferences per second on this hardware"])
    note = "Names and definitions of the NeuroBench harness, counted on the float network."
    return _mixed("neurobench", "NeuroBench counts", rows, note)


def _accounting(
    workload: Workload, physical_j: float | None, boundary: str, part: Datasheet | None
) -> Mapping[str, Any]:
    rows: list[list[Any]] = []
    for a in accounts(workload, part):
        largest = max(a.parts_j, key=lambda k: a.parts_j[k], default="")
        share = a.parts_j[largest] / a.energy_j if a.energy_j else None
        ratio = a.energy_j / physical_j if physical_j else None
        rows.append([f"{a.scheme} ({a.precision})", a.energy_j, ratio, f"{largest}", share, a.note])
    rows.append(
        ["this hardware", physical_j, 1.0 if physical_j else None, "", None, f"{boundary} boundary, see ledger"]
    )
    columns = [
        ("scheme", "scheme", None), ("energy", "energy", "J"), ("ratio", "of this hardware's", "1"),
        ("largest", "most goes to", None), ("share", "share", "%"), ("note", "what it counts", None),
    ]  # fmt: skip
    note = (
        "What publications print for networks without naming hardware, 45 nm constants, beside the energy on the "
        "hardware of this report. One network, many numbers: only those with one scheme compare."
    )
    return section("accounting", "Accountings", columns, rows, note)


def work_sections(
    graph: Graph,
    inputs: np.ndarray | Raster,
    partner: Graph | None,
    physical_j: float | None,
    boundary: str,
    rate_hz: float | None,
) -> list[Mapping[str, Any]]:
    """Sections with NeuroBench's counts, the accountings and the break-even, on the first samples."""
    from neuromorph.graph.workload import count_work

    some = inputs.part(0, WORK_SAMPLES) if hasattr(inputs, "part") else inputs[:WORK_SAMPLES]
    own = count_work(graph, some)
    theirs = None
    if partner is not None:
        dense = some.dense() if hasattr(some, "dense") else some
        theirs = count_work(partner, _static(partner, dense))
    return workload_sections(own, physical_j, boundary, rate_hz=rate_hz, partner=theirs)


def _static(partner: Graph, inputs: np.ndarray) -> np.ndarray:
    """Inputs as a network without time takes them: the mean over steps where the shapes ask for it."""
    (shape,) = partner.input_shapes.values()
    return inputs if tuple(inputs.shape[1:]) == tuple(shape) else inputs.mean(axis=1)
