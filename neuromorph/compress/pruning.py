"""Magnitude pruning of a graph: masks on its operators, and on request smaller operators."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from neuromorph.compress import magnitude
from neuromorph.compress.grid import check_choice
from neuromorph.compress.removal import follow_batch_norms, remove_channels
from neuromorph.compress.selection import Changes, Layer, rebuild, select
from neuromorph.errors import InputError, Place, Problem
from neuromorph.graph.model import Graph

SCOPES = ("global", "layer")
NORMS = ("l1", "l2")


def prune(
    graph: Graph,
    sparsity: float | None = None,
    *,
    scope: str = "global",
    structure: str = "unstructured",
    norm: str = "l1",
    layers: str | Iterable[str] | None = None,
    exclude: str | Iterable[str] = (),
    remove: bool = False,
) -> Graph:
    """A graph whose smallest weights are pruned: masks set, weights exactly 0 where pruned.

    sparsity: the share in [0, 1) that is pruned afterwards, whatever was pruned before included; pruned
    weights never come back, so pruning twice to the same sparsity changes nothing. Counts are exact:
    round(sparsity * n). scope: "global" ranks the chosen layers together, "layer" each on its own.

    structure:
      "unstructured"  single weights by |w|;
      "n:m", e.g. "2:4"  the n largest of every m consecutive inputs stay (for a convolution: input
          channels, at each kernel position); sparsity may be left out, it is 1 - n/m;
      "channel"  whole outputs by their norm ("l1" or "l2"; compared per weight under scope "global"),
          with their bias and a batch normalization's scale and shift, so that after an activation
          with f(0) = 0 they are 0. At least one channel of a layer stays. Layers whose outputs are
          outputs of the network, recurrent and grouped layers are left alone unless named in `layers`
          (recurrent ones are refused); `remove` takes the channels out of the arrays, see `remove_channels`.

    layers, exclude: names, module paths or patterns, see `selection.select`.
    Raises InputError for a bad argument, an unknown layer, NaN weights, or a pattern that does not divide.
    """
    check_choice("scope", scope, SCOPES)
    check_choice("norm", norm, NORMS)
    if remove and structure != "channel":
        raise InputError("only whole channels can be removed", Place(key="remove"), "structure=channel")
    chosen = select(graph, layers, exclude)
    pattern = re.fullmatch(r"(\d+):(\d+)", structure)
    if pattern:
        return _prune_pattern(graph, chosen, int(pattern[1]), int(pattern[2]), sparsity)
    if structure not in ("unstructured", "channel"):
        hint = "unstructured, channel, or a pattern n:m such as 2:4"
        raise InputError(f"structure {structure!r} is not known", Place(key="structure"), hint)
    if sparsity is None:
        raise InputError("sparsity is missing", Place(key="sparsity"), "0.9 keeps one weight in ten")
    magnitude.check_sparsity(sparsity)
    if structure == "channel":
        chosen = channel_layers(graph, chosen, named=layers is not None)
        pruned = _prune_channels(graph, chosen, sparsity, scope, norm)
        return remove_channels(pruned, [e.node.name for e in chosen]) if remove else pruned
    groups = [chosen] if scope == "global" else [[e] for e in chosen]
    changes: Changes = {}
    for group in groups:
        masks = magnitude.unstructured([e.weight for e in group], [e.mask for e in group], sparsity)
        for layer, mask in zip(group, masks, strict=True):
            _set_mask(changes, layer, mask)
    return rebuild(graph, changes)


def channel_layers(graph: Graph, chosen: list[Layer], named: bool) -> list[Layer]:
    """The layers of a choice that channel pruning acts on; InputError where a named one cannot be."""
    recurrent = [e for e in chosen if len(e.operator.weight_slots) > 1]
    if recurrent and named:
        raise InputError(
            [
                Problem("the gates of a recurrent cell share their hidden units", Place(key=name), "prune unstructured")
                for name in dict.fromkeys(e.node.name for e in recurrent)
            ]
        )
    if named:
        return chosen
    final = _final_nodes(graph)
    rest = [
        e for e in chosen if e not in recurrent and e.node.name not in final and getattr(e.operator, "groups", 1) == 1
    ]
    if not rest:
        raise InputError(
            "no layer is left for channel pruning",
            hint="output layers, recurrent and grouped layers are left alone; name layers to prune them anyway",
        )
    return rest


def _final_nodes(graph: Graph) -> set[str]:
    """Nodes whose values reach an output of the network without passing another weighted operator."""
    final = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in final and not node.operator.weight_slots:
            final.update(node.inputs)
    return final


def _prune_pattern(graph: Graph, chosen: list[Layer], n: int, m: int, sparsity: float | None) -> Graph:
    if sparsity is not None and abs(magnitude.check_sparsity(sparsity) - (1 - n / max(m, 1))) > 1e-9:
        raise InputError(
            f"sparsity {sparsity} contradicts pattern {n}:{m}", Place(key="sparsity"), f"leave it out: {n}:{m} sets it"
        )
    changes: Changes = {}
    problems: list[Problem] = []
    for layer in chosen:
        try:
            _set_mask(changes, layer, magnitude.n_of_m(layer.weight, layer.mask, n, m))
        except InputError as error:
            problems += [Problem(p.message, Place(key=layer.name), p.hint) for p in error.problems]
    if problems:
        raise InputError(problems)
    return rebuild(graph, changes)


def _prune_channels(graph: Graph, chosen: list[Layer], sparsity: float, scope: str, norm: str) -> Graph:
    mean = scope == "global"  # layers of different width compare by the norm per weight
    norms = [magnitude.channel_norms(e.weight, e.mask, norm, mean=mean) for e in chosen]
    if scope == "global":
        kept = magnitude.channels(norms, sparsity)
    else:
        kept = tuple(magnitude.channels([values], sparsity)[0] for values in norms)
    changes: Changes = {}
    for layer, alive in zip(chosen, kept, strict=True):
        whole = np.broadcast_to(alive.reshape(-1, *[1] * (layer.weight.ndim - 1)), layer.weight.shape)
        _set_mask(changes, layer, whole if layer.mask is None else whole & layer.mask)
        bias = getattr(layer.operator, "bias", None)
        if bias is not None:
            changes.setdefault(id(layer.operator), {})["bias"] = np.where(alive, bias, 0.0)
        for operator, fields in follow_batch_norms(graph, layer.node.name, alive):
            changes.setdefault(id(operator), {}).update(fields)
    return rebuild(graph, changes)


def _set_mask(changes: Changes, layer: Layer, mask: np.ndarray) -> None:
    if layer.mask is None and mask.all():
        return
    fields = {layer.slot.weight: np.where(mask, layer.weight, 0.0), layer.slot.mask: mask}
    changes.setdefault(id(layer.operator), {}).update(fields)
