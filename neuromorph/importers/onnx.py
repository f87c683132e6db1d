"""ONNX and QONNX models: `.onnx` files with static shapes and one batch axis.

Nothing of the file is executed: initializers become weights, nodes operators of the graph, what depends on no input is
folded. External data are read beside the file alone. `onnx_files.values.OPERATORS` holds what is read, by domain.
"""

from __future__ import annotations

from pathlib import Path

from neuromorph.graph.model import Graph

SUFFIXES = (".onnx",)


def read(path: str | Path) -> Graph:
    """The graph of an ONNX file of opset 9 or newer, integer (QDQ, QOperator) and QONNX models included.

    The batch axis is the symbolic one; in a model of fixed shapes the first (or second) axis along which it computes
    every index alike, and where there is none a sample is the whole tensor. A quantizer in front of a matrix becomes
    its `input_format`, a quantized weight its `weight_format`. Integer tensors hold their codes.
    What no output needs is left out; an If is read where its condition is constant. Where an output is the place of a
    maximum (ArgMax), the graph gives the scores that it chooses from, as accuracy is counted from scores.
    Raises InputError with node, operator and what is legal.
    """
    from neuromorph.importers.onnx_files.build import build
    from neuromorph.importers.onnx_files.files import load

    return build(load(Path(path)), Path(path))
