"""Compiled passes over the neurons of a population and over synaptic rows.

A neuron's step is a sequence of passes over a population, each without branches on what the semantics say; the loop
chooses the passes once per population and step. Sums are made in one order only: spikes rising by neuron, one source
after the other, so that a result is the same bit for bit however the work is cut. Nothing is contracted or reordered.
"""

from __future__ import annotations

import numba
import numpy as np

from neuromorph.devices.manycore.execute.pointers import prefetch

LINE = 16
"""Synapses whose weights share a line of the cache (64 bytes of float32)."""

NEAR = 1 << 17
"""Synapses of a projection whose rows a second-level cache holds (of 1 MiB and more): nothing is asked for ahead."""

_jit = numba.njit(cache=True, error_model="numpy", nogil=True)


@_jit
def add(x, y):  # type: ignore[no-untyped-def]
    for k in range(x.size):
        x[k] += y[k]


@_jit
def leak(v, i, a, b, c):  # type: ignore[no-untyped-def]
    for k in range(v.size):
        v[k] = a[k] * v[k] + b[k] * i[k] + c[k]


@_jit
def leak_where(v, i, a, b, c, go):  # type: ignore[no-untyped-def]
    for k in range(v.size):
        moved = a[k] * v[k] + b[k] * i[k] + c[k]
        v[k] = moved if go[k] else v[k]


@_jit
def leak_on_grid(v, i, a, b, c, grid, go, masked):  # type: ignore[no-untyped-def]
    """The decayed membrane is cut towards zero to multiples of the grid before anything is added."""
    inverse = 1 / grid
    if masked:
        for k in range(v.size):
            moved = np.trunc(a[k] * v[k] * inverse) * grid + b[k] * i[k] + c[k]
            v[k] = moved if go[k] else v[k]
    else:
        for k in range(v.size):
            v[k] = np.trunc(a[k] * v[k] * inverse) * grid + b[k] * i[k] + c[k]


@_jit
def filter_input(i, x, a, b):  # type: ignore[no-untyped-def]
    for k in range(i.size):
        i[k] = a[k] * i[k] + b[k] * x[k]


@_jit
def filter_where(i, x, a, b, go):  # type: ignore[no-untyped-def]
    for k in range(i.size):
        moved = a[k] * i[k] + b[k] * x[k]
        i[k] = moved if go[k] else i[k]


@_jit
def clamp(v, low):  # type: ignore[no-untyped-def]
    for k in range(v.size):
        v[k] = max(v[k], low)


@_jit
def defer(x, pending, go, smallest):  # type: ignore[no-untyped-def]
    """Keeps inputs smaller than `smallest` for later; go: 1 where the neuron is updated. Returns how many are not."""
    skipped = 0
    for k in range(x.size):
        total = x[k] + pending[k]
        late = abs(total) < smallest
        go[k] = not late
        pending[k] = total if late else 0
        x[k] = 0 if late else total
        skipped += late
    return skipped


@_jit
def raise_threshold(out, threshold, b, h):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = threshold[k] + b[k] * h[k]


@_jit
def compare(count, v, threshold, at_least):  # type: ignore[no-untyped-def]
    if at_least:
        for k in range(v.size):
            count[k] = v[k] >= threshold[k]
    else:
        for k in range(v.size):
            count[k] = v[k] > threshold[k]


@_jit
def compare_signed(count, v, threshold, sign, at_least):  # type: ignore[no-untyped-def]
    if at_least:
        for k in range(v.size):
            count[k] = (sign[k] != 0) & (sign[k] * v[k] >= sign[k] * threshold[k])
    else:
        for k in range(v.size):
            count[k] = (sign[k] != 0) & (sign[k] * v[k] > sign[k] * threshold[k])


@_jit
def multiply(count, v, threshold, sign, at_least, limit):  # type: ignore[no-untyped-def]
    """Where a neuron fires: how many thresholds its membrane holds, at most `limit` (0: no limit)."""
    for k in range(v.size):
        if count[k] != 0 and threshold[k] > 0 and sign[k] > 0:
            held = v[k] / threshold[k]
            many = np.floor(held) if at_least else np.ceil(held) - 1
            many = max(many, 1)
            count[k] = min(many, limit) if limit > 0 else many


@_jit
def reset_to_value(v, count, value):  # type: ignore[no-untyped-def]
    for k in range(v.size):
        v[k] = value[k] if count[k] != 0 else v[k]


@_jit
def reset_by_subtraction(v, count, threshold):  # type: ignore[no-untyped-def]
    for k in range(v.size):
        v[k] = v[k] - count[k] * threshold[k] if count[k] != 0 else v[k]


@_jit
def adapt(h, count, a):  # type: ignore[no-untyped-def]
    for k in range(h.size):
        h[k] = a[k] * h[k] + (count[k] != 0)


@_jit
def hold(count, go):  # type: ignore[no-untyped-def]
    for k in range(count.size):
        count[k] = count[k] if go[k] else 0


