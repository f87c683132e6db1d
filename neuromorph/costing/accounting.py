"""The energies that papers quote for networks without naming hardware, each with its scheme, beside the physical ones.

They differ by more than a hundred times for one and the same network, because they draw the boundary differently:
arithmetic alone, arithmetic and traffic, or memories by their size. A number without its scheme says nothing.

Schemes (energies of single operations from a datasheet of kind `arithmetic`):

operations   products of analog inputs as multiply-accumulates, zeros included; spikes as accumulates, one per synapse.
traffic      the same in fp32, with the weights that were used, biases of every output, and one read and write of the
             state of every neuron and step, all 32 bit, at the energy of `traffic`.
lemaire      Lemaire et al., An analytical estimation of spiking neural networks energy efficiency, ICONIP 2022
             (arXiv 2210.13107), with the spike count in place of the printed N_in theta_in: integer operations,
             addressing, and SRAM of each layer's own size for inputs, weights, potentials and outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.graph.workload import LayerWork, NeuronWork, Workload
from neuromorph.hardware.component import Datasheet

WORD_BYTES, WORD_BITS = 4, 32
FIFO_MESSAGES = 1000
"""Messages an input or output queue of a layer holds in Lemaire's experiments."""

DEFAULT_PART = "horowitz-45nm"


@dataclass(frozen=True)
class Account:
    """Energy of one inference by one scheme. parts_j: by what it is spent on; they add up to energy_j."""

    scheme: str
    precision: str
    energy_j: float
    parts_j: Mapping[str, float]
    basis: str
    source: str
    note: str


@dataclass(frozen=True)
class BreakEven:
    """A spiking network of `steps` steps against a network in one pass with inputs of `bits` bits.

    snn_j, ann_j: energies in one scheme. spikes: per neuron and inference, as counted; break_even: at which both cost
    the same, None where the spiking network costs more without any spike. ann_density: non-zero inputs of the partner.
    """

    steps: int
    bits: int
    snn_j: float
    ann_j: float
    spikes: float
    break_even: float | None
    ann_density: float
    ann_measured: bool
    note: str


def load_arithmetic(name: str = DEFAULT_PART) -> Datasheet:
    """The datasheet of kind `arithmetic` of this name; InputError where there is none."""
    from neuromorph.errors import InputError
    from neuromorph.hardware.catalog import load_datasheet

    part = load_datasheet(name)
    if part.kind != "arithmetic":
        raise InputError(f"{name} is a datasheet of kind {part.kind}", hint="one of kind arithmetic")
    return part


def accounts(workload: Workload, part: Datasheet | None = None) -> tuple[Account, ...]:
    """All schemes for one workload, one inference each."""
    part = part or load_arithmetic()
    return (
        *(_operations(workload, part, p) for p in ("fp32", "fp16", "int32", "int8")),
        _traffic(workload, part),
        _lemaire(workload, part),
    )


def _analog_steps(layer: LayerWork) -> float:
    return layer.steps - layer.spiking_steps


def _arithmetic_j(workload: Workload, part: Datasheet, precision: str) -> dict[str, float]:
    add, multiply = (float(part.value(f"{precision}_{name}")) for name in ("add", "multiply"))
    macs = sum(w.uses * _analog_steps(w) for w in workload.layers)
    acs = sum(w.met for w in workload.layers)
    return {"multiply-accumulates": macs * (add + multiply), "accumulates": acs * add}


def _operations(workload: Workload, part: Datasheet, precision: str) -> Account:
    parts = _arithmetic_j(workload, part, precision)
    note = "arithmetic alone: no weight is fetched, no state kept, nothing routed, no static power"
    return _account("operations", precision, parts, part, note)


def _traffic(workload: Workload, part: Datasheet) -> Account:
    each = float(part.value("traffic")) * WORD_BITS
    weights = sum(w.uses * _analog_steps(w) + w.met for w in workload.layers)
    biases = sum(w.outputs * w.steps for w in workload.layers if w.biases)
    state = sum(2.0 * n.neurons * n.steps for n in workload.neurons if n.spiking)
    parts = {
        **_arithmetic_j(workload, part, "fp32"),
        "weights": (weights + biases) * each,
        "state": state * each,
    }
    return _account("traffic", "fp32", parts, part, "every word at one price, whatever the size of its memory")


def sram_j_per_byte(part: Datasheet, capacity_bytes: float) -> float:
    """Energy per byte of a memory of this size: straight lines through the published sizes, 0 at size 0, constant
    beyond the largest. The published figures are charged to a 32-bit word, as Lemaire et al. do."""
    sizes = [0.0, 8 * 1024.0, 32 * 1024.0, 1024 * 1024.0]
    energies = [0.0, *(float(part.value(name)) / WORD_BYTES for name in ("sram_8kb", "sram_32kb", "sram_1mb"))]
    return float(np.interp(capacity_bytes, sizes, energies))


def _lemaire(workload: Workload, part: Datasheet) -> Account:
    add, multiply = float(part.value("int32_add")), float(part.value("int32_multiply"))
    parts = dict.fromkeys(("operations", "addressing", "inputs and outputs", "weights", "potentials"), 0.0)
    spiking = any(n.spiking for n in workload.neurons)
    for layer in workload.layers:
        _lemaire_layer(layer, part, add, multiply, spiking, parts)
    for neuron in workload.neurons:
        if neuron.spiking:
            _lemaire_neurons(neuron, part, add, multiply, parts)
    return _account("lemaire", "int32", parts, part, "memories by size, a read and write of the potential per synapse")


def _lemaire_layer(
    layer: LayerWork, part: Datasheet, add: float, multiply: float, spiking: bool, parts: dict[str, float]
) -> None:
    analog, spikes = _analog_steps(layer), layer.active_spikes
    weight_bytes = (layer.weights + layer.biases) * WORD_BYTES
    outputs = layer.outputs * layer.steps
    dense_uses = layer.uses * analog
    event_uses = spikes * layer.fan_out
    synops = spikes * layer.fan_out_strided
    parts["operations"] += synops * add + dense_uses * (add + multiply)
    if layer.biases:
        parts["operations"] += outputs * add
    addresses = event_uses + (layer.inputs + layer.outputs) * analog
    if layer.windowed:
        addresses += layer.fan_out * layer.groups * analog
        parts["addressing"] += 2 * spikes * (add + multiply)
    parts["addressing"] += addresses * add
    read = (dense_uses if layer.windowed else layer.inputs * analog) * WORD_BYTES
    parts["inputs and outputs"] += read * sram_j_per_byte(part, layer.inputs * WORD_BYTES)
    queue = sram_j_per_byte(part, FIFO_MESSAGES * WORD_BYTES)
    parts["inputs and outputs"] += spikes * WORD_BYTES * queue
    words = dense_uses + event_uses + (outputs if layer.biases else 0.0)
    parts["weights"] += words * WORD_BYTES * sram_j_per_byte(part, weight_bytes)
    parts["potentials"] += 2 * event_uses * WORD_BYTES * sram_j_per_byte(part, layer.outputs * WORD_BYTES)
    if not spiking:
        size = layer.outputs * WORD_BYTES
        parts["inputs and outputs"] += layer.outputs * analog * WORD_BYTES * sram_j_per_byte(part, size)


def _lemaire_neurons(neuron: NeuronWork, part: Datasheet, add: float, multiply: float, parts: dict[str, float]) -> None:
    each = sram_j_per_byte(part, neuron.neurons * WORD_BYTES)
    parts["potentials"] += 2 * neuron.neurons * neuron.steps * WORD_BYTES * each
    parts["operations"] += neuron.active * add
    if neuron.leaky:
        parts["operations"] += neuron.neurons * neuron.steps * (add + multiply)
    parts["inputs and outputs"] += neuron.active * WORD_BYTES * sram_j_per_byte(part, FIFO_MESSAGES * WORD_BYTES)


def _account(scheme: str, precision: str, parts: Mapping[str, float], part: Datasheet, note: str) -> Account:
    return Account(scheme, precision, math.fsum(parts.values()), dict(parts), "derived", part.name, note)


