"""The compiled loop over steps, populations and projections of one sample."""

from __future__ import annotations

import math

import numba
import numpy as np

from neuromorph.devices.manycore.execute import fixed_kernels as fk
from neuromorph.devices.manycore.execute import kernels as k
from neuromorph.devices.manycore.execute import layout as c
from neuromorph.devices.manycore.execute.plasticity import full, remember, scatter_plastic
from neuromorph.devices.manycore.execute.pointers import float32_at, float64_at, int32_at, int64_at, uint8_at, uint16_at

_jit = numba.njit(cache=True, error_model="numpy", nogil=True)


@_jit
def _external(row, t, sample, fired, value):  # type: ignore[no-untyped-def]
    """Spikes that an input fires at step t, from the sample's rows of its raster."""
    if t >= row[c.EXT_ROWS]:
        return 0
    base = (sample - row[c.EXT_FIRST]) * row[c.EXT_ROWS]
    indptr = int64_at(row[c.EXT_INDPTR], base + t + 2)
    a, b = indptr[base + t], indptr[base + t + 1]
    index = int32_at(row[c.EXT_INDEX], b)
    for j in range(a, b):
        fired[j - a] = index[j]
        value[index[j]] = 1
    if row[c.EXT_VALUE] != 0:
        values = float32_at(row[c.EXT_VALUE], b)
        for j in range(a, b):
            value[index[j]] = values[j]
    return b - a


@_jit
def _filter(row, number, par, state, x, due):  # type: ignore[no-untyped-def]
    f, e = row[c.FIRST], row[c.FIRST] + row[c.SIZE]
    i, a, b = state[c.I, f:e], par[c.A_SYN, f:e], par[c.B_SYN, f:e]
    skips, low, high = number[c.SKIP] > 0, number[c.STATE_MIN], number[c.STATE_MAX]
    if row[c.FORMAT] == c.SPINNAKER:
        return fk.filter_spinnaker(i, x, a, b, due, skips, low, high)
    if row[c.FORMAT] == c.LOIHI:
        return fk.filter_loihi(i, x, a, due, skips, low, high)
    if skips:
        k.filter_where(i, x, a, b, due)
    else:
        k.filter_input(i, x, a, b)
    return 0


@_jit
def _leak(row, number, par, v, source, go, masked):  # type: ignore[no-untyped-def]
    f, e = row[c.FIRST], row[c.FIRST] + row[c.SIZE]
    a, b, d = par[c.A_MEM, f:e], par[c.B_MEM, f:e], par[c.C_MEM, f:e]
    low, high = number[c.STATE_MIN], number[c.STATE_MAX]
    if row[c.FORMAT] == c.SPINNAKER:
        return fk.leak_spinnaker(v, source, a, b, d, go, masked, low, high)
    if row[c.FORMAT] == c.LOIHI:
        return fk.leak_loihi(v, source, a, d, go, masked, low, high)
    if row[c.FORMAT] == c.WHOLE:
        return fk.leak_whole(v, source, a, d, go, masked, low, high)
    if number[c.GRID] > 0:
        k.leak_on_grid(v, source, a, b, d, number[c.GRID], go, masked)
    elif masked:
        k.leak_where(v, source, a, b, d, go)
    else:
        k.leak(v, source, a, b, d)
    return 0


