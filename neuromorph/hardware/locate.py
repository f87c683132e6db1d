"""Where datasheets and architectures are found.

A name ending in .yaml or .yml, or holding a path separator, is a file. Any other name is looked up
beside the file that uses it, then among those shipped: inside the installed package, else at the top
of the working tree.
"""

from __future__ import annotations

import os
from pathlib import Path

from neuromorph.errors import InputError, Place, suggest

SUFFIXES = (".yaml", ".yml")


def shipped(folder: str) -> Path | None:
    """The folder ("devices" or "architectures") that holds the shipped files; None where there is none."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_data" / folder, package.parent / folder):
        if candidate.is_dir():
            return candidate
    return None


def shipped_files(folder: str) -> dict[str, Path]:
    """The shipped files of a folder by name (file stem); sub-folders are included."""
    root = shipped(folder)
    if root is None:
        return {}
    files = sorted(p for p in root.rglob("*") if p.suffix in SUFFIXES and not p.name.startswith("."))
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in found:
            raise InputError(f"two files are named {path.stem!r}: {found[path.stem]} and {path}", hint="rename one")
        found[path.stem] = path
    return found


def architecture_names() -> list[str]:
    """Names of the shipped architectures."""
    return list(shipped_files("architectures"))


def datasheet_names() -> list[str]:
    """Names of the shipped datasheets."""
    return list(shipped_files("devices"))


def is_path(name: str) -> bool:
    """Whether this names a file rather than an entry of the catalog."""
    return name.endswith(SUFFIXES) or os.sep in name or "/" in name


def find(name: str | Path, folder: str, near: Path | None = None) -> Path:
    """The file of this name or path. near: the folder of the file that uses it. Raises InputError with suggestions."""
    what = {"devices": "datasheet", "architectures": "architecture"}[folder]
    text = os.fspath(name)
    if not text.strip():
        raise InputError(f"an empty name is not {_a(what)}", hint=f"name a file or one of the shipped {folder}")
    if isinstance(name, Path) or is_path(text):
        path = Path(text).expanduser()
        return near / path if near is not None and not path.is_absolute() and (near / path).exists() else path
    for base in () if near is None else (near, near / folder, near.parent / folder):
        for suffix in SUFFIXES:
            if (base / (text + suffix)).is_file():
                return base / (text + suffix)
    files = shipped_files(folder)
    if text in files:
        return files[text]
    raise InputError(f"there is no {what} {text!r}", Place(), suggest(text, files, f"shipped {folder}"))


def _a(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun
