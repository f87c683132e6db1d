"""Rules of plastic synapses and what a sample's learning holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuromorph.devices.manycore.execute import layout as c
from neuromorph.errors import InputError, Problem
from neuromorph.graph.operators.plasticity import Plasticity
from neuromorph.spiking.network import SpikingNetwork

# numbers of a plastic projection
A_PLUS, A_MINUS, W_MIN, W_MAX, MULTIPLICATIVE, NEAREST, REWARD, NUMBERS = range(8)
# tables of decays
TO_PLUS, TO_MINUS, TO_ELIGIBILITY, DECAYS = range(4)


@dataclass(frozen=True, eq=False)
class Rules:
    """The plastic projections of a network: which they are (rows of the loop's table) and their numbers.

    synapses, sources, targets: of all of them together. into: (first of each population, rows) of those into it.
    units: what weights are multiplied by while running, per rule.
    """

    rows: tuple[int, ...]
    rules: tuple[Plasticity, ...]
    numbers: np.ndarray
    synapses: int
    sources: int
    targets: int
    into: tuple[np.ndarray, np.ndarray]
    units: np.ndarray


def rules_of(
    network: SpikingNetwork, proj: np.ndarray, order: np.ndarray, units: Sequence[float] | None = None
) -> Rules:
    """Finds the plastic projections and writes into their rows where their part of the shared arrays begins.

    units: of each projection, what its weights are multiplied by while running; None: 1.
    """
    rows: list[int] = []
    rules: list[Plasticity] = []
    used: list[float] = []
    synapses = sources = targets = 0
    for row, q in enumerate(order):
        projection = network.projections[q]
        if projection.plasticity is None:
            continue
        check(projection.plasticity, projection.name)
        target = network.populations[projection.target].size
        proj[row, c.PLASTIC] = len(rows)
        proj[row, [c.LEARN_SYNAPSES, c.LEARN_SOURCES, c.LEARN_TARGETS]] = synapses, sources, targets
        rows.append(row)
        rules.append(projection.plasticity)
        used.append(1.0 if units is None else units[q])
        synapses, sources = synapses + projection.synapses, sources + projection.indptr.size - 1
        targets += target
    numbers = np.array(
        [
            (r.a_plus, r.a_minus, r.w_min, r.w_max, r.multiplicative, r.nearest, r.rule == "reward") for r in rules
        ],
        np.float64,
    ).reshape(-1, NUMBERS)  # fmt: skip
    unit = np.array(used, np.float64)
    numbers[:, [W_MIN, W_MAX]] *= unit[:, None]
    numbers[:, [A_PLUS, A_MINUS]] *= np.where(numbers[:, [MULTIPLICATIVE]] != 0, 1.0, unit[:, None])
    aims = proj[rows, c.TARGET] if rows else np.zeros(0, np.int64)
    first = np.searchsorted(np.sort(aims), np.arange(len(network.populations) + 1)).astype(np.int64)
    into = first, np.array(rows, np.int64)[np.argsort(aims, kind="stable")]
    return Rules(tuple(rows), tuple(rules), numbers, synapses, sources, targets, into, unit)


def check(rule: Plasticity, name: str) -> None:
    """InputError with everything that is wrong with a rule."""
    problems = []
    for field in ("tau_plus_s", "tau_minus_s", "tau_eligibility_s"):
        value = getattr(rule, field)
        if value is not None and not (np.isfinite(value) and value > 0):
            problems.append(Problem(f"projection {name}: {field} is {value}", hint="seconds above 0"))
    if rule.rule not in ("pair", "reward"):
        problems.append(Problem(f"projection {name}: no rule {rule.rule!r}", hint="pair or reward"))
    if rule.rule == "reward" and rule.tau_eligibility_s is None:
        problems.append(Problem(f"projection {name}: rule reward without tau_eligibility_s", hint="seconds above 0"))
    if not rule.w_min <= rule.w_max:
        problems.append(Problem(f"projection {name}: weights from {rule.w_min} to {rule.w_max}"))
    if problems:
        raise InputError(problems)


def decays(rules: Sequence[Plasticity], steps: int, dt_s: float) -> np.ndarray:
    """e^(-n dt / tau) for n = 0..steps of each rule's three time constants: (rules, 3, steps + 1)."""
    tables = np.zeros((len(rules), DECAYS, steps + 1))
    n = np.arange(steps + 1) * dt_s
    for table, rule in zip(tables, rules, strict=True):
        for row, tau in enumerate((rule.tau_plus_s, rule.tau_minus_s, rule.tau_eligibility_s)):
            if tau is not None:
                table[row] = np.exp(-n / tau)
    return tables


@dataclass(eq=False)
class Learning:
    """What one sample's learning holds; `arrays` goes into the loop.

    (numbers, decays, modulator, steps at which it is not zero; weight, eligibility; per source: step of the last pre
    spike, trace after it, trace before it; last event of each target; events: (step, trace, event before); events of
    each projection; a stack; weight changes of each projection)
    """

    arrays: tuple[np.ndarray, ...]

    @staticmethod
    def begin(
        rules: Rules, weights: np.ndarray, tables: np.ndarray, modulator: np.ndarray, steps: int, neurons: int
    ) -> Learning:
        many = len(rules.rows)
        acting = np.flatnonzero(modulator).astype(np.int64)
        eligible = weights.size if rules.numbers[:, REWARD].any() else 0
        capacity = 4 * neurons if many else 0
        return Learning((
            rules.numbers, tables, modulator, acting, weights.copy(), np.zeros(eligible),
            np.full(rules.sources, -1, np.int64), np.zeros(rules.sources), np.zeros(rules.sources),
            np.full(rules.targets, -1, np.int64), np.zeros((many, capacity), np.int64), np.zeros((many, capacity)),
            np.zeros((many, capacity), np.int64), np.zeros(many, np.int64), np.zeros(steps + 2, np.int64),
            np.zeros(many, np.int64),
        ))  # fmt: skip

    def grow(self, widest: int) -> None:
        """Doubles the room for events where `widest` more of a projection do not fit."""
        if not self.arrays[13].size or self.arrays[13].max() + widest <= self.arrays[10].shape[1]:
            return
        arrays = list(self.arrays)
        for at in (10, 11, 12):
            arrays[at] = np.concatenate([arrays[at], np.zeros_like(arrays[at])], axis=1)
        self.arrays = tuple(arrays)

    @property
    def weights(self) -> np.ndarray:
        return self.arrays[4]

    @property
    def changes(self) -> np.ndarray:
        return self.arrays[15]
