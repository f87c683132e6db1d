"""Iterative magnitude pruning: prune a little, rewind, train again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from neuromorph.compress import magnitude
from neuromorph.compress.grid import check_choice
from neuromorph.compress.pruning import prune
from neuromorph.compress.selection import Changes, all_layers, check_finite, rebuild, select
from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph.model import Graph, Node

if TYPE_CHECKING:
    from neuromorph.graph.torch_module import GraphModule

Dead = dict[str, dict[str, np.ndarray]]
"""By node and field: True where an entry is to stay 0."""

PRUNING = ("scope", "norm", "layers", "exclude")
REWINDS = ("weights", "learning_rate", None)


class Trainer(Protocol):
    """Trains a module in place for one pruning round.

    start_epoch: where in the training schedule to start: the epoch rewound to, from which the learning rate
    follows the original schedule to its end; None: no rewinding, go on at the schedule's last learning rate
    (fine-tuning). Make the optimizer inside: one that outlived a round would hold the momentum of weights
    that have been rewound.
    """

    def __call__(self, module: GraphModule, round: int, start_epoch: int | None) -> None: ...


def iterative_prune(
    graph: Graph,
    sparsity: float,
    rounds: int,
    train: Trainer,
    *,
    rewind: str | None = "weights",
    rewind_to: Graph | None = None,
    rewind_epoch: int = 0,
    structure: str = "unstructured",
    on_round: Callable[[int, float, Graph], None] | None = None,
    **pruning: Any,
) -> Graph:
    """A trained graph pruned to `sparsity` over several rounds of pruning and training.

    graph: the trained network. Each round r = 1 .. rounds prunes to `schedule(...)[r - 1]` (the same share of what
    is left every time), rewinds, and calls train(module, r, start_epoch). rewind:
      "weights"        kept weights, biases, scales and shifts return to those of `rewind_to`, the same network
                       before training or after `rewind_epoch` epochs (Frankle et al., arXiv:1803.03635 and
                       arXiv:1903.01611); training restarts there, start_epoch = rewind_epoch;
      "learning_rate"  weights stay, only the schedule goes back: start_epoch = rewind_epoch
                       (Renda, Frankle and Carbin, arXiv:2003.02389);
      None             weights stay, start_epoch = None: fine-tuning.
    Pruned weights are exactly 0 throughout; so are the bias and normalization of pruned channels. Structure is
    "unstructured" or "channel"; pruning: scope, norm, layers and exclude of `prune`. on_round(r, sparsity, graph) is
    called after each round.

    Raises InputError for bad arguments, a `rewind_to` of another network, and a training that diverged.
    """
    if unknown := sorted(set(pruning) - set(PRUNING)):
        message = f"iterative_prune has no argument {unknown[0]!r}"
        raise InputError(message, Place(key=unknown[0]), suggest(unknown[0], PRUNING))
    targets = schedule(
        sparsity, rounds, _present_sparsity(graph, structure, pruning.get("layers"), pruning.get("exclude", ()))
    )
    check_choice("rewind", rewind, REWINDS)
    check_choice("structure", structure, ("unstructured", "channel"))
    if rewind == "weights" and rewind_to is None:
        hint = "the network before training, or after rewind_epoch epochs; or rewind='learning_rate'"
        raise InputError("rewinding weights needs the early weights", Place(key="rewind_to"), hint)
    if isinstance(rewind_epoch, bool) or not isinstance(rewind_epoch, int) or rewind_epoch < 0:
        raise InputError(f"{rewind_epoch!r} is not an epoch, 0 or later", Place(key="rewind_epoch"))
    if rewind_to is not None:
        _check_same(graph, rewind_to)
    for number, target in enumerate(targets, start=1):
        graph = prune(graph, target, structure=structure, **pruning)
        dead = _dead_entries(graph) if structure == "channel" else {}
        if rewind == "weights" and rewind_to is not None:
            graph = _rewound(graph, rewind_to, dead)
        graph = _trained(graph, train, number, None if rewind is None else rewind_epoch, dead)
        if on_round is not None:
            on_round(number, target, graph)
    return graph


def schedule(sparsity: float, rounds: int, present: float = 0.0) -> tuple[float, ...]:
    """Sparsity after each round: every round prunes the same share of what is left, the last to `sparsity`.

    1 - (1 - present) * ((1 - sparsity) / (1 - present))^(r / rounds); 20 % per round is sparsity 1 - 0.8^rounds.
    """
    final = magnitude.check_sparsity(sparsity)
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise InputError(f"{rounds!r} is not a number of rounds, 1 or more", Place(key="rounds"))
    start = min(present, final)
    ratio = (1.0 - final) / (1.0 - start)
    return (*(1.0 - (1.0 - start) * ratio ** (r / rounds) for r in range(1, rounds)), final)


def _present_sparsity(
    graph: Graph, structure: str, layers: str | Iterable[str] | None, exclude: str | Iterable[str]
) -> float:
    chosen = select(graph, layers, exclude)
    if structure != "unstructured":
        return 0.0  # channels are counted apart from single weights
    gone = sum(int(np.count_nonzero(~e.mask)) for e in chosen if e.mask is not None)
    return gone / sum(e.weight.size for e in chosen)


def _check_same(graph: Graph, early: Graph) -> None:
    """InputError unless both have the same nodes with arrays of the same shapes."""
    problems = []
    ours, theirs = [n.name for n in graph.nodes], [n.name for n in early.nodes]
    if ours != theirs:
        differing = sorted(set(ours) ^ set(theirs)) or ["their order"]
        problems.append(Problem(f"not the same network: {', '.join(differing)} differ", Place(key="rewind_to")))
    else:
        for node, other in zip(graph.nodes, early.nodes, strict=True):
            if type(node.operator) is not type(other.operator) or _shapes(node) != _shapes(other):
                message = f"{node.label!r} is another operator or has other shapes"
                problems.append(Problem(message, Place(key="rewind_to"), "give the same network with early weights"))
    if problems:
        raise InputError(problems)
    check_finite(all_layers(early))


def _shapes(node: Node) -> dict[str, tuple[int, ...]]:
    masks = {s.mask for s in node.operator.weight_slots}
    return {name: a.shape for name, a in node.operator.arrays().items() if name not in masks}


def _rewound(graph: Graph, early: Graph, dead: Dead) -> Graph:
    """The pruned graph with the early values of everything that training changes, masks applied."""
    changes: Changes = {}
    for node, other in zip(graph.nodes, early.nodes, strict=True):
        slots = node.operator.weight_slots
        gone = dict(dead.get(node.name, {}))
        for slot in slots:
            mask = getattr(node.operator, slot.mask)
            if mask is not None:
                gone[slot.weight] = ~mask
        masks = {slot.mask for slot in slots}
        changes[id(node.operator)] = {
            name: np.where(gone[name], 0.0, values) if name in gone else values
            for name, values in other.operator.arrays().items()
            if name not in masks
        }
    return rebuild(graph, changes)


def _dead_entries(graph: Graph) -> Dead:
    """Entries of biases, scales and shifts that channel pruning set to 0."""
    found: Dead = {}
    for node in graph.nodes:
        operator: Any = node.operator
        if type(operator).__name__ == "BatchNorm":
            gone = (operator.scale == 0) & (operator.shift == 0)
            found[node.name] = {"scale": gone, "shift": gone}
        elif len(operator.weight_slots) == 1 and getattr(operator, "bias", None) is not None:
            mask = getattr(operator, operator.weight_slots[0].mask)
            if mask is not None:
                rows = ~mask.reshape(mask.shape[0], -1).any(axis=1)
                found[node.name] = {"bias": rows & (operator.bias == 0)}
    return found


def _trained(graph: Graph, train: Trainer, number: int, start_epoch: int | None, dead: Dead) -> Graph:
    import torch

    from neuromorph.graph.torch_module import GraphModule

    module = GraphModule(graph)
    frozen = {id(n.operator): dead[n.name] for n in graph.nodes if n.name in dead}
    for part in module.modules():
        for name, gone in frozen.get(id(getattr(part, "operator", None)), {}).items():
            kept = torch.tensor(~gone)
            # without a gradient an entry that starts at 0 stays there: decay and momentum of 0 are 0
            part.get_parameter(name).register_hook(lambda gradient, kept=kept: gradient * kept.to(gradient))
    train(module, number, start_epoch)
    trained = module.to_graph()
    try:
        check_finite(all_layers(trained))
    except InputError as error:
        hint = "lower the learning rate, or prune in more rounds"
        head = f"training of round {number} diverged"
        raise InputError([Problem(f"{head}: {p.message}", p.place, hint) for p in error.problems]) from error
    return trained
