"""HDF5 files as plain trees of numbers and texts: hard links only, nothing outside the file, nothing larger than it.

Refused are external, soft and user-defined links, virtual and external storage, references, compound and other types,
filters that load plugins, arrays that cannot come out of the bytes stored for them, and groups that contain themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neuromorph.errors import InputError, Place, Problem
from neuromorph.files import damaged_heap

MAX_BYTES = 8 << 30
"""Most bytes of all arrays of one file together, as they are in memory after reading."""
MAX_DEPTH = 32
MAX_OBJECTS = 200_000
MAX_TEXT = 1 << 28
MAX_EXPANSION = 1100
"""Deflate packs at most 1032 bytes into one: an array declares no more than this many times its stored bytes."""
SAFE_FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError)
"""What h5py raises for damaged files."""


@dataclass
class Item:
    """A group: its arrays and texts by name, its groups by name. Arrays of texts have dtype object."""

    path: str
    values: dict[str, np.ndarray | str] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)


def read_tree(path: Path, wanted: str = "node") -> tuple[Item, str]:
    """The group `wanted` of a file, and the text of its dataset `version` ("" where there is none).

    Raises InputError with every fault of the container: file, place in it, what is legal.
    """
    import h5py

    try:
        file = h5py.File(path, "r", locking="best-effort")
    except FAULTS as error:
        hint = "a NIR file is HDF5; is it cut short, or of another kind?"
        raise InputError(f"is no readable HDF5 file: {_first_line(error)}", Place(str(path)), hint) from None
    with file:
        damaged = damaged_heap(path)
        if damaged is not None:
            raise InputError(f"the texts stored at byte {damaged} are damaged", Place(str(path)), "get the file again")
        return _Walk(path, file).read(wanted)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


class _Walk:
    def __init__(self, path: Path, file: Any) -> None:
        self.path, self.file = path, file
        self.size = path.stat().st_size
        self.problems: list[Problem] = []
        self.bytes = 0
        self.texts = 0
        self.objects = 0
        self.seen: dict[Any, str] = {}

    def note(self, where: str, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, Place(str(self.path), key=where.strip("/") or "/"), hint))

    def stop(self) -> None:
        if self.problems:
            raise InputError(self.problems)

    def read(self, wanted: str) -> tuple[Item, str]:
        """The tree; whatever else h5py raises for a damaged file is one problem."""
        try:
            return self.tree(wanted)
        except InputError:
            raise
        except (*FAULTS, AttributeError) as error:
            self.note("/", f"cannot be read: {_first_line(error)}", "the file is damaged or cut short")
            raise InputError(self.problems) from None

    def tree(self, wanted: str) -> tuple[Item, str]:
        """The group `wanted` and the version."""
        import h5py

        root = Item("")
        version = ""
        for name in self.names(self.file, ""):
            if name != wanted and name != "version":
                self.is_plain_link(self.file, name, name)
                continue
            child = self.child(self.file, name, name)
            if child is None:
                continue
            if name == wanted:
                self.take(child, root, name, 0)
            elif isinstance(child, h5py.Dataset):
                text = self.array(child, name)
                version = text if isinstance(text, str) else ""
        self.stop()
        if wanted not in root.items:
            self.note("/", f"has no group {wanted!r}", self.expected())
            self.stop()
        return root.items[wanted], version

    def expected(self) -> str:
        try:
            if self.file.attrs.get("__type__") == "NIRGraphData":
                return "this holds NIR data (recordings), not a graph; it can be read as data"
            names = [str(n) for n in self.file][:8]
        except FAULTS:
            names = []
        return f"a NIR file has 'node' and 'version' at its root; found {', '.join(names) or 'nothing'}"

    def names(self, group: Any, where: str) -> list[str]:
        try:
            names = list(group)  # by name, or as they were written where the file says so
        except FAULTS as error:
            self.note(where, f"cannot be listed: {_first_line(error)}", "the file is damaged")
            return []
        if not all(isinstance(n, str) for n in names):
            self.note(where, "has names that are not UTF-8 text")
            return []
        return names

    def is_plain_link(self, group: Any, name: str, where: str) -> bool:
        import h5py

        try:
            link = group.get(name, getlink=True)
        except FAULTS as error:
            self.note(where, f"has a link that cannot be read: {_first_line(error)}", "the file is damaged")
            return False
        if isinstance(link, h5py.HardLink):
            return True
        if isinstance(link, h5py.ExternalLink):
            message = f"is an external link to {link.filename!r}, which is never followed"
        elif isinstance(link, h5py.SoftLink):
            message = f"is a soft link to {link.path!r}, which is never followed"
        else:
            message = "is a link of an unknown kind"
        self.note(where, message, "legal: everything inside the file itself (hard links)")
        return False

    def child(self, group: Any, name: str, where: str) -> Any:
        if not self.is_plain_link(group, name, where):
            return None
        try:
            return group[name]
        except FAULTS as error:
            self.note(where, f"cannot be opened: {_first_line(error)}", "the file is damaged")
            return None

    def take(self, child: Any, parent: Item, name: str, depth: int) -> None:
        import h5py

        where = f"{parent.path}/{name}"
        self.objects += 1
        if self.objects > MAX_OBJECTS:
            self.note(where, f"the file holds more than {MAX_OBJECTS} objects", "is it a network?")
            self.stop()
        if isinstance(child, h5py.Dataset):
            value = self.array(child, where)
            if value is not None:
                parent.values[name] = value
            return
        if not isinstance(child, h5py.Group):
            self.note(where, f"is a {type(child).__name__}", "legal: groups and datasets")
            return
        if depth > MAX_DEPTH:
            self.note(where, f"is nested deeper than {MAX_DEPTH} groups", "a graph that contains itself?")
            self.stop()
        known = self.identity(child, where)
        if known is not None:
            if known not in self.seen:
                self.seen[known] = where
            else:
                self.note(where, f"is the same group as {self.seen[known].strip('/')}", "each group has one name")
                return
        item = parent.items[name] = Item(where)
        for inner in self.names(child, where):
            found = self.child(child, inner, f"{where}/{inner}")
            if found is not None:
                self.take(found, item, inner, depth + 1)

    def identity(self, group: Any, where: str) -> Any:
        import h5py

        try:
            info = h5py.h5o.get_info(group.id)
        except FAULTS as error:
            self.note(where, f"cannot be opened: {_first_line(error)}", "the file is damaged")
            return None
        return (info.fileno, info.addr)

    def array(self, data: Any, where: str) -> np.ndarray | str | None:
        """The array or text of a dataset, or None with a problem noted."""
        try:
            fault = self.fault(data)
            if fault:
                self.note(where, *fault)
                return None
            return self.text(data, where) if _is_text(data) else self.numbers(data)
        except FAULTS as error:
            self.note(where, f"cannot be read: {_first_line(error)}", "the file is damaged or cut short")
            return None

    def numbers(self, data: Any) -> np.ndarray:
        array = np.asarray(data[()])
        if array.dtype.kind in "iu" and array.dtype.itemsize <= 8:
            return array.astype(np.int64)
        return array.astype(np.float64) if array.dtype.kind == "f" else array

    def fault(self, data: Any) -> tuple[str, str] | None:
        """Why this dataset is not read: message and hint."""
        properties = data.id.get_create_plist()
        if data.is_virtual:
            return "is a virtual dataset, whose values lie in other places", "legal: values stored in the file itself"
        if properties.get_external_count():
            return "has its values in another file, which is never opened", "legal: values stored in the file itself"
        for i in range(properties.get_nfilters()):
            code = properties.get_filter(i)[0]
            if code not in SAFE_FILTERS:
                legal = ", ".join(sorted(SAFE_FILTERS.values()))
                return f"is packed with filter {code}, which would need a plugin", f"legal: {legal}"
        kind = data.dtype.kind
        if not _is_text(data) and (kind not in "biuf" or data.dtype.itemsize > 8):
            return f"has type {_type_name(data)}", "legal: integers, floats up to 64 bits, texts"
        if data.shape is None:
            return "is empty (it has no dataspace)", "legal: an array or a single value"
        count = 1
        for n in data.shape:
            count *= int(n)
        needed = count * max(8, data.dtype.itemsize)
        stored = int(data.id.get_storage_size())
        if count * data.dtype.itemsize > MAX_EXPANSION * stored + 4096 or stored > self.size:
            return (
                f"declares shape {data.shape} of {data.dtype.itemsize}-byte values but stores {stored} bytes",
                f"at most {MAX_EXPANSION} times the stored bytes are believed",
            )
        self.bytes += needed
        if self.bytes > MAX_BYTES:
            return f"has shape {data.shape}: more than {MAX_BYTES >> 30} GiB with all before it", "a smaller network"
        return None

    def text(self, data: Any, where: str) -> np.ndarray | str | None:
        """Texts, read a few rows at a time: entries may all refer to one long text."""
        if data.shape == ():
            return self.decoded(data[()], where)
        rows = max(1, MAX_TEXT // max(1, self.size * max(1, int(np.prod(data.shape[1:])))))
        parts = []
        for start in range(0, data.shape[0], rows):
            block = data[start : start + rows]
            texts = np.empty(block.shape, dtype=object)
            for place in np.ndindex(block.shape):
                text = self.decoded(block[place], where)
                if text is None:
                    return None
                texts[place] = text
            parts.append(texts)
        return np.concatenate(parts) if parts else np.empty(data.shape, dtype=object)

    def decoded(self, raw: Any, where: str) -> str | None:
        text = raw
        if isinstance(raw, bytes):
            try:
                text = raw.rstrip(b"\0").decode("utf-8")
            except UnicodeDecodeError:
                self.note(where, "is a text that is not UTF-8", "save it in UTF-8")
                return None
        if not isinstance(text, str):
            self.note(where, "is no text", "the file is damaged")
            return None
        self.texts += len(text)
        if self.texts > MAX_TEXT:
            self.note(where, f"all texts together are longer than {MAX_TEXT >> 20} MiB", "is it a network?")
            self.stop()
        return text


def _is_text(data: Any) -> bool:
    import h5py

    return h5py.check_string_dtype(data.dtype) is not None


def _type_name(data: Any) -> str:
    import h5py

    if h5py.check_ref_dtype(data.dtype) is not None:
        return "reference"
    if h5py.check_vlen_dtype(data.dtype) is not None:
        return "list of varying length"
    return {"V": "compound or opaque", "c": "complex number", "O": "object"}.get(data.dtype.kind, str(data.dtype))
