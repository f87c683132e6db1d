"""What torch users hold gives the same results as the declared types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spiking_run_network import events, network
from torch.utils.data import DataLoader, Dataset, TensorDataset

import neuromorph as nm
from neuromorph.errors import InputError
from neuromorph.hardware.catalog import architecture_names, datasheet_names

X = np.random.default_rng(0).random((6, 4), dtype=np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])
NET = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3))
TENSORS = torch.from_numpy(X), torch.from_numpy(Y)


class Pairs(Dataset):  # type: ignore[type-arg]
    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return X[index], int(Y[index])


def figures(report: Any) -> list[Any]:
    return [(m.name, m.value) for m in report.metrics]


def plain() -> Any:
    return nm.run(nm.from_torch(NET, (4,)), nm.load_architecture("hermes-like"), X, Y, trials=2)


def test_every_form_of_network_data_and_chip_gives_the_same_report(tmp_path: Path) -> None:
    wanted = figures(plain())
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    nm.save_graph(nm.from_torch(NET, (4,)), tmp_path / "net.nmg.json")
    calls = [
        (NET, *TENSORS),
        (NET, Pairs()),
        (NET, TensorDataset(*TENSORS)),
        (NET, DataLoader(Pairs(), batch_size=4)),
        (NET, tmp_path / "data.npz"),
        (tmp_path / "net.nmg.json", X.tolist(), Y.tolist()),
    ]
    for graph, *data in calls:
        assert figures(nm.run(graph, "hermes-like", *data, trials=2)) == wanted


def test_an_example_shape_traces_a_module_where_nothing_is_run() -> None:
    wanted = nm.run(nm.from_torch(NET, (4,)), "isaac-like")["energy"].value
    assert nm.run(NET, "isaac-like", example=(4,))["energy"].value == wanted
    assert nm.estimate(NET, "isaac-like", example=(4,)).energy_j[0] > 0
    with pytest.raises(InputError, match="example"):
        nm.run(NET, "isaac-like")


def test_other_verbs_take_them_too() -> None:
    placement = nm.place(NET, "hermes-like", example=(4,))
    one = nm.execute(placement, *TENSORS, trials=2, time_s="1 day", off="adc")
    assert one.time_s == 86400
    assert one.off == {"adc"}
    assert (nm.execute(placement, Pairs(), trials=2, time_s="1 day", off=["adc"]).accuracy == one.accuracy).all()
    assert nm.calibrate(placement, DataLoader(Pairs(), batch_size=3)).samples == len(X)
    trained, _ = nm.finetune(placement, Pairs(), epochs=1, off="adc")
    assert trained.nodes
    found = nm.sweep(NET, "hermes-like", vary={"core.adc.bits": [6]}, data=Pairs(), workers=0, example=(4,))
    assert found.rows[0]["status"] == "done"
    assert found.rows[0]["accuracy"] is not None
    assert nm.compress(NET, "prune:0.5", example=(4,)).nodes
    assert nm.convert(NET, TENSORS[0], method="max", example=(4,)).nodes


@pytest.mark.parametrize("name", ["spinnaker2", "hermes-like"])
def test_own_spike_arrays_of_another_length(name: str, tmp_path: Path) -> None:
    raster, labels = events(4)
    dense = raster.dense()[:, :-2] if hasattr(raster, "dense") else np.asarray(raster)[:, :-2]
    np.savez(tmp_path / "own.npz", x=dense, y=labels)
    graph = network()
    found = nm.run(graph, name, dense, labels)
    assert figures(found) == figures(nm.run(graph, name, tmp_path / "own.npz"))
    read, same = nm.read_events(tmp_path / "own.npz")
    assert (read.dense().reshape(dense.shape) == dense).all()
    assert (same == labels).all()
    assert figures(nm.run(graph, name, read, same)) == figures(found)


def test_lists_name_what_can_be_loaded() -> None:
    assert nm.list_architectures() == tuple(architecture_names())
    assert set(nm.list_parts()) == set(datasheet_names())
    adcs = nm.list_parts("adc")
    assert {nm.load_part(name).kind for name in adcs} == {"adc"}


def test_a_report_is_read_back(tmp_path: Path) -> None:
    report = plain()
    nm.write_report(report, tmp_path)
    assert figures(nm.read_report(tmp_path)) == figures(report)
