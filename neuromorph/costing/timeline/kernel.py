"""The max-plus recursion as one flat loop, compiled with numba where it is used.

`evaluate` is plain Python over arrays, so it also runs (slowly) without a compiler. `run` compiles it once a process,
keeping the machine code on disk where the disk allows that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

SKEW = 32
"""Stages, and rounds, of a block of the sweep: what they touch stays in a first-level cache (best of 16, 32, 64)."""


class Layout(NamedTuple):
    """A pipeline as flat int64 and float64 arrays. K stages, E edges, S servers; edge lists are in CSR form.

    tokens, first, server, entry: (K,) tokens per sample, tokens of all stages before, server, 1 for entries.
    in_*: incoming edges by target; in_need points into `need`. out_*: bounded outgoing edges by source; out_frees
    points into `frees`, which gives for each source token the first target token that discards it.
    service: all times; that of token n, sample i, stage s is at service_at[s] + i * per_sample + n * per_token.
    reader: the targets of each stage, as places in the topological order; rank: the place of each stage.
    order_*: the static order of servers that have one, as one stage per token of a sample.
    """

    tokens: np.ndarray
    first: np.ndarray
    server: np.ndarray
    entry: np.ndarray
    in_ptr: np.ndarray
    in_source: np.ndarray
    in_need: np.ndarray
    in_lag: np.ndarray
    in_bounded: np.ndarray
    need: np.ndarray
    out_ptr: np.ndarray
    out_target: np.ndarray
    out_release: np.ndarray
    out_frees: np.ndarray
    frees: np.ndarray
    reader_ptr: np.ndarray
    reader: np.ndarray
    service: np.ndarray
    service_at: np.ndarray
    per_sample: np.ndarray
    per_token: np.ndarray
    order_ptr: np.ndarray
    order: np.ndarray
    topological: np.ndarray
    rank: np.ndarray


class Work(NamedTuple):
    """What the recursion fills in: times (all tokens,), tokens started and departed (K,), room per bounded edge.

    room_sample, room_token: the source token (sample, token) that must be discarded before the next one may depart;
    a negative sample means that there is room.
    """

    start: np.ndarray
    finish: np.ndarray
    depart: np.ndarray
    started: np.ndarray
    departed: np.ndarray
    room_sample: np.ndarray
    room_token: np.ndarray


def evaluate(layout: Layout, work: Work, samples: int, arrivals: np.ndarray) -> None:
    """Sweep over the stages in topological order, advancing each as far as its inputs are known, until none moves.

    Only stages whose neighbours have moved are looked at. With buffers of c places along a line, a round over a block
    of stages takes each c tokens further; the block then moves one stage back, since its last stage needs news from
    the stage behind it, and after SKEW rounds the next block follows (time skewing, for the cache's sake).
    Ends when all tokens have departed or none can: then departed[s] < tokens[s] * samples for some stage.
    """
    # Unpacked once: reaching through the tuples inside the loop would count references at every access.
    (
        token_count,
        first,
        server,
        is_entry,
        in_ptr,
        in_source,
        in_need,
        in_lag,
        in_bounded,
        need,
        out_ptr,
        out_target,
        out_release,
        out_frees,
        frees,
        reader_ptr,
        reader,
        service,
        service_offset,
        sample_step,
        token_step,
        order_ptr,
        order,
        topological,
        rank,
    ) = layout
    (
        start,
        finish,
        depart,
        started_count,
        departed,
        room_sample,
        room_token,
    ) = work
    count = token_count.size
    due = np.ones(count, dtype=np.bool_)  # by place in the topological order, like low, high and place
    low, last = 0, count - 1  # places that became due behind the current block: the span of the next pass
    free = np.zeros(order_ptr.size - 1)
    turn = order_ptr[:-1].copy()
    sample = np.zeros(count, dtype=np.int64)
    token = np.zeros(count, dtype=np.int64)
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
        if not due[place]:
            place += 1
            continue
        due[place] = False
        s = topological[place]
        place += 1
        tokens, base, v, entry = token_count[s], first[s] * samples, server[s], is_entry[s] == 1
        in_lo, in_hi, out_lo, out_hi = in_ptr[s], in_ptr[s + 1], out_ptr[s], out_ptr[s + 1]
        service_at, per_sample, per_token = service_offset[s], sample_step[s], token_step[s]
        shared = order_ptr[v + 1] > order_ptr[v]
        g, i, n, server_time = departed[s], sample[s], token[s], free[v]
        departed_before = g
        started = started_count[s]
        started_before = started
        while i < samples:
            if started == g:
                if shared and order[turn[v]] != s:
                    break
                t = server_time
                if entry and arrivals[i] > t:
                    t = arrivals[i]
                known = True
                for e in range(in_lo, in_hi):
                    k = need[in_need[e] + n]
                    if k > 0:
                        u = in_source[e]
                        j = i * token_count[u] + k - 1
                        if j >= departed[u]:
                            known = False
                            break
                        a = depart[first[u] * samples + j] + in_lag[e]
                        if a > t:
                            t = a
                if not known:
                    break
                start[base + g] = t
                t += service[service_at + i * per_sample + n * per_token]
                finish[base + g] = t
                started = g + 1
            else:
                t = finish[base + g]
            known = True
            for e in range(out_lo, out_hi):
                if room_sample[e] >= 0:
                    r = out_target[e]
                    j = room_sample[e] * token_count[r] + frees[out_frees[e] + room_token[e]]
                    at = first[r] * samples + j
                    if out_release[e] == 2:
                        known = j < departed[r]
                        a = depart[at]
                    else:
                        known = j < started_count[r]
                        a = finish[at] if out_release[e] == 1 else start[at]
                    if not known:
                        break
                    if a > t:
                        t = a
            if not known:
                break
            depart[base + g] = t
            server_time = t
            for e in range(out_lo, out_hi):
                if room_token[e] + 1 == tokens:
                    room_token[e] = 0
                    room_sample[e] += 1
                else:
                    room_token[e] += 1
            if shared:
                turn[v] = turn[v] + 1 if turn[v] + 1 < order_ptr[v + 1] else order_ptr[v]
            g += 1
            n += 1
            if n == tokens:
                n = 0
                i += 1
        free[v], sample[s], token[s], departed[s], started_count[s] = server_time, i, n, g, started
        if g > departed_before:
            # Targets have new inputs; the stage whose turn it is now has a server.
            for e in range(reader_ptr[s], reader_ptr[s + 1] + 1):
                if e < reader_ptr[s + 1]:
                    r = reader[e]
                elif shared:
                    r = rank[order[turn[v]]]
                else:
                    break
                due[r] = True
                if r >= place:
                    high = max(high, r + 1)
                else:
                    low, last = min(low, r), max(last, r)
        if g > departed_before or started > started_before:
            for e in range(in_lo, in_hi):
                if in_bounded[e] == 1:
                    r = rank[in_source[e]]
                    due[r] = True
                    low, last = min(low, r), max(last, r)


@lru_cache(maxsize=2)
def _compiled(on_disk: bool) -> Callable[..., Any]:
    import numba

    if on_disk:
        try:
            return numba.njit(cache=True)(evaluate)
        except RuntimeError:  # numba finds no folder that it may write to
            pass
    return numba.njit(evaluate)


def run(layout: Layout, work: Work, samples: int, arrivals: np.ndarray) -> None:
    """`evaluate`, compiled. Falls back to compiling in memory where the cache folder can't be written or read."""
    try:
        _compiled(True)(layout, work, samples, arrivals)
    except (OSError, EOFError):  # full or vanished disk, truncated cache file: raised before the loop runs
        _compiled(False)(layout, work, samples, arrivals)
