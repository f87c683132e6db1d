"""Reading a ResNet-50 with random weights from an ONNX file, against the start of an onnxruntime session on it.

python -m benchmarks.bench_onnx [--quick]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from benchmarks.timing import compete, parse, show
from neuromorph import read_graph

STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))
"""Width, blocks and first stride of each stage (He et al., arXiv:1512.03385, table 1)."""


def resnet50() -> onnx.ModelProto:
    """The network with batch normalizations unfolded, at 224 x 224."""
    rng = np.random.default_rng(0)
    nodes: list[Any] = []
    weights: list[Any] = []

    def held(values: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"w{len(weights)}"))
        return str(weights[-1].name)

    def add(op: str, *inputs: str, **settings: Any) -> str:
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, list(inputs), [name], **settings))
        return name

    def conv(x: str, wide: int, out: int, size: int, stride: int = 1) -> str:
        weight = held(rng.normal(0, (wide * size**2) ** -0.5, (out, wide, size, size)))
        y = add("Conv", x, weight, strides=[stride] * 2, pads=[size // 2] * 4, kernel_shape=[size] * 2)
        return add("BatchNormalization", y, *(held(rng.uniform(0.5, 1.5, out)) for _ in range(4)))

    x = add("Relu", conv("x", 3, 64, 7, 2))
    x = add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    wide = 64
    for width, blocks, first in STAGES:
        for block in range(blocks):
            stride = first if block == 0 else 1
            y = add("Relu", conv(x, wide, width, 1))
            y = conv(add("Relu", conv(y, width, width, 3, stride)), width, 4 * width, 1)
            x = add("Relu", add("Add", y, conv(x, wide, 4 * width, 1, stride) if block == 0 else x))
            wide = 4 * width
    x = add("Flatten", add("GlobalAveragePool", x))
    x = add("Gemm", x, held(rng.normal(0, 0.02, (1000, wide))), held(np.zeros(1000)), transB=1)
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "resnet50",
        [helper.make_tensor_value_info("x", kind, ["batch", 3, 224, 224])],
        [helper.make_tensor_value_info(x, kind, ["batch", 1000])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def rows(quick: bool) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet50.onnx"
        onnx.save(resnet50(), path)
        graph = read_graph(path)

        def session() -> None:
            onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

        contest = compete(lambda: read_graph(path), session, 2 if quick else 7)
    return [contest.row("reading ResNet-50 from ONNX", 10.0, "onnxruntime session start", nodes=len(graph.nodes))]


def main(argv: Sequence[str] | None = None) -> int:
    show(rows(parse(__doc__, argv).quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
