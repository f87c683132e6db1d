"""A network as the tables that the compiled loop reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuromorph.devices.manycore.execute import layout as c
from neuromorph.devices.manycore.execute.fixed import RING_BITS, Formats, coefficients, plastic_units, state_range
from neuromorph.devices.manycore.execute.rules import Rules, rules_of
from neuromorph.devices.manycore.execute.whole import coefficients as whole_coefficients
from neuromorph.errors import InputError, Problem
from neuromorph.graph.semantics import RESETS
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.spiking.network import Population, Projection, SpikingNetwork

_MODELS = {
    "input": c.INPUT, "linear": c.LINEAR, "adaptive": c.ADAPTIVE, "izhikevich": c.IZHIKEVICH,
    "threshold": c.THRESHOLD_UNIT, "readout": c.READOUT,
}  # fmt: skip
_ROWS = {
    "a_syn": c.A_SYN, "b_syn": c.B_SYN, "a_mem": c.A_MEM, "b_mem": c.B_MEM, "c_mem": c.C_MEM, "threshold": c.THRESHOLD,
    "v_reset": c.V_RESET, "sign": c.SIGN, "v_init": c.V_INIT, "a_adapt": c.A_ADAPT, "b_adapt": c.B_ADAPT,
    "a": c.IZ_A, "b": c.IZ_B, "c": c.IZ_C, "d": c.IZ_D, "v_peak": c.IZ_PEAK, "u_init": c.IZ_U,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tables:
    """What the loop needs to know of a network. pop (populations, columns), number (populations, numbers), par
    (parameters, neurons), proj (projections by source, columns), outgoing (populations + 1,): first projection of each
    source, order: the network's number of each row of proj. kept: arrays that the addresses in proj point into.
    inputs, lines: slots of the rings of inputs and of the lines of late spikes. outputs: columns of all outputs.
    """

    pop: np.ndarray
    number: np.ndarray
    par: np.ndarray
    proj: np.ndarray
    outgoing: np.ndarray
    order: np.ndarray
    kept: Sequence[np.ndarray]
    inputs: int
    lines: int
    outputs: int
    valued: bool
    rules: Rules


def tables(
    network: SpikingNetwork,
    arithmetic: Arithmetic,
    chosen: Formats | None = None,
    whole: tuple[np.ndarray, ...] | None = None,
    slack: int = 0,
    ranges: Mapping[int, float] | None = None,
) -> Tables:
    """Lays a network out for the loop; arrays of synapses are used as they are where their types allow it.

    chosen, whole: in fixed point the units and the weights in them. slack: steps that spikes may come late.
    Raises InputError for numbers that are none and
    for negative delays, with all of them at once.
    """
    _refuse(network)
    dtype = np.float32 if arithmetic.kind == "float32" else np.float64
    many, neurons = len(network.populations), network.neurons
    pop = np.zeros((many, c.POPULATION_COLUMNS), np.int64)
    number = np.zeros((many, c.SCALARS), dtype)
    par = np.zeros((c.PARAMETERS, neurons), dtype)
    sending = {p.source for p in network.projections}
    depth = [d + slack for d in _depths(network)]
    inputs = lines = outputs = 0
    pop[:, c.OUT] = -1
    for i, population in enumerate(network.populations):
        first = int(network.first[i])
        pop[i, [c.SIZE, c.FIRST, c.ACC, c.DEPTH, c.LINE]] = population.size, first, inputs, depth[i], lines
        pop[i, c.RECORDED] = population.spiking or i in sending
        number[i, [c.SKIP, c.GRID, c.RING_UNIT, c.OUT_UNIT]] = arithmetic.skip_below, arithmetic.state_grid, 1, 1
        part = par[:, first : first + population.size]
        _population(population, pop[i], number[i], part)
        if chosen is not None:
            _fixed(population, arithmetic, chosen, i, pop[i], number[i], part, (ranges or {}).get(i, 0.0))
        rings = 2 if arithmetic.kind == "spinnaker" else 1
        inputs += rings * population.size * depth[i] if population.model != "input" else 0
        lines += population.size * int(pop[i, c.SHIFT])
    for o in network.outputs:
        pop[o, c.OUT] = outputs
        outputs += network.populations[o].size
    proj, outgoing, order, kept = _projections(network, whole, arithmetic.kind == "spinnaker")
    rules = rules_of(network, proj, order, None if chosen is None else plastic_units(network, chosen))
    valued = bool(((pop[:, c.LIMIT] != 1) | (pop[:, c.VALUED] != 0))[pop[:, c.RECORDED] != 0].any())
    return Tables(pop, number, par, proj, outgoing, order, kept, inputs, lines, outputs, valued, rules)


def _refuse(network: SpikingNetwork) -> None:
    problems = []
    for population in network.populations:
        given = dict(population.parameters)
        if population.bias is not None:
            given["bias"] = population.bias
        for name, values in given.items():
            bad = np.isnan(values) if name == "threshold" else ~np.isfinite(values)
            if bad.any():
                k = int(np.argmax(bad))
                problems.append(Problem(f"population {population.name}: {name} of neuron {k} is {values[k]}"))
    for projection in network.projections:
        bad = ~np.isfinite(projection.weight)
        if bad.any():
            found = f"{int(bad.sum())} weights are not finite numbers, the first is {projection.weight[bad][0]}"
            problems.append(Problem(f"projection {projection.name}: {found}"))
        if projection.synapses and int(projection.delay.min()) < 0:
            problems.append(
                Problem(f"projection {projection.name}: a delay of {projection.delay.min()} steps", hint="0 or more")
            )
    if problems:
        raise InputError(problems)


def _depths(network: SpikingNetwork) -> list[int]:
    """Slots of each population's ring of inputs: the longest delay and one more."""
    depth = [1] * len(network.populations)
    for p in network.projections:
        depth[p.target] = max(depth[p.target], p.max_delay + 1)
    return depth


def _row_of(population: Population, name: str) -> int:
    return c.IZ_V if population.model == "izhikevich" and name == "v_init" else _ROWS[name]


def _population(population: Population, row: np.ndarray, number: np.ndarray, par: np.ndarray) -> None:
    row[c.MODEL] = _MODELS[population.model]
    row[c.START] = population.start
    row[c.LIMIT] = 1
    for name, values in population.parameters.items():
        par[_row_of(population, name)] = values
    if population.bias is not None:
        par[c.BIAS] = population.bias
        row[c.BIASED] = bool(np.any(population.bias != 0))
    row[c.VALUED] = population.model not in ("input", "threshold", "izhikevich") and not population.spiking
    if "sign" in population.parameters:
        row[c.SIGNED] = bool(np.any(population.parameters["sign"] != 1))
    s = population.semantics
    if s is None:
        if population.model in ("linear", "adaptive", "izhikevich"):
            raise InputError(f"population {population.name} has no semantics", hint="how its step is computed")
        return
    row[c.SHIFT], row[c.REFRACTORY] = s.output_shift, s.refractory
    if population.model == "threshold":
        return
    row[c.AT_LEAST] = s.compare == ">="
    row[c.MEMBRANE_FIRST] = s.order == "membrane_first"
    row[c.RESET] = RESETS.index(s.reset)
    row[c.DELAYED] = s.delayed_reset
    row[c.KEEPS_INPUT] = s.input_at_reset
    row[c.LIMIT] = s.spikes_per_step or 0
    row[c.CLAMPED] = s.v_min is not None
    number[c.V_MIN] = s.v_min or 0
    number[c.DT_MS] = s.dt_s * 1e3
    if population.model != "izhikevich":
        a, b = population.parameters["a_syn"], population.parameters["b_syn"]
        row[c.CURRENT] = bool(np.any(a != 0) or np.any(b != 1))


def _fixed(
    population: Population, arithmetic: Arithmetic, chosen: Formats, i: int, row: np.ndarray, number: np.ndarray,
    par: np.ndarray, expected: float,
) -> None:  # fmt: skip
    """Replaces a population's numbers by whole ones. expected: largest magnitude of its state, where it never fires."""
    scale = float(chosen.scale[i])
    if arithmetic.kind == "integer":
        scale = float(chosen.states[i].max(initial=0.0)) or 1.0
        found = whole_coefficients(population, chosen.states[i], arithmetic, expected)
        row[c.CURRENT] = 0
    else:
        found = coefficients(population, arithmetic, scale)[0]
    for name, values in found.items():
        par[c.BIAS if name == "bias" else _row_of(population, name)] = values
    row[c.FORMAT] = {"spinnaker": c.SPINNAKER, "loihi": c.LOIHI}.get(arithmetic.kind, c.WHOLE)
    number[[c.STATE_MIN, c.STATE_MAX]] = state_range(arithmetic)
    number[c.RING_UNIT] = 2.0 ** int(chosen.ring[i])
    number[c.OUT_UNIT] = 1.0 if population.spiking else 1 / scale
    number[c.SKIP] *= scale
    number[c.V_MIN] = np.rint(number[c.V_MIN] * scale)


