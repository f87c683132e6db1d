"""YAML as plain data with the place of every key and value.

Only the plain part of YAML is read: mappings, lists, strings, numbers, true/false and null. Anchors,
aliases, merge keys, tags and several documents are refused, which also rules out expansion attacks
and object construction. Plain scalars follow YAML 1.2: `1e-9` is a number; `on`, `no`, `1:30`, `010`
and `2016-01-01` are strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from neuromorph.errors import InputError, Place, Problem, suggest

MAX_BYTES = 4 << 20
MAX_DEPTH = 40

KeyPath = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9]\d*)$")
_FLOAT = re.compile(r"[-+]?((0|[1-9]\d*)(\.\d*|(?=[eE]))|\.\d+)([eE][-+]?\d+)?$")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Mark:
    """Line and column (1-based) of a key and of its value; for list items and the root both are the value's."""

    key: tuple[int, int]
    value: tuple[int, int]


@dataclass(frozen=True)
class YamlFile:
    """The data of one file and the marks of all its keys and values by key path."""

    file: str
    data: Any
    marks: dict[KeyPath, Mark]

    def place(self, path: KeyPath = (), at: str = "value") -> Place:
        """The place of a key path; of its nearest existing parent where the path itself is absent. at: value or key."""
        known = path
        while known and known not in self.marks:
            known = known[:-1]
        line, column = getattr(self.marks[known], at) if known in self.marks else (None, None)
        return Place(self.file, line, column, show_path(path) or None)


def show_path(path: KeyPath) -> str:
    """A key path as text: ("chip", "curve", 0) is "chip.curve[0]"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def scalar(text: str) -> Any:
    """The value of an unquoted scalar: null, bool, int, float or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 400:
        return text
    if _INT.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text


@dataclass
class _Frame:
    """A collection being read."""

    path: KeyPath
    data: Any
    key: str | None = None
    key_mark: tuple[int, int] = (1, 1)
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)


