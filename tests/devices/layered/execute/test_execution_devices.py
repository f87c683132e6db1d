"""The torch code that runs on accelerators gives what the compiled code gives on the CPU, to float tolerance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from emulated import NETWORKS, inputs_of, placed, shipped

from neuromorph.devices.layered.crossbar import converters, drives, host
from neuromorph.devices.layered.execute import calibrate, execute
from neuromorph.errors import InputError


def agree(ours: np.ndarray | None, theirs: np.ndarray | None) -> None:
    """Equal to float32 rounding, but for the few values where rounding moves a result over the edge of a code."""
    assert ours is not None
    assert theirs is not None
    scale = np.abs(ours).max()
    difference = np.abs(ours - theirs) / scale
    assert np.median(difference) < 1e-5
    assert (difference > 1e-4).mean() < 0.05
    assert np.sqrt((difference**2).mean()) < 0.01


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["hermes-like", "isaac-like"])
def test_torch_code_gives_what_compiled_code_gives(name: str, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = NETWORKS[network]()
    placement, x = placed(graph, shipped(name)), inputs_of(graph, 20)
    calibration = calibrate(placement, x)
    options = {"trials": 2, "time_s": 3600.0, "calibration": calibration, "batch": 8}
    compiled = execute(placement, x, **options)
    monkeypatch.setattr(host, "convert", converters._convert_torch)
    monkeypatch.setattr(host, "drive", drives._drive_torch)
    found = execute(placement, x, **options)
    agree(compiled.outputs, found.outputs)
    for node, stats in compiled.statistics.items():
        for key in (k for k in stats.values if k.endswith((".power", ".steps", ".code"))):
            assert found.statistics[node].values[key].sum() == pytest.approx(stats.values[key].sum(), rel=0.02), key


@pytest.mark.gpu
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["hermes-like", "isaac-like", "digital-int8"])
def test_a_gpu_gives_what_the_cpu_gives(name: str, network: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    graph = NETWORKS[network]()
    placement, x = placed(graph, shipped(name)), inputs_of(graph, 20)
    calibration = calibrate(placement, x)
    runs = [execute(placement, x, trials=2, calibration=calibration, torch_device=d) for d in ("cpu", "cuda")]
    agree(runs[0].outputs, runs[1].outputs)


def test_a_missing_gpu_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    graph = NETWORKS["mlp"]()
    placement, x = placed(graph, shipped("hermes-like")), inputs_of(graph, 4)
    with pytest.raises(InputError, match="no CUDA device"):
        execute(placement, x, torch_device="cuda", calibration=calibrate(placement, x))
