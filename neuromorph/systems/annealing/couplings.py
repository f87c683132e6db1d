"""Weighted graphs whose cut is maximised: compressed rows, the G-set text format, Ising and QUBO problems as cuts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem

MOST_PROBLEMS = 20
"""Faulty lines of a file that are listed before reading stops."""


@dataclass(frozen=True, eq=False)
class Couplings:
    """An undirected weighted graph; spin i stands for vertex i.

    Row i of the compressed rows lists the neighbours of vertex i, rising: index[indptr[i]:indptr[i + 1]] (uint32) with
    `weight` (int32 where every weight is a whole number, else float64). Every edge is in two rows.
    """

    name: str
    indptr: np.ndarray
    index: np.ndarray
    weight: np.ndarray

    @property
    def size(self) -> int:
        """Vertices."""
        return int(self.indptr.size - 1)

    @property
    def edges(self) -> int:
        return int(self.index.size // 2)

    @property
    def whole(self) -> bool:
        """Whether all weights are whole numbers."""
        return bool(self.weight.dtype == np.int32)

    @property
    def rows(self) -> np.ndarray:
        """Vertex of every entry of the compressed rows."""
        return np.repeat(np.arange(self.size, dtype=np.int64), np.diff(self.indptr))

    @cached_property
    def strength(self) -> np.ndarray:
        """Sum of the absolute weights at each vertex, the largest local field it can see: (size,) float64."""
        return np.bincount(self.rows, np.abs(self.weight.astype(np.float64)), self.size)

    def cut(self, spins: np.ndarray) -> np.ndarray:
        """Sum of the weights between spins of opposite sign; spins (..., size) of +-1, result (...)."""
        s = np.asarray(spins, np.float64)
        across = s[..., self.rows] != s[..., self.index]
        return np.asarray((across * self.weight).sum(-1) / 2)

    def matrix(self) -> np.ndarray:
        """Dense symmetric (size, size) float64; for small graphs."""
        w = np.zeros((self.size, self.size))
        w[self.rows, self.index] = self.weight
        return w


def couplings(name: str, size: int, i: np.ndarray, j: np.ndarray, weight: np.ndarray) -> Couplings:
    """From edges i[k] - j[k] (0-based) of the weight; edges of weight 0 are left out.

    InputError for vertices out of range, loops, edges given twice, weights that are not finite.
    """
    i, j, weight = np.asarray(i, np.int64), np.asarray(j, np.int64), np.asarray(weight, np.float64)
    if not i.shape == j.shape == weight.shape or i.ndim != 1:
        raise InputError(f"{i.size} and {j.size} ends and {weight.size} weights of edges")
    if size < 1:
        raise InputError(f"a graph of {size} vertices", hint="1 or more")
    if i.size and (min(i.min(), j.min()) < 0 or max(i.max(), j.max()) >= size):
        raise InputError(f"{name}: an edge leaves the {size} vertices", hint=f"0 to {size - 1}")
    if (i == j).any():
        raise InputError(f"{name}: vertex {int(i[i == j][0])} has an edge to itself", hint="a loop never is cut")
    if not np.isfinite(weight).all():
        raise InputError(f"{name}: a weight is {weight[~np.isfinite(weight)][0]}", hint="finite weights")
    keys = np.minimum(i, j) * size + np.maximum(i, j)
    if np.unique(keys).size != keys.size:
        order = np.sort(keys)
        twice = int(order[1:][order[1:] == order[:-1]][0])
        raise InputError(f"{name}: edge {twice // size} - {twice % size} is given twice", hint="add the weights up")
    i, j, weight = (a[weight != 0] for a in (i, j, weight))
    source, target, both = np.concatenate((i, j)), np.concatenate((j, i)), np.concatenate((weight, weight))
    order = np.lexsort((target, source))
    indptr = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=size), out=indptr[1:])
    whole = bool((both == np.rint(both)).all() and np.abs(both).sum() < 2**29)
    return Couplings(
        name, indptr, target[order].astype(np.uint32), both[order].astype(np.int32 if whole else np.float64)
    )


def _numbers(
    words: list[str], kinds: tuple[type, ...], what: str, place: Place, say: Callable[[Problem], None]
) -> list[Any] | None:
    """The words as numbers, None (and a problem) where they are not."""
    if len(words) != len(kinds):
        say(Problem(f"{len(words)} words, expected {what}", place))
        return None
    try:
        return [kind(word) for kind, word in zip(kinds, words, strict=True)]
    except ValueError:
        say(Problem(f"{' '.join(words)!r} is not {what}", place))
        return None


def _edge(values: list[Any], size: int, seen: dict[tuple[int, int], int], line: int) -> tuple[str, str]:
    """What is wrong with an edge, and a hint; empty where nothing is."""
    a, b, weight = values
    if not (1 <= a <= size and 1 <= b <= size):
        return f"edge {a} - {b} leaves the {size} vertices", f"vertices are numbered 1 to {size}"
    if a == b:
        return f"vertex {a} has an edge to itself", "a loop never is cut"
    if not np.isfinite(weight):
        return f"weight {weight}", "a finite number"
    first = seen.setdefault((min(a, b), max(a, b)), line)
    return (f"edge {a} - {b} is given twice", f"first in line {first}") if first != line else ("", "")


def read_gset(path: str | Path) -> Couplings:
    """Reads a graph in the G-set format: a line `vertices edges`, then one line `i j weight` per edge, 1-based.

    InputError with file and line of every fault: words that are no numbers, vertices out of range, loops, edges given
    twice, more or fewer edges than announced. OSError where the file cannot be read.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} is not text", Place(str(path)), "a text file: vertices and edges, then i j weight"
        ) from None
    problems: list[Problem] = []
    filled = [(k, words) for k, line in enumerate(lines, 1) if (words := line.split())]
    if not filled:
        raise InputError("the file is empty", Place(str(path)), "a first line with vertices and edges")
    head = _numbers(filled[0][1], (int, int), "vertices and edges", Place(str(path), filled[0][0]), problems.append)
    if head is None or head[0] < 1 or head[1] < 0:
        raise InputError(problems or Problem(f"{head} vertices and edges", Place(str(path), filled[0][0])))
    size, announced = head
    seen: dict[tuple[int, int], int] = {}
    edges: list[list[Any]] = []
    for line, words in filled[1:]:
        place = Place(str(path), line)
        values = _numbers(words, (int, int, float), "an edge: i j weight", place, problems.append)
        if values is not None:
            edges.append(values)
            message, hint = _edge(values, size, seen, line)
            if message:
                problems.append(Problem(message, place, hint))
        if len(problems) >= MOST_PROBLEMS:
            break
    found = len(filled) - 1
    if found != announced:
        hint = "the file may be cut off" if found < announced else "more lines than the first line says"
        problems.append(Problem(f"{found} edges, the first line announces {announced}", Place(str(path)), hint))
    if problems:
        raise InputError(problems)
    table = np.array(edges, np.float64).reshape(-1, 3)
    i, j = table[:, 0].astype(np.int64) - 1, table[:, 1].astype(np.int64) - 1
    return couplings(path.stem, size, i, j, table[:, 2])


