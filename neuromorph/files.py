"""Files written whole or not at all, and one message for every place that cannot be written."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from neuromorph.errors import InputError, Place

Content = str | bytes | Callable[[Path], object]
"""What a file is to hold; a function writes it to the path that it is given."""

_STREAMS = (Path("/dev"), Path("/dev/fd"))

_REMEDIES = {
    errno.ENOSPC: "free space or choose another folder",
    errno.EDQUOT: "free space or choose another folder",
    errno.EFBIG: "raise the limit of file sizes or choose another folder",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose another folder or change its permissions",
    errno.EPERM: "choose another folder or change its permissions",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file: choose another folder",
    errno.EISDIR: "name a file, not a folder",
    errno.EEXIST: "a file has this name: choose another folder",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def remedy(error: OSError) -> str:
    """What helps against an error of the system, "" where nothing is known."""
    return _REMEDIES.get(error.errno or 0, "")


def write_file(path: str | Path, content: Content) -> Path:
    """Write one file, see `write_files`."""
    return write_files({Path(path): content})[0]


def write_files(contents: Mapping[Path, Content]) -> list[Path]:
    """Write files into folders that exist; they appear in this order. Returns their paths.

    Each is complete on the disk, under another name in the same folder, before the first one takes the place of what
    was there: where writing fails, every older file is left as it was. Texts are UTF-8. Streams such as /dev/stdout
    are written directly. Raises InputError with the path, the system's reason and what helps.
    """
    parts: dict[Path, Path] = {}
    replaced = False
    at = Path()
    try:
        for path, content in contents.items():
            at = path
            check_target(path)
            parts[path] = path if _is_stream(path) else path.with_name(f".{secrets.token_hex(8)}.part")
            _write(parts[path], content, new=parts[path] != path)
        for path, part in parts.items():
            at = path
            if part != path:
                os.replace(part, path)
                replaced = True
    except OSError as error:
        hint = remedy(error) or "choose another folder"
        if not replaced and any(os.path.isfile(path) for path in contents):
            hint += "; older files were left as they were"
        raise InputError(f"cannot be written: {error.strerror or error}", Place(str(at)), hint) from error
    finally:
        for path, part in parts.items():
            if part != path:
                with contextlib.suppress(OSError):
                    part.unlink()
    return list(contents)


def make_folder(path: str | Path) -> Path:
    """The folder, made with those above it where it does not exist. Raises InputError where it cannot be written."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = remedy(error) or "choose another folder"
        raise InputError(f"cannot be written: {error.strerror or error}", Place(str(folder)), hint) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError("cannot be written: no permission", Place(str(folder)), _REMEDIES[errno.EACCES])
    return folder


def check_target(path: str | Path, reads: Sequence[str | Path] = (), what: str = "model") -> None:
    """Raise InputError where a file cannot be written there: before long work, not after it.

    Its folder must exist, the path itself be no folder, and no file of `reads` (which a message calls `what`).
    """
    path = Path(path)
    place = Place(str(path))
    for source in map(Path, reads):
        if os.path.realpath(path) == os.path.realpath(source) or _is_same(path, source):
            raise InputError(f"the output would replace the {what} that is read", place, "choose another name")
    if os.path.isdir(path):
        raise InputError("cannot be written: it is a folder", place, "name a file in it")
    if not os.path.isdir(path.parent):
        raise InputError("cannot be written: its folder does not exist", place, "create it or choose another one")


def _is_same(path: Path, other: Path) -> bool:
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def _is_stream(path: Path) -> bool:
    """Whether the path is a pipe, a terminal or the like, which must never be replaced by a file."""
    return os.path.exists(path) and (not os.path.isfile(path) or path.absolute().parent in _STREAMS)


def _write(path: Path, content: Content, new: bool) -> None:
    """Write to a file that is made here (new), or to a stream; a new one is on the disk when this returns."""
    flags = os.O_WRONLY | (os.O_CREAT | os.O_EXCL if new else 0)
    with os.fdopen(os.open(path, flags, 0o666), "wb") as file:
        if callable(content):
            content(path)
        else:
            # names out of undecodable file names hold lone surrogates, which UTF-8 does not have
            file.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
            file.flush()
        if new:
            os.fsync(file.fileno())


HEAP = b"GCOL\1\0\0\0"


def damaged_heap(path: Path) -> int | None:
    """Position of the first global heap (HDF5 file format, III.E: where texts lie) whose objects do not fit into it.

    libhdf5 does not return from reading some of these.
    """
    size = path.stat().st_size
    if not size:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as raw:
        at = raw.find(HEAP)
        while at >= 0:
            if at + 16 > size or not _whole(raw, at, min(int.from_bytes(raw[at + 8 : at + 16], "little"), size - at)):
                return at
            at = raw.find(HEAP, at + 1)
    return None


def _whole(raw: mmap.mmap, at: int, length: int) -> bool:
    """Whether the objects of one heap follow each other to its end; the one with number 0 is the free space."""
    place, end, seen = at + 16, at + length, set()
    while place + 16 <= end:
        number = int.from_bytes(raw[place : place + 2], "little")
        size = int.from_bytes(raw[place + 8 : place + 16], "little")
        step = size if number == 0 else 16 + -(-size // 8) * 8
        if step < 16 or place + step > end or (number and number in seen):
            return False
        seen.add(number)
        place += step
    return True
