"""Networks between slots: distance in hops, dimension-ordered routes and the load they put on every link."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from neuromorph.compiled import compiled
from neuromorph.errors import InputError, suggest

KINDS = ("mesh", "torus", "bus")


@dataclass(frozen=True)
class Topology:
    """Slots joined by a network. `concentration` slots share one router of a mesh or torus.

    mesh, torus: width x height routers, hops = Manhattan distance (torus: around the shorter way).
    bus: every pair of different slots is one hop apart. Slot s of a mesh sits at router s // concentration, which
    has x = router % width and y = router // width. Where `places` is set, only the first so many slots exist: the
    last row of a chip may be partly filled.
    """

    kind: str
    width: int
    height: int = 1
    concentration: int = 1
    places: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"topology is {self.kind!r}", hint=suggest(self.kind, KINDS))
        if min(self.width, self.height, self.concentration) < 1:
            raise InputError(f"{self.kind} of {self.width} x {self.height} with {self.concentration} slots a router")
        if self.kind == "bus" and (self.height, self.concentration) != (1, 1):
            raise InputError(f"a bus has a width alone, found {self.width} x {self.height}")
        if self.places is not None and not 1 <= self.places <= self.width * self.height * self.concentration:
            raise InputError(f"{self.places} places on a {self.kind} of {self.width} x {self.height}")

    @property
    def slots(self) -> int:
        return self.places or self.width * self.height * self.concentration

    @property
    def spec(self) -> tuple[int, int, int, np.ndarray, np.ndarray]:
        """The form the compiled kernels take."""
        router = np.arange(self.slots, dtype=np.int64) // self.concentration
        return KINDS.index(self.kind), self.width, self.height, router % self.width, router // self.width

    def hops(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distance between slots a and b, elementwise; float64."""
        a, b = np.broadcast_arrays(np.asarray(a, np.int64), np.asarray(b, np.int64))
        return hops_of(*self.spec, np.ascontiguousarray(a).ravel(), np.ascontiguousarray(b).ravel()).reshape(a.shape)

    def nearest(self) -> np.ndarray:
        """(slots,) rising: at rank k, no slot has its k-th nearest slot (itself is rank 0) closer than this."""
        # The centre of a mesh sees the most slots within every distance; slot 0 does in the symmetric kinds.
        # Places that do not exist are counted: that can only lower the distances.
        full = dataclasses.replace(self, places=None)
        centre = (self.height // 2) * self.width + self.width // 2 if self.kind == "mesh" else 0
        return np.sort(full.hops(np.asarray(centre * self.concentration), np.arange(full.slots)))

    def link_loads(self, source: np.ndarray, target: np.ndarray, traffic: np.ndarray) -> np.ndarray:
        """Traffic over every link, routes in dimension order (x first, then y).

        source, target: (flows,) slots; traffic: (flows,). mesh and torus: (4, height, width), the link that
        leaves router (y, x) to the east, west, south (y + 1), north. bus: (1,).
        """
        s, t, w = np.asarray(source, np.int64), np.asarray(target, np.int64), np.asarray(traffic, np.float64)
        if self.kind == "bus":
            return np.array([float(w[s != t].sum())])
        return _mesh_loads(self.kind == "torus", self.width, self.height, self.concentration, s, t, w)


@compiled
def hop(kind: int, width: int, height: int, x: np.ndarray, y: np.ndarray, a: int, b: int) -> float:
    """Distance between two slots."""
    if kind == 2:
        return 1.0 if a != b else 0.0
    dx = abs(x[a] - x[b])
    dy = abs(y[a] - y[b])
    if kind == 1:
        dx = min(dx, width - dx)
        dy = min(dy, height - dy)
    return float(dx + dy)


@compiled
def hops_of(
    kind: int, width: int, height: int, x: np.ndarray, y: np.ndarray, a: np.ndarray, b: np.ndarray
) -> np.ndarray:
    """Distances between slots a[i] and b[i]."""
    out = np.empty(a.size)
    for i in range(a.size):
        out[i] = hop(kind, width, height, x, y, a[i], b[i])
    return out


@compiled
def _mesh_loads(
    wraps: bool,
    width: int,
    height: int,
    concentration: int,
    source: np.ndarray,
    target: np.ndarray,
    traffic: np.ndarray,
) -> np.ndarray:
    """Each route is two straight runs, added as differences along its line; a running sum makes loads of them."""
    along = np.zeros((2, height, width + 1))  # eastward, westward run starts (+) and ends (-)
    across = np.zeros((2, width, height + 1))
    for i in range(source.size):
        a = source[i] // concentration
        b = target[i] // concentration
        _run(along, wraps, width, a // width, a % width, b % width, traffic[i])
        _run(across, wraps, height, b % width, a // width, b // width, traffic[i])
    loads = np.zeros((4, height, width))
    for direction in range(2):
        for row in range(height):
            total = 0.0
            for column in range(width):
                total += along[direction, row, column]
                loads[direction, row, column] = total
        for column in range(width):
            total = 0.0
            for row in range(height):
                total += across[direction, column, row]
                loads[2 + direction, row, column] = total
    return loads


@compiled
def _run(steps: np.ndarray, wraps: bool, size: int, line: int, start: int, end: int, amount: float) -> None:
    """Add one straight run to the differences of its line. Upward links leave start..end-1, downward start..end+1."""
    if start == end:
        return
    up = end > start
    distance = abs(end - start)
    if wraps and (2 * distance > size or (2 * distance == size and not up)):
        up = not up if 2 * distance != size else True
    if up:
        if end > start:
            steps[0, line, start] += amount
            steps[0, line, end] -= amount
        else:
            steps[0, line, start] += amount
            steps[0, line, size] -= amount
            steps[0, line, 0] += amount
            steps[0, line, end] -= amount
    elif end < start:
        steps[1, line, end + 1] += amount
        steps[1, line, start + 1] -= amount
    else:
        steps[1, line, 0] += amount
        steps[1, line, start + 1] -= amount
        steps[1, line, end + 1] += amount
        steps[1, line, size] -= amount
