"""Datasheets and architectures by name or path; see `hardware.locate` for where they are found."""

from __future__ import annotations

from pathlib import Path

from neuromorph.hardware.architecture import read_architecture
from neuromorph.hardware.component import Architecture, Datasheet
from neuromorph.hardware.datasheet import read_datasheet
from neuromorph.hardware.locate import architecture_names, datasheet_names, find, shipped, shipped_files

__all__ = [
    "architecture_names",
    "datasheet_names",
    "find",
    "load_architecture",
    "load_datasheet",
    "shipped",
    "shipped_files",
]


def load_datasheet(name_or_path: str | Path, near: Path | None = None) -> Datasheet:
    """A datasheet by name or path. Raises InputError with all its problems."""
    return read_datasheet(find(name_or_path, "devices", near))


def load_architecture(name_or_path: str | Path) -> Architecture:
    """An architecture by name or path. Raises InputError with all its problems."""
    return read_architecture(find(name_or_path, "architectures"))
