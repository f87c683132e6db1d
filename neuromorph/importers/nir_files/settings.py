"""Everything a reader adds to a NIR file: time step, dialect, changes of the semantics, number of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neuromorph.graph.semantics import Semantics
from neuromorph.importers.presets import Dialect, semantics_of


@dataclass(frozen=True)
class Settings:
    """dt_s: None where no node needs it. time_scale: seconds per unit of the file's times.

    changes: fields of the semantics for all nodes; nodes: the same for single nodes by name. cuts: edges that are
    feedback, None where they are to be found.
    """

    dialect: Dialect
    dt_s: float | None = None
    time_scale: float = 1.0
    steps: int = 1
    changes: Mapping[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cuts: tuple[tuple[str, str], ...] | None = None

    @property
    def step_s(self) -> float:
        """The time step, for a caller that made sure there is one."""
        assert self.dt_s is not None
        return self.dt_s

    def semantics(self, name: str, kind: str) -> Semantics:
        """The semantics of one node of a NIR type. Raises InputError for a field or value that is not legal."""
        return semantics_of(self.dialect, self.step_s, kind, {**self.changes, **self.nodes.get(name, {})})
