"""Pair STDP in the order in which a SpiNNaker core does it: a row is brought up to date when its pre spike arrives.

A synapse with delay d sees a post spike of step s at step s + d (the delay is dendritic) and a pre spike of step t at
t. At a pre spike, the post spikes seen since the row's last pre spike act one after the other, then the pre spike
itself, then the weight is sent to arrive at t + d. A pair seen in the same step changes nothing. A post spike in the
step of a pre spike without delay, which goes through the cores only afterwards, is seen by the next update of the row.
What happens after a row's last pre spike never enters its weights. Order as in the synapse dynamics of sPyNNaker
(basis: assumed, from memory; there a pair in the same step also hides the older part of the trace, which it does not
here).
"""

from __future__ import annotations

import numba
import numpy as np

from neuromorph.devices.manycore.execute import layout as c
from neuromorph.devices.manycore.execute.rules import (
    A_MINUS,
    A_PLUS,
    MULTIPLICATIVE,
    NEAREST,
    REWARD,
    TO_ELIGIBILITY,
    TO_MINUS,
    TO_PLUS,
    W_MAX,
    W_MIN,
)

_jit = numba.njit(cache=True, error_model="numpy", nogil=True)


@_jit
def full(learn, widest):  # type: ignore[no-untyped-def]
    """Whether the history of some projection may not hold another step."""
    step, events = learn[10], learn[13]
    return events.size > 0 and events.max() + widest > step.shape[1]


@_jit
def remember(row, t, learn, fired, count):  # type: ignore[no-untyped-def]
    """Post spikes of step t enter the history of a plastic projection."""
    _, tables, _, _, _, _, _, _, _, head, step, trace, before, events, _, _ = learn
    r, first = row[c.PLASTIC], row[c.LEARN_TARGETS]
    nearest = learn[0][r, NEAREST] != 0
    for s in range(count):
        last = head[first + fired[s]]
        e = events[r]
        old = 0.0 if last < 0 or nearest else trace[r, last] * tables[r, TO_MINUS, t - step[r, last]]
        step[r, e], trace[r, e], before[r, e] = t, old + 1, last
        head[first + fired[s]] = e
        events[r] = e + 1


@_jit
def scatter_plastic(row, to, t, acc, learn, indptr, index, delay, fired, value, count):  # type: ignore[no-untyped-def]
    """Brings the rows of the neurons in fired[:count] up to date and sends their weights; returns the synapses."""
    _, tables, _, _, weight, _, seen, after, ahead, _, _, _, _, _, _, _ = learn
    r, size, depth = row[c.PLASTIC], to[c.SIZE], to[c.DEPTH]
    nearest = learn[0][r, NEAREST] != 0
    synapses = 0
    for s in range(count):
        i = fired[s]
        a, b = indptr[i], indptr[i + 1]
        synapses += b - a
        n = row[c.LEARN_SOURCES] + i
        for j in range(a, b):
            _bring_up_to_date(row, t, learn, n, row[c.LEARN_SYNAPSES] + j, row[c.LEARN_TARGETS] + index[j], delay[j])
            slot = (t + delay[j]) % depth
            sent = weight[row[c.LEARN_SYNAPSES] + j]
            if to[c.FORMAT] != c.FLOATING:
                sent = np.rint(sent)
                slot += depth if to[c.FORMAT] == c.SPINNAKER and sent < 0 else 0
                sent = abs(sent) if to[c.FORMAT] == c.SPINNAKER else sent
            place = to[c.ACC] + slot * size + index[j]
            acc[place] += sent * value[i]
            if row[c.HIGH] > 0:
                acc[place] = min(acc[place], row[c.HIGH])
        old = 0.0 if seen[n] < 0 else after[n] * tables[r, TO_PLUS, t - seen[n]]
        ahead[n], after[n], seen[n] = old, (1.0 if nearest else old + 1), t
    return synapses


@_jit
def _bring_up_to_date(row, t, learn, n, j, target, delay):  # type: ignore[no-untyped-def]
    """One synapse j at the pre spike of step t: the post spikes since the last one in order, then the pre spike."""
    numbers, tables, _, _, _, _, seen, after, ahead, head, step, trace, before, _, stack, changes = learn
    r = row[c.PLASTIC]
    last = seen[n]
    lag = delay if delay > 0 else 1  # without delay the post spikes of this very step are not known yet
    event, many, post = head[target], 0, -1
    while event >= 0 and step[r, event] > t - lag:
        event = before[r, event]
    post = event
    while event >= 0 and last >= 0 and step[r, event] > last - lag:
        stack[many] = event
        many += 1
        event = before[r, event]
    now = last
    for m in range(many - 1, -1, -1):
        at = step[r, stack[m]] + delay
        x = after[n] * tables[r, TO_PLUS, at - last] if at > last else ahead[n]
        now = _change(r, learn, j, last, now, at, numbers[r, A_PLUS] * x, True)
        changes[r] += x > 0
    while post >= 0 and step[r, post] + delay >= t:
        post = before[r, post]
    x = 0.0 if post < 0 else trace[r, post] * tables[r, TO_MINUS, t - delay - step[r, post]]
    _change(r, learn, j, last, now, t, numbers[r, A_MINUS] * x, False)
    changes[r] += x > 0


@_jit
def _change(r, learn, j, last, since, now, amount, up):  # type: ignore[no-untyped-def]
    """Potentiates or depresses synapse j at step `now`; returns `now`.

    Its eligibility is that of step `since`, whose third factor has acted only if it is `last`, that of the pre spike.
    """
    numbers, _, modulator, _, weight, eligible = learn[:6]
    low, high = numbers[r, W_MIN], numbers[r, W_MAX]
    if numbers[r, REWARD] != 0 and since >= 0 and now > since:
        _reward(r, learn, j, since, now, since + 1 if since == last else since)
    if numbers[r, MULTIPLICATIVE] != 0:
        amount *= high - weight[j] if up else weight[j] - low
    amount = amount if up else -amount
    if numbers[r, REWARD] != 0:
        eligible[j] += amount
        if not up and modulator[now] != 0:  # the pre spike is the last of its step
            weight[j] = min(max(weight[j] + eligible[j] * modulator[now], low), high)
    else:
        weight[j] = min(max(weight[j] + amount, low), high)
    return now


@_jit
def _reward(r, learn, j, since, now, first):  # type: ignore[no-untyped-def]
    """Lets the third factor of the steps first..now - 1 act, and decays the eligibility from `since` until `now`."""
    numbers, tables, modulator, acting, weight, eligible = learn[:6]
    if eligible[j] != 0:
        m = np.searchsorted(acting, first)
        while m < acting.size and acting[m] < now:
            held = eligible[j] * tables[r, TO_ELIGIBILITY, acting[m] - since]
            weight[j] = min(max(weight[j] + held * modulator[acting[m]], numbers[r, W_MIN]), numbers[r, W_MAX])
            m += 1
        eligible[j] *= tables[r, TO_ELIGIBILITY, now - since]