class _Builder:
    """Turns parser events into data, marks and problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.marks: dict[KeyPath, Mark] = {}
        self.problems: list[Problem] = []
        self.stack: list[_Frame] = []
        self.root: Any = None
        self.documents = 0

    def problem(self, event: Any, message: str, hint: str, path: KeyPath | None = None) -> None:
        if path is None:
            path = self.stack[-1].path if self.stack else ()
        place = Place(self.file, event.start_mark.line + 1, event.start_mark.column + 1, show_path(path) or None)
        self.problems.append(Problem(message, place, hint))

    def stop(self, event: Any, message: str, hint: str) -> None:
        self.problem(event, message, hint)
        raise InputError(self.problems)

    def feed(self, events: Iterator[Any]) -> None:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    self.stop(event, "a second YAML document starts here", "keep one document per file")
            elif isinstance(event, yaml.AliasEvent):
                self.stop(event, f"alias *{event.anchor} is not supported", "write the value out")
            elif isinstance(event, yaml.ScalarEvent):
                self.scalar(event)
            elif isinstance(event, yaml.MappingStartEvent):
                self.open(event, {})
            elif isinstance(event, yaml.SequenceStartEvent):
                self.open(event, [])
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                self.stack.pop()

    def check_plain(self, event: Any) -> None:
        if event.anchor is not None:
            self.stop(event, f"anchor &{event.anchor} is not supported", "remove it and write the value out")
        if event.tag is not None:
            hint = "remove the tag: files hold plain values only"
            self.stop(event, f"tag {event.tag.replace('tag:yaml.org,2002:', '!!')} is not supported", hint)

    def scalar(self, event: Any) -> None:
        self.check_plain(event)
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.data, dict) and top.key is None:
            self.take_key(event, top)
        else:
            self.put(event, event.value if event.style else scalar(event.value))

    def take_key(self, event: Any, top: _Frame) -> None:
        key, mark = event.value, (event.start_mark.line + 1, event.start_mark.column + 1)
        if key == "<<":
            self.stop(event, "merge key << is not supported", "write the keys out")
        if key == "":
            self.stop(event, "a value has no key", "write 'key: value'")
        if key in top.seen:
            hint = f"first at line {top.seen[key][0]}; keep one of the two"
            self.problem(event, f"key {key!r} is given twice", hint, (*top.path, key))
        top.seen.setdefault(key, mark)
        top.key, top.key_mark = key, mark

    def put(self, event: Any, value: Any) -> KeyPath:
        mark = (event.start_mark.line + 1, event.start_mark.column + 1)
        if not self.stack:
            self.root = value
            self.marks[()] = Mark(mark, mark)
            return ()
        top = self.stack[-1]
        if isinstance(top.data, list):
            path: KeyPath = (*top.path, len(top.data))
            top.data.append(value)
            self.marks[path] = Mark(mark, mark)
            return path
        assert top.key is not None
        path = (*top.path, top.key)
        if top.key not in top.data:
            top.data[top.key] = value
            self.marks[path] = Mark(top.key_mark, mark)
        top.key = None
        return path

    def open(self, event: Any, data: Any) -> None:
        self.check_plain(event)
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.data, dict) and top.key is None:
            self.stop(event, "a key must be a plain word, not a list or mapping", "write 'key: value'")
        if len(self.stack) >= MAX_DEPTH:
            self.stop(event, f"nested deeper than {MAX_DEPTH} levels", "flatten the file")
        self.stack.append(_Frame(self.put(event, data), data))


_REMEDIES = (
    ("cannot start any token", "a tab or one of @ ` % cannot start a value: indent with spaces, quote such text"),
    ("found unexpected end of stream", "the file ends inside a quoted text: is it cut short?"),
    ("',' or ']'", "close the list with ']': is the file cut short?"),
    ("',' or '}'", "close the mapping with '}': is the file cut short?"),
    ("expected node content", "a value is missing here: is the file cut short?"),
    ("found unexpected ':'", "a value is missing here, or a text with ':' needs quotes"),
    ("mapping values are not allowed", "put each 'key: value' on its own line, quote a text that contains ': '"),
    ("could not find expected ':'", "write 'key: value' with a space after the colon"),
    ("did not find expected key", "check the indentation: keys of one mapping start in the same column"),
    ("did not find expected '-'", "start every item of the list with '- ' in the same column"),
    ("undefined tag handle", "remove the tag: files hold plain values only"),
    ("undefined alias", "write the value out"),
)  # fmt: skip


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    message = ", ".join(part for part in (error.context, error.problem) if part)
    if error.context_mark is not None and error.problem_mark is not None:
        message += f" (begun at line {error.context_mark.line + 1})"
    hint = next((r for text, r in _REMEDIES if text in str(error.problem)), "correct the YAML here")
    place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
    return Problem(f"not valid YAML: {message}", place, hint)


def parse_yaml(text: str, file: str = "<text>") -> YamlFile:
    """Parse YAML text. Raises InputError with the place of every fault."""
    if not text.strip():
        raise InputError("the file is empty", Place(file, 1, 1), "an architecture or datasheet begins with 'schema: 1'")
    builder = _Builder(file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        builder.feed(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        raise InputError([*builder.problems, _syntax_problem(error, file)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"character U+{ord(error.character):04X} is not allowed" if isinstance(error.character, str) else str(
            error.reason)  # fmt: skip
        raise InputError(message, Place(file, line), "remove the control character") from None
    if builder.problems:
        raise InputError(builder.problems)
    if () not in builder.marks:
        raise InputError("the file holds no data", Place(file, 1, 1), "begin with 'schema: 1'")
    return YamlFile(file, builder.root, builder.marks)


_BINARY_HEADS = (
    (b"PK\x03\x04", "a zip archive (a torch or NumPy file)"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)


def read_text(path: Path) -> str:
    """The text of a small UTF-8 file. Raises InputError for a missing, oversized, binary or wrongly encoded file."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggest(path.name, siblings, what="", most=3) or "check the path"
        raise InputError("no such file", Place(file), hint) from None
    except IsADirectoryError:
        raise InputError("this is a folder, not a YAML file", Place(file), "name the file inside it") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", Place(file), "check the file's permissions") from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 20} MiB", Place(file), "is this the right file?")
    kind = next((name for head, name in _BINARY_HEADS if raw.startswith(head)), "")
    kind = kind or ("a binary file" if b"\0" in raw[:4096] else "")
    if kind:
        raise InputError(f"this is {kind}, not YAML in UTF-8", Place(file, 1, 1), "give a YAML text file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise InputError(message, Place(file, line, column), "save the file in UTF-8") from None


def read_yaml(path: str | Path) -> YamlFile:
    """Read a YAML file. Raises InputError with the place of every fault."""
    path = Path(path)
    return parse_yaml(read_text(path), str(path))
