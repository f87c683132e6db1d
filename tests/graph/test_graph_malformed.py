"""Files of the portable format in every way wrong: one clear message, with its place, and nothing executed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graph_examples import small_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from neuromorph.errors import InputError
from neuromorph.importers import importers, read_graph
from neuromorph.importers.json_lines import line_of
from neuromorph.importers.portable import save

# --- malformed files: how a good file is spoilt, and what the message must name ---

Change = Callable[[dict[str, Any]], object]


def at(*keys: Any) -> Callable[[dict[str, Any], Any], None]:
    def put(document: Any, value: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return put


def setting(value: Any, *keys: Any) -> Change:
    return lambda document: at(*keys)(document, value)


def without(*keys: Any) -> Change:
    def drop(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return drop


CONV, ADD, FC = 0, 2, 5
WINDOW = ("nodes", CONV, "fields", "window")
WEIGHT = ("nodes", CONV, "fields", "weight")
FORMAT = ("nodes", FC, "fields", "weight_format")
FC_WEIGHT = ("nodes", FC, "fields", "weight")

STRUCTURE: list[tuple[str, Change, str]] = [
    ("another format", setting("onnx", "format"), "format is 'onnx'"),
    ("newer schema", setting(2, "schema"), "newer version"),
    ("schema true", setting(True, "schema"), "schema is True"),
    ("no name", without("name"), "'name' is missing"),
    ("name a number", setting(3, "name"), "expected a string"),
    ("unknown key", setting(1, "extra"), "unknown key 'extra'"),
    ("misspelt key", lambda d: d.update(metadat=d.pop("metadata")), "did you mean 'metadata'"),
    ("metadata values", setting({"a": 1}, "metadata"), "must be strings"),
    ("nodes an object", setting({}, "nodes"), "expected a list"),
    ("node a string", setting("conv", "nodes", CONV), "expected an object"),
    ("no inputs", setting({}, "inputs"), "one or more inputs"),
    ("no outputs", setting([], "outputs"), "one or more node names"),
    ("outputs numbers", setting([1], "outputs"), "one or more node names"),
    ("negative size", setting([3, -4, 4], "inputs", "x"), "positive integers"),
    ("fractional size", setting([3, 4.5, 4], "inputs", "x"), "positive integers"),
    ("boolean size", setting([True, 4, 4], "inputs", "x"), "positive integers"),
    ("enormous size", setting([2**20, 2**20, 2], "inputs", "x"), "more than"),
    ("node without name", without("nodes", ADD, "name"), "'name' is missing"),
    ("empty name", setting("", "nodes", ADD, "name"), "expected a name"),
    ("module a list", setting([], "nodes", ADD, "module"), "expected a path"),
    ("inputs a string", setting("relu", "nodes", ADD, "inputs"), "list of names"),
    ("fields a list", setting([], "nodes", ADD, "fields"), "expected an object"),
    ("unknown node key", setting(1, "nodes", ADD, "colour"), "unknown key 'colour'"),
    ("unknown operator", setting("Conv2D", "nodes", CONV, "operator"), "did you mean 'Conv2d'"),
    ("abstract operator", setting("Weighted", "nodes", CONV, "operator"), "unknown operator 'Weighted'"),
    ("unknown field", setting(1, "nodes", ADD, "fields", "alpha"), "unknown key 'alpha'"),
    ("misspelt field", lambda d: d["nodes"][0]["fields"].update(group=1), "did you mean 'groups'"),
    ("missing weight", without(*WEIGHT), "'weight' is missing"),
    ("groups a string", setting("1", "nodes", CONV, "fields", "groups"), "expected an integer"),
    ("groups zero", setting(0, "nodes", CONV, "fields", "groups"), "do not divide"),
    ("groups true", setting(True, "nodes", CONV, "fields", "groups"), "expected an integer"),
    ("window a list", setting([3, 3], *WINDOW), "expected an object"),
    ("kernel with three", setting([3, 3, 3], *WINDOW, "kernel"), r"kernel\].*expected a list"),
    ("kernel zero", setting([0, 3], *WINDOW, "kernel"), "at least 1"),
    ("negative padding", setting([-1, 1, 1, 1], *WINDOW, "padding"), "at least 0"),
    ("stride of letters", setting(["a", 1], *WINDOW, "stride"), r"stride\[0\]"),
    ("kernel of another size", setting([2, 3], *WINDOW, "kernel"), "weight has"),
    ("unknown window key", setting(1, *WINDOW, "strides"), "did you mean 'stride'"),
    ("array a number", setting(1.5, *WEIGHT), "array's description"),
    ("array key unknown", setting(1, *WEIGHT, "offset"), "unknown key 'offset'"),
    ("array without shape", without(*WEIGHT, "shape"), "'shape' is missing"),
    ("array missing", setting("conv.wait", *WEIGHT, "array"), "'conv.wait' is not in the weights file"),
    ("array of another shape", setting([3, 3, 3, 4], *WEIGHT, "shape"), "expected 108"),
    ("array transposed to a misfit", setting([9, 1, 3, 3], *WEIGHT, "shape"), "nodes\\[0\\]"),
    ("array of another kind", setting("float16", *WEIGHT, "encoding"), "expected 81 x float16"),
    ("unknown encoding", setting("bfloat16", *WEIGHT, "encoding"), "legal: float16"),
    ("codes without format", setting("int8", *WEIGHT, "encoding"), "needs a number format"),
    ("sparse without mask", setting(True, *WEIGHT, "sparse"), "has no mask"),
    ("mask taken away", without("nodes", FC, "fields", "mask"), "has no mask"),
    ("mask of another shape", setting([12, 5], "nodes", FC, "fields", "mask", "shape"), "the mask's is"),
    ("unknown number kind", setting("fixed", *FORMAT, "kind"), "legal: .*binary, .*float, .*int, .*ternary"),
    ("bits zero", setting(0, *FORMAT, "bits"), "legal: 1 to 32"),
    ("fewer bits than codes", setting(2, *FORMAT, "bits"), "the format allows"),
    ("no scale", without(*FORMAT, "scale"), "needs one"),
    ("scale negative", setting(-0.25, *FORMAT, "scale"), "must be positive"),
    ("scale a string", setting("0.25", *FORMAT, "scale"), "finite number"),
    ("scale true", setting(True, *FORMAT, "scale"), "finite number"),
    ("scale a matrix", setting([[0.25]], *FORMAT, "scale"), "list of these"),
    ("scales of another count", setting([0.25] * 3, *FORMAT, "scale"), "nodes\\[5\\]"),
    ("zero point a word", setting("none", *FORMAT, "zero_point"), "finite number"),
    ("weights file elsewhere", setting("../m.nmg.safetensors", "weights", "file"), "bare name"),
    ("weights file absolute", setting("/m.nmg.safetensors", "weights", "file"), "bare name"),
    ("weights file a pickle", setting("m.pkl", "weights", "file"), "bare name"),
    ("weights file gone", setting("n.safetensors", "weights", "file"), "is not there"),
    ("another length", setting(1, "weights", "bytes"), "expected 1"),
    ("another hash", setting("0" * 64, "weights", "sha256"), "expected 000000000000"),
    ("no hash", without("weights", "sha256"), "'sha256' is missing"),
    ("node reads itself", setting(["add"], "nodes", ADD, "inputs"), "reads itself"),
    ("cycle", setting(["add", "x"], "nodes", CONV + 1, "inputs"), "no cycles"),
    ("dangling input", setting(["rely", "x"], "nodes", ADD, "inputs"), "did you mean 'relu'"),
    ("unknown output", setting(["fd"], "outputs"), "unknown node 'fd'"),
    ("an input as output", setting(["x"], "outputs"), "unknown node 'x'"),
    ("two of one name", setting("conv", "nodes", ADD, "name"), "'conv' is taken"),
    ("a node named as the input", setting("x", "nodes", ADD, "name"), "'x' is taken"),
    ("output nobody reads", setting(["relu"], "outputs"), "never used"),
    ("too few inputs", setting(["relu"], "nodes", ADD, "inputs"), "two or more"),
    ("shapes that do not fit", setting([3, 6, 4], "inputs", "x"), "last axis must have 12"),
    ("channels that do not fit", setting([2, 4, 4], "inputs", "x"), "3 channels"),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(small_graph(), tmp_path_factory.mktemp("good") / "m")


def spoilt(good: Path, folder: Path, change: Change) -> Path:
    document = json.loads(good.read_text())
    change(document)
    path = folder / "m.nmg.json"
    path.write_text(json.dumps(document, indent=1))
    path.with_name("m.nmg.safetensors").write_bytes(good.with_name("m.nmg.safetensors").read_bytes())
    return path


@pytest.mark.parametrize(("change", "message"), [c[1:] for c in STRUCTURE], ids=[c[0] for c in STRUCTURE])
def test_every_malformed_structure_is_refused_with_place(
    good: Path, tmp_path: Path, change: Change, message: str
) -> None:
    path = spoilt(good, tmp_path, change)
    with pytest.raises(InputError, match=message) as caught:
        read_graph(path)
    assert all(problem.place.file == str(path) for problem in caught.value.problems)


TEXTS: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("empty", lambda t: b"", "not valid JSON"),
    ("half", lambda t: t[: len(t) // 2], "not valid JSON"),
    ("a trailing comma", lambda t: t.replace(b'"schema": 1,', b'"schema": 1,,'), ":3:"),
    ("a list", lambda t: b"[1]", "not a JSON object"),
    ("not a number", lambda t: t.replace(b'"scale": 0.25', b'"scale": NaN'), "NaN"),
    ("infinity", lambda t: t.replace(b'"scale": 0.25', b'"scale": 1e999'), "finite"),
    ("a key twice", lambda t: t.replace(b'"schema": 1', b'"schema": 1, "schema": 1'), "'schema' stands twice"),
    ("very deep", lambda t: b"[" * 200_000, "nested too deeply"),
    ("a pickle", lambda t: pickle.dumps({"format": "x"}, protocol=4), "UTF-8|pickle"),
    ("binary zeros", lambda t: b"\0" * 100, "not valid JSON"),
    ("a huge integer", lambda t: t.replace(b"[3, 4, 4]", b"[3, 4, " + b"9" * 5000 + b"]"), "JSON|more than"),
]


@pytest.mark.parametrize(("spoil", "message"), [c[1:] for c in TEXTS], ids=[c[0] for c in TEXTS])
def test_every_malformed_text_is_refused(
    good: Path, tmp_path: Path, spoil: Callable[[bytes], bytes], message: str
) -> None:
    path = spoilt(good, tmp_path, lambda document: None)
    path.write_bytes(spoil(good.read_bytes()))
    with pytest.raises(InputError, match=message):
        read_graph(path)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("exploded",)


def zipped(data: bytes, folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "z", "w") as archive:
        archive.writestr("a", data)
    return (folder / "z").read_bytes()


WEIGHT_FILES: list[tuple[str, Callable[[bytes, Path], bytes], str]] = [
    ("empty", lambda d, f: b"", "0 bytes long"),
    ("truncated", lambda d, f: d[:-1], "truncated, extended or changed"),
    ("extended", lambda d, f: d + b"\0", "truncated, extended or changed"),
    ("one bit flipped", lambda d, f: d[:-1] + bytes([d[-1] ^ 1]), "SHA-256"),
    ("a pickle", lambda d, f: pickle.dumps(Bomb()), "looks like a pickle"),
    ("an archive", lambda d, f: zipped(d, f), "looks like a zip archive"),
]


@pytest.mark.parametrize("agreeing", [False, True])
@pytest.mark.parametrize(("spoil", "message"), [c[1:] for c in WEIGHT_FILES], ids=[c[0] for c in WEIGHT_FILES])
def test_every_malformed_weights_file_is_refused(
    good: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[bytes, Path], bytes],
    message: str,
    agreeing: bool,
) -> None:
    """With a hash that does not match, and with one that was made to match."""
    monkeypatch.chdir(tmp_path)
    data = spoil(good.with_name("m.nmg.safetensors").read_bytes(), tmp_path)

    def change(document: dict[str, Any]) -> None:
        if agreeing:
            document["weights"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    path = spoilt(good, tmp_path, change)
    path.with_name("m.nmg.safetensors").write_bytes(data)
    if agreeing and message == "SHA-256":
        assert read_graph(path) != small_graph()
        return
    with pytest.raises(InputError, match="m.nmg.safetensors" if agreeing else message):
        read_graph(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(good: Path, tmp_path: Path, value: float) -> None:
    tensors = load_file(good.with_name("m.nmg.safetensors"))
    tensors["conv.bias"] = tensors["conv.bias"].copy()
    tensors["conv.bias"][1] = value
    other = tmp_path / "w"
    save_file(tensors, other)
    data = other.read_bytes()
    entry = {"file": "m.nmg.safetensors", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    path = spoilt(good, tmp_path, setting(entry, "weights"))
    path.with_name("m.nmg.safetensors").write_bytes(data)
    with pytest.raises(InputError, match=r"bias.*1 of 3 values are NaN or Inf"):
        read_graph(path)


def test_tensors_of_no_node_are_refused(good: Path, tmp_path: Path) -> None:
    path = spoilt(good, tmp_path, without("nodes", CONV, "fields", "bias"))
    with pytest.raises(InputError, match=r"'conv.bias' belongs to no node"):
        read_graph(path)


def test_all_problems_come_at_once_with_their_lines(good: Path, tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["nodes"][CONV]["operator"] = "Conv3d"
        document["nodes"][ADD]["fields"] = {"alpha": 1}
        document["nodes"][FC]["fields"]["weight_format"]["bits"] = 99

    path = spoilt(good, tmp_path, change)
    with pytest.raises(InputError) as caught:
        read_graph(path)
    lines = path.read_text().splitlines()
    found = [(p.place.key, lines[(p.place.line or 0) - 1]) for p in caught.value.problems]
    assert [key for key, _ in found] == [
        "nodes[0].operator",
        "nodes[2].fields.alpha",
        "nodes[5].fields.weight_format.bits",
    ]
    assert all(word in line for word, (_, line) in zip(("Conv3d", "alpha", "99"), found, strict=True))


def test_line_of_names_the_nearest_parent() -> None:
    text = '{"a": [\n1,\n{"b": "x]",\n"c": {"d": [[0],\n[5]]}}]}'
    wanted = {"a[1].c.d[1]": 5, "a[1].c.d[1][0]": 5, "a[1].b": 3, "a[1].nothing": 3, "a[0]": 2, "a[9]": 1, "q": None}
    assert {key: line_of(text, key) for key in wanted} == wanted


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder.nmg.json").mkdir()
    cases = {"m.onnx2": "legal suffixes: .*nmg.json", "m": "file without suffix", "absent.nmg.json": "does not exist"}
    for name, message in {**cases, "folder.nmg.json": "is a folder"}.items():
        with pytest.raises(InputError, match=message):
            read_graph(tmp_path / name)
    assert ".nmg.json" in importers()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads and writes everywhere")
def test_files_and_folders_without_permission(good: Path, tmp_path: Path) -> None:
    path = spoilt(good, tmp_path, lambda document: None)
    path.chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        read_graph(path)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(InputError, match="cannot be written"):
        save(small_graph(), tmp_path / "n")
    tmp_path.chmod(stat.S_IRWXU)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_ever_raises_anything_but_an_input_error(
    good: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Values of the JSON replaced by others at random, and bytes of the weights, with a matching hash."""
    document = json.loads(good.read_text())
    spots: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, child in items:
            spots.append((value, key))
            walk(child)

    walk(document["nodes"])
    other = st.sampled_from([None, True, -1, 0, 3, 1e308, 2**70, "x", "", [], {}, [[1]], [-1, 2], {"kind": "int"}])
    for holder, key in data.draw(st.lists(st.sampled_from(spots), min_size=0, max_size=2)):
        holder[key] = data.draw(other)
    weights = bytearray(good.with_name("m.nmg.safetensors").read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        weights[data.draw(st.integers(0, len(weights) - 1))] = data.draw(st.integers(0, 255))
    document["weights"] |= {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}
    path = tmp_path_factory.getbasetemp() / "fuzz.nmg.json"
    path.write_text(json.dumps(document))
    path.with_name("m.nmg.safetensors").write_bytes(weights)
    with contextlib.suppress(InputError):
        assert read_graph(path).macs >= 0