def _projections(
    network: SpikingNetwork, whole: tuple[np.ndarray, ...] | None, saturating: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]:
    order = np.argsort([p.source for p in network.projections], kind="stable").astype(np.int64)
    proj = np.zeros((order.size, c.PROJECTION_COLUMNS), np.int64)
    outgoing = np.zeros(len(network.populations) + 1, np.int64)
    kept: list[np.ndarray] = []
    for row, q in zip(proj, order, strict=True):
        projection = network.projections[q]
        outgoing[projection.source + 1] += 1
        if whole is not None:
            projection = replace(projection, weight=whole[q])
        sizes = tuple(network.populations[i].size for i in (projection.source, projection.target))
        kept.extend(_projection(projection, sizes, row, saturating))
    return proj, np.cumsum(outgoing), order, kept


def _projection(projection: Projection, sizes: tuple[int, ...], row: np.ndarray, saturating: bool) -> list[np.ndarray]:
    """Fills a projection's row; returns the arrays it points into. sizes: of source and target."""
    sources, targets = sizes
    indptr = np.ascontiguousarray(projection.indptr, np.int64)
    index = np.ascontiguousarray(projection.index, np.int32)
    weight = np.ascontiguousarray(projection.weight, np.float32)
    delay = np.ascontiguousarray(projection.delay)
    uniform = delay.size == 1 or delay.size == 0 or bool((delay == delay[0]).all())
    kept: list[np.ndarray] = [indptr, index, weight]
    row[c.TARGET], row[c.SOURCE], row[c.SOURCE_SIZE] = projection.target, projection.source, sources
    row[c.SYNAPSES] = index.size
    row[c.INDPTR], row[c.INDEX], row[c.WEIGHT] = (a.ctypes.data for a in kept)
    row[c.PLASTIC] = -1
    row[c.HIGH] = 2**RING_BITS - 1 if saturating else 0
    if projection.plasticity is not None or saturating:
        plastic = projection.plasticity is not None
        late = np.broadcast_to(delay, index.shape) if plastic or not uniform else delay[:1]
        late = late.astype(np.uint16)
        row[c.KIND] = c.PLASTIC_ROWS if plastic else c.SATURATING
        row[c.DELAY], row[c.DELAYS] = late.ctypes.data, late.size
        return [*kept, late]
    if uniform:
        row[c.DELAY] = int(delay[0]) if delay.size else 0
        row[c.KIND] = c.RUNS if in_runs(indptr, index) else c.UNIFORM
        if row[c.KIND] == c.UNIFORM and targets <= 1 << 16:  # less to fetch: up to twice as fast beyond the cache
            narrow = index.astype(np.uint16)
            row[c.KIND], row[c.INDEX] = c.NARROW, narrow.ctypes.data
            kept[1] = narrow
        return kept
    if delay.dtype != np.uint8:
        delay = delay.astype(np.uint8 if projection.max_delay < 256 else np.uint16, copy=False)
    row[c.KIND] = c.DELAYS8 if delay.dtype == np.uint8 else c.DELAYS16
    row[c.DELAY] = delay.ctypes.data
    return [*kept, delay]


def in_runs(indptr: np.ndarray, index: np.ndarray) -> bool:
    """Whether the targets of every row follow each other without a gap, in rows worth a loop of their own."""
    fan = np.diff(indptr)
    rows = fan > 0
    if index.size < 8 * max(int(rows.sum()), 1):
        return False
    first, last = index[indptr[:-1][rows]], index[indptr[1:][rows] - 1]
    return bool((last.astype(np.int64) - first + 1 == fan[rows]).all())
