"""Speed of noisy crossbar forwards against the plain torch forward of the same network.

Programming noise, read noise drawn anew for every column result, 8-bit drivers and 8-bit converters; batch 128. Chips
are programmed and calibrated before, as in the loop over batches of an execution.

    python -m benchmarks.bench_forward [--quick]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import networks
from benchmarks.timing import compete, parse, show


def forward_row(
    name: str, network: str, shape: tuple[int, ...], array: tuple[int, int], reach: float, repeats: int
) -> dict[str, Any]:
    """One network on arrays of this size against plain torch."""
    import torch

    module = getattr(networks, network)()
    placement, calibration = networks.placed(module, shape, *array)
    x = torch.from_numpy(networks.images(shape, networks.BATCH))
    subject = networks.steady_forward(placement, calibration, x)

    def baseline() -> torch.Tensor:
        with torch.inference_mode():
            return module(x)

    contest = compete(subject, baseline, repeats, warm=3)
    error = float((subject()[0] - baseline()).norm() / baseline().norm())
    assert 0 < error < 0.5, f"{name}: the noisy forward is off by {error:.2f}"
    return contest.row(
        name, reach, "plain torch float forward", batch=networks.BATCH, array=list(array), relative_error=error,
        threads=torch.get_num_threads(),
    )  # fmt: skip


def rows(quick: bool) -> list[dict[str, Any]]:
    """Dense layer, LeNet-5, slim VGG-8; the networks on arrays that hold each layer whole and on 512 x 512."""
    few = 5 if quick else 1
    cases = (
        ("crossbar forward 512x512", "dense512", (512,), (512, 512), 3.0, 400),
        ("crossbar forward LeNet-5", "lenet", (1, 28, 28), (512, 512), 4.0, 100),
        ("crossbar forward slim VGG-8", "slim_vgg8", (3, 32, 32), (2048, 512), 4.0, 15),
        ("crossbar forward slim VGG-8, 512x512 arrays", "slim_vgg8", (3, 32, 32), (512, 512), 4.0, 15),
    )
    return [forward_row(*case[:5], max(3, case[5] // (4 * few if quick else 1))) for case in cases]


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
