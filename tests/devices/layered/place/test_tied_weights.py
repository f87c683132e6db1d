"""Weights that several layers use: stored, programmed and counted once, and read by one of them at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import neuromorph as nm
from neuromorph.devices.layered.core import Draw
from neuromorph.errors import InputError
from neuromorph.graph.model import Graph
from neuromorph.graph.workload import count_work


class Thrice(nn.Module):
    """One layer used three times, or three layers; then another."""

    def __init__(self, size: int, tied: bool) -> None:
        super().__init__()
        first = nn.Linear(size, size, bias=False)
        self.layers = nn.ModuleList([first if tied else nn.Linear(size, size, bias=False) for _ in range(3)])
        self.last = nn.Linear(size, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x).relu()
        return self.last(x)


def net(size: int = 64, tied: bool = True) -> Graph:
    torch.manual_seed(0)
    return nm.from_torch(Thrice(size, tied).eval(), (size,))


def users(graph: Graph) -> list[str]:
    return [n.name for n in graph.nodes if n.operator.role == "matrix"][:3]


@pytest.mark.parametrize("name", ["hermes-like", "isaac-like", "digital-int8"])
def test_one_copy_is_stored_and_its_uses_take_turns(name: str) -> None:
    chip = nm.load_architecture(name)
    graph, apart = net(), net(tied=False)
    placement, other = nm.place(graph, chip, duplicate=False), nm.place(apart, chip, duplicate=False)
    first, *again = users(graph)
    shards = placement.shards
    assert [placement.layouts[n].tied for n in (first, *again)] == ["", first, first]
    assert shards.again.sum() == 2 * (~shards.again & (shards.node == 0)).sum()
    single = placement.shards.stored
    assert len(single) == len(shards) - shards.again.sum()
    kept = len(other.shards) - 2 * (other.shards.node == 0).sum()
    assert len(single) == kept
    report, wide = nm.run(graph, chip, duplicate=False), nm.run(apart, chip, duplicate=False)
    assert report["latency"].value <= wide["latency"].value * 1.001 or name == "digital-int8"
    if name != "digital-int8":  # its cores take turns in any case
        assert report["interval"].value >= 3 * wide["interval"].value * 0.999
    dynamic = [r["dynamic_energy"].value for r in (report, wide)]
    assert dynamic[0] == pytest.approx(dynamic[1], rel=0.05)  # as many products either way


def test_all_uses_read_the_same_devices() -> None:
    graph, chip = net(), nm.load_architecture("hermes-like")
    placement = nm.place(graph, chip)
    calibration = nm.calibrate(placement, np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32))
    draw = Draw(3, (0, 1))
    made = [layout.kind.program(layout, calibration.ranges[name], draw) for name, layout in placement.layouts.items()]
    blocks = [p.copies["weight"][0].blocks[0] for p in made[:3]]  # type: ignore[attr-defined]
    assert all(torch.equal(b.weight, blocks[0].weight) for b in blocks)
    keys = [p.keys("weight", 0) for p in made[:3]]  # type: ignore[attr-defined]
    assert keys[0] != keys[1] != keys[2]  # each read has noise of its own


def test_parameters_are_counted_once() -> None:
    x = np.zeros((2, 64), np.float32)
    assert count_work(net(), x).parameters == 64 * 64 + 650
    assert count_work(net(tied=False), x).parameters == 3 * 64 * 64 + 650


def test_a_network_fits_that_would_not_with_three_copies() -> None:
    chip = nm.load_architecture("digital-int8")
    placement = nm.place(net(1024), chip)
    memory = next(limit for limit in placement.limits if limit.name == "weight memory")
    assert memory.used <= memory.available
    with pytest.raises(InputError, match="weight memories"):
        nm.place(net(1024, tied=False), chip)


def test_uses_stay_tied_through_files_and_compression(tmp_path: Path) -> None:
    graph = net()
    nm.save_graph(graph, tmp_path / "m.nmg.json")
    for made in (nm.read_graph(tmp_path / "m.nmg.json"), nm.compress(graph, "prune:0.5;quantize:8")):
        operators = {n.name: n.operator for n in made.nodes if n.operator.role == "matrix"}
        assert len({id(o) for o in operators.values()}) == 2
    chip = nm.load_architecture("hermes-like")
    placement = nm.place(graph, chip)
    placement.save(tmp_path / "p.json")
    again = nm.load_placement(tmp_path / "p.json", graph, chip)
    assert again.signature == placement.signature
    assert np.array_equal(again.shards.again, placement.shards.again)
    with pytest.raises(InputError, match="legal: a whole number from 1 to 1"):
        nm.place(graph, chip, copies={users(graph)[0]: 2})
