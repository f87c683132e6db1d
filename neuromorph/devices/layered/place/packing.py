"""How tiles share the cores of a chip: the rule that a kind of core states with its resources.

The mapper knows geometry by these rules alone. `arrays` has those for arrays of cells, `memory` that for weights stored
as words; a kind whose cores share otherwise brings a rule of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from neuromorph.devices.protocol import Limit

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.allocate import Allocation
    from neuromorph.devices.layered.place.demand import Chip, Demand
    from neuromorph.devices.layered.place.placement import Shards
    from neuromorph.graph.model import Graph


class Packing(ABC):
    """One rule. Concrete rules are final and have no state.

    name: for messages. needs: the capacities it counts with. takes_turns: tiles of one core work one after the other,
    so that layers which share a core do; otherwise all arrays of a core work at once. in_arrays: tiles have a place in
    an array; filled: what utilisation is a part of.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    takes_turns: ClassVar[bool]
    in_arrays: ClassVar[bool]
    filled: ClassVar[str]

    @abstractmethod
    def allocate(
        self, graph: Graph, chip: Chip, demands: list[Demand], wished: np.ndarray | None, spare: float
    ) -> Allocation:
        """An array for every tile; see `allocate.allocate`. wished: copies by demand."""

    @abstractmethod
    def fits(self, chip: Chip, demands: list[Demand]) -> bool:
        """Whether one copy of everything fits, layers sharing what may be shared."""

    @abstractmethod
    def limits(self, chip: Chip, shards: Shards, common: list[Limit]) -> list[Limit]:
        """The limits of every chip with those of this rule."""

    @abstractmethod
    def taken(self, shards: Shards) -> np.ndarray:
        """What every shard takes of its room: (shards,)."""

    @abstractmethod
    def room(self, chip: Chip) -> float:
        """What one array holds in the same measure, inf where it is not limited."""

    def check(self, chip: Chip, shards: Shards, refuse: Callable[[str], None]) -> None:
        """Calls `refuse` with what of a placement that was read from a file breaks the rule."""
        return None