def break_even(
    workload: Workload,
    part: Datasheet | None = None,
    *,
    partner: Workload | None = None,
    ann_density: float = 0.5,
    weight_bits: int = 8,
) -> BreakEven | None:
    """The spike rate at which a spiking network costs as much as its fair partner; None for networks without spikes.

    The partner of T steps has inputs of ceil(log2(T + 1)) bits and runs once (Yan et al., arXiv 2409.08290), with the
    density of non-zero inputs of `partner` where that is given and ann_density assumed otherwise. Each synapse met
    costs an accumulate (a multiply-accumulate in the partner), its weight, and for spikes a read and a write of the
    potential; each neuron and step costs a read and a write of its potential, in the partner one write of its output.
    Multipliers scale with the product of the widths, adders and words with their width. No weight is reused between
    samples. The break-even rate scales the spikes of inputs and neurons alike.
    """
    part = part or load_arithmetic()
    steps = max((n.steps for n in workload.neurons if n.spiking), default=0)
    total = sum(n.neurons for n in workload.neurons if n.spiking)
    if not steps or not total:
        return None
    bits = math.ceil(math.log2(steps + 1))
    prices = _Prices(part, weight_bits, bits)
    fixed, per_spikes = _snn_j(workload, prices)
    density = {w.node: w.active / (w.inputs * w.steps) for w in partner.layers} if partner is not None else {}
    ann = sum(_ann_layer_j(w, density.get(w.node, ann_density), prices) for w in workload.layers)
    spikes = workload.spikes / total
    rate = (ann - fixed) / per_spikes * spikes if per_spikes > 0 and ann > fixed else None
    used = (
        float(np.mean([density.get(w.node, ann_density) for w in workload.layers])) if workload.layers else ann_density
    )
    return BreakEven(
        steps, bits, fixed + per_spikes, ann, spikes, rate, used, partner is not None,
        f"{weight_bits}-bit weights, memories by size, arithmetic of {part.name}",
    )  # fmt: skip


@dataclass(frozen=True)
class _Prices:
    part: Datasheet
    weight_bits: int
    input_bits: int

    @property
    def add_j(self) -> float:
        """An accumulator addition of 32 bits."""
        return float(self.part.value("int32_add"))

    @property
    def mac_j(self) -> float:
        product = float(self.part.value("int8_multiply")) * self.weight_bits * self.input_bits / 64.0
        return product + self.add_j

    def word_j(self, bits: int, words: float) -> float:
        """A word of a memory that holds so many; the published figure is for 64 bits."""
        size = words * bits / 8
        sizes = [0.0, 8 * 1024.0, 32 * 1024.0, 1024 * 1024.0]
        each = [0.0, *(float(self.part.value(n)) for n in ("sram_8kb", "sram_32kb", "sram_1mb"))]
        return float(np.interp(size, sizes, each)) * bits / 64.0


def _snn_j(workload: Workload, prices: _Prices) -> tuple[float, float]:
    """Energy that is there without spikes (analog layers, states), and what the spikes add."""
    fixed = per_spikes = 0.0
    for w in workload.layers:
        weight = prices.word_j(prices.weight_bits, w.weights)
        state = 2 * prices.word_j(WORD_BITS, w.outputs)
        synops = w.met
        per_spikes += synops * (prices.add_j + weight + state)
        fixed += w.uses * _analog_steps(w) * (prices.mac_j + weight)
    for n in workload.neurons:
        if n.spiking:
            update = 2 * prices.word_j(WORD_BITS, n.neurons) + (prices.mac_j if n.leaky else 0.0)
            fixed += n.neurons * n.steps * update
    return fixed, per_spikes


def _ann_layer_j(layer: LayerWork, density: float, prices: _Prices) -> float:
    weight = prices.word_j(prices.weight_bits, layer.weights)
    products = layer.dense / max(layer.steps, 1) * density
    return products * (prices.mac_j + weight) + layer.outputs * prices.word_j(prices.input_bits, layer.outputs)
