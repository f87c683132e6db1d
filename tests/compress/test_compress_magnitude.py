"""Pruning criteria against brute force, torch.nn.utils.prune and their stated properties."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.compress import magnitude
from neuromorph.errors import InputError

sparsities = st.floats(0, 1, exclude_max=True, allow_nan=False)
small_ints = st.integers(-3, 3).map(float)  # few values: ties everywhere
matrices = hnp.arrays(float, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=small_ints)


@given(st.lists(matrices, min_size=1, max_size=4), sparsities)
@settings(deadline=None, max_examples=60)
def test_unstructured_count_is_exact_and_keeps_the_largest(weights: list[np.ndarray], sparsity: float) -> None:
    masks = magnitude.unstructured(weights, [None] * len(weights), sparsity)
    total = sum(w.size for w in weights)
    flat, kept = np.concatenate([np.abs(w).ravel() for w in weights]), np.concatenate([m.ravel() for m in masks])
    assert np.count_nonzero(~kept) == round(sparsity * total)
    if 0 < np.count_nonzero(kept) < total:
        assert flat[kept].min() >= flat[~kept].max()
    # of equal magnitudes the first go: the pruned set is the head of a stable sort
    assert set(np.flatnonzero(~kept)) == set(np.argsort(flat, kind="stable")[: round(sparsity * total)])


@given(matrices, sparsities, sparsities)
@settings(deadline=None, max_examples=60)
def test_unstructured_is_idempotent_and_never_revives(weight: np.ndarray, first: float, second: float) -> None:
    (once,) = magnitude.unstructured([weight], [None], first)
    (again,) = magnitude.unstructured([weight], [once], first)
    assert np.array_equal(once, again)
    (more,) = magnitude.unstructured([weight], [once], second)
    assert not (more & ~once).any()
    assert np.count_nonzero(~more) == max(round(first * weight.size), round(second * weight.size))


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9, 0.97])
def test_unstructured_equals_torch_global_pruning_without_ties(sparsity: float) -> None:
    import torch
    from torch.nn.utils import prune

    torch.manual_seed(3)
    layers = [torch.nn.Linear(13, 7), torch.nn.Conv2d(3, 5, 3), torch.nn.Linear(4, 2)]
    weights = [layer.weight.detach().numpy().astype(float) for layer in layers]
    ours = magnitude.unstructured(weights, [None] * 3, sparsity)
    prune.global_unstructured([(m, "weight") for m in layers], pruning_method=prune.L1Unstructured, amount=sparsity)
    for layer, mask in zip(layers, ours, strict=True):
        assert np.array_equal(layer.weight_mask.numpy() != 0, mask)


@given(st.sampled_from([(1, 2), (2, 4), (1, 4), (3, 4), (4, 8)]), st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=50)
def test_n_of_m_keeps_the_best_of_all_choices(pattern: tuple[int, int], seed: int, four_axes: bool) -> None:
    n, m = pattern
    rng = np.random.default_rng(seed)
    shape = (3, 2 * m, 2, 2) if four_axes else (3, 2 * m)
    weight = rng.normal(size=shape)
    mask = magnitude.n_of_m(weight, None, n, m)
    groups = np.moveaxis(weight, 1, -1).reshape(-1, m)
    kept = np.moveaxis(mask, 1, -1).reshape(-1, m)
    assert (kept.sum(axis=1) == n).all()
    for values, chosen in zip(np.abs(groups), kept, strict=True):
        best = max(sum(choice) for choice in itertools.combinations(values, n))
        assert values[chosen].sum() == pytest.approx(best)
    assert np.array_equal(magnitude.n_of_m(weight, mask, n, m), mask)


def test_n_of_m_does_not_revive_what_was_pruned() -> None:
    weight = np.array([[4.0, 3.0, 2.0, 1.0]])
    before = np.array([[False, False, False, True]])
    assert np.array_equal(magnitude.n_of_m(weight, before, 2, 4), before)


def test_n_of_m_refuses_what_does_not_divide_and_says_what_would() -> None:
    with pytest.raises(InputError, match=r"divisible by 4, this one has 6 \(6 is divisible by 2\)"):
        magnitude.n_of_m(np.ones((2, 6)), None, 2, 4)
    with pytest.raises(InputError, match="exclude this layer"):
        magnitude.n_of_m(np.ones((2, 1, 3, 3)), None, 2, 4)


@pytest.mark.parametrize(("n", "m"), [(0, 4), (4, 4), (5, 4), (-1, 2)])
def test_n_of_m_refuses_impossible_patterns(n: int, m: int) -> None:
    with pytest.raises(InputError, match="pattern"):
        magnitude.n_of_m(np.ones((2, 8)), None, n, m)


def test_channel_norms_match_numpy_and_ignore_pruned_weights() -> None:
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 3, 2, 2))
    rows = weight.reshape(4, -1)
    assert magnitude.channel_norms(weight, None, "l1") == pytest.approx(np.linalg.norm(rows, 1, axis=1))
    assert magnitude.channel_norms(weight, None, "l2") == pytest.approx(np.linalg.norm(rows, axis=1))
    assert magnitude.channel_norms(weight, None, "l2", mean=True) == pytest.approx(np.sqrt((rows**2).mean(axis=1)))
    mask = np.ones_like(weight, dtype=bool)
    mask[0], mask[1, 0] = False, False
    norms = magnitude.channel_norms(weight, mask, "l1")
    assert norms[0] == -1
    assert norms[1] == pytest.approx(np.abs(weight[1, 1:]).sum())
    assert np.isfinite(magnitude.channel_norms(weight * 1e200, None, "l2")).all()


@given(st.lists(hnp.arrays(float, st.integers(1, 6), elements=st.integers(0, 4)), min_size=1, max_size=4), sparsities)
@settings(deadline=None, max_examples=60)
def test_channels_count_is_exact_and_every_layer_keeps_one(norms: list[np.ndarray], sparsity: float) -> None:
    kept = magnitude.channels(norms, sparsity)
    total = sum(v.size for v in norms)
    assert sum(int((~k).sum()) for k in kept) == min(round(sparsity * total), total - len(norms))
    assert all(k.any() for k in kept)
    for layer_norms, k in zip(norms, kept, strict=True):
        if not k.all():
            assert layer_norms[k].max() >= layer_norms[~k].max()


@pytest.mark.parametrize("sparsity", [1, 1.0, -0.1, 2, float("nan"), float("inf"), "0.5", None, True, [0.5]])
def test_sparsity_outside_its_range_is_refused(sparsity: object) -> None:
    with pytest.raises(InputError, match=r"\[0, 1\)"):
        magnitude.check_sparsity(sparsity)  # type: ignore[arg-type]


def test_pruning_nothing_and_nothing_to_prune() -> None:
    assert magnitude.unstructured([np.zeros((2, 2))], [None], 0.0)[0].all()
    assert magnitude.prune_smallest([np.zeros((0, 3))], 0)[0].shape == (0, 3)
    with pytest.raises(InputError):
        magnitude.prune_smallest([np.ones(3)], 4)
