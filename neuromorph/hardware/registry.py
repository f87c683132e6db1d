"""Which kinds of component exist: found by import, with no list to edit.

Modules below `neuromorph.devices` that declare a kind, and every module named by an entry point of
the group `neuromorph.devices`, are imported; their module-level ComponentKind objects are the kinds.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from types import ModuleType

from neuromorph.errors import InputError
from neuromorph.hardware.component import ComponentKind, Slot

GROUP = "neuromorph.devices"

_found: dict[str, ComponentKind] | None = None
_extra: list[dict[str, ComponentKind]] = []


def _declares(name: str) -> bool:
    """Whether a module's source makes a ComponentKind; without source, assume so."""
    spec = importlib.util.find_spec(name)
    source = getattr(spec.loader, "get_source", lambda _: None)(name) if spec is not None else None
    return source is None or "ComponentKind(" in source


def _modules() -> Iterator[ModuleType]:
    package = importlib.import_module("neuromorph.devices")
    for info in pkgutil.walk_packages(package.__path__, "neuromorph.devices."):
        # modules that emulate import torch: reading a datasheet must not wait for that
        if _declares(info.name):
            yield importlib.import_module(info.name)
    for entry in metadata.entry_points(group=GROUP):
        try:
            found = entry.load()
        except Exception as error:
            message = f"the plug-in {entry.name!r} ({entry.value}) fails to load: {type(error).__name__}: {error}"
            raise InputError(message, hint="repair or uninstall the package that brings it") from error
        yield found if isinstance(found, ModuleType) else importlib.import_module(entry.value.split(":")[0])


def _collect() -> dict[str, ComponentKind]:
    kinds: dict[str, ComponentKind] = {}
    owner: dict[str, str] = {}
    for module in _modules():
        for value in vars(module).values():
            if not isinstance(value, ComponentKind) or kinds.get(value.name) is value:
                continue
            if value.name in kinds:
                message = f"component kind {value.name!r} is declared by {owner[value.name]} and by {module.__name__}"
                raise InputError(message, hint="give one of them another name")
            kinds[value.name], owner[value.name] = value, module.__name__
    return dict(sorted(kinds.items()))


def component_kinds() -> Mapping[str, ComponentKind]:
    """All component kinds by name. Raises InputError where a plug-in fails or two kinds share a name."""
    global _found
    if _found is None:
        _found = _collect()
    if not _extra:
        return _found
    merged = dict(_found)
    for more in _extra:
        merged.update(more)
    return dict(sorted(merged.items()))


def admitted(slot: Slot) -> list[str]:
    """Names of the kinds that fit a slot, by kind or by family; kinds that are not installed are left in by name."""
    kinds = component_kinds()
    families = {kind.family for kind in kinds.values() if kind.family}
    named = [name for name in slot.kinds if name in kinds or name not in families]
    return named + [k.name for k in kinds.values() if k.family in slot.kinds and k.name not in named]


def renamed(name: object) -> str:
    """A hint with today's name of the kind that once had this name; "" for any other name."""
    now = next((kind.name for kind in component_kinds().values() if name in kind.former), "")
    return now and f"this kind is called {now!r} now: write 'kind: {now}'"


@contextmanager
def registered(*kinds: ComponentKind) -> Iterator[None]:
    """Adds kinds inside a with-block; they replace kinds of the same name."""
    more = {kind.name: kind for kind in kinds}
    _extra.append(more)
    try:
        yield
    finally:
        _extra.remove(more)
