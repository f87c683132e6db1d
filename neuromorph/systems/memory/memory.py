"""A content-addressable memory of spiking neurons: learn, recall from either side, forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.manycore.execute import EventEngine, EventRun
from neuromorph.errors import InputError
from neuromorph.events.raster import Raster
from neuromorph.spiking.arithmetic import Arithmetic
from neuromorph.systems.memory.wiring import STEP_S, memory_network

ASKED_AFTER, FOUND_AFTER = 5, 6
"""Steps from the first input to the output of what was asked with, and of what was recalled."""

LEARN, RECALL = 7, 7
"""Steps from the beginning of an operation to that of the next: 3 of input and 4 more, 1 of input and 6 of waiting."""

GAP = 10
"""Steps of rest after an operation: three time constants of plasticity."""

FORGET_CUE, FORGET_CONTENT, FORGET = (0, 3, 6), (5,), 13
"""Steps at which cue and content are told to make the memory forget them, and the length of that operation.

With these times every plastic synapse between the two sees its pre spikes shortly after post spikes, and the last pair
of each direction is such a one. Found by trying all patterns of up to three spikes each within 7 steps; it is not
published, where learning anew within the plastic window is what forgets.
"""


@dataclass(frozen=True, eq=False)
class Operation:
    """What was done: "learn", "recall" or "forget", the step it began at, the cues and contents told."""

    kind: str
    step: int
    cues: np.ndarray
    contents: np.ndarray


@dataclass(frozen=True, eq=False)
class Recall:
    """Answer to a fragment: cues (C,) and contents (K,) that came out, bool, both with the fragment's own part.

    asked_after, found_after: steps from the input to the outputs of the fragment and of what was recalled, None where
    nothing came.
    """

    cues: np.ndarray
    contents: np.ndarray
    asked_after: int | None
    found_after: int | None


class ContentMemory:
    """A memory of `cues` one-hot cues with contents of `contents` bits each (see `wiring`).

    Operations follow each other in one session of simulated time. Its learning is lazy as on the chip: weights change
    when a spike comes, so the spikes of the whole session are its state, and it is run again from its beginning for
    every answer. gap: steps of rest after each operation; 0 is the shortest published spacing. arithmetic: number
    format of the cores.

    Known limits of the model. Recall by cue is exact. Recall by content gives every cue that holds one of the bits, and
    is exact for memories of which no two share more than one bit, given a gap of 10: traces of an operation reach into
    one that follows sooner. Memories that share more bits become associated while they are learned, since lateral
    inhibition cancels one bit's drive only.
    """

    def __init__(self, cues: int, contents: int, gap: int = GAP, arithmetic: Arithmetic | None = None) -> None:
        self.network = memory_network(cues, contents)
        self.cues, self.contents, self.gap = cues, contents, gap
        self._engine = EventEngine(self.network, arithmetic)
        self._operations: list[Operation] = []
        self._held: set[int] = set()
        self._now = 0
        self.wait(gap)

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(self._operations)

    @property
    def steps(self) -> int:
        """Length of the session so far, in steps of 1 ms."""
        return self._now

    def wait(self, steps: int) -> None:
        """Lets time pass."""
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise InputError(f"a wait of {steps!r} steps", hint="a whole number, 0 or more")
        self._now += steps

    def learn(self, cue: int, content: Iterable[int]) -> None:
        """Associates a cue with the content bits of the given numbers; what the cue held before is forgotten first."""
        cues, contents = self._cue(cue), self._content(content)
        if cue in self._held:
            self.forget(cue)
        self._do("learn", cues, contents, LEARN)
        self._held.add(cue)

    def forget(self, cue: int) -> None:
        """Makes the memory forget a cue and its content, in both directions. The content is recalled first."""
        found = self.recall(cue=cue).contents
        for _ in range(2):  # once silences a recall, but leaves more than two spikes together need
            self._do("forget", self._cue(cue), found, FORGET)
        self._held.discard(cue)

    def recall(self, cue: int | None = None, content: Iterable[int] | None = None) -> Recall:
        """Recalls a memory by its cue, or all cues that hold any of the content bits. One of them must be given."""
        if (cue is None) == (content is None):
            raise InputError("a recall needs a cue or a content", hint="exactly one of both")
        cues = np.zeros(self.cues, bool) if cue is None else self._cue(cue)
        contents = np.zeros(self.contents, bool) if content is None else self._content(content)
        begun = self._now
        self._do("recall", cues, contents, RECALL)
        window = slice(begun + ASKED_AFTER, begun + FOUND_AFTER + 1)  # before it leaves what the last operation told
        out = [np.asarray(o[0, window] > 0) for o in self.run().outputs]
        asked, found = out if cue is not None else out[::-1]
        return Recall(np.any(out[0], axis=0), np.any(out[1], axis=0), _first(asked), _first(found))

    def complete(self, content: Iterable[int]) -> Mapping[int, np.ndarray]:
        """Whole contents (K,) bool by cue, of all memories that hold any of the content bits: first the cues are
        recalled, then the content of each."""
        found = np.flatnonzero(self.recall(content=content).cues)
        return {int(cue): self.recall(cue=int(cue)).contents for cue in found}

    def inputs(self) -> tuple[Raster, Raster]:
        """Spikes of the session into the cue and the content inputs."""
        told = [np.zeros((1, self._now + FOUND_AFTER, n), np.float32) for n in (self.cues, self.contents)]
        for o in self._operations:
            once = (0, 1, 2) if o.kind == "learn" else (0,)
            times = (FORGET_CUE, FORGET_CONTENT) if o.kind == "forget" else (once, once)
            for side, part, when in zip(told, (o.cues, o.contents), times, strict=True):
                for t in when:
                    side[0, o.step + t, part] = 1
        return Raster.from_dense(told[0], STEP_S), Raster.from_dense(told[1], STEP_S)

    def run(self) -> EventRun:
        """The session from its beginning, with all its spikes and the weights at its end."""
        return self._engine.run(self.inputs())

    def _do(self, kind: str, cues: np.ndarray, contents: np.ndarray, steps: int) -> None:
        self._operations.append(Operation(kind, self._now, cues, contents))
        self._now += steps + self.gap

    def _cue(self, cue: int) -> np.ndarray:
        return _chosen([cue], self.cues, "cue")

    def _content(self, content: Iterable[int]) -> np.ndarray:
        found = _chosen(content, self.contents, "content bit")
        if not found.any():
            raise InputError("a content without any bit", hint=f"numbers from 0 to {self.contents - 1}")
        return found


def _chosen(numbers: Iterable[int], size: int, what: str) -> np.ndarray:
    chosen = np.zeros(size, bool)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or not 0 <= number < size:
            raise InputError(f"no {what} {number!r}", hint=f"a whole number from 0 to {size - 1}")
        chosen[number] = True
    return chosen


def _first(fired: np.ndarray) -> int | None:
    """Steps from the input to the first output of (steps, size), which begins ASKED_AFTER it."""
    steps = np.flatnonzero(fired.any(1))
    return ASKED_AFTER + int(steps[0]) if steps.size else None
