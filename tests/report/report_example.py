"""A report made by hand, small or as large as wished, with known sums and hostile names."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from neuromorph.devices.metrics import Metric
from neuromorph.report.model import Report

HOSTILE = "<script>alert('x')</script>\"&<img src=x onerror=alert(1)>"
"""Every character that HTML, an attribute or SVG could take for markup."""

PRICES = {("chip.core.adc", "conversion"): 3e-12, ("chip.core.array", "read"): 5e-13, ("chip.buffer", "read_bit"): None}


def ledger_row(
    layer: str, component: str, action: str, count: float, each: float | None, kind: str = "dynamic"
) -> dict:
    return {
        "layer": layer, "component": component, "action": action, "kind": kind, "count": count, "each_j": each,
        "energy_j": None if each is None else count * each, "spread_j": 0.0, "low_j": None,
        "high_j": None if each is None else 2 * each, "boundary": "chip", "basis": "derived", "source": "book, table 1",
    }  # fmt: skip


def layer_row(name: str, energy: float | None, macs: int) -> dict[str, Any]:
    return {
        "layer": name, "operator": "Linear", "output": "10", "energy_j": energy, "busy": 0.5, "macs": macs,
        "weights": macs, "shards": 1, "arrays": 2, "cores": 1, "copies": 1, "skipped": 0, "utilisation": 0.25,
        "snr_db": 21.5, "clipped": 0.0,
    }  # fmt: skip


def sources(name: str) -> tuple[dict[str, Any], ...]:
    return (
        {"part": name, "quantity": "energy", "component": "chip.core.adc", "value": 3e-12, "unit": "J",
         "low": 1e-12, "high": 6e-12, "basis": "reported", "source": "book", "where": "table 1",
         "citation": "A book, 2020", "url": "https://example.org/book"},
        {"part": "b", "quantity": "noise", "component": "chip.core.array", "value": None, "unit": "S", "low": None,
         "high": None, "basis": "assumed", "source": "", "where": "", "citation": "", "url": "javascript:alert(1)"},
    )  # fmt: skip


def example(layers: int = 3, chips: int = 4, name: str = "net", static_w: float | None = None, side: int = 2) -> Report:
    """Layer i costs (i + 1) times 100 conversions and reads; `side` tiles along each edge of the chip."""
    names = [f"{name}-{i}" for i in range(layers)]
    ledger = [
        ledger_row(n, c, a, 100.0 * (i + 1), each) for i, n in enumerate(names) for (c, a), each in PRICES.items()
    ]
    latency = 1e-6 * layers
    if static_w is not None:
        ledger.append(ledger_row("(chip)", "chip.core.adc", "leakage", latency, static_w, "static"))
    energy = math.fsum(r["energy_j"] for r in ledger if r["energy_j"] is not None)
    static = math.fsum(r["energy_j"] for r in ledger if r["kind"] == "static")
    accuracy = [0.95 + 0.01 * (i % 3) for i in range(chips)]
    mean = math.fsum(accuracy) / chips if chips else None
    found = [
        Metric("energy", energy, "J", energy, 2 * energy, "derived", "one inference"),
        Metric("static_energy", static, "J", basis="derived"),
        Metric("latency", latency, "s"),
        Metric("throughput", 1 / latency, "1/s"),
        Metric("power", energy / latency, "W", basis="derived"),
        Metric("area", 2e-6, "m^2", basis="reported"),
        Metric("efficiency", 2 * 100.0 * layers / energy, "1/J", basis="derived"),
        Metric("macs", 100.0 * layers, "1", basis="derived"),
    ]
    if chips:
        interval = Metric("accuracy", mean, "1", mean - 0.01, mean + 0.01, "simulated", f"{chips} chips")
        found = [interval, Metric("float_accuracy", 0.975, "1"), *found]
    busy = [
        {"stage": n, "sample": s, "begin_s": (i + s) * 1e-6, "end_s": (i + s + 0.8) * 1e-6, "state": "busy"}
        for i, n in enumerate(names)
        for s in range(4)
    ]
    tiles = [
        {"x": t % side, "y": t // side, "tile": t, "used": t < layers, "utilisation": 0.25 * (t < layers),
         "layers": names[t : t + 1]}
        for t in range(side * side)
    ]  # fmt: skip
    return Report(
        title=f"{name} on chip",
        provenance={"network": name, "architecture": "chip", "seed": 0, "boundary": "chip", "samples": 100,
                    "time_s": 0.0},
        metrics=tuple(found),
        chips={"trials": list(range(chips)), "accuracy": accuracy, "float_accuracy": 0.975} if chips else {},
        layers=tuple(layer_row(n, 100.0 * (i + 1) * 3.5e-12, 10 * (i + 1)) for i, n in enumerate(names)),
        ledger=tuple(ledger),
        area=(
            {"component": "chip.core.adc", "count": 4, "each_m2": 5e-7, "area_m2": 2e-6, "leakage_w": static_w,
             "basis": "reported", "source": "book"},
            {"component": "chip.link", "count": 1, "each_m2": None, "area_m2": None, "leakage_w": None,
             "basis": "assumed", "source": ""},
        ),
        gantt=tuple(busy),
        floor={"columns": side, "rows": side, "topology": "mesh", "tiles": tiles,
               "links": [{"x0": 0, "y0": 0, "x1": 1, "y1": 0, "bits": 640.0}]},
        traffic={"bits": 640.0, "bit_hops": 640.0, "mean_hops": 1.0, "lower_bound": 600.0, "start": "snake",
                 "busiest_link_bits": 640.0, "random": 1280.0, "snake": 900.0, "refined": 640.0},
        sources=sources(name),
        effects=({"effect": "read", "accuracy": 0.97, "gain": 0.01, "error": 0.001},),
        unmodelled=("chip.core.array: leakage", "chip.buffer: read_bit", "chip.link: area"),
        notes=("one note",),
    )  # fmt: skip


def variant(report: Report, accuracy: float | None, **factors: float) -> Report:
    """The report with another accuracy and other metrics multiplied by factors."""
    changed = [replace(m, value=m.value * factors.get(m.name, 1.0)) for m in report.metrics if m.name != "accuracy"]
    first = [] if accuracy is None else [Metric("accuracy", accuracy, "1", accuracy - 0.01, accuracy + 0.01)]
    return replace(report, metrics=(*first, *changed))