@_jit
def _integrate(row, number, par, state, x, due, go, masked):  # type: ignore[no-untyped-def]
    """Items 2 to 4 of the step (see Semantics): current, membrane, delayed reset. Returns saturated states."""
    f, e = row[c.FIRST], row[c.FIRST] + row[c.SIZE]
    v, last = state[c.V, f:e], state[c.LAST, f:e]
    late, met = row[c.DELAYED] != 0, 0
    if row[c.CURRENT] and not row[c.MEMBRANE_FIRST]:
        met += _filter(row, number, par, state, x, due)
    if late and row[c.RESET] == c.TO_VALUE and row[c.KEEPS_INPUT]:
        k.reset_to_value(v, last, par[c.V_RESET, f:e])
    met += _leak(row, number, par, v, state[c.I, f:e] if row[c.CURRENT] else x, go, masked)
    if late and row[c.RESET] in (c.SUBTRACT, c.SUBTRACT_GUARDED):
        k.reset_by_subtraction(v, last, par[c.THRESHOLD, f:e])
    if late and row[c.RESET] == c.TO_VALUE and not row[c.KEEPS_INPUT]:
        k.reset_to_value(v, last, par[c.V_RESET, f:e])
    if row[c.CURRENT] and row[c.MEMBRANE_FIRST]:
        met += _filter(row, number, par, state, x, due)
    return met


@_jit
def _fire(row, par, state, go, masked, count, scratch):  # type: ignore[no-untyped-def]
    """Items 6 and 7 of the step: how many spikes each neuron fires, and the reset at once."""
    f, e = row[c.FIRST], row[c.FIRST] + row[c.SIZE]
    v, threshold, last = state[c.V, f:e], par[c.THRESHOLD, f:e], state[c.LAST, f:e]
    raised = threshold
    if row[c.MODEL] == c.ADAPTIVE:
        if row[c.FORMAT] == c.FLOATING:
            k.raise_threshold(scratch, threshold, par[c.B_ADAPT, f:e], state[c.H, f:e])
        else:
            fk.raise_threshold(scratch, threshold, par[c.B_ADAPT, f:e], state[c.H, f:e])
        raised = scratch
    _compare(row, par, count, v, raised)
    if row[c.LIMIT] != 1:
        k.multiply(count, v, raised, par[c.SIGN, f:e], row[c.AT_LEAST], row[c.LIMIT])
    if masked:
        k.hold(count, go)
    if row[c.MODEL] == c.ADAPTIVE:
        if row[c.FORMAT] == c.FLOATING:
            k.adapt(state[c.H, f:e], count, par[c.A_ADAPT, f:e])
        else:
            fk.adapt(state[c.H, f:e], count, par[c.A_ADAPT, f:e])
    if row[c.DELAYED]:
        last[:] = count
    elif row[c.RESET] == c.TO_VALUE:
        k.reset_to_value(v, count, par[c.V_RESET, f:e])
    elif row[c.RESET] == c.SUBTRACT:
        k.reset_by_subtraction(v, count, threshold)
    elif row[c.RESET] == c.SUBTRACT_GUARDED:
        k.guard(v, count, last, threshold)
        _compare(row, par, last, v, threshold)


@_jit
def _compare(row, par, count, v, threshold):  # type: ignore[no-untyped-def]
    f, e = row[c.FIRST], row[c.FIRST] + row[c.SIZE]
    if row[c.SIGNED]:
        k.compare_signed(count, v, threshold, par[c.SIGN, f:e], row[c.AT_LEAST])
    else:
        k.compare(count, v, threshold, row[c.AT_LEAST])


