"""ONNX's own node tests of every operator that is claimed: right, or refused for a reason that is listed here."""

from __future__ import annotations

import re
from pathlib import Path

from node_cases import cases, run, ways

from neuromorph.errors import InputError
from neuromorph.importers.onnx_files.table import page

REFUSED = {
    "Cast": r"rounds the model's values to (float[48]|u?int)",
    "CastLike": r"rounds the model's values to (float[48]|u?int)",
    "MaxPool": r"which is not computed here",
    "ConvTranspose": r"works on a tensor of shape",
    "BatchNormalization": r"statistics of the batch",
    "DequantizeLinear": r"scale per block",
    "QuantizeLinear": r"scale per block|quantizes to float|along the batch axis",
    "Div": r"divides integers",
    "Dropout": r"training mode|which is not computed here",
    "LSTM": r"takes its batch axis at 1|P other than zero",
    "Identity": r"no tensor of known shape",
    "MatMul": r"constant of shape|along the batch axis|multiplies a value of shape",
    "QLinearMatMul": r"constant of shape",
    "Einsum": r"operands or an ellipsis|with a constant per",
    "Gemm": r"along the batch axis",
    "Resize": r"mode 'tf_crop_and_resize'|antialias|aspect ratio",
    "Shape": r"not computed from an input",
    "Size": r"not computed from an input",
    "Slice": r"takes places \[\]",
    "Where": r"condition that depends",
}
"""By operator, what of it is not read; every other case has to come out right."""
EMPTY = r"input has shape \[.*\b0\b.*\]"


def outcomes() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, case in cases().items():
        kind = case.model.graph.node[0].op_type
        for kept in ways(case):
            try:
                said = run(case, kept) or "right"
            except InputError as error:
                said = f"refused: {error.problems[0].message}"
            found.setdefault(kind, []).append((f"{name} {kept}", said))
    return found


def test_every_node_test_is_right_or_refused_for_a_listed_reason() -> None:
    found = outcomes()
    legal = {kind: re.compile(f"refused: .*({REFUSED.get(kind, EMPTY)}|{EMPTY})") for kind in found}
    wrong = [
        f"{name}: {said}"
        for kind, results in found.items()
        for name, said in results
        if said != "right" and not legal[kind].search(said)
    ]
    assert not wrong, "\n".join(wrong)
    right = sum(said == "right" for results in found.values() for _, said in results)
    assert right >= 800
    never = {kind for kind, results in found.items() if all(said != "right" for _, said in results)}
    assert never <= {"Shape", "Size", "Where"}  # their node tests are all of forms that are refused


def test_the_page_of_operators_is_what_is_read() -> None:
    shown = Path(__file__).parents[3] / "docs" / "operators.md"
    assert shown.read_text() == page() + "\n"
