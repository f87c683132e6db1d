"""`network.semantics.yaml`: what a NIR file cannot say, beside it. Schema 1:

    schema: 1
    dt: 1 ms                 # time step
    preset: snntorch         # dialect the rest is based on (neuromorph.importers.presets)
    time_scale: 1            # seconds per unit of the file's times, in place of the dialect's
    steps: 100               # time steps of a sample
    semantics: {reset: subtract, delayed_reset: true}    # fields of Semantics, for all neurons
    nodes: {lif1: {reset: value}}                        # the same for single nodes
    feedback: [[rec, lif1]]  # edges that act one step later, in place of the choice made when reading

Every key but `schema` may be left out. Faults are reported with line and column.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from neuromorph.errors import InputError, Problem, suggest
from neuromorph.graph.semantics import COMPARES, INTEGRATIONS, ORDERS, RESETS
from neuromorph.importers.presets import DIALECTS, FIELDS
from neuromorph.units import parse
from neuromorph.yamlfile import KeyPath, YamlFile, read_yaml

SCHEMA = 1
KEYS = ("schema", "dt", "preset", "time_scale", "steps", "semantics", "nodes", "feedback")
WORDS: Mapping[str, tuple[str, ...]] = {
    "integration": INTEGRATIONS, "reset": RESETS, "compare": COMPARES, "order": ORDERS
}  # fmt: skip
FLAGS = ("delayed_reset", "bias_at_start", "input_at_reset")
COUNTS: Mapping[str, int] = {"output_shift": 0, "refractory": 0, "spikes_per_step": 1}


@dataclass(frozen=True)
class Sidecar:
    """The content of a semantics file; None and empty where it says nothing."""

    dt_s: float | None = None
    preset: str | None = None
    time_scale: float | None = None
    steps: int | None = None
    semantics: Mapping[str, Any] = field(default_factory=dict)
    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    feedback: tuple[tuple[str, str], ...] | None = None


def sidecar_path(path: Path) -> Path:
    """Where the semantics of a NIR file lie: `network.semantics.yaml` beside `network.nir`."""
    return path.with_name(f"{path.name.removesuffix('.nir')}.semantics.yaml")


def read_sidecar(path: Path) -> Sidecar:
    """Reads a semantics file. Raises InputError with every fault and its line and column."""
    return _Reader(read_yaml(path)).read()


class _Reader:
    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def note(self, path: KeyPath, message: str, hint: str = "", at: str = "value") -> None:
        self.problems.append(Problem(message, self.file.place(path, at), hint))

    def read(self) -> Sidecar:
        data = self.mapping((), KEYS)
        if data.get("schema") != SCHEMA or isinstance(data.get("schema"), bool):
            self.note(("schema",), f"schema is {data.get('schema')!r}", f"this version reads schema: {SCHEMA}")
        preset = data.get("preset")
        if preset is not None and preset not in DIALECTS:
            self.note(("preset",), f"unknown preset {preset!r}", suggest(str(preset), DIALECTS))
        found = Sidecar(
            dt_s=self.time_step(data.get("dt")),
            preset=preset,
            time_scale=self.number(("time_scale",), data.get("time_scale")),
            steps=self.count(("steps",), data.get("steps"), 1),
            semantics=self.settings(("semantics",)) if "semantics" in data else {},
            nodes={n: self.settings(("nodes", n)) for n in self.mapping(("nodes",))} if "nodes" in data else {},
            feedback=self.edges(data["feedback"]) if data.get("feedback") is not None else None,
        )
        if self.problems:
            raise InputError(self.problems)
        return found

    def mapping(self, path: KeyPath, legal: tuple[str, ...] | None = None) -> Mapping[str, Any]:
        data: Any = self.file.data
        for key in path:
            data = data[key]
        if data is None:
            return {}
        if not isinstance(data, dict):
            self.note(path, "is no mapping", "write 'key: value' lines")
            return {}
        for key in data:
            if legal is not None and key not in legal:
                self.note((*path, key), f"unknown key {key!r}", suggest(key, legal), "key")
        return data

    def time_step(self, value: Any) -> float | None:
        if value is None:
            return None
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.note(("dt",), f"is {value!r} without a unit", "write the unit, e.g. 1 ms")
            return None
        try:
            seconds = parse(value, "s")
        except InputError as error:
            self.note(("dt",), error.problems[0].message, error.problems[0].hint)
            return None
        if not (math.isfinite(seconds) and seconds > 0):
            self.note(("dt",), f"is {value!r}", "a time above 0, e.g. 1 ms")
            return None
        return seconds

    def number(self, path: KeyPath, value: Any) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            self.note(path, f"is {value!r}", "a number above 0")
            return None
        return float(value)

    def count(self, path: KeyPath, value: Any, least: int) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.note(path, f"is {value!r}", f"a whole number of {least} or more")
            return None
        return value

    def settings(self, path: KeyPath) -> dict[str, Any]:
        """Fields of the semantics."""
        found: dict[str, Any] = {}
        for name, value in self.mapping(path, FIELDS).items():
            here = (*path, name)
            if name in WORDS:
                if value not in WORDS[name]:
                    self.note(here, f"{name} is {value!r}", suggest(value, WORDS[name]))
            elif name in FLAGS:
                if not isinstance(value, bool):
                    self.note(here, f"{name} is {value!r}", "legal: true, false")
            elif name in COUNTS:
                if not (value is None and name == "spikes_per_step"):
                    value = self.count(here, 0 if value is None else value, COUNTS[name])
            elif name == "v_min" and value is not None:
                if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                    self.note(here, f"v_min is {value!r}", "a finite potential, or null")
                else:
                    value = float(value)
            found[name] = value
        return found

    def edges(self, value: Any) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(value, list):
            self.note(("feedback",), "is no list", "pairs of node names: [[from, to], ...]")
            return None
        found = []
        for i, edge in enumerate(value):
            if not isinstance(edge, list) or len(edge) != 2 or not all(isinstance(n, str) for n in edge):
                self.note(("feedback", i), f"is {edge!r}", "a pair of node names (in quotes where they are numbers)")
            else:
                found.append((edge[0], edge[1]))
        return tuple(found)


def sidecar_text(sidecar: Sidecar) -> str:
    """A semantics file."""
    import yaml

    data: dict[str, Any] = {"schema": SCHEMA}
    if sidecar.dt_s is not None:
        data["dt"] = f"{sidecar.dt_s!r} s"
    for f in fields(sidecar):
        value = getattr(sidecar, f.name)
        if f.name != "dt_s" and value not in (None, {}):
            data[f.name] = [list(edge) for edge in value] if f.name == "feedback" else _plain(value)
    text: str = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    return text


def _plain(value: Any) -> Any:
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, Mapping) else value