@_jit
def _update(row, number, par, state, x, masks, count, scratch):  # type: ignore[no-untyped-def]
    """One step of a population: x (size,) becomes spikes per neuron, or values, in count.

    Returns (updates skipped, states that met the end of their range).
    """
    f, e = row[c.FIRST], row[c.FIRST] + row[c.SIZE]
    model = row[c.MODEL]
    if row[c.BIASED]:
        k.add(x, par[c.BIAS, f:e])
    if model == c.READOUT:
        count[:] = x
        return 0, 0
    met = 0
    skipped, due, go = 0, masks[0, : e - f], masks[1, : e - f]  # due: updated at all; go: and not refractory
    if number[c.SKIP] > 0:
        skipped = k.defer(x, state[c.PENDING, f:e], due, number[c.SKIP])
    masked = number[c.SKIP] > 0 or row[c.REFRACTORY] > 0
    if model == c.THRESHOLD_UNIT:
        _compare(row, par, count, x, par[c.THRESHOLD, f:e])
        if masked:
            k.hold(count, due)
        return skipped, 0
    if masked:
        k.awake(go, due, state[c.WAIT, f:e])
    if model == c.IZHIKEVICH and row[c.FORMAT] == c.FLOATING:
        k.izhikevich(state[c.V, f:e], state[c.H, f:e], x, par[:, f:e], count, go, masked, number[c.DT_MS])
    elif model == c.IZHIKEVICH:
        low, high = number[c.STATE_MIN], number[c.STATE_MAX]
        met = fk.izhikevich(
            state[c.V, f:e], state[c.H, f:e], x, par[:, f:e], count, go, masked, number[c.DT_MS], low, high
        )
    else:
        met = _integrate(row, number, par, state, x, due, go, masked)
        if row[c.RESET] == c.SUBTRACT_GUARDED and not row[c.DELAYED]:
            k.reset_by_subtraction(state[c.V, f:e], state[c.LAST, f:e], par[c.THRESHOLD, f:e])
        if row[c.CLAMPED]:
            k.clamp(state[c.V, f:e], number[c.V_MIN])
        if row[c.VALUED]:
            count[:] = state[c.V, f:e]
            return skipped, met
        _fire(row, par, state, go, masked, count, scratch)
    if row[c.REFRACTORY]:
        k.wait(state[c.WAIT, f:e], count, row[c.REFRACTORY])
    if row[c.FORMAT] != c.FLOATING and row[c.RESET] != c.TO_VALUE:
        met += fk.bound(state[c.V, f:e], number[c.STATE_MIN], number[c.STATE_MAX])
    return skipped, met


@_jit
def _send(row, to, t, acc, learn, fired, value, count, saturated):  # type: ignore[no-untyped-def]
    """Adds the rows of the neurons in fired[:count] to the inputs of a population; returns the number of synapses.

    row: of the projection; to: of its target; saturated: inputs that met the end of their range, by population.
    """
    size, depth, synapses = to[c.SIZE], to[c.DEPTH], row[c.SYNAPSES]
    indptr = int64_at(row[c.INDPTR], row[c.SOURCE_SIZE] + 1)
    index = int32_at(row[c.INDEX], synapses)
    weight = float32_at(row[c.WEIGHT], synapses)
    if row[c.KIND] == c.PLASTIC_ROWS:
        late = uint16_at(row[c.DELAY], synapses)
        return scatter_plastic(row, to, t, acc, learn, indptr, index, late, fired, value, count)
    if row[c.KIND] == c.SATURATING:
        late = uint16_at(row[c.DELAY], row[c.DELAYS])
        done, met = fk.scatter_saturating(
            acc, to[c.ACC], size, depth, t % depth, indptr, index, weight, late, row[c.HIGH], fired, value, count
        )
        saturated[row[c.TARGET]] += met
        return done
    if row[c.KIND] == c.DELAYS8:
        d8 = uint8_at(row[c.DELAY], synapses)
        return k.scatter_delays(acc, to[c.ACC], size, depth, t % depth, indptr, index, weight, d8, fired, value, count)
    if row[c.KIND] == c.DELAYS16:
        d16 = uint16_at(row[c.DELAY], synapses)
        return k.scatter_delays(acc, to[c.ACC], size, depth, t % depth, indptr, index, weight, d16, fired, value, count)
    first = to[c.ACC] + ((t + row[c.DELAY]) % depth) * size
    if row[c.KIND] == c.RUNS:
        return k.scatter_runs(acc, first, first + size, indptr, index, weight, fired, value, count)
    if row[c.KIND] == c.NARROW:
        narrow = uint16_at(row[c.INDEX], synapses)
        return k.scatter(acc, first, first + size, indptr, narrow, weight, fired, value, count)
    return k.scatter(acc, first, first + size, indptr, index, weight, fired, value, count)


