"""Published measurements beside what this package predicts for them, through the verbs that a user calls.

Each comes from a fixture, a data file of this package: what ran, on which architecture, what was measured within which
boundary, and the source. Three standings are told apart: `fitted`, a parameter was solved from it; `held out`, nothing
was set from it; `design study`, published without silicon. What a data file was made from is no comparison: the tests
of data files hold it.
"""

from __future__ import annotations

from neuromorph.validate.compare import Comparison, Summary, summaries, validate
from neuromorph.validate.reading import STANDINGS, Measurement, fixture_files, read_fixture

__all__ = [
    "STANDINGS",
    "Comparison",
    "Measurement",
    "Summary",
    "fixture_files",
    "read_fixture",
    "summaries",
    "validate",
]
