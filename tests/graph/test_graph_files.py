"""Weight files and data sets: what is read, and what is refused without executing anything."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from graph_examples import as_graph, w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from neuromorph.errors import InputError
from neuromorph.graph.data import check_data, read_data
from neuromorph.graph.operators import dense, wiring
from neuromorph.importers.torch_import import read_weights


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "w.pth", "nested.ckpt"])
def test_weights_come_back(name: str, tmp_path: Path) -> None:
    state = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).state_dict()
    if name.endswith("safetensors"):
        save_file(state, tmp_path / name)
    else:
        torch.save({"epoch": 3, "state_dict": state} if "nested" in name else state, tmp_path / name)
    found = read_weights(tmp_path / name)
    assert set(found) == set(state)
    assert all(torch.equal(found[k], v) for k, v in state.items())


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def saved(thing: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(thing, stream)
    return stream.getvalue()


def legacy(thing: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(thing, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


WEIGHTS: list[tuple[str, str, Callable[[], bytes], str]] = [
    ("a pickled bomb", "w.pt", lambda: saved({"a": Bomb()}), "not a checkpoint of plain tensors"),
    ("an old bomb", "w.pt", lambda: legacy({"a": Bomb()}), "not a checkpoint of plain tensors"),
    ("a bare bomb", "w.pt", lambda: pickle.dumps(Bomb()), "not a checkpoint of plain tensors"),
    ("a bomb named safetensors", "w.safetensors", lambda: pickle.dumps(Bomb()), "looks like a pickle"),
    ("a whole module", "w.pt", lambda: saved(nn.Linear(2, 2)), "torch.save\\(model.state_dict"),
    ("half a checkpoint", "w.pt", lambda: saved({"a": torch.zeros(1000)})[:900], "not a checkpoint"),
    ("an empty checkpoint", "w.pt", lambda: b"", "not a checkpoint"),
    ("text", "w.pth", lambda: b"hello", "not a checkpoint"),
    ("one tensor", "w.pt", lambda: saved(torch.zeros(3)), "holds Tensor"),
    ("no tensors", "w.pt", lambda: saved({}), "holds dict"),
    ("numbers beside tensors", "w.pt", lambda: saved({"a": torch.zeros(2), "b": 3}), "b in it is no tensor"),
    ("NaN", "w.pt", lambda: saved({"a": torch.tensor([1.0, float("nan")])}), r"\[a\]: 1 of 2 values are NaN"),
    ("repeated storage", "w.pt", lambda: saved({"a": torch.zeros(1).expand(2**30)}), "bytes in a file of"),
    ("empty safetensors", "w.safetensors", lambda: b"", "no safetensors file"),
    ("text as safetensors", "w.safetensors", lambda: b"hello there", "no safetensors file"),
    ("a huge header", "w.safetensors", lambda: b"\xff" * 8 + b"{" * 50, "no safetensors file"),
    ("an archive named safetensors", "w.safetensors", lambda: saved({}), "zip archive"),
]


@pytest.mark.parametrize(("name", "content", "message"), [c[1:] for c in WEIGHTS], ids=[c[0] for c in WEIGHTS])
def test_weights_that_cannot_be_read(
    name: str, content: Callable[[], bytes], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(content())
    with pytest.raises(InputError, match=message):
        read_weights(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_weights_of_another_suffix_or_nowhere(tmp_path: Path) -> None:
    for name, message in {"w.pkl": "legal suffixes: .safetensors", "w.pt": "does not exist"}.items():
        with pytest.raises(InputError, match=message):
            read_weights(tmp_path / name)


# --- data ---


def npz(folder: Path, **arrays: Any) -> Path:
    path = folder / "d.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_data_is_scaled_limited_and_labelled(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 1, 2, 3) * 10
    x, y = read_data(npz(tmp_path, x=pixels, y=np.arange(4, dtype=np.uint8), other=np.ones(1)), limit=3)
    assert (x.dtype, x.shape, x.flags.c_contiguous) == (np.float32, (3, 1, 2, 3), True)
    np.testing.assert_allclose(x, pixels[:3] / 255, rtol=1e-6)
    assert y is not None
    assert (y.dtype, y.tolist()) == (np.int64, [0, 1, 2])
    x, y = read_data(npz(tmp_path, x=np.ones((2, 3)) * 200))
    assert (x.dtype, float(x.max()), y) == (np.float32, 200.0, None)


GOOD = {"x": np.ones((4, 3)), "y": np.arange(4)}
DATA: list[tuple[str, dict[str, Any], str]] = [
    ("no x", {"x": None, "images": np.ones((4, 3))}, "no array x, found images, y"),
    ("pickled objects", {"x": np.array([{"a": 1}] * 4, dtype=object)}, "pickled objects, which are never read"),
    ("NaN", {"x": np.full((4, 3), np.nan)}, "12 of 12 values are NaN or Inf"),
    ("too large for float32", {"x": np.full((4, 3), 1e300)}, "NaN or Inf"),
    ("text", {"x": np.full((4, 3), "a")}, "expected real numbers"),
    ("complex", {"x": np.full((4, 3), 1j)}, "expected real numbers"),
    ("one axis", {"x": np.ones(4)}, "expected \\(samples, ...\\)"),
    ("a number", {"x": np.ones(())}, "expected \\(samples, ...\\)"),
    ("no samples", {"x": np.ones((0, 3)), "y": np.ones(0, int)}, "nothing empty"),
    ("one-hot labels", {"y": np.eye(4)}, "one-hot"),
    ("integer one-hot labels", {"y": np.eye(4, dtype=int)}, "one label per sample"),
    ("fewer labels", {"y": np.arange(3)}, "one label per sample"),
    ("negative labels", {"y": np.array([0, 1, -1, 2])}, "label -1"),
]


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in DATA], ids=[c[0] for c in DATA])
def test_data_that_cannot_be_used(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    arrays = {k: v for k, v in {**GOOD, **change}.items() if v is not None}
    with pytest.raises(InputError, match=message):
        read_data(npz(tmp_path, **arrays))


DATA_FILES: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("empty", lambda d: b""),
    ("truncated", lambda d: d[: len(d) // 2]),
    ("end cut off", lambda d: d[:-10]),
    ("text", lambda d: b"x,y\n1,2"),
    ("a pickle", lambda d: pickle.dumps(Bomb())),
    ("a damaged member", lambda d: d[:40] + bytes(255 - b for b in d[40:140]) + d[140:]),
]


@pytest.mark.parametrize("spoil", [c[1] for c in DATA_FILES], ids=[c[0] for c in DATA_FILES])
def test_damaged_data_files(spoil: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = npz(tmp_path, x=w(40, 3))
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=r"d\.npz"):
        read_data(path)
    assert not (tmp_path / "exploded").exists()


def test_data_files_that_are_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_data(tmp_path / "d.npz")
    with pytest.raises(InputError, match="is a folder"):
        read_data(tmp_path)
    with pytest.raises(InputError, match="at least 1"):
        read_data(npz(tmp_path, **GOOD), limit=0)
    monkeypatch.setattr("neuromorph.graph.data.MAX_BYTES", 100)
    with pytest.raises(InputError, match="at most 100 are read"):
        read_data(npz(tmp_path, x=np.ones((2, 2))))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_raises_anything_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    kind = data.draw(st.sampled_from(["d.npz", "w.pt", "w.safetensors"]))
    path = folder / kind
    if kind == "d.npz":
        npz(folder, x=np.ones((5, 3)), y=np.arange(5))
    elif kind == "w.pt":
        path.write_bytes(saved({"a": torch.zeros(3, 2)}))
    else:
        save_file({"a": torch.zeros(3, 2)}, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read_data(path) if kind == "d.npz" else read_weights(path)
    except InputError as error:
        message = str(error)
        assert kind in message


def test_data_is_checked_against_the_graph() -> None:
    graph = as_graph(dense.Linear(w(3, 4)), [(4,)])
    x = np.ones((5, 4), np.float32)
    check_data(graph, x, np.array([0, 1, 2, 0, 1]))
    check_data(graph, x, None)
    for data, labels, message in (
        (np.ones((5, 3)), None, r"shape \(3,\), one takes \(4,\)"),
        (np.ones((5, 2, 2)), None, "reshape x"),
        (x, np.array([0, 1, 2, 3, 1]), "labels run from 0 to 3, .* classes 0 to 2"),
        (x, np.array([0, 1]), "2 labels for 5 samples"),
    ):
        with pytest.raises(InputError, match=message):
            check_data(graph, data, labels)
    two = as_graph(wiring.Concat(-1), [(4,), (4,)])
    with pytest.raises(InputError, match="takes 2 inputs"):
        check_data(two, x, None)
    images = as_graph(wiring.Transpose(), [(2, 2)])
    with pytest.raises(InputError, match="labels have shape"):
        check_data(images, np.ones((5, 2, 2)), np.zeros(5, int))


def test_a_real_archive_holds_what_the_reader_expects(tmp_path: Path) -> None:
    """An .npz is a zip of .npy files; one written by hand is read as well."""
    path = tmp_path / "d.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in GOOD.items():
            stream = io.BytesIO()
            np.save(stream, array)
            archive.writestr(f"{name}.npy", stream.getvalue())
    x, y = read_data(path)
    assert x.shape == (4, 3)
    assert y is not None
