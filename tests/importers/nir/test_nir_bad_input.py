"""Broken and hostile NIR files: one InputError with file, place inside it, and what is legal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nir_files_by_hand import chain, lif, network, node, small, write

from neuromorph.errors import InputError
from neuromorph.importers import read_graph
from neuromorph.importers.nir import read


def refused(path: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        read_graph(path, **{"dt": 1e-3, **options})
    assert all(str(path) in str(p) or p.place.key in ("dt", "steps", "time_scale") for p in caught.value.problems)
    return caught.value


def external(file: h5py.File) -> None:
    file["node/nodes/w/weight2"] = h5py.ExternalLink("other.h5", "/x")


def external_at_root(file: h5py.File) -> None:
    file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def soft(file: h5py.File) -> None:
    del file["node/nodes/w/weight"]
    file["node/nodes/w/weight"] = h5py.SoftLink("/node/nodes/lif/tau")


def cyclic(file: h5py.File) -> None:
    file["node/nodes/sub"] = file["node"]


def twice(file: h5py.File) -> None:
    file["node/nodes/lif2"] = file["node/nodes/lif"]


def replaced(name: str, make: Callable[[h5py.Group], None]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        group = file["node/nodes/w"]
        del group[name]
        make(group)

    return change


def virtual(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((3, 2), np.float64)
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 2))
    group.create_virtual_dataset("weight", layout)


def outside(group: h5py.Group) -> None:
    group.create_dataset("weight", (3, 2), np.float64, external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])


def huge(group: h5py.Group) -> None:
    group.create_dataset("weight", (10**7, 10**7), np.float64, chunks=(100, 100))


def hollow(group: h5py.Group) -> None:
    group.create_dataset("weight", (20000, 20000), np.float32, chunks=(1000, 1000), compression="gzip")


def references(group: h5py.Group) -> None:
    group.create_dataset("weight", data=np.array([group.ref], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)


def compound(group: h5py.Group) -> None:
    group.create_dataset("weight", data=np.zeros(3, [("a", "f4"), ("b", "i4")]))


def texts(group: h5py.Group) -> None:
    group.create_dataset("weight", data=["a", "b"], dtype=h5py.string_dtype())


def ragged(group: h5py.Group) -> None:
    group.create_dataset("weight", (2,), dtype=h5py.vlen_dtype(np.float64))


def complex_numbers(group: h5py.Group) -> None:
    group.create_dataset("weight", data=np.zeros((3, 2), complex))


def empty(group: h5py.Group) -> None:
    group["weight"] = h5py.Empty("f8")


HOSTILE = {
    "external link": (external, "external link to 'other.h5'", "node/nodes/w/weight2"),
    "external link at the root": (external_at_root, "external link to '/etc/passwd'", "elsewhere"),
    "soft link": (soft, "soft link", "node/nodes/w/weight"),
    "graph in itself": (cyclic, "same group as node", "node/nodes/sub"),
    "group with two names": (twice, "same group as node/nodes/lif", "node/nodes/lif2"),
    "virtual": (replaced("weight", virtual), "virtual dataset", "node/nodes/w/weight"),
    "external storage": (replaced("weight", outside), "values in another file", "node/nodes/w/weight"),
    "huge": (replaced("weight", huge), "declares shape (10000000, 10000000)", "node/nodes/w/weight"),
    "hollow": (replaced("weight", hollow), "stores 0 bytes", "node/nodes/w/weight"),
    "reference": (replaced("weight", references), "type reference", "node/nodes/w/weight"),
    "compound": (replaced("weight", compound), "compound", "node/nodes/w/weight"),
    "texts": (replaced("weight", texts), "list of texts", "node/nodes/w/weight"),
    "varying length": (replaced("weight", ragged), "varying length", "node/nodes/w/weight"),
    "complex": (replaced("weight", complex_numbers), "complex", "node/nodes/w/weight"),
    "no dataspace": (replaced("weight", empty), "is empty", "node/nodes/w/weight"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_containers_are_refused_with_their_place(tmp_path: Path, case: str) -> None:
    change, message, where = HOSTILE[case]
    path = write(tmp_path / "bad.nir", small())
    with h5py.File(path, "r+") as file:
        change(file)
    error = refused(path)
    assert any(message in p.message and p.place.key == where for p in error.problems), str(error)


def test_two_faults_of_the_container_come_together(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.nir", small())
    with h5py.File(path, "r+") as file:
        external(file)
        replaced("weight", references)(file)
    assert len(refused(path).problems) == 2


PARAMETERS = {
    "NaN": ({"v_threshold": np.array([1, np.nan, 1])}, "1 of 3 values are NaN or Inf: nan at (1,)", "lif/v_threshold"),
    "Inf": ({"r": np.full(3, np.inf)}, "3 of 3 values are NaN or Inf", "lif/r"),
    "zero time": ({"tau": np.array([0.01, 0.0, 0.01])}, "is 0 at (1,)", "lif/tau"),
    "negative time": ({"tau": np.full(3, -0.01)}, "is -0.01", "lif/tau"),
    "text": ({"tau": "fast"}, "is 'fast'", "lif/tau"),
    "shape": ({"tau": np.full(4, 0.01)}, "has shape (4,), but features (3,) arrive", "lif/tau"),
    "unknown field": ({"refractory": np.full(3, 0.01)}, "unknown field 'refractory' of a LIF", "lif/refractory"),
    "missing field": ({"r": None}, "LIF has no 'r'", "lif"),
    "no values": ({"r": np.zeros(0)}, "no values", "lif/r"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_parameters_that_mean_nothing(tmp_path: Path, case: str) -> None:
    changes, message, where = PARAMETERS[case]
    (problem,) = refused(write(tmp_path / "bad.nir", small(**changes))).problems
    assert message in problem.message
    assert problem.place.key == f"node/nodes/{where}"
    assert problem.hint


def one(kind: str, shape: list[int], **values: Any) -> dict[str, Any]:
    return network({"in": node("Input", shape=shape), "n": node(kind, **values)}, [("in", "n")])


CONV = {"weight": np.ones((4, 2, 3, 3)), "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": np.zeros(4)}
NODES = {
    "negative delay": (one("Delay", [2], delay=[0.001, -0.001]), "is -0.001 at (1,)", "0 or more"),
    "unknown type": (one("Izhikevich", [2], a=[1.0]), "unknown node type 'Izhikevich'", "legal: Input"),
    "misspelt type": (one("cubalif", [2], a=[1.0]), "unknown node type 'cubalif'", "did you mean 'CubaLIF'?"),
    "weight of one axis": (one("Linear", [2], weight=np.ones(2)), "has shape (2,)", "(outputs, inputs)"),
    "inputs of a matrix": (one("Linear", [3], weight=np.ones((4, 2))), "gets features (3,)", "last axis of 2"),
    "missing flatten": (one("Linear", [2, 2], weight=np.ones((4, 4))), "gets features (2, 2)", "Flatten is missing"),
    "bias": (one("Affine", [2], weight=np.ones((4, 2)), bias=np.ones(3)), "has shape (3,)", "(4,)"),
    "channels": (one("Conv2d", [3, 8, 8], **CONV), "gets features (3, 8, 8)", "2 channels"),
    "kernel": (one("Conv2d", [2, 2, 2], **CONV), "does not fit on (2, 2)", "smaller"),
    "input_shape": (one("Conv2d", [2, 8, 8], **CONV, input_shape=[9, 9]), "maps of (8, 8) arrive", "correct"),
    "groups": (one("Conv2d", [6, 8, 8], **{**CONV, "groups": 3}), "is [3]", "divisor"),
    "stride": (one("Conv2d", [2, 8, 8], **{**CONV, "stride": 0}), "is 0", "1 or more"),
    "padding": (one("Conv2d", [2, 8, 8], **{**CONV, "padding": "full"}), "is 'full'", "'same', 'valid'"),
    "same with stride": (one("Conv2d", [2, 8, 8], **CONV | {"padding": "same", "stride": 2}), "is 'same'", "stride 1"),
    "fractions": (one("Conv2d", [2, 8, 8], **{**CONV, "dilation": 1.5}), "is 1.5", "whole numbers"),
    "pool": (one("SumPool2d", [2, 8], kernel_size=2, stride=2, padding=0), "gets features (2, 8)", "(channels, height"),
    "flatten": (one("Flatten", [2, 2], start_dim=1, end_dim=2), "joins axes 1 to 2", "without the batch axis"),
    "negative shape": (one("Threshold", [-2], threshold=[1.0]), "is [-2.]", "1 or more"),
}  # fmt: skip


@pytest.mark.parametrize("case", NODES)
def test_nodes_that_do_not_fit(tmp_path: Path, case: str) -> None:
    root, message, hint = NODES[case]
    (problem,) = refused(write(tmp_path / "bad.nir", root)).problems
    assert message in problem.message
    assert hint in problem.hint


def test_shapes_that_do_not_match_at_sums_outputs_and_feedback(tmp_path: Path) -> None:
    nodes = {"a": node("Input", shape=[2]), "b": node("Input", shape=[3]), "o": node("Output", shape=[3])}
    error = refused(write(tmp_path / "a.nir", network(nodes, [("a", "o"), ("b", "o")])))
    assert "a (2,), b (3,)" in str(error)
    root = small()
    root["nodes"]["output"]["shape"] = [4]
    assert "is (4,), but the network gives (3,)" in str(refused(write(tmp_path / "b.nir", root)))
    root = small()
    root["nodes"]["rec"] = node("Linear", weight=np.ones((2, 3)))
    root["edges"] += [("lif", "rec"), ("rec", "lif")]
    assert "gets (2,) back from 'rec', but (3,)" in str(refused(write(tmp_path / "c.nir", root)))


EDGES = {
    "no such source": ([("lif1", "output")], "names 'lif1', which is no node", "did you mean 'lif'?"),
    "no such target": ([("lif", "out")], "names 'out', which is no node", "did you mean 'output'?"),
    "into an input": ([("lif", "input")], "is an Input, but 'lif' leads to it", "remove"),
    "linear cycle": (
        [("w2", "w3"), ("w3", "w2"), ("input", "w2"), ("w2", "output")],
        "neither a neuron nor a Delay",
        "",
    ),
    "orphan": ([("w2", "output")], "gets nothing from any Input", "connect"),
}


@pytest.mark.parametrize("case", EDGES)
def test_edges_that_lead_nowhere(tmp_path: Path, case: str) -> None:
    edges, message, hint = EDGES[case]
    root = small()
    if any("w2" in edge for edge in edges):
        root["nodes"]["w2"] = node("Linear", weight=np.eye(2) if len(edges) > 1 else np.eye(3))
        root["nodes"]["w3"] = node("Linear", weight=np.eye(2))
    root["edges"] += edges
    error = refused(write(tmp_path / "bad.nir", root))
    assert any(message in p.message and hint in p.hint for p in error.problems), str(error)


def test_all_problems_of_a_file_come_together(tmp_path: Path) -> None:
    root = chain(
        ("in", node("Input", shape=[2])),
        ("w", node("Linear", weight=np.array([[1, np.nan]]))),
        ("a", lif(1, tau=np.zeros(1))),
        ("b", lif(1, v_threshold=np.full(1, np.nan), r=None)),
        ("out", node("Output", shape=[1])),
    )
    error = refused(write(tmp_path / "bad.nir", root))
    assert len(error.problems) == 4
    root = small()
    root["nodes"]["x"] = node("Spline")
    root["edges"] += [("lif", "y"), ("z", "lif")]
    assert len(refused(write(tmp_path / "bad2.nir", root)).problems) == 3


OPTIONS = {
    "unknown preset": ({"preset": "snntorhc"}, "unknown preset 'snntorhc'", "did you mean 'snntorch'?"),
    "no dt": ({"dt": None}, "a time step is needed", "give dt"),
    "zero dt": ({"dt": 0.0}, "dt is 0.0", "above 0"),
    "negative dt": ({"dt": "-1 ms"}, "dt is -0.001", "above 0"),
    "dt in volts": ({"dt": "1 mV"}, "", ""),
    "no unit": ({"dt": "fast"}, "", ""),
    "steps": ({"steps": 0}, "steps is 0", "1 to"),
    "scale": ({"time_scale": -1.0}, "time_scale is -1.0", "above 0"),
    "field": ({"semantics": {"rest": "zero"}}, "unknown field of the semantics 'rest'", "reset"),
    "value": ({"semantics": {"reset": "zero"}}, "reset is 'zero'", "value, subtract"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_are_not_legal(tmp_path: Path, case: str) -> None:
    options, message, hint = OPTIONS[case]
    path = write(tmp_path / "a.nir", small())
    with pytest.raises(InputError) as caught:
        read_graph(path, **{"dt": 1e-3, **options})
    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in problem.hint


def test_files_of_another_kind(tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("text", b"hello\n" * 100), ("zip", b"PK\x03\x04" + bytes(200))):
        path = tmp_path / f"{name}.nir"
        path.write_bytes(content)
        assert "no readable HDF5 file" in str(refused(path))
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["x"] = 1
    assert "has no group 'node'" in str(refused(tmp_path / "other.nir"))
    with h5py.File(tmp_path / "data.nir", "w") as file:
        file.attrs["__type__"] = "NIRGraphData"
    assert "recordings" in str(refused(tmp_path / "data.nir"))


def test_truncated_files_are_refused_at_every_length(tmp_path: Path) -> None:
    whole = write(tmp_path / "a.nir", small()).read_bytes()
    path = tmp_path / "cut.nir"
    for length in range(0, len(whole), max(1, len(whole) // 60)):
        path.write_bytes(whole[:length])
        refused(path)


def test_texts_that_would_never_be_read_to_their_end_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", small())
    raw = bytearray(path.read_bytes())
    heap = raw.index(b"GCOL")
    for at in (heap + 16, heap + 24):  # the number and the length of its first text
        damaged = bytearray(raw)
        damaged[at : at + 2] = bytes(2)
        path.write_bytes(damaged)
        if at == heap + 16:
            assert f"texts stored at byte {heap} are damaged" in str(refused(path))
        else:
            refused(path)


@given(st.data())
def test_damaged_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.nir", small())
        raw = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 6))):
            raw[data.draw(st.integers(8, len(raw) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(raw)
        with contextlib.suppress(InputError):
            read(path, dt=1e-3)
