"""Published figures beside ours: fixtures are data files of this package, one per publication.

Each comparison says how it came about. `calibrated`: a figure the datasheets were made from, or one
that a named quantity was solved for. `predicted`: nothing was fitted to it. `check`: published parts
against their own published total, no model of ours involved.
"""

from __future__ import annotations

from neuromorph.validate.fixtures import Comparison, fixture_names, validate

__all__ = ["Comparison", "fixture_names", "validate"]
