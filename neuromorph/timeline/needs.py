"""How many source tokens a target token needs and gives up, for the common operators, and the plain tandem line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.timeline.model import Edge, Pipeline, Stage

Need = tuple[np.ndarray, np.ndarray]
"""(need, keep), each (target tokens,) int64, as `Edge` takes them."""


def one_to_one(tokens: int) -> Need:
    """Target token n needs source token n and gives it up: elementwise operators."""
    count = np.arange(1, tokens + 1, dtype=np.int64)
    return count, count.copy()


def all_at_once(target_tokens: int, source_tokens: int) -> Need:
    """Every target token needs all source tokens, which are given up after the last: dense layers, flatten."""
    need = np.full(target_tokens, source_tokens, dtype=np.int64)
    keep = np.zeros(target_tokens, dtype=np.int64)
    keep[-1] = source_tokens
    return need, keep


def _spans(
    out_rows: int, kernel: int, stride: int, padding: int, dilation: int, in_rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """First input row of each window and the row after its last, clipped to the map (padding rows cost nothing)."""
    sizes = {"out_rows": out_rows, "kernel": kernel, "stride": stride, "dilation": dilation, "in_rows": in_rows}
    for name, value in {**sizes, "padding": padding}.items():
        least = 0 if name == "padding" else 1
        if int(value) != value or value < least:
            place = Place(key=f"window.{name}")
            raise InputError(f"{name} is {value}, a whole number of {least} or more is legal", place)
    begin = np.arange(out_rows, dtype=np.int64) * stride - padding
    if begin[-1] >= in_rows:
        raise InputError(
            f"{out_rows} output rows at stride {stride} run past the {in_rows} input rows", Place(key="window.out_rows")
        )
    return np.clip(begin, 0, in_rows), np.clip(begin + (kernel - 1) * dilation + 1, 1, in_rows)


def _discard(first: np.ndarray, source_tokens: int) -> np.ndarray:
    """Tokens below the first one that any later window reads; all after the last window. first: (target tokens,)."""
    later = np.append(first[1:], source_tokens)
    return np.minimum.accumulate(later[::-1])[::-1]


def window_need(
    out_rows: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, *, in_rows: int
) -> Need:
    """Rows of a convolution or pooling: output row n needs all input rows down to its window's last one.

    padding: rows above the map (those below it never wait for anything). A window that lies wholly in the padding still
    waits for the first row, since nothing starts before its sample.
    """
    first, end = _spans(out_rows, kernel, stride, padding, dilation, in_rows)
    return np.maximum.accumulate(end), _discard(first, in_rows)


def window_need_2d(
    output: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    *,
    source: tuple[int, int],
) -> Need:
    """The same with a token per pixel in raster order: streaming pipelines that keep kernel-high line buffers.

    output, source: (height, width) of the maps; padding is (top, left). Returns arrays (height * width of output,).
    """
    rows, row_end = _spans(output[0], kernel[0], stride[0], padding[0], dilation[0], source[0])
    cols, col_end = _spans(output[1], kernel[1], stride[1], padding[1], dilation[1], source[1])
    need = ((row_end - 1)[:, None] * source[1] + col_end[None, :]).ravel()
    first = (rows[:, None] * source[1] + cols[None, :]).ravel()
    # Below the map the last row is clipped, and a window would seem to need less than the one before it in the order.
    return np.maximum.accumulate(need), _discard(first, source[0] * source[1])


def tandem(service_s: Any, capacity: float = math.inf, release: str = "depart", depth_s: float = 0.0) -> Pipeline:
    """A plain line of stages "0", "1", ... with one token a sample.

    service_s: (stages,) or (samples, stages) seconds. capacity: places of every buffer; with release "depart" the
    place in the next server counts, so that capacity c means c - 1 waiting places.
    """
    service = np.asarray(service_s, dtype=np.float64)
    if service.ndim not in (1, 2) or service.size == 0:
        raise InputError(f"service_s has shape {service.shape}, legal is (stages,) or (samples, stages)")
    columns = list(np.ascontiguousarray(service.T)[..., None]) if service.ndim == 2 else list(service)
    stages = [Stage(str(k), column, depth_s=depth_s) for k, column in enumerate(columns)]
    edges = [Edge(str(k), str(k + 1), capacity=capacity, release=release) for k in range(len(stages) - 1)]
    return Pipeline(stages, edges)
