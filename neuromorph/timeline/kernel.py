"""The max-plus recursion over flat tables, compiled by numba. Imported only where it runs, since numba loads slowly.

Stages are numbered by their place in a topological order. `stage`, `inward` and `outward` are int64 tables with a row
per stage, per incoming edge (grouped by target) and per bounded outgoing edge (grouped by source); the columns are
named below. Times are flat arrays; those of a stage begin at its BASE, sample by sample, token by token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

# Columns of `stage` (K, 16): tokens per sample, where its times begin, its server, whether it is an entry, the rows of
# its incoming and bounded outgoing edges, its targets in `reader`, where its services begin and how far apart they are
# by sample and by token, and the static order of its server in `order` (empty for a server of one stage).
TOKENS, BASE, SERVER, ENTRY, IN, IN_END, OUT, OUT_END, READ, READ_END = range(10)
SERVICE, PER_SAMPLE, PER_TOKEN, ORDER, ORDER_END = range(10, 15)
STAGE_COLUMNS = 16
# Columns of `inward` (E, 8): source, its tokens and base, where the edge's counts begin in `need`, whether bounded.
SOURCE, SOURCE_TOKENS, SOURCE_BASE, NEED, BOUNDED = range(5)
INWARD_COLUMNS = 8
# Columns of `outward` (B, 8): target, its tokens and base, when it gives places back, where the edge begins in `frees`
# (for each source token the first target token that discards it), and the source token (sample, token) that must be
# discarded before the next one may depart; a negative sample means that there is room.
TARGET, TARGET_TOKENS, TARGET_BASE, RELEASE, FREES, ROOM_SAMPLE, ROOM_TOKEN = range(7)
OUTWARD_COLUMNS = 8
# Columns of `state` (K, 4): tokens started and departed, and sample and token number of the next to depart.
STARTED, DEPARTED, SAMPLE, TOKEN = range(4)
STATE_COLUMNS = 4

# Rows of `times` (3, tokens of all stages and samples) in `_waves`, as AT_START, AT_FINISH and AT_DEPART count.
AT_START, AT_FINISH, AT_DEPART = range(3)

SKEW = 32
"""Stages, and rounds, of a block of the sweep: what they touch stays in a first-level cache (best of 16, 32, 64)."""

LANES = 32
"""Samples that follow each other closely in `_waves` (8 to 64 were tried; 32 is within 5 % of the best of them)."""


def _evaluate(samples: int, arrivals: np.ndarray, tables: Any, work: Any) -> None:
    """Sweep over the stages in topological order, advancing each as far as its inputs are known, until none moves.

    Only stages whose neighbours have moved are looked at. With buffers of c places along a line, a round over a block
    of stages takes each c tokens further; the block then moves one stage back, since its last stage needs news from
    the stage behind it, and after SKEW rounds the next block follows (time skewing, for the cache's sake).
    Ends when all tokens have departed or none can: then state[s, DEPARTED] < tokens * samples for some stage.
    One function on purpose: numba counts references to every array handed on inside the loop, at ten times the cost.
    """
    stage, inward, lag, need, outward, frees, reader, service, order, servers = tables
    start, finish, depart, state = work
    count = stage.shape[0]
    due = np.ones(count, dtype=np.bool_)
    free = np.zeros(servers.size)
    turn = servers.copy()
    low, last = 0, count - 1  # places that became due behind the current block: the span of the next pass
    corner, high, shift = 0, -SKEW, SKEW - 1  # a pass that is over
    place, stop = 0, 0
    while True:
        if place >= stop:  # the round is over
            shift += 1
            if shift == SKEW:  # the block is over
                shift = 0
                corner += SKEW
                if corner >= high + SKEW:  # the pass is over
                    if last < 0:
                        break
                    corner, high, low, last = low, last + 1, count, -1
            place = max(corner - shift, 0)
            stop = min(corner - shift + SKEW, count)
            continue
        s = place
        place += 1
        if not due[s]:
            continue
        due[s] = False
        base, server, tokens, entry = stage[s, BASE], stage[s, SERVER], stage[s, TOKENS], stage[s, ENTRY] == 1
        in_begin, in_end, out_begin, out_end = stage[s, IN], stage[s, IN_END], stage[s, OUT], stage[s, OUT_END]
        service_at, per_sample, per_token = stage[s, SERVICE], stage[s, PER_SAMPLE], stage[s, PER_TOKEN]
        shared = stage[s, ORDER_END] > stage[s, ORDER]
        g, started, free_s = state[s, DEPARTED], state[s, STARTED], free[server]
        i, n = state[s, SAMPLE], state[s, TOKEN]
        departed_before, started_before = g, started
        while i < samples:
            if started == g:
                if shared and order[turn[server]] != s:
                    break
                t = free_s
                if entry and arrivals[i] > t:
                    t = arrivals[i]
                known = True
                for e in range(in_begin, in_end):
                    k = need[inward[e, NEED] + n]
                    if k > 0:
                        j = i * inward[e, SOURCE_TOKENS] + k - 1
                        known = j < state[inward[e, SOURCE], DEPARTED]
                        if not known:
                            break
                        t = max(t, depart[inward[e, SOURCE_BASE] + j] + lag[e])
                if not known:
                    break
                start[base + g] = t
                t += service[service_at + i * per_sample + n * per_token]
                finish[base + g] = t
                started = g + 1
            else:
                t = finish[base + g]
            known = True
            for e in range(out_begin, out_end):
                if outward[e, ROOM_SAMPLE] >= 0:
                    r = outward[e, TARGET]
                    j = frees[outward[e, FREES] + outward[e, ROOM_TOKEN]]
                    j += outward[e, ROOM_SAMPLE] * outward[e, TARGET_TOKENS]
                    at = outward[e, TARGET_BASE] + j
                    if outward[e, RELEASE] == AT_DEPART:
                        known = j < state[r, DEPARTED]
                        a = depart[at]
                    else:
                        known = j < state[r, STARTED]
                        a = finish[at] if outward[e, RELEASE] == AT_FINISH else start[at]
                    if not known:
                        break
                    t = max(t, a)
            if not known:
                break
            depart[base + g] = t
            free_s = t
            for e in range(out_begin, out_end):
                outward[e, ROOM_TOKEN] += 1
                if outward[e, ROOM_TOKEN] == tokens:
                    outward[e, ROOM_TOKEN] = 0
                    outward[e, ROOM_SAMPLE] += 1
            if shared:
                turn[server] = turn[server] + 1 if turn[server] + 1 < stage[s, ORDER_END] else stage[s, ORDER]
            g += 1
            n += 1
            if n == tokens:
                n = 0
                i += 1
        state[s, DEPARTED], state[s, STARTED], free[server] = g, started, free_s
        state[s, SAMPLE], state[s, TOKEN] = i, n
        if g > departed_before:
            for e in range(stage[s, READ], stage[s, READ_END]):  # targets have new inputs
                due[reader[e]] = True
                high = max(high, reader[e] + 1)
            if shared:  # the server is free for the next in turn
                r = order[turn[server]]
                due[r] = True
                if r > s:
                    high = max(high, r + 1)
                else:
                    low, last = min(low, r), max(last, r)
        if g > departed_before or started > started_before:
            for e in range(in_begin, in_end):  # sources have room
                if inward[e, BOUNDED] == 1:
                    r = inward[e, SOURCE]
                    due[r] = True
                    low, last = min(low, r), max(last, r)


def _waves(samples: int, arrivals: np.ndarray, tables: Any, times: np.ndarray, state: np.ndarray) -> None:
    """The same where every stage has one token a sample and a server of its own.

    Each time then depends on earlier stages of its sample and on earlier samples only, so samples can be computed one
    after another, stage by stage, without asking whether what a time depends on is known, and every token departs.
    LANES samples go through the stages together, each `behind` stages after the one before it, so that whoever frees
    a place within LANES samples has been there. Their times are neighbours in memory, and as they do not wait for each
    other, a processor works on several at once.
    """
    stage, inward, lag, need, outward, service = tables
    count, total = stage.shape[0], times.size // 3
    flat = times.reshape(times.size)
    at_finish, at_depart = total, 2 * total
    edge_of, source, delay = np.zeros(count + 1, np.int64), np.empty(lag.size, np.int64), np.empty(lag.size)
    room_of, room, freed = np.zeros(count + 1, np.int64), np.empty_like(outward[:, 0]), np.empty_like(outward[:, 0])
    behind, edges = 1, 0
    for s in range(count):
        for e in range(stage[s, IN], stage[s, IN_END]):
            if need[inward[e, NEED]] > 0:
                source[edges], delay[edges] = at_depart + inward[e, SOURCE_BASE], lag[e]
                edges += 1
        edge_of[s + 1], room_of[s + 1] = edges, stage[s, OUT_END]
        for e in range(stage[s, OUT], stage[s, OUT_END]):
            room[e] = -outward[e, ROOM_SAMPLE]
            freed[e] = outward[e, RELEASE] * total + outward[e, TARGET_BASE] - room[e]
            if room[e] < LANES:
                behind = max(behind, outward[e, TARGET] - s)
    for first in range(0, samples, LANES):
        lanes = min(LANES, samples - first)
        for wave in range(count + (lanes - 1) * behind):
            for lane in range(max(0, (wave - count) // behind + 1), min(lanes, wave // behind + 1)):
                s, i = wave - lane * behind, first + lane
                at = stage[s, BASE] + i
                t = flat[at_depart + at - 1] if i > 0 else 0.0
                if stage[s, ENTRY] == 1:
                    t = max(t, arrivals[i])
                for e in range(edge_of[s], edge_of[s + 1]):
                    t = max(t, flat[source[e] + i] + delay[e])
                flat[at] = t
                t += service[stage[s, SERVICE] + i * stage[s, PER_SAMPLE]]
                flat[at_finish + at] = t
                for e in range(room_of[s], room_of[s + 1]):
                    if i >= room[e]:
                        t = max(t, flat[freed[e] + i])
                flat[at_depart + at] = t
    state[:, STARTED] = state[:, DEPARTED] = state[:, SAMPLE] = samples


def compiled(function: Callable[..., Any]) -> Any:
    """Compiled, and kept on disk where numba finds a folder that it may write to."""
    try:
        return numba.njit(cache=True)(function)
    except RuntimeError:
        return numba.njit(function)


evaluate, waves = compiled(_evaluate), compiled(_waves)


def run(
    samples: int, arrivals: np.ndarray, tables: tuple[np.ndarray, ...], times: np.ndarray, state: np.ndarray
) -> None:
    """Fills in times (3, tokens) and state. tables: as `_evaluate` takes them.

    Compiles in memory where the cache folder cannot be written or read after all.
    """
    global evaluate, waves
    stage, inward, lag, need, outward, _, _, service, order, _ = tables
    if order.size == 0 and (stage[:, TOKENS] == 1).all():
        few = stage, inward, lag, need, outward, service
        try:
            waves(samples, arrivals, few, times, state)
        except (OSError, EOFError):  # full disk, truncated cache file: raised before the loop runs
            waves = numba.njit(_waves)
            waves(samples, arrivals, few, times, state)
        return
    work = (*times, state)
    try:
        evaluate(samples, arrivals, tables, work)
    except (OSError, EOFError):
        evaluate = numba.njit(_evaluate)
        evaluate(samples, arrivals, tables, work)
