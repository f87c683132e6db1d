"""Networks and placements the execution benchmarks run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neuromorph.devices.layered.execute.calibration import Calibration
    from neuromorph.devices.layered.place.placement import Placement

BATCH = 128
ARCHITECTURE = "hermes-like"
CELL = "pcm-nandakumar"


def dense512() -> nn.Module:
    """One dense layer of 512 x 512."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(512, 512, bias=False)).eval()


def lenet() -> nn.Module:
    """LeNet-5 for 28 x 28 images, the network of examples/mnist."""
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples" / "mnist"))
    import models

    torch.manual_seed(0)
    return models.lenet().eval()


def slim_vgg8() -> nn.Module:
    """Six 3 x 3 convolutions 32-32-64-64-128-128, a pooling after each pair, two dense layers; 39.2 MMAC at 32 x 32."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layers: list[nn.Module] = []
    before = 3
    for channels in (32, 64, 128):
        layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        before = channels
    layers += [nn.Flatten(), nn.Linear(2048, 256), nn.ReLU(), nn.Linear(256, 10)]
    return nn.Sequential(*layers).eval()


def placed(module: nn.Module, shape: tuple[int, ...], rows: int, columns: int) -> tuple[Placement, Calibration]:
    """The network on a chip of HERMES-like cores with arrays of this size, calibrated on random images.

    The cells have programming noise, drift and read noise; 8-bit drivers, 8-bit converters, differential pairs.
    """
    import torch

    from neuromorph.devices.layered.execute import calibrate
    from neuromorph.devices.layered.place.placement import place
    from neuromorph.hardware.catalog import load_architecture
    from neuromorph.hardware.paths import replace
    from neuromorph.importers.torch_import import from_torch

    changes = {"core.array.rows": rows, "core.array.columns": columns, "core.array.cell.part": CELL}
    architecture = replace(load_architecture(ARCHITECTURE), changes)
    graph = from_torch(module, torch.zeros(1, *shape))
    placement = place(graph, architecture, effort="none", duplicate=False)
    return placement, calibrate(placement, images(shape, 64))


def images(shape: tuple[int, ...], samples: int) -> np.ndarray:
    """Random inputs in [0, 1), (samples, *shape) float32."""
    return np.random.default_rng(1).random((samples, *shape), dtype=np.float32)


def steady_forward(placement: Placement, calibration: Calibration, x: torch.Tensor) -> Callable[[], torch.Tensor]:
    """One batch through chips that are programmed already: what the loop over batches of an execution does."""
    import torch

    from neuromorph.devices.layered.execute.engine import Job
    from neuromorph.graph.evaluate import Evaluator

    job = Job(placement, calibration, 0, 0.0, frozenset(), len(x), "cpu")
    programmed = job.program((0,))
    evaluator = Evaluator(placement.graph)
    one = x[None]

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            hosts = {**evaluator.hosts, **{name: p.host(0) for name, p in programmed.items()}}
            y = evaluator(one, hosts=hosts)
        assert not isinstance(y, tuple)
        return y

    return forward
