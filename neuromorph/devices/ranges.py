"""Input ranges found on calibration data; shared by all kinds that quantize their inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from neuromorph.errors import InputError

SAMPLED = 1 << 20
"""Values per batch that a percentile is taken from."""


def sampled_rows(count: int, wanted: int) -> torch.Tensor:
    """Indices of `wanted` of `count` rows, drawn evenly at random from a fixed seed: a stride would alias with the
    columns of an image."""
    return torch.randint(count, (wanted,), generator=torch.Generator().manual_seed(0))


class InputRange:
    """The largest (or percentile of the) magnitude seen so far, and whether negative values were seen."""

    def __init__(self, percentile: float = 100.0) -> None:
        self.percentile, self.top, self.signed = percentile, 0.0, False

    def see(self, x: torch.Tensor) -> None:
        magnitude = x.detach().abs().reshape(-1)
        if self.percentile < 100.0:
            if magnitude.numel() > SAMPLED:
                magnitude = magnitude[sampled_rows(magnitude.numel(), SAMPLED).to(magnitude.device)]
            rank = max(1, int(np.ceil(self.percentile / 100 * magnitude.numel())))
            seen = float(magnitude.kthvalue(rank).values)
        else:
            seen = float(magnitude.amax()) if magnitude.numel() else 0.0
        self.top = max(self.top, seen)
        self.signed = self.signed or bool((x < 0).any())

    @property
    def full_scale(self) -> float:
        return self.top if self.top > 0 else 1.0

    def named(self, matrix: str) -> dict[str, np.ndarray]:
        """The range under the names `from_ranges` reads."""
        return {f"{matrix}.input": np.asarray(self.full_scale), f"{matrix}.signed": np.asarray(float(self.signed))}

    @staticmethod
    def from_ranges(ranges: Mapping[str, np.ndarray], matrix: str) -> tuple[float, bool]:
        """(full scale, signed) of a matrix; raises InputError where they are not known."""
        if missing := [k for k in (f"{matrix}.input", f"{matrix}.signed") if k not in ranges]:
            raise InputError(f"the calibration has no {' and no '.join(missing)}", hint="calibrate on this placement")
        return float(ranges[f"{matrix}.input"]), bool(float(ranges[f"{matrix}.signed"]))
