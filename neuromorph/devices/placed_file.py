"""Placements as files: one format for every kind.

Versioned JSON with the mapper's decisions, the columns of large ones in a NumPy archive beside it. Reading derives all
else from network and architecture again and compares, so that a file made for others is refused with the difference.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import InputError, Place
from neuromorph.files import write_files

if TYPE_CHECKING:
    from neuromorph.hardware.component import Architecture, Component

FORMAT = "neuromorph placement"
SCHEMA = 2
INLINE = 20_000
"""Rows up to which the columns are written into the JSON file itself."""

LARGEST = 1 << 30
"""Bytes a placement file may have."""

AGAIN = "map the network again"


def write(
    path: str | Path, root: str, architecture: Architecture, document: Mapping[str, Any],
    columns: Mapping[str, np.ndarray],
) -> list[Path]:  # fmt: skip
    """Writes a placement of the kind that hosts on `root`; returns the files written, which appear whole or not at all.

    document: what the kind says besides. columns: whole numbers by name, (rows,).
    """
    path = Path(path)
    whole: dict[str, Any] = {
        "format": FORMAT,
        "schema": SCHEMA,
        "kind": root,
        "architecture": {"name": architecture.name, "components": _components(architecture.chip)},
        **document,
    }
    contents: dict[Path, bytes | str] = {}
    if max((c.size for c in columns.values()), default=0) <= INLINE:
        whole["columns"] = {n: c.tolist() for n, c in columns.items()}
    else:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **{n: _narrow(c) for n, c in columns.items()})  # type: ignore[arg-type]
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        # Named by its content: an older placement of the same name stays readable until it is replaced.
        beside = path.with_name(f"{path.stem}-{digest[:12]}.npz")
        contents[beside] = data
        whole["columns_file"] = {"name": beside.name, "sha256": digest}
    contents[path] = json.dumps(whole, ensure_ascii=False) + "\n"
    written = write_files(contents)
    return [path, *(p for p in written if p != path)]


def read(
    path: str | Path, root: str, architecture: Architecture, names: Iterable[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The document and the columns of these names, int64. Raises InputError where the file is broken, of another kind
    or made for another architecture."""
    path = Path(path)
    document = _document(path)
    where = Place(file=str(path))
    if document.get("kind") != root:
        raise InputError(
            f"a placement on a root of kind {document.get('kind')!r:.40}, {architecture.name} has {root!r}",
            where,
            AGAIN,
        )
    _same_components(document, architecture, where)
    return document, _columns(document, path, tuple(names))


def get(document: Mapping[str, Any], key: str, kind: type, where: Place) -> Any:
    """An entry of this type; InputError for any other."""
    value = document.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"expected {kind.__name__}, got {value!r:.60}", Place(where.file, key=key))
    return value


def is_number(value: Any) -> bool:
    """Whether this is a finite number."""
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)


def _document(path: Path) -> dict[str, Any]:
    where = Place(file=str(path))
    if not path.is_file():
        raise InputError("no such file", where)
    if path.stat().st_size > LARGEST:
        raise InputError(f"the file has {path.stat().st_size} bytes, the most is {LARGEST}", where)
    try:
        document = json.loads(path.read_bytes().decode())
    except UnicodeDecodeError:
        raise InputError("not a text file", where, "give a placement written by 'neuromorph map -o'") from None
    except json.JSONDecodeError as error:
        at = Place(file=str(path), line=error.lineno, column=error.colno)
        raise InputError(f"not valid JSON: {error.msg}", at, "is the file cut short?") from None
    except RecursionError:
        raise InputError("nested too deeply", where) from None
    if not isinstance(document, dict) or not str(document.get("format")).startswith("neuromorph"):
        raise InputError("this is no placement", where, "give a placement written by 'neuromorph map -o'")
    if document.get("format") != FORMAT or document.get("schema") != SCHEMA:
        what = f"{document.get('format')!r:.60}, schema {document.get('schema')!r:.60}"
        raise InputError(what, Place(str(path), key="schema"), f"legal: {FORMAT!r}, {SCHEMA}; {AGAIN}")
    return document


def _components(component: Component) -> dict[str, Any]:
    """Everything the architect chose, flat: {path: {kind, count, settings}}. Prices of parts are left out."""
    found = {}
    for c, _ in component.walk():
        settings = {} if c.settings is None else dict(vars(c.settings))
        found[c.path] = {"kind": c.kind.name, "count": c.count, "settings": settings}
    plain: dict[str, Any] = json.loads(json.dumps(found))  # tuples become lists, as in a file read back
    return plain


def _narrow(column: np.ndarray) -> np.ndarray:
    return column.astype(np.int32) if column.size and column.max() < 2**31 else column


def _same_components(document: Mapping[str, Any], architecture: Architecture, where: Place) -> None:
    """Raise with the first differences in what the architect chose."""
    stored = get(document, "architecture", dict, where)
    name = stored.get("name")
    theirs = get(stored, "components", dict, where)
    ours = _components(architecture.chip)
    differences = []
    for path in dict.fromkeys([*ours, *theirs]):
        a, b = theirs.get(path), ours.get(path)
        if not isinstance(a, dict) or b is None:
            differences.append(f"{path} is {'missing here' if b is None else 'not in the placement'}")
            continue
        flat_a, flat_b = ({**x.get("settings", {}), "kind": x.get("kind"), "count": x.get("count")} for x in (a, b))
        for key in dict.fromkeys([*flat_b, *flat_a]):
            if flat_a.get(key) != flat_b.get(key):
                differences.append(f"{path}.{key} is {flat_a.get(key)!r} in the placement, {flat_b.get(key)!r} here")
    if differences:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise InputError(
            f"made for another architecture ({name!r}, here {architecture.name!r}): {'; '.join(differences[:3])}{more}",
            where, AGAIN,
        )  # fmt: skip


def _columns(document: Mapping[str, Any], path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    where = Place(file=str(path), key="columns")
    if "columns_file" in document:
        return _archive(get(document, "columns_file", dict, where), path, names)
    raw = get(document, "columns", dict, where)
    columns = {}
    for name in names:
        values = raw.get(name)
        if not isinstance(values, list) or not all(type(v) is int and abs(v) < 2**62 for v in values):
            raise InputError("expected a list of whole numbers", Place(str(path), key=f"columns.{name}"))
        columns[name] = np.array(values, np.int64)
    return columns


def _archive(entry: Mapping[str, Any], path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    name = get(entry, "name", str, Place(str(path), key="columns_file"))
    if Path(name).name != name:
        raise InputError(f"{name!r:.80} leaves the folder of the placement", Place(str(path), key="columns_file.name"))
    beside = path.parent / name
    where = Place(file=str(beside))
    if not beside.is_file():
        raise InputError("the columns of the placement are missing", where, f"keep {name} beside {path.name}")
    if beside.stat().st_size > LARGEST:
        raise InputError(f"the file has {beside.stat().st_size} bytes, the most is {LARGEST}", where)
    data = beside.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry.get("sha256"):
        raise InputError(f"does not belong to {path.name} or is damaged", where, AGAIN)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            columns = {n: stored[n].astype(np.int64) for n in names}
    except (ValueError, KeyError, OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"unreadable columns: {error}", where, AGAIN) from None
    if any(c.ndim != 1 for c in columns.values()):
        raise InputError("columns must be lists of whole numbers", where)
    return columns