@_jit
def wait(waiting, count, steps):  # type: ignore[no-untyped-def]
    """Counts down the steps a neuron still rests and sends those that fired to rest."""
    for k in range(count.size):
        rest = max(waiting[k] - 1, 0)
        waiting[k] = steps if count[k] != 0 else rest


@_jit
def collect(index, count):  # type: ignore[no-untyped-def]
    """Writes the positions where count is not zero into index; returns how many. Looks at eight at a time first."""
    m, k = 0, 0
    while k + 8 <= count.size:
        if (
            (count[k] != 0) | (count[k + 1] != 0) | (count[k + 2] != 0) | (count[k + 3] != 0)
            | (count[k + 4] != 0) | (count[k + 5] != 0) | (count[k + 6] != 0) | (count[k + 7] != 0)
        ):  # fmt: skip
            for j in range(k, k + 8):
                index[m] = j
                m += count[j] != 0
        k += 8
    for j in range(k, count.size):
        if count[j] != 0:
            index[m] = j
            m += 1
    return m


@_jit
def awake(go, due, waiting):  # type: ignore[no-untyped-def]
    for k in range(go.size):
        go[k] = due[k] & (waiting[k] <= 0)


@_jit
def guard(v, count, above, threshold):  # type: ignore[no-untyped-def]
    """Gives back what was taken from a neuron above its threshold unless it fires."""
    for k in range(v.size):
        taken = count[k] - above[k]
        v[k] = v[k] - taken * threshold[k] if taken != 0 else v[k]


@_jit
def izhikevich(v, u, x, par, count, go, masked, dt):  # type: ignore[no-untyped-def]
    a, b, c, d, peak = par[0], par[1], par[2], par[3], par[4]
    half = dt / 2
    for k in range(v.size):
        w = v[k]
        w = w + half * (0.04 * w * w + 5 * w + 140 - u[k] + x[k])
        w = w + half * (0.04 * w * w + 5 * w + 140 - u[k] + x[k])
        r = u[k] + dt * a[k] * (b[k] * w - u[k])
        if masked and not go[k]:
            w, r = v[k], u[k]
        fired = w >= peak[k] and (go[k] or not masked)
        v[k] = c[k] if fired else w
        u[k] = r + d[k] if fired else r
        count[k] = fired


@_jit
def scatter(acc, first, last, indptr, index, weight, fired, value, count):  # type: ignore[no-untyped-def]
    """acc[target] += weight value for the rows of the neurons in fired[:count]; returns the number of synapses.

    Rows lie anywhere in memory, so while one is added the next is asked for, a line of the cache at a time.
    Positions without a sign spare the question whether they count from the end: a fifth of the time.
    """
    part = acc[first:last]
    events = 0
    far = weight.size > NEAR
    for s in range(count):
        i = fired[s]
        z = value[i]
        a, b = indptr[i], indptr[i + 1]
        events += b - a
        if far:
            ahead, end = _next_row(indptr, fired, s, count)
            while a + LINE <= b:
                if ahead < end:
                    prefetch(index, ahead)
                    prefetch(weight, ahead)
                    ahead += LINE
                for j in range(a, a + LINE):
                    at = np.uint64(j)
                    part[index[at]] += weight[at] * z
                a += LINE
            while ahead < end:
                prefetch(index, ahead)
                prefetch(weight, ahead)
                ahead += LINE
        for j in range(a, b):
            at = np.uint64(j)
            part[index[at]] += weight[at] * z
    return events


@_jit
def _next_row(indptr, fired, s, count):  # type: ignore[no-untyped-def]
    if s + 1 < count:
        return indptr[fired[s + 1]], indptr[fired[s + 1] + 1]
    return 0, 0


@_jit
def scatter_runs(acc, first, last, indptr, index, weight, fired, value, count):  # type: ignore[no-untyped-def]
    """The same where the targets of every row follow each other without a gap."""
    part = acc[first:last]
    events = 0
    for s in range(count):
        i = fired[s]
        z = value[i]
        a, b = indptr[i], indptr[i + 1]
        if b > a:
            to = part[index[a] : index[a] + (b - a)]
            row = weight[a:b]
            for j in range(to.size):
                to[j] += row[j] * z
            events += b - a
    return events


@_jit
def scatter_delays(  # type: ignore[no-untyped-def]
    acc, offset, size, depth, now, indptr, index, weight, delay, fired, value, count
):
    """The same where every synapse has a delay of its own into a ring of `depth` slots."""
    ring = acc[offset : offset + size * depth]
    events = 0
    for s in range(count):
        i = fired[s]
        z = value[i]
        a, b = indptr[i], indptr[i + 1]
        events += b - a
        ahead, end = _next_row(indptr, fired, s, count)
        while a < b:
            if ahead < end:
                prefetch(index, ahead)
                prefetch(weight, ahead)
                prefetch(delay, ahead)
                ahead += LINE
            for j in range(a, min(a + LINE, b)):
                at = np.uint64(j)
                slot = now + delay[at]
                slot = slot - depth if slot >= depth else slot
                ring[np.uint64(slot * size + index[at])] += weight[at] * z
            a += LINE
    return events
