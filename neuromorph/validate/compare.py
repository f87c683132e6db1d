"""Running what measurements ran and putting our figures beside theirs."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuromorph.devices.protocol import Assumption, Placement
from neuromorph.errors import InputError, Problem
from neuromorph.hardware.component import Architecture
from neuromorph.report.model import Report
from neuromorph.run import place, run
from neuromorph.validate.quantities import Outcome
from neuromorph.validate.reading import STANDINGS, Measurement, fixture_files, read_fixture


@dataclass(frozen=True)
class Comparison:
    """A published figure beside ours, both in `unit`. ours: None where it is not modelled; ours_low, ours_high: with
    every price at the ends of its published range; published_low, published_high: range of the publication."""

    fixture: str
    label: str
    quantity: str
    unit: str
    published: float
    published_low: float | None
    published_high: float | None
    ours: float | None
    ours_low: float | None
    ours_high: float | None
    standing: str
    fitted: str
    boundary: str
    conditions: str
    source: str
    note: str

    @property
    def deviation(self) -> float | None:
        """Ours over the published one, less 1."""
        return None if self.ours is None else self.ours / self.published - 1.0

    @property
    def covered(self) -> bool:
        """Whether the published figure lies in our range, or ours in the published one."""
        inside = self.ours_low is not None and self.ours_high is not None and self.ours_low < self.ours_high
        within_ours = inside and self.ours_low <= self.published <= self.ours_high  # type: ignore[operator]
        low, high = self.published_low or self.published, self.published_high or self.published
        return within_ours or (self.ours is not None and low < high and low <= self.ours <= high)


@dataclass(frozen=True)
class Summary:
    """Of the comparisons of one standing and quantity ("all": of every quantity). Deviations are absolute; number:
    those with a figure of ours; unmodelled: those without. worst: the row with the largest deviation."""

    standing: str
    quantity: str
    number: int
    unmodelled: int
    median: float | None
    largest: float | None
    worst: str


class Bench:
    """Runs the road from network to report once for all measurements that share it, and places once per structure."""

    def __init__(self) -> None:
        self._reports: dict[str, Report] = {}
        self._placements: dict[str, Placement] = {}

    def report(self, m: Measurement, architecture: Architecture, key: str) -> Report:
        if key not in self._reports:
            self._reports[key] = self._run(m, architecture, key)
        return self._reports[key]

    def _run(self, m: Measurement, architecture: Architecture, key: str) -> Report:
        placed = key.rsplit(",", 1)[0]  # all but the density of inputs
        if placed not in self._placements:
            graph, options = m.workload.build()
            self._placements = {placed: place(graph, architecture, **options)}  # only the last: networks are large
        placement = self._placements[placed]
        assert placement.graph is not None
        return run(placement.graph, architecture, placement=placement, assumption=Assumption(m.density))

    def compare(self, m: Measurement) -> Comparison:
        """One measurement beside ours. Raises InputError with the place of its row where its workload cannot run."""
        try:
            report = self.report(m, m.architecture, m.key)
            baseline = None if m.baseline is None else self.report(m, m.baseline, "baseline of " + m.key)
        except InputError as error:
            told = [Problem(f"{m.label}: {f'{p.place}: ' if str(p.place) else ''}{p.message}", m.place, p.hint)
                    for p in error.problems]  # fmt: skip
            raise type(error)(told) from None
        outcome = Outcome(report, m.architecture, m.within, baseline)
        ours = m.quantity.of(outcome)
        ends = [m.quantity.of(dataclasses.replace(outcome, end=end)) for end in ("low_j", "high_j")]
        known = [e for e in ends if e is not None]
        return Comparison(
            m.fixture, m.label, m.quantity.name, m.quantity.unit, m.published, m.low, m.high, ours,
            min(known, default=None), max(known, default=None), m.standing, m.fitted, m.boundary, m.conditions,
            m.source, m.note,
        )  # fmt: skip


def validate(fixtures: Iterable[str | Path] = ()) -> list[Comparison]:
    """Compares all shipped fixtures, or those given by name or path, standing by standing.

    Raises InputError with all faults of a fixture, before anything is run.
    """
    measurements = [m for name in (tuple(fixtures) or tuple(fixture_files())) for m in read_fixture(name)]
    bench = Bench()
    found = [bench.compare(m) for m in measurements]
    return sorted(found, key=lambda c: STANDINGS.index(c.standing))


def summaries(found: Sequence[Comparison]) -> list[Summary]:
    """Per standing: of every quantity, then of all."""
    rows = []
    for standing in STANDINGS:
        of = [c for c in found if c.standing == standing]
        groups = {q: [c for c in of if c.quantity == q] for q in dict.fromkeys(c.quantity for c in of)}
        rows += [_summary(standing, q, cs) for q, cs in ({**groups, "all": of} if of else {}).items()]
    return rows


def _summary(standing: str, quantity: str, found: Sequence[Comparison]) -> Summary:
    known = [(abs(c.deviation), c) for c in found if c.deviation is not None]
    if not known:
        return Summary(standing, quantity, 0, len(found), None, None, "")
    largest, worst = max(known, key=lambda pair: pair[0])
    median = statistics.median(d for d, _ in known)
    name = f"{worst.fixture}: {worst.label}"
    return Summary(standing, quantity, len(known), len(found) - len(known), median, largest, name)
