"""No schedule ends a sample before one chain of products takes, whatever copies, shapes and architecture."""

from __future__ import annotations

import numpy as np
import pytest
from emulated import NETWORKS, SHIPPED, Graph, Node, placed, rng, shipped
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.devices.layered.core import Group
from neuromorph.devices.layered.designs import estimate
from neuromorph.devices.layered.place.placement import Placement, place
from neuromorph.devices.layered.tally.counts import assume
from neuromorph.devices.layered.tally.times import schedule
from neuromorph.graph.model import Window
from neuromorph.graph.operators.convolution import Conv2d
from neuromorph.hardware.catalog import load_architecture

NAMES = ("hermes-like", "isaac-like", "digital-int8")


def convolutions(kernels: list[int], side: int, channels: int) -> Graph:
    """A chain of convolutions that keep the side of their maps."""
    nodes, before = [], "image"
    for k, size in enumerate(kernels):
        left, right = (size - 1) // 2, size // 2
        layer = Conv2d(
            rng(k).normal(size=(channels, channels, size, size)), window=Window((size, size), (1, 1), (left, right) * 2)
        )
        nodes.append(Node(f"conv{k}", layer, (before,)))
        before = f"conv{k}"
    return Graph("chain", {"image": (channels, side, side)}, tuple(nodes), (before,))


def chain_s(placement: Placement) -> float:
    """One product of every layer after that of the layer before it, with its depth; nothing is waited for."""
    statistics = assume(placement).statistics
    found = [layout.kind.occupancy(layout, statistics[name]) for name, layout in placement.layouts.items()]
    return sum(o.service_s + o.depth_s for o in found)


@settings(max_examples=25, deadline=None)
@given(
    kernels=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    side=st.integers(1, 6),
    channels=st.sampled_from([1, 3, 8]),
    name=st.sampled_from(NAMES),
    data=st.data(),
)
def test_a_chain_of_products_is_a_lower_bound(
    kernels: list[int], side: int, channels: int, name: str, data: st.DataObject
) -> None:
    graph = convolutions(kernels, side, channels)
    most = min(side * side, 16 if name != "digital-int8" else 1)
    copies = {node.name: data.draw(st.integers(1, most)) for node in graph.nodes}
    for chosen in (copies, None):
        placement = place(graph, load_architecture(name), effort="none", copies=chosen)
        for engine in ("recursion", "simpy"):
            found = schedule(placement, assume(placement), samples=3, engine=engine)
            assert np.all(found.timeline.latency_s >= chain_s(placement) * (1 - 1e-9))


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("network", NETWORKS)
def test_networks_take_at_least_one_chain_of_products(name: str, network: str) -> None:
    """Over all paths the longest; here every network is one chain of its layers but for its side branches."""
    placement = placed(NETWORKS[network](), shipped(name))
    statistics = assume(placement).statistics
    took = dict.fromkeys(placement.graph.input_shapes, 0.0)
    for node in placement.graph.nodes:
        own = 0.0
        if node.name in placement.layouts:
            layout = placement.layouts[node.name]
            assert layout.group == Group.of(placement.graph, node.name)
            o = layout.kind.occupancy(layout, statistics[node.name])
            own = o.service_s + o.depth_s
        took[node.name] = own + max(took[i] for i in node.inputs)
    latency = schedule(placement, assume(placement)).latency_s
    assert latency >= max(took[n] for n in placement.graph.outputs) * (1 - 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_pixel_alone_is_not_slower_than_a_map_on_copies(name: str) -> None:
    def latency(side: int) -> float:
        placement = place(convolutions([1] * 4, side, 8), load_architecture(name), effort="none")
        return schedule(placement, assume(placement)).latency_s

    assert latency(4) >= latency(1) * (1 - 1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_the_bound_of_estimates_holds_the_depth(name: str) -> None:
    graph, architecture = convolutions([3, 1], 4, 3), load_architecture(name)
    placement = place(graph, architecture, effort="none", copies={})
    found = estimate(graph, architecture)
    assert found.latency_high_s[0] >= chain_s(placement) * (1 - 1e-9)
