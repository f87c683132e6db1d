"""Which weights to prune: magnitude criteria on plain arrays, returning masks (True where kept).

All functions are exact in count and deterministic: of equal scores the one that comes first
(earlier array, then lower flat index) is pruned first. That is why they rank here and not with
`torch.nn.utils.prune`, whose top-k leaves the choice among ties to the backend and which rewrites
modules in place; without ties both choose the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuromorph.errors import InputError, Place


def check_sparsity(sparsity: float, key: str = "sparsity") -> float:
    """The sparsity as a float; InputError unless it is a number in [0, 1)."""
    legal = isinstance(sparsity, int | float | np.integer | np.floating) and not isinstance(sparsity, bool)
    if not legal or not 0.0 <= float(sparsity) < 1.0:  # NaN fails the comparison, too
        hint = "0.9 keeps one weight in ten" if not legal or sparsity != 1 else "1 would leave no weight at all"
        raise InputError(f"sparsity {sparsity!r} is not a number in [0, 1)", Place(key=key), hint)
    return float(sparsity)


def prune_smallest(scores: Sequence[np.ndarray], count: int) -> tuple[np.ndarray, ...]:
    """Masks that drop exactly the `count` smallest scores over all arrays together.

    scores: one or more arrays of any shapes, no NaN. Returns boolean arrays of the same shapes, False for the
    `count` smallest entries; of equal ones the earliest (array order, then flat index).
    """
    flat = np.concatenate([np.ravel(s) for s in scores])
    kept = np.ones(flat.size, dtype=bool)
    if not 0 <= count <= flat.size:
        raise InputError(f"cannot prune {count} of {flat.size} entries")
    if count:
        threshold = np.partition(flat, count - 1)[count - 1]
        below = flat < threshold
        kept[below] = False
        ties = np.flatnonzero(flat == threshold)
        kept[ties[: count - int(below.sum())]] = False
    bounds = np.cumsum([np.size(s) for s in scores])[:-1]
    return tuple(part.reshape(np.shape(s)) for part, s in zip(np.split(kept, bounds), scores, strict=True))


def unstructured(
    weights: Sequence[np.ndarray], masks: Sequence[np.ndarray | None], sparsity: float
) -> tuple[np.ndarray, ...]:
    """Masks with round(sparsity * n) of the n weights of all arrays together pruned, smallest |w| first.

    Weights that an earlier mask dropped stay dropped and count; where they are already more than
    asked, nothing further is pruned. (round() goes half to even, as `torch.nn.utils.prune` does.)
    """
    scores = [_scores(np.abs(w), m) for w, m in zip(weights, masks, strict=True)]
    total = sum(w.size for w in weights)
    gone = sum(int(np.count_nonzero(s < 0)) for s in scores)
    return prune_smallest(scores, max(round(check_sparsity(sparsity) * total), gone))


def n_of_m(weight: np.ndarray, mask: np.ndarray | None, n: int, m: int, axis: int = 1) -> np.ndarray:
    """Mask that keeps the n largest |w| of every m consecutive weights along `axis` (inputs).

    Groups do not overlap and start at index 0. Fewer than n stay where an earlier mask left fewer.
    Raises InputError unless 1 <= n < m and m divides the axis.
    """
    if not 1 <= n < m:
        raise InputError(
            f"pattern {n}:{m} is not legal", hint="n:m keeps n of every m weights, 1 <= n < m, such as 2:4"
        )
    size = weight.shape[axis]
    if size % m:
        near = [str(d) for d in (2, 4, 8, 16, 32) if size % d == 0]
        hint = f"{size} is divisible by {', '.join(near)}" if near else "exclude this layer"
        raise InputError(f"pattern {n}:{m} needs an input axis divisible by {m}, this one has {size}", hint=hint)
    moved = np.moveaxis(_scores(np.abs(weight), mask), axis, -1)
    groups = moved.reshape(*moved.shape[:-1], size // m, m)
    order = np.argsort(groups, axis=-1, kind="stable")
    kept = np.ones(groups.shape, dtype=bool)
    np.put_along_axis(kept, order[..., : m - n], False, axis=-1)
    kept &= groups >= 0
    return np.ascontiguousarray(np.moveaxis(kept.reshape(moved.shape), -1, axis))


def channel_norms(weight: np.ndarray, mask: np.ndarray | None, norm: str = "l1", *, mean: bool = False) -> np.ndarray:
    """Norm of each output channel (axis 0) over its unpruned weights: shape (channels,), -1 where all are pruned.

    norm: "l1" sum |w| or "l2" sqrt(sum w^2); with `mean`, divided by the number of weights of a
    channel (l2: by its root) so that layers of different width compare.
    """
    if norm not in ("l1", "l2"):
        raise InputError(f"norm {norm!r} is not known", Place(key="norm"), "l1 or l2")
    alive = np.ones(weight.shape, dtype=bool) if mask is None else mask
    rows = np.where(alive, weight, 0.0).reshape(weight.shape[0], -1)
    width = max(rows.shape[1], 1)
    if norm == "l1":
        norms = np.abs(rows).sum(axis=1) / (width if mean else 1)
    else:
        # scaled by the largest entry, so that squares neither overflow nor vanish
        peak = np.abs(rows).max(axis=1, initial=0.0)
        norms = peak * np.sqrt(
            ((rows / np.where(peak > 0, peak, 1.0)[:, None]) ** 2).sum(axis=1) / (width if mean else 1)
        )
    return np.where(alive.reshape(rows.shape).any(axis=1), norms, -1.0)


def channels(norms: Sequence[np.ndarray], sparsity: float) -> tuple[np.ndarray, ...]:
    """Which output channels stay, round(sparsity * n) of all n dropped, smallest norm first, at least one per array.

    norms: one (channels,) array per layer, -1 for a channel that is already gone.
    """
    total = sum(v.size for v in norms)
    gone = sum(int(np.count_nonzero(v < 0)) for v in norms)
    protected = sum(bool((v >= 0).any()) for v in norms)
    count = min(max(round(check_sparsity(sparsity) * total), gone), total - protected)
    guarded = []
    for values in norms:
        scores = np.array(values, dtype=float)
        if (scores >= 0).any():  # the strongest channel of a layer is never dropped: nothing would flow on
            scores[scores.size - 1 - int(np.argmax(scores[::-1]))] = np.inf
        guarded.append(scores)
    return prune_smallest(guarded, count)


def _scores(magnitudes: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Magnitudes with -1 where an earlier mask has pruned, so that those are chosen again first."""
    return magnitudes if mask is None else np.where(mask, magnitudes, -1.0)
