"""Which effect costs how much accuracy: the same chips with each effect left out in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.core import device_kind
from neuromorph.devices.layered.execute.engine import Progress, execute
from neuromorph.devices.layered.tally.counts import core_of
from neuromorph.errors import InputError

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.placement import Placement


@dataclass(frozen=True)
class EffectCost:
    """Accuracy without one effect less accuracy with all, mean over the same chips, and its standard error."""

    effect: str
    accuracy: float
    gain: float
    error: float


def attribute(
    placement: Placement, inputs: np.ndarray, labels: np.ndarray, *, progress: Progress | None = None, **options: Any
) -> tuple[EffectCost, ...]:
    """Leaves out each effect of the core's kind in turn, then all ("all"). options: as for `execute`.

    Chips are drawn from the same streams, so differences are paired over chips. Effects that the part does
    not have make no difference and are listed with gain 0.
    """
    if labels is None:
        raise InputError("accuracy per effect needs labels")
    effects = device_kind(core_of(placement).kind.name).effects
    base = execute(placement, inputs, labels, **options)
    assert base.accuracy is not None
    rows = []
    for index, effect in enumerate([*effects, "all"]):
        if progress is not None:
            progress(index / (len(effects) + 1), f"without {effect}")
        without = execute(placement, inputs, labels, off=effects if effect == "all" else (effect,), **options)
        assert without.accuracy is not None
        difference = without.accuracy - base.accuracy
        error = float(difference.std(ddof=1) / np.sqrt(len(difference))) if len(difference) > 1 else 0.0
        rows.append(EffectCost(effect, float(without.accuracy.mean()), float(difference.mean()), error))
    return tuple(rows)
