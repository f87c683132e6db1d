"""Content hashes: whether the thing that a stored sweep was about is still the same."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np

from neuromorph.graph.arrays import ShapeOnly
from neuromorph.hardware.component import ComponentKind

UNREAD = frozenset({"file", "notes", "title"})
"""Fields that say where a description came from, and change nothing that is computed."""


def fingerprint(value: Any) -> str:
    """A 128-bit hex digest of a value's content: numbers, texts, arrays, tensors, containers and dataclasses of them.

    Equal content gives equal digests in every process; the order of mappings and sets does not matter.
    Raises TypeError for other types, whose content is not known.
    """
    digest = hashlib.sha256()
    _feed(digest.update, value)
    return digest.hexdigest()[:32]


def _feed(update: Any, value: Any) -> None:
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        data = value if isinstance(value, bytes) else repr(value).encode()
        update(f"{type(value).__name__}:{len(data)}:".encode() + data)
    elif isinstance(value, ComponentKind):
        update(f"kind:{value.name};".encode())
    elif isinstance(value, ShapeOnly):
        update(f"shape only:{value.dtype.str}:{value.shape};".encode())
    elif isinstance(value, np.ndarray | np.generic):
        array = np.ascontiguousarray(value)
        update(f"array:{array.dtype.str}:{array.shape};".encode())
        update(array.tobytes())
    elif hasattr(value, "detach"):
        _feed(update, value.detach().cpu().numpy())
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        update(f"{type(value).__qualname__}(".encode())
        for f in dataclasses.fields(value):
            if f.name not in UNREAD:
                update(f"{f.name}=".encode())
                _feed(update, getattr(value, f.name))
        update(b")")
    elif isinstance(value, Mapping):
        update(f"mapping:{len(value)}(".encode())
        for key in sorted(value, key=repr):
            _feed(update, key)
            _feed(update, value[key])
    elif isinstance(value, Set):
        _feed(update, sorted(value, key=repr))
    elif isinstance(value, Sequence):
        update(f"sequence:{len(value)}(".encode())
        for item in value:
            _feed(update, item)
    else:
        raise TypeError(f"the content of a {type(value).__name__} is not known")
