"""Evaluators for the tests, at the top level of a module so that worker processes can load them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromorph.errors import FitError
from neuromorph.sweep.space import Point


def square(parameters: Mapping[str, Any]) -> dict[str, float | None]:
    return {"square": parameters["x"] ** 2, "third": parameters["x"] / 3}


@dataclass(frozen=True)
class Gated:
    """Squares; those of x above `free` wait until there is a file `gate`."""

    free: int
    gate: str

    def __call__(self, parameters: Mapping[str, Any]) -> dict[str, float | None]:
        while parameters["x"] > self.free and not Path(self.gate).exists():
            time.sleep(0.01)
        return square(parameters)


def troubled(parameters: Mapping[str, Any]) -> dict[str, float | None]:
    """x = 3 ends its process, 5 raises, 7 does not fit."""
    if parameters["x"] == 3:
        os._exit(9)
    if parameters["x"] == 5:
        raise ValueError("five is out")
    if parameters["x"] == 7:
        raise FitError("needs 7 arrays, the chip has 6")
    time.sleep(0.01)
    return square(parameters)


@dataclass(frozen=True)
class TwoStep:
    """f affects the execution, any other parameter the price. Each execution leaves a line in `log`."""

    log: str = ""
    fatal: float | None = None
    pause_s: float = 0.0

    def function_key(self, point: Point) -> str:
        return f"f={point.parameters.get('f', 0)}"

    def run(self, point: Point) -> list[float]:
        f = float(point.parameters.get("f", 0))
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{f:g}\n")
        if self.fatal == f:
            raise RuntimeError(f"f={f:g} cannot be executed")
        return [f, f**2]

    def price(self, point: Point, state: list[float]) -> dict[str, float | None]:
        time.sleep(self.pause_s)
        return {"energy_j": state[1] * float(point.parameters.get("p", 1)), "unknown": float("nan")}

    def pack(self, state: list[float]) -> bytes:
        return json.dumps(state).encode()

    def unpack(self, data: bytes) -> list[float]:
        return json.loads(data)