def ising(name: str, j: np.ndarray, h: np.ndarray | None = None) -> tuple[Couplings, float]:
    """Graph whose cut is offset - E for E(s) = sum_{a<b} J_ab s_a s_b + sum_a h_a s_a, and the offset.

    j: symmetric (n, n) with a zero diagonal. Where fields h are given, vertex n stands for a spin fixed at +1: multiply
    a solution by the sign of its last spin. With w = 2 J: E = sum_{a<b} J - cut.
    """
    j = np.asarray(j, np.float64)
    if j.ndim != 2 or j.shape[0] != j.shape[1] or not np.array_equal(j, j.T) or np.diagonal(j).any():
        raise InputError(f"{name}: couplings of shape {j.shape}", hint="a symmetric square with a zero diagonal")
    if h is not None:
        h = np.asarray(h, np.float64)
        if h.shape != (j.shape[0],):
            raise InputError(f"{name}: {h.shape} fields for {j.shape[0]} spins")
        j = np.block([[j, h[:, None]], [h[None, :], np.zeros((1, 1))]])
    a, b = np.nonzero(np.triu(j))
    return couplings(name, j.shape[0], a, b, 2 * j[a, b]), float(np.triu(j).sum())


def qubo(name: str, q: np.ndarray) -> tuple[Couplings, float]:
    """Graph whose cut is offset - x^T Q x for x in {0, 1}^n, and the offset.

    x = (1 + s s_n) / 2 of the spins s with the last one s_n. q: (n, n), need not be symmetric.
    """
    q = np.asarray(q, np.float64)
    if q.ndim != 2 or q.shape[0] != q.shape[1]:
        raise InputError(f"{name}: matrix of shape {q.shape}", hint="a square")
    even = (q + q.T) / 2
    off = even - np.diag(np.diagonal(even))
    graph, offset = ising(name, off / 2, np.diagonal(even) / 2 + off.sum(1) / 2)
    return graph, offset + float(off.sum() / 4 + np.diagonal(even).sum() / 2)