@_jit
def _apart(mine, count, first, missed, whole):  # type: ignore[no-untyped-def]
    """The neurons in mine[:count] that are in no pair of missed (neuron, ...), both rising; returns how many."""
    k = n = 0
    for s in range(count):
        i = first + mine[s]
        while k < missed[0].size and missed[0][k] < i:
            k += 1
        if k == missed[0].size or missed[0][k] != i:
            whole[n] = mine[s]
            n += 1
    return n


@_jit
def _send_part(row, to, t, acc, missed, core_of, first, value, saturated):  # type: ignore[no-untyped-def]
    """The rows of neurons of which some cores miss spikes, synapse by synapse: those that are late come a step later.

    missed: (neuron, core, lost, late) of the step; first: of the source population; core_of: of the target's neurons.
    """
    size, depth, synapses, kind = to[c.SIZE], to[c.DEPTH], row[c.SYNAPSES], row[c.KIND]
    neuron, core, lost, late = missed
    indptr = int64_at(row[c.INDPTR], row[c.SOURCE_SIZE] + 1)
    weight = float32_at(row[c.WEIGHT], synapses)
    events = met = a = 0
    while a < neuron.size:
        i, b = neuron[a] - first, a
        while b < neuron.size and neuron[b] == neuron[a]:
            b += 1
        if 0 <= i < row[c.SOURCE_SIZE] and value[i] != 0:
            total = max(np.rint(abs(value[i])), 1.0)
            for j in range(indptr[i], indptr[i + 1]):
                if kind == c.NARROW:
                    target = np.int64(uint16_at(row[c.INDEX], synapses)[j])
                else:
                    target = np.int64(int32_at(row[c.INDEX], synapses)[j])
                delay = row[c.DELAY]
                if kind == c.DELAYS8:
                    delay = np.int64(uint8_at(row[c.DELAY], synapses)[j])
                elif kind == c.DELAYS16:
                    delay = np.int64(uint16_at(row[c.DELAY], synapses)[j])
                elif kind == c.SATURATING:
                    delay = np.int64(uint16_at(row[c.DELAY], row[c.DELAYS])[0 if row[c.DELAYS] == 1 else j])
                now, later = total, 0.0
                for e in range(a, b):
                    if core[e] == core_of[target]:
                        now, later = total - lost[e] - late[e], float(late[e])
                for turn in range(2):
                    share = later if turn else now
                    if share == 0.0:
                        continue
                    add, slot = weight[j] * (value[i] * share / total), (t + delay + turn) % depth
                    place = to[c.ACC] + slot * size + target
                    if kind == c.SATURATING:
                        place += 0 if add >= 0 else depth * size
                        raised = acc[place] + abs(add)
                        acc[place] = min(raised, row[c.HIGH])
                        met += raised > row[c.HIGH]
                    else:
                        acc[place] += add
                    events += turn == 0 or now == 0.0
        a = b
    saturated[row[c.TARGET]] += met
    return events


@_jit
def _delay_line(line, t, shift, size, count):  # type: ignore[no-untyped-def]
    """Exchanges what is sent now with what was to be sent `shift` steps ago."""
    start = (t % shift) * size
    for j in range(size):
        before = line[start + j]
        line[start + j] = count[j]
        count[j] = before


@_jit
def _confident(total, rule):  # type: ignore[no-untyped-def]
    """Whether the largest softmax of the summed outputs is above the threshold."""
    top = total.max()
    mass = 0.0
    for j in range(total.size):
        mass += math.exp((total[j] - top) / rule[0])
    return 1.0 / mass > rule[1]


