"""Files of events: bytes made by hand and by other writers are read, rasters come back, broken files are named."""

from __future__ import annotations

import importlib.util
import io
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import InputError
from neuromorph.events import Raster, read_events, write_events
from neuromorph.events.binning import camera, to_raster
from neuromorph.events.formats import nmnist
from neuromorph.events.formats.prophesee import evt2, evt3

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def recording(seed: int = 0, n: int = 300, size: int = 34, end_us: int = 50_000) -> Columns:
    """Times (us, rising from 0), columns, rows, polarities."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, end_us, n))
    t -= t[0]
    return t, rng.integers(0, size, n), rng.integers(0, size, n), rng.integers(0, 2, n)


def dense(columns: Columns, size: tuple[int, int], dt_us: int, steps: int, count: bool = False) -> np.ndarray:
    """The raster by a plain loop: (steps, 2, height, width)."""
    x = np.zeros((steps, 2, *size), np.float32)
    for t, column, row, polarity in zip(*columns, strict=True):
        if t // dt_us < steps:
            x[t // dt_us, polarity, row, column] += 1
    return x if count else np.minimum(x, 1)


def faults(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as error:
        read_events(path, **{"dt": 1e-3, **options})  # type: ignore[arg-type]
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("suffix", [".bin", ".bs2"])
@pytest.mark.parametrize("count", [False, True])
def test_nmnist_recordings_are_sorted_into_steps(tmp_path: Path, suffix: str, count: bool) -> None:
    columns = recording(n=2000, size=5)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(nmnist.encode(*columns))
    raster, labels = read_events(path, dt="1 ms", count=count)
    assert labels is None
    assert raster.shape == (2, 34, 34)
    assert raster.dt_s == 1e-3
    expected = dense(columns, (34, 34), 1000, raster.steps, count)
    assert raster.steps == columns[0].max() // 1000 + 1
    assert np.array_equal(raster.dense()[0], expected)
    short, _ = read_events(path, dt=1e-3, steps=7, count=count)
    assert np.array_equal(short.dense()[0], expected[:7])


def test_forty_bits_are_laid_out_as_published(tmp_path: Path) -> None:
    # column 3, row 30, ON, 0x123456 us: polarity is the top bit of the third byte
    path = tmp_path / "one.bin"
    path.write_bytes(bytes([3, 30, 0x80 | 0x12, 0x34, 0x56]))
    raster, _ = read_events(path, dt=0x123456 * 1e-6)
    assert raster.steps == 2
    assert np.argwhere(raster.dense()[0]).tolist() == [[1, 1, 30, 3]]


def test_pixels_and_polarities_can_be_joined(tmp_path: Path) -> None:
    columns = recording(n=500)
    path = tmp_path / "a.bin"
    path.write_bytes(nmnist.encode(*columns))
    raster, _ = read_events(path, dt=1e-3, downsample=3, merge=True, count=True)
    assert raster.shape == (1, 12, 12)
    full = dense(columns, (36, 36), 1000, raster.steps, count=True).sum(1)
    assert np.array_equal(raster.dense()[0, :, 0], full.reshape(-1, 12, 3, 12, 3).sum((2, 4)))


def aedat2(columns: Columns, chip: str) -> bytes:
    t, x, y, p = (c.astype(np.uint32) for c in columns)
    layouts = {"DVS128": (127 - x) << 1 | y << 8 | (1 - p), "DAVIS240C": x << 12 | y << 22 | p << 11}
    address = layouts[chip]
    header = f"#!AER-DAT2.0\r\n# This is a raw AE data file\r\n# AEChip: eu.seebetter.ini.chips.{chip}\r\n".encode()
    return header + np.stack([address, t], 1).astype(">u4").tobytes()


@pytest.mark.parametrize(("chip", "size"), [("DVS128", (128, 128)), ("DAVIS240C", (180, 240))])
def test_aedat_2_of_two_cameras(tmp_path: Path, chip: str, size: tuple[int, int]) -> None:
    columns = recording(size=100)
    path = tmp_path / "a.aedat"
    other = struct.pack(">II", 1 << 31 | 5 << 12 if chip != "DVS128" else 1 << 15, 10)  # a frame, a synchronization
    path.write_bytes(aedat2(columns, chip) + other)
    raster, _ = read_events(path, dt=1e-3)
    assert np.array_equal(raster.dense()[0], dense(columns, size, 1000, raster.steps))


def aedat3(columns: Columns) -> bytes:
    t, x, y, p = (c.astype(np.uint32) for c in columns)
    words = np.stack([x << 17 | y << 2 | p << 1 | 1, t + 7000], 1).astype("<u4")
    words[0, 0] &= ~np.uint32(1)  # not valid
    packets = []
    for part in np.array_split(words, 3):
        packets.append(struct.pack("<HHIIIIII", 1, 0, 8, 4, 0, len(part), len(part), len(part)) + part.tobytes())
    special = struct.pack("<HHIIIIII", 0, 0, 8, 4, 0, 1, 1, 1) + bytes(8)
    return b"#!AER-DAT3.1\r\n#Source 0: DAVIS240C\r\n#!END-HEADER\r\n" + packets[0] + special + b"".join(packets[1:])


def test_aedat_3_packets(tmp_path: Path) -> None:
    columns = recording(size=100)
    columns[0][1] = 0  # so that times are still counted from 0 without the invalid event
    path = tmp_path / "a.aedat"
    path.write_bytes(aedat3(columns))
    raster, _ = read_events(path, dt=1e-3)
    valid = tuple(c[1:] for c in columns)
    assert np.array_equal(raster.dense()[0], dense(valid, (180, 240), 1000, raster.steps))  # type: ignore[arg-type]


def evt2_words(columns: Columns) -> np.ndarray:
    words, high = [], -1
    for t, x, y, p in zip(*(c.tolist() for c in columns), strict=True):
        if t >> 6 != high:
            high = t >> 6
            words.append(8 << 28 | high)
        words.append(p << 28 | (t & 63) << 22 | x << 11 | y)
    return np.array(words, np.int64)


def evt3_words(columns: Columns, vectors: bool) -> np.ndarray:
    """Events one by one, or each as a vector of a single pixel, 12 and 8 in turn, between empty ones."""
    words, high, low, row = [], -1, -1, -1
    for i, (t, x, y, p) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        if t >> 12 != high:
            high, low = t >> 12, -1
            words.append(8 << 12 | high & 0xFFF)
        if t & 0xFFF != low:
            low = t & 0xFFF
            words.append(6 << 12 | low)
        if y != row:
            row = y
            words.append(0 << 12 | y)
        if not vectors:
            words.append(2 << 12 | p << 11 | x)
            continue
        start = max(0, x - 15)
        words.append(3 << 12 | p << 11 | start)
        at = x - start
        if i % 2:
            words += [4 << 12 | (1 << at if at < 12 else 0), 5 << 12 | (1 << at - 12 if at >= 12 else 0)]
        else:
            words += [5 << 12 | (1 << at if at < 8 else 0), 4 << 12 | (1 << at - 8 if at >= 8 else 0)]
    return np.array(words, np.int64)


def sorted_events(columns: Columns) -> list[tuple[int, ...]]:
    return sorted(zip(*(c.tolist() for c in columns), strict=True))


def test_evt_words_give_their_events() -> None:
    columns = recording(size=600, end_us=60_000_000)  # beyond the 24 bits of EVT 3.0
    assert sorted_events(evt2(evt2_words(columns))) == sorted_events(columns)
    dense_times = recording(n=9000, size=600, end_us=60_000_000)
    for vectors in (False, True):
        assert sorted_events(evt3(evt3_words(dense_times, vectors))) == sorted_events(dense_times)


def test_events_before_the_first_time_are_left_out() -> None:
    columns = recording(n=20)
    assert sorted_events(evt2(np.concatenate([[1 << 28 | 5], evt2_words(columns)]))) == sorted_events(columns)
    assert sorted_events(evt3(np.concatenate([[2 << 12 | 5], evt3_words(columns, False)]))) == sorted_events(columns)


@pytest.mark.parametrize(
    "header", ["% evt 3.0\n% geometry 60x50\n% end\n", "% format EVT3;height=50;width=60\n% end\n"]
)
def test_raw_files_tell_version_and_geometry(tmp_path: Path, header: str) -> None:
    columns = recording(size=50)
    path = tmp_path / "a.raw"
    path.write_bytes(header.encode() + evt3_words(columns, True).astype("<u2").tobytes())
    raster, _ = read_events(path, dt=1e-3)
    assert np.array_equal(raster.dense()[0], dense(columns, (50, 60), 1000, raster.steps))
    path.write_bytes(b"% evt 2.0\n" + evt2_words(columns).astype("<u4").tobytes())
    same, _ = read_events(path, dt=1e-3, shape=(2, 50, 60))
    assert np.array_equal(same.dense(), raster.dense())
    assert "shape" in faults(path)


def test_dat_files(tmp_path: Path) -> None:
    columns = recording(size=50)
    t, x, y, p = (c.astype(np.uint32) for c in columns)
    path = tmp_path / "a.dat"
    body = np.stack([t + 99, x | y << 14 | p << 28], 1).astype("<u4").tobytes()
    path.write_bytes(b"% Data file containing CD events.\n% Height 50\n% Width 60\n" + bytes([12, 8]) + body)
    raster, _ = read_events(path, dt=1e-3)
    assert np.array_equal(raster.dense()[0], dense(columns, (50, 60), 1000, raster.steps))


def cochlea(path: Path, labels: bool = True) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(3)
    samples = [(np.sort(rng.random(n)).astype(np.float32), rng.integers(0, 700, n)) for n in (40, 0, 25)]
    with h5py.File(path, "w") as file:
        for name, k, dtype in (("times", 0, np.float32), ("units", 1, np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (3,), h5py.vlen_dtype(dtype))
            for i, sample in enumerate(samples):
                data[i] = sample[k]
        if labels:
            file["labels"] = np.array([4, 0, 19], np.uint16)
    return samples


def test_cochlea_files(tmp_path: Path) -> None:
    path = tmp_path / "shd.h5"
    samples = cochlea(path)
    raster, labels = read_events(path, dt="10 ms", steps=100)
    assert labels is not None
    assert labels.tolist() == [4, 0, 19]
    assert raster.shape == (700,)
    x = np.zeros((3, 100, 700))
    for i, (t, u) in enumerate(samples):
        x[i, np.floor(t.astype(float) / 0.01).astype(int), u] = 1
    assert np.array_equal(raster.dense(), x)
    assert np.array_equal(read_events(path, dt="10 ms", steps=100, limit=2)[0].dense(), x[:2])
    fifths, _ = read_events(path, dt="10 ms", steps=100, downsample=5, count=True)
    assert fifths.shape == (140,)
    for i, (t, u) in enumerate(samples):
        assert fifths.part(i, i + 1).dense().sum() == len(t)
        assert np.array_equal(np.unique(fifths.part(i, i + 1).index), np.unique(u // 5))


def raster_of(seed: int, valued: bool = False, dt_s: float | None = 1e-3) -> Raster:
    rng = np.random.default_rng(seed)
    x = (rng.random((5, 7, 3, 4)) < 0.2).astype(np.float32)
    return Raster.from_dense(x * rng.integers(1, 4, x.shape) if valued else x, dt_s)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("valued", [False, True])
def test_written_rasters_come_back(tmp_path: Path, suffix: str, valued: bool) -> None:
    raster = raster_of(1, valued)
    path = write_events(tmp_path / f"a{suffix}", raster, np.arange(5))
    again, labels = read_events(path)
    assert labels is not None
    assert labels.tolist() == [0, 1, 2, 3, 4]
    assert (again.samples, again.steps, again.shape, again.dt_s) == (5, 7, (3, 4), 1e-3)
    assert np.array_equal(again.dense(), raster.dense())
    cut, labels = read_events(path, limit=2, steps=3)
    assert labels is not None
    assert labels.tolist() == [0, 1]
    assert np.array_equal(cut.dense(), raster.dense()[:2, :3])
    longer, _ = read_events(path, steps=9)
    assert np.array_equal(longer.dense()[:, :7], raster.dense())
    assert not longer.dense()[:, 7:].any()
    assert "binned in steps of 0.001 s" in faults(path, dt=2e-3)


needs_nir = pytest.mark.skipif(importlib.util.find_spec("nir") is None, reason="nir is not installed")


@needs_nir
def test_nir_reads_what_is_written_and_is_read(tmp_path: Path) -> None:
    import nir

    raster = raster_of(2)
    theirs = nir.read_data(str(write_events(tmp_path / "a.h5", raster, node="in")))
    data = theirs.nodes["in"].observables["spikes"]
    assert (data.n_neurons, data.t_max) == (12, pytest.approx(7e-3))
    assert np.array_equal(data.to_time_gridded(1e-3).data, raster.dense().reshape(5, 7, 12) > 0)
    events = data.to_time_gridded(1e-3).to_event(n_events=40, time_shift=0.5e-3)
    gridded = nir.TimeGriddedData(raster.dense().reshape(5, 7, 12).astype(bool), 1e-3)
    nodes = {"a": nir.NIRNodeData({"spikes": events}), "b": nir.NIRNodeData({"spikes": gridded})}
    nir.write_data(tmp_path / "b.h5", nir.NIRGraphData(nodes))
    with h5py.File(tmp_path / "b.h5", "a") as file:  # nir 1.0.8 writes no nested graphs, but reads them
        file.create_group("nodes/deep/nodes")
        file["nodes/deep"].attrs["__type__"] = "NIRGraphData"
        file.move("nodes/b", "nodes/deep/nodes/b")
    assert nir.read_data(str(tmp_path / "b.h5")).nodes["deep"].nodes["b"].observables["spikes"].shape == (5, 7, 12)
    for node in ("a", "deep.b/spikes"):
        again, labels = read_events(tmp_path / "b.h5", dt=1e-3, steps=7, node=node, shape=(3, 4))
        assert labels is None
        assert np.array_equal(again.dense(), raster.dense())
    assert "a/spikes, deep.b/spikes" in faults(tmp_path / "b.h5")
    valued = nir.ValuedEventData(np.array([[2, -1]]), np.array([[3e-3, np.inf]]), 4, 5e-3, np.array([[0.5, 0.0]]))
    nir.write_data(tmp_path / "c.h5", nir.NIRGraphData({"a": nir.NIRNodeData({"spikes": valued})}))
    assert np.argwhere(read_events(tmp_path / "c.h5", dt=1e-3)[0].dense() == 0.5).tolist() == [[0, 3, 2]]


def test_folders_hold_a_class_per_sub_folder(tmp_path: Path) -> None:
    everything = {}
    for name in ("10", "2"):
        (tmp_path / name).mkdir()
        for i in range(3):
            everything[name, i] = recording(seed=int(name) + i)
            (tmp_path / name / f"{i}.bin").write_bytes(nmnist.encode(*everything[name, i]))
    (tmp_path / "2" / "notes.txt").write_text("no recording")
    raster, labels = read_events(tmp_path, dt=1e-3, steps=50)
    assert labels is not None
    assert labels.tolist() == [10, 10, 10, 2, 2, 2]
    for k, columns in enumerate(everything.values()):
        assert np.array_equal(raster.dense()[k], dense(columns, (34, 34), 1000, 50))
    _, labels = read_events(tmp_path, dt=1e-3, limit=4)
    assert labels is not None
    assert labels.tolist() == [10, 10, 2, 2]
    (tmp_path / "2" / "1.bin").write_bytes(b"abc")
    with pytest.raises(InputError, match=r"1\.bin"):
        read_events(tmp_path, dt=1e-3)


def test_plain_arrays_of_events(tmp_path: Path) -> None:
    t, x, y, p = recording(n=100)
    path = tmp_path / "a.npz"
    np.savez(path, t=t, x=x, y=y, p=p, label=[3])
    raster, labels = read_events(path, dt=1e-3, shape=(2, 34, 34))
    assert labels is not None
    assert labels.tolist() == [3]
    assert np.array_equal(raster.dense()[0], dense((t, x, y, p), (34, 34), 1000, raster.steps))
    np.savez(path, t=t * 1e-6, x=x, offset=[0, 40, 100])
    two, _ = read_events(path, dt=1e-3, shape=(34,), steps=60)
    assert two.samples == 2
    assert two.events == len({(i >= 40, a, b) for i, (a, b) in enumerate(zip(t // 1000, x, strict=True))})


class Hidden:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


def hostile(folder: Path) -> dict[str, Path]:
    """Broken and hostile files by what the message must say."""
    made: dict[str, Path] = {}

    def add(text: str, name: str, data: bytes) -> None:
        made[text] = folder / f"{len(made)}{name}"
        made[text].write_bytes(data)

    columns = recording(size=50)
    raw = evt3_words(columns, False).astype("<u2").tobytes()
    add("not a multiple of 5", ".bin", nmnist.encode(*columns)[:-1])
    add("is empty", ".bin", b"")
    add("outside 34 x 34", ".bin", nmnist.encode(*recording(size=80)))
    add("multiple of 8: cut off", ".aedat", aedat2(columns, "DVS128")[:-3])
    add("AEDAT 4", ".aedat4", b"#!AER-DAT4.0\r\n\x00\x00")
    add("no camera that is known", ".aedat", b"#!AER-DAT2.0\r\n" + bytes(8))
    add("'#!AER-DAT'", ".aedat", b"hello")
    add("'#!END-HEADER'", ".aedat", b"#!AER-DAT3.1\r\n")
    add("the file ends before", ".aedat", aedat3(columns)[:-3])
    add("inside the packet header", ".aedat", aedat3(columns) + b"\x01\x00")
    add("whole EVT 3.0 words", ".raw", b"% evt 3.0\n% geometry 60x50\n" + raw[:-1])
    add("EVT 2.1", ".raw", b"% evt 2.1\n" + bytes(8))
    add("names no EVT version", ".raw", raw)
    add("events of 4 bytes", ".dat", b"% Version 2\n" + bytes([0, 4]) + bytes(8))
    add("header does not end", ".dat", b"% no line break")
    add("not a whole HDF5 file", ".h5", b"\x89HDF\r\n\x1a\n" + bytes(100))
    add("is not an .npz file", ".npz", b"PK\x03\x04 broken")
    add("no format of events", ".txt", b"x")
    buffer = io.BytesIO()
    np.savez(buffer, t=np.arange(3), x=np.array([Hidden()] * 3, object))
    add("never read", ".npz", buffer.getvalue())
    for text, arrays in {
        "do not go together": {"indptr": [0, 1], "index": [0], "shape": [4], "steps": 2},
        "rise from 0": {"indptr": [0, 2, 1], "index": [0], "shape": [4], "steps": 2},
        "outside 0 to 3": {"indptr": [0, 1, 1], "index": [9], "shape": [4], "steps": 2},
        "has no shape and no steps": {"indptr": [0, 1], "index": [0]},
        "x has shape (2, 3)": {"x": np.zeros((2, 3))},
        "found arrays z": {"z": np.zeros((2, 3))},
        "have lengths": {"t": [1, 2], "x": [1]},
        "labels for 1 samples": {"t": [1, 2], "x": [1, 1], "label": [1, 2]},
        "negative or not finite": {"t": [-1, 2], "x": [1, 1]},
        "holds NaN": {"t": [np.nan, 2.0], "x": [1, 1]},
        "other than 0 and 1": {"t": [1, 2], "x": [1, 1], "y": [1, 1], "p": [0, 7]},
    }.items():
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        add(text, ".npz", buffer.getvalue())
    return made


def test_broken_files_are_refused_with_their_reason(tmp_path: Path) -> None:
    for text, path in hostile(tmp_path).items():
        assert text in faults(path), path
    assert "does not exist" in faults(tmp_path / "none.bin")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "no files of events" in faults(empty)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuromorph.events.formats.npz.MAX_BYTES", 2**20)
    monkeypatch.setattr("neuromorph.events.formats.hdf5.MAX_BYTES", 2**20)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.npy", bytes(2**21))
        archive.writestr("x.npy", bytes(10))
    assert "at most 1048576" in faults(path)
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("spikes/times", (2**30,), np.float64, compression="gzip")
    assert "at most 1048576" in faults(tmp_path / "bomb.h5")


def test_hdf5_does_not_leave_its_file(tmp_path: Path) -> None:
    cochlea(tmp_path / "other.h5")
    outside = tmp_path / "values.raw"
    outside.write_bytes(bytes(80))
    for name, text in (("external", "link to another file"), ("soft", "soft link"), ("storage", "in another file")):
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as file:
            if name == "external":
                file["spikes"] = h5py.ExternalLink("other.h5", "/spikes")
            elif name == "soft":
                file["spikes"] = h5py.SoftLink("/elsewhere")
            else:
                file.create_dataset("spikes/times", (10,), np.float64, external=str(outside))
        assert text in faults(path)


@settings(max_examples=40)
@given(st.binary(max_size=200), st.sampled_from([".bin", ".aedat", ".raw", ".dat", ".npz", ".h5"]), st.booleans())
def test_any_bytes_give_a_raster_or_a_message(data: bytes, suffix: str, headed: bool) -> None:
    import tempfile

    heads = {
        ".aedat": b"#!AER-DAT3.1\r\n#!END-HEADER\r\n",
        ".raw": b"% evt 3.0\n% geometry 64x64\n",
        ".dat": b"% Height 9\n% Width 9\n",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(heads.get(suffix, b"") + data if headed else data)
        try:
            raster, _ = read_events(path, dt=1e-3, steps=10)
        except InputError:
            return
        assert raster.samples == 1


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(nmnist.encode(*recording()))
    for options, text in (
        ({"dt": None}, "dt is needed"), ({"dt": -1.0}, "dt is -1.0"), ({"steps": 0}, "steps is 0"),
        ({"limit": 0}, "limit is 0"), ({"downsample": 0}, "downsample is 0"), ({"shape": (34,)}, "shape is (34,)"),
        ({"dt": "1 m"}, "m"),
    ):  # fmt: skip
        with pytest.raises(InputError) as error:
            read_events(path, **{"dt": 1e-3, **options})  # type: ignore[arg-type]
        assert text in str(error.value)
    with pytest.raises(InputError, match="suffix"):
        write_events(tmp_path / "a.txt", raster_of(0))
    with pytest.raises(InputError, match="labels"):
        write_events(tmp_path / "a.npz", raster_of(0), np.arange(3))
    with pytest.raises(InputError, match="no dt"):
        write_events(tmp_path / "a.h5", raster_of(0, dt_s=None))
    with pytest.raises(InputError, match="does not exist"):
        write_events(tmp_path / "none" / "a.npz", raster_of(0))


@given(st.integers(1, 9), st.integers(1, 12), st.lists(st.integers(0, 8), max_size=6))
def test_rasters_can_be_cut_and_picked(seed: int, steps: int, chosen: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x = (rng.random((9, 5, 4)) < 0.3) * rng.integers(1, 3, (9, 5, 4)).astype(np.float32)
    raster = Raster.from_dense(x)
    expected = np.zeros((9, steps, 4))
    expected[:, : min(5, steps)] = x[:, :steps]
    assert np.array_equal(raster.with_steps(steps).dense(), expected)
    assert np.array_equal(raster.take(np.array(chosen, np.int64)).dense(), x[chosen])
    assert np.array_equal(raster.counts(), (x != 0).sum(2))


def test_times_on_the_edge_of_a_step_belong_to_it() -> None:
    steps = np.arange(1000)
    events = camera(steps * 100, steps % 3, 0 * steps, 0 * steps, (1, 3))
    raster = to_raster(events, 1e-4)  # 0.0003 / 0.0001 is below 3 in floating point
    assert raster.counts().tolist() == [[1] * 1000]


def test_row_240_of_nmnist_is_an_overflow_and_no_pixel(tmp_path: Path) -> None:
    columns = [np.array(v) for v in ([100, 8191, 50, 8191, 7], [3, 0, 5, 0, 1], [4, 240, 6, 240, 2], [1, 0, 0, 0, 1])]
    path = tmp_path / "a.bin"
    path.write_bytes(nmnist.encode(*columns))
    raster, _ = read_events(path, dt="1 us")
    found = [np.unravel_index(int(i), raster.shape) for i in raster.index]
    assert [tuple(int(v) for v in f) for f in found] == [(1, 4, 3), (0, 6, 5), (1, 2, 1)]
    assert list(np.flatnonzero(np.diff(raster.indptr))) == [100, 50 + 8192, 7 + 2 * 8192]
    high = read_events(path, dt="1 us", shape=(2, 260, 346))[0]  # a camera that has such a row
    assert high.events == 4  # two fall on one pixel in one step


def test_an_upper_part_that_is_sent_again_leaves_the_lower_part(tmp_path: Path) -> None:
    high, low, row = 8 << 12, 6 << 12, 0
    pixel = lambda x: 2 << 12 | 1 << 11 | x  # noqa: E731
    words = np.array([high | 1, low | 5, row | 7, pixel(1), high | 1, pixel(2), high | 2, pixel(3), low | 9, pixel(4)])
    t, x, _, _ = evt3(words)
    assert list(zip(t - 4096, x, strict=True)) == [(5, 1), (5, 2), (4096, 3), (4096 + 9, 4)]


def test_times_on_the_clock_of_the_camera(tmp_path: Path) -> None:
    head = b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n#End Of ASCII Header\r\n"
    event = struct.pack(">II", 20 << 8 | (127 - 10) << 1, 0x23_0000_23)  # an event that begins with '#'
    path = tmp_path / "a.aedat"
    path.write_bytes(head + struct.pack(">II", 0x2300, 5_000) + struct.pack(">II", 20 << 8 | (127 - 10) << 1, 6_000))
    assert event[4:5] == b"#"
    assert list(np.flatnonzero(np.diff(read_events(path, dt="1 ms")[0].indptr))) == [0, 1]
    assert list(np.flatnonzero(np.diff(read_events(path, dt="1 ms", absolute=True)[0].indptr))) == [5, 6]
    tricky = tmp_path / "b.aedat"
    tricky.write_bytes(head + struct.pack(">II", 0x23232323 & 0x7FFF | 0x23000000, 7) + event)
    assert read_events(tricky, dt="1 s", absolute=True, steps=1)[0].samples == 1


def test_aedat_4_is_read_by_its_package() -> None:
    pytest.importorskip("aedat")
    raster, _ = read_events(Path(__file__).parent / "files" / "five_events.aedat4", dt="100 us")
    assert raster.shape == (2, 480, 640)
    found = [tuple(int(v) for v in np.unravel_index(int(i), raster.shape)) for i in raster.index]
    assert found == [(1, 4, 3), (0, 4, 4), (1, 4, 5), (0, 4, 6), (1, 4, 7)]


def test_a_damaged_heap_is_refused_before_the_library_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("spikes")
        kind = h5py.vlen_dtype(np.float32)
        for name in ("times", "units"):
            data = group.create_dataset(name, (3,), dtype=kind)
            for i in range(3):
                data[i] = np.arange(40, dtype=np.float32)
    raw = bytearray(path.read_bytes())
    at = raw.find(b"GCOL")
    assert at > 0
    raw[at + 24 : at + 32] = (0).to_bytes(8, "little")  # an object of no size, after which none can follow
    raw[at + 16 : at + 18] = b"\0\0"
    path.write_bytes(raw)
    assert "damaged" in faults(path)
