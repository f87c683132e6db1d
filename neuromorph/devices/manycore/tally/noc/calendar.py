"""A calendar queue for compiled code: events in buckets of time, taken out in the order of their times.

A ring of buckets covers a window from the bucket at hand on; later events wait in its last bucket and are put back
until their turn comes. Buckets hold a few events and are sorted when they are reached (R. Brown, Calendar queues, CACM
31, 1988).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuromorph.compiled import part

BUCKETS = 1 << 13
at = np.uint64
"""Of a position that is never negative: compiled code need not ask whether it counts from the end."""

FREE, HELD, NOW, FULL = 0, 1, 2, 3


class Calendar(NamedTuple):
    """event: (events, 4) time, and three numbers of the user; following: next event of a bucket or of the free list;
    head: (BUCKETS,) first event of each bucket, -1 none; taken: room for the events of one bucket; state: the first
    free event, events held, the bucket at hand, 1 where an event found no room; scale: (1,) buckets per second."""

    event: np.ndarray
    following: np.ndarray
    head: np.ndarray
    taken: np.ndarray
    state: np.ndarray
    scale: np.ndarray


def calendar(events: int) -> Calendar:
    """An empty calendar with room for `events`."""
    following = np.arange(1, events + 1, dtype=np.int32)
    following[-1] = -1
    return Calendar(
        np.zeros((events, 4)),
        following,
        np.full(BUCKETS, -1, np.int32),
        np.empty(events, np.int32),
        np.zeros(4, np.int64),
        np.ones(1),
    )


@part
def restart(c: Calendar, width_s: float) -> None:
    """Sets an empty calendar to time 0, with buckets of this length."""
    c.state[NOW] = 0
    c.scale[0] = 1.0 / width_s


@part
def _enter(c: Calendar, e: int) -> None:
    now = c.state[NOW]
    k = max(int(min(c.event[at(e), 0] * c.scale[0], 4e18)), now)
    slot = min(k, now + BUCKETS - 1) & (BUCKETS - 1)
    c.following[at(e)] = c.head[at(slot)]
    c.head[at(slot)] = e


@part
def push(c: Calendar, time_s: float, x: float, a: int, b: int) -> None:
    """Adds an event (time, x, a, b); state[FULL] tells where there was no room."""
    e = c.state[FREE]
    if e < 0:
        c.state[FULL] = 1
        return
    c.state[FREE] = c.following[at(e)]
    c.event[at(e), 0], c.event[at(e), 1], c.event[at(e), 2], c.event[at(e), 3] = time_s, x, a, b
    c.state[HELD] += 1
    _enter(c, e)


@part
def take(c: Calendar) -> int:
    """Moves to the next bucket with events that are due and takes them out into `taken`, sorted by time.

    Returns how many; 0: the calendar is empty. Each must be given back with `release`.
    """
    while c.state[HELD] > 0:
        slot = c.state[NOW] & (BUCKETS - 1)
        e = c.head[at(slot)]
        if e < 0:
            c.state[NOW] += 1
            continue
        c.head[at(slot)] = -1
        n = 0
        end = np.float64(c.state[NOW] + 1)
        while e >= 0:
            following = c.following[at(e)]
            time = c.event[at(e), 0]
            if time * c.scale[0] >= end:
                _late(c, e)
            else:
                k = n
                while k > 0 and c.event[at(c.taken[at(k - 1)]), 0] >= time:  # the list has the latest first
                    c.taken[at(k)] = c.taken[at(k - 1)]
                    k -= 1
                c.taken[at(k)] = e
                n += 1
            e = following
        if n > 0:
            return n
        c.state[NOW] += 1
    return 0


@part
def _late(c: Calendar, e: int) -> None:
    """Puts an event back whose bucket lies beyond the window."""
    k = int(min(c.event[at(e), 0] * c.scale[0], 4e18))
    slot = min(max(k, c.state[NOW] + 1), c.state[NOW] + BUCKETS - 1) & (BUCKETS - 1)
    c.following[at(e)] = c.head[at(slot)]
    c.head[at(slot)] = e


@part
def release(c: Calendar, e: int) -> None:
    """Gives the room of a taken event back."""
    c.following[at(e)] = c.state[FREE]
    c.state[FREE] = e
    c.state[HELD] -= 1


@part
def empty(c: Calendar) -> None:
    """Takes out all events, wherever they are."""
    for slot in range(c.head.size):
        while c.head[at(slot)] >= 0:
            e = c.head[at(slot)]
            c.head[at(slot)] = c.following[at(e)]
            release(c, e)