@_jit
def run(t, steps, sample, pop, number, par, proj, outgoing, work, record, out, counters, stop, into, learn, losses):  # type: ignore[no-untyped-def]
    """Runs one sample from step t until `steps`, until the record is full, or until the stop rule ends it.

    sample: its number in the rasters of the inputs. work: (state, inputs, lines, values, fired, masks, scratch);
    record: (index, value, ends of steps); counters: (synaptic events per projection, skipped updates and
    saturations per population).
    stop: (outputs so far that decide, (temperature, threshold, first step, how: 0 without a rule, 1 adds outputs up, 2
    takes them as they are)). Returns the next step and whether the rule ended the sample. into: (first of each
    population, plastic projections into them);
    learn: see plasticity.Learning. losses: (first pair of each step, or nothing, neuron, core, lost, late, core of each
    neuron, room for a neuron each): see devices.manycore.losses.
    """
    state, acc, lines, value, fired, masks, scratch = work
    index, values, ends = record
    events, skipped, saturated = counters
    total, rule = stop
    at, neuron, core, never, behind, core_of, apart = losses
    while t < steps:
        if (ends.size and ends[t] + value.size > index.size) or full(learn, fired.size):
            return t, False
        position = ends[t] if ends.size else 0
        for p in range(pop.shape[0]):
            row = pop[p]
            n, f = row[c.SIZE], row[c.FIRST]
            mine, count = fired[f : f + n], value[f : f + n]
            if row[c.MODEL] == c.INPUT:
                m = _external(row, t, sample, mine, count)
            else:
                slot = row[c.ACC] + (t % row[c.DEPTH]) * n
                x = acc[slot : slot + n]
                if row[c.FORMAT] == c.SPINNAKER:
                    fk.gather(x, acc[slot + row[c.DEPTH] * n : slot + (row[c.DEPTH] + 1) * n], number[p, c.RING_UNIT])
                if t >= row[c.START]:
                    if row[c.DRIVE] != 0:
                        begin = ((sample - row[c.EXT_FIRST]) * steps + t) * n
                        k.add(x, float64_at(row[c.DRIVE], begin + n)[begin:])
                    late, met = _update(row, number[p], par, state, x, masks, count, scratch[:n])
                    skipped[p] += late
                    saturated[p] += met
                else:
                    count[:] = 0
                x[:] = 0
                if row[c.SHIFT]:
                    _delay_line(lines[row[c.LINE] :], t, row[c.SHIFT], n, count)
                m = k.collect(mine, count) if row[c.RECORDED] or outgoing[p + 1] > outgoing[p] else 0
            for q in range(into[0][p], into[0][p + 1]):
                remember(proj[into[1][q]], t, learn, mine, m)
            if row[c.OUT] >= 0:
                o = row[c.OUT]
                for j in range(n):
                    out[t, o + j] = count[j] * number[p, c.OUT_UNIT]
            if row[c.RECORDED] and ends.size:
                for j in range(m):
                    index[position + j] = f + mine[j]
                if values.size:
                    for j in range(m):
                        values[position + j] = count[mine[j]]
                position += m
            whole, many, a, b = mine, m, 0, 0
            if at.size and at[t + 1] > at[t]:
                a = at[t] + np.searchsorted(neuron[at[t] : at[t + 1]], f)
                b = at[t] + np.searchsorted(neuron[at[t] : at[t + 1]], f + n)
            missed = (neuron[a:b], core[a:b], never[a:b], behind[a:b])
            if b > a:
                whole = apart
                many = _apart(mine, m, f, missed, whole)
            for q in range(outgoing[p], outgoing[p + 1]):
                to = pop[proj[q, c.TARGET]]
                events[q] += _send(proj[q], to, t, acc, learn, whole, count, many, saturated)
                if b > a:
                    there = core_of[to[c.FIRST] : to[c.FIRST] + to[c.SIZE]]
                    events[q] += _send_part(proj[q], to, t, acc, missed, there, f, count, saturated)
            if row[c.MODEL] == c.INPUT:
                for j in range(m):
                    count[mine[j]] = 0
        if ends.size:
            ends[t + 1] = position
        t += 1
        if rule[3] > 0:
            for j in range(total.size):
                total[j] = out[t - 1, j] + (total[j] if rule[3] == 1 else 0.0)
            if t >= rule[2] and _confident(total, rule):
                return t, True
    return t, False
