"""Tables of published figures that data files and laws were made from, beside what those give back.

The predictions of whole chips are `neuromorph validate`; here it is shown that no figure was copied wrong, that laws
give back what they were fitted to, and that published parts add up to their totals. `fitted`: a figure that a data
file was made from or a constant solved for; `other`: a figure of another source for the same thing; `check`: published
parts against their own published total, nothing of ours involved.
"""

from __future__ import annotations

from published.tables import Comparison, compared, table_names

__all__ = ["Comparison", "compared", "table_names"]
