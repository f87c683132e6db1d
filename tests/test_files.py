"""Files appear whole or not at all, and a place that cannot be written is named with what helps."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

import pytest

from neuromorph.errors import InputError
from neuromorph.files import check_target, make_folder, write_file, write_files

SOURCE = Path(__file__).parents[1] / "neuromorph"


def fails(number: int, after: int = 0):
    """A function of the system that fails from the call after `after` on."""
    calls = []

    def fail(*arguments):
        calls.append(arguments)
        if len(calls) > after:
            raise OSError(number, os.strerror(number))

    return fail


def test_texts_bytes_and_what_a_function_writes(tmp_path: Path) -> None:
    paths = [tmp_path / n for n in ("text", "bytes", "function")]
    contents = {paths[0]: "µ\udcff\n", paths[1]: b"\0\1", paths[2]: lambda part: part.write_bytes(b"long " * 1000)}
    assert write_files(contents) == paths
    assert paths[0].read_bytes() == "µ\\udcff\n".encode()  # a lone surrogate, which UTF-8 does not have
    assert paths[1].read_bytes() == b"\0\1"
    assert paths[2].read_bytes() == b"long " * 1000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bytes", "function", "text"]


def test_a_new_file_has_the_permissions_that_the_system_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        assert stat.S_IMODE(write_file(tmp_path / "a", "x").stat().st_mode) == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("call", ["os.fsync", "os.replace"])
def test_older_files_stay_whole_where_writing_fails(tmp_path: Path, monkeypatch, call: str) -> None:
    target = write_file(tmp_path / "t.csv", "old")
    monkeypatch.setattr(call, fails(errno.ENOSPC))
    with pytest.raises(InputError, match=r"t\.csv: cannot be written: No space left on device \(free space"):
        write_file(target, "new")
    assert target.read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["t.csv"]


def test_several_files_are_written_all_or_none(tmp_path: Path, monkeypatch) -> None:
    old = {tmp_path / n: n for n in "ab"}
    write_files(old)
    monkeypatch.setattr("os.fsync", fails(errno.EROFS, after=1))
    with pytest.raises(InputError, match=r"b: cannot be written: .*choose a folder.*older files were left"):
        write_files(dict.fromkeys(old, "new"))
    assert {path: path.read_text() for path in tmp_path.iterdir()} == old


def test_a_function_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def stopped(part: Path) -> None:
        part.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "a", stopped)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none/a", "its folder does not exist"),
        ("folder", "it is a folder"),
        ("file/a", "its folder does not exist"),
        ("n" * 300, "choose a shorter name"),
    ],
)
def test_places_that_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"{name}: cannot be written: .*{message}"):
        write_file(tmp_path / name, "x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(("name", "message"), [("file", "choose another folder"), ("file/a", "part of the path")])
def test_folders_that_cannot_be_made(tmp_path: Path, name: str, message: str) -> None:
    assert make_folder(tmp_path / "x" / "y").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"{name}: cannot be written: .*{message}"):
        make_folder(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(InputError, match="cannot be written"):
            make_folder(tmp_path)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_what_is_read_is_not_replaced(tmp_path: Path) -> None:
    model = write_file(tmp_path / "m", "x")
    (tmp_path / "link").symlink_to(model)
    for same in (model, tmp_path / "link", tmp_path / "." / "m"):
        with pytest.raises(InputError, match="would replace the model that is read"):
            check_target(same, [tmp_path / "other", model])
    os.link(model, tmp_path / "twin")
    with pytest.raises(InputError, match="would replace the data"):
        check_target(tmp_path / "twin", [model], "data")
    check_target(tmp_path / "other", [model])


def test_a_stream_is_written_and_never_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(fifo, "through")
        assert os.read(reader, 100) == b"through"
        assert stat.S_ISFIFO(fifo.stat().st_mode)
    finally:
        os.close(reader)


def test_no_other_module_writes_files_in_its_own_way() -> None:
    """What is left out here writes into a path that `write_files` hands it."""
    own = re.compile(
        r"os\.replace|mkstemp|NamedTemporaryFile|\.write_text\(|\.write_bytes\(|os\.fsync|\"wb\"\)|, \"w\"\)"
    )
    allowed = {
        "files.py": 3,
        "events/formats/npz.py": 1,
        "events/formats/hdf5.py": 1,
        "importers/nir_files/writer.py": 1,
    }
    found = {str(p.relative_to(SOURCE)): len(own.findall(p.read_text())) for p in sorted(SOURCE.rglob("*.py"))}
    assert {name: count for name, count in found.items() if count} == allowed
