"""Neurons of a NIR file as operators, their parameters in the units of the dialect that wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuromorph.errors import InputError
from neuromorph.graph.model import Operator, Shape
from neuromorph.graph.operators.neurons import IF, LI, LIF, CubaLI, CubaLIF, Integrator, Threshold
from neuromorph.graph.semantics import Semantics
from neuromorph.importers.nir_files.fields import TYPES, Fields
from neuromorph.importers.nir_files.layers import Operators, Plan, fitted, own_shape
from neuromorph.importers.nir_files.settings import Settings

OPERATORS: Mapping[str, type[Operator]] = {
    "I": Integrator, "IF": IF, "LI": LI, "LIF": LIF, "CubaLI": CubaLI, "CubaLIF": CubaLIF
}  # fmt: skip
NUMBERS = ("r", "v_leak", "v_threshold", "v_reset", "w_in")
CONSTANTS = ("tau", "tau_syn", "tau_mem")
LEAST_GAIN = 0.01
"""Of r dt / threshold, below which the unit of r is doubted."""

EXTRA = ("sign", "v_init")
"""What this package adds to a node's metadata where the file format has no field for it."""

PREFIX = "neuromorph_"


def neuron(f: Fields, settings: Settings) -> Plan | None:
    """A neuron or leaky integrator. Missing v_reset is 0, missing w_in 1."""
    found: dict[str, np.ndarray | None] = {}
    for name in CONSTANTS:
        if f.given(name):
            found[name] = f.times(name, settings.time_scale)
    for name in NUMBERS:
        if f.given(name):
            found[name] = f.array(name)
    found.update(_extra(f, "v_threshold" in found))
    try:
        semantics = settings.semantics(f.raw.name, f.raw.kind)
    except InputError:  # said once for the whole file
        return None
    needed = TYPES[f.raw.kind][0]
    if any(found.get(name) is None for name in (*needed, *found)):
        return None
    given = {name: value for name, value in found.items() if value is not None}
    given = _in_units(f, given, semantics, settings)
    if f.raw.kind == "IF":
        _doubt_gain(f, given, semantics.dt_s)
    if f.raw.kind in ("IF", "LIF", "CubaLIF") and "v_reset" not in given:
        given["v_reset"] = np.zeros(())
    if f.raw.kind in ("CubaLI", "CubaLIF") and "w_in" not in given:
        given["w_in"] = np.ones(())
    start = given.get(settings.dialect.start)
    if start is not None and np.any(start) and "v_init" not in given:
        if "v_threshold" in given:
            given["v_init"] = start
        else:
            f.faults.note(f"{f.raw.name}: starts at 0, in {settings.dialect.name} at {settings.dialect.start}")

    def make(features: Shape) -> Operators:
        full = {name: fitted(f, name, values, features) for name, values in given.items()}
        if any(values is None for values in full.values()):
            return None
        cls: Any = OPERATORS[f.raw.kind]
        return [cls(semantics=semantics, **full)]

    return Plan(make, _declared(f, given))


def threshold(f: Fields, settings: Settings) -> Plan | None:
    """Threshold: a unit without memory."""
    values = f.array("threshold")
    if values is None:
        return None
    given = {"threshold": values, **{n: v for n, v in _extra(f, True).items() if n == "sign" and v is not None}}

    def make(features: Shape) -> Operators:
        full = {name: fitted(f, name, array, features) for name, array in given.items()}
        first = full["threshold"]
        return None if first is None else [Threshold(threshold=first, sign=full.get("sign"))]

    return Plan(make, own_shape(values))


def _declared(f: Fields, given: Mapping[str, np.ndarray]) -> Shape | None:
    """The largest shape among the parameters; None where all are single values."""
    arrays = [given[n] for n in (*CONSTANTS, *NUMBERS) if n in given]
    return own_shape(max(arrays, key=lambda a: (a.size, a.ndim)))


def _extra(f: Fields, fires: bool) -> dict[str, np.ndarray | None]:
    """Sign and initial membrane from the metadata."""
    metadata = f.raw.item.items.get("metadata")
    found: dict[str, np.ndarray | None] = {}
    if metadata is None or not fires:
        return found
    for name in EXTRA:
        value = metadata.values.get(PREFIX + name)
        if value is None:
            continue
        if isinstance(value, str) or value.dtype.kind not in "if" or not np.isfinite(value).all():
            f.add(f"metadata/{PREFIX}{name}", "is not an array of finite numbers", "save the network again")
            found[name] = None
        else:
            found[name] = value.astype(np.float64)
    return found


def _in_units(
    f: Fields, given: dict[str, np.ndarray], semantics: Semantics, settings: Settings
) -> dict[str, np.ndarray]:
    """Gains of 1 per step where the dialect means that, whatever the file says (Dialect.unit_gains)."""
    units, changed = settings.dialect.unit_gains, dict(given)
    if f.raw.kind in ("I", "IF"):
        # v' = r x: r has the unit 1 / time
        whole = np.full(given["r"].shape, 1.0 / semantics.dt_s)
        changed["r"] = whole if "integrator" in units else given["r"] / settings.time_scale
        return changed
    membrane = "tau" if "tau" in given else "tau_mem"
    if "membrane" in units:
        changed["r"] = 1.0 / _gain(given[membrane], semantics)
    if "current" in units and "tau_syn" in given:
        changed["w_in"] = 1.0 / _gain(given["tau_syn"], semantics)
    return changed


def _doubt_gain(f: Fields, given: Mapping[str, np.ndarray], dt_s: float) -> None:
    """A note where an input of 1 raises no membrane by a hundredth of its threshold."""
    gain, threshold = float(np.abs(given["r"]).max()) * dt_s, np.abs(given["v_threshold"])
    least = float(threshold[threshold > 0].min(initial=np.inf))
    if 0 < gain / least < LEAST_GAIN:
        f.faults.note(
            f"{f.raw.name}: an input of 1 adds r dt = {gain:.3g} to the membrane in a step of {dt_s:g} s, "
            f"{gain / least:.2g} of the threshold: it hardly fires unless weights are large; r may be per millisecond "
            f"(time_scale 0.001) or per step (time_scale {dt_s:g})"
        )


def _gain(tau: np.ndarray, semantics: Semantics) -> np.ndarray:
    """What one step of tau dv/dt = -v + x adds to v for x = 1."""
    x = semantics.dt_s / tau
    return -np.expm1(-x) if semantics.integration == "exponential" else x
