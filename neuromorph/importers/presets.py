"""Dialects: what the frameworks mean by a spiking network that they write to, or read from, an exchange file.

One file means different things on different platforms, since NIR names no time step, no integration scheme, no variant
of the reset, and no unit of time. Each dialect states these, and how its `docs` were checked: "executed" (the
framework's own simulation and ours gave the same spikes step for step, in tests/oracles or against a published trace:
docs/nir-platforms.md), "read" (in the framework's source), "assumed".

Versions: snntorch 1.0.0, norse 1.1.0, spikingjelly 2.0.0, sinabs 2.0.3, spyx 1.0.0, rockpool 3.1.0, nengo 4.1.0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from neuromorph.errors import InputError, Place, Problem, suggest
from neuromorph.graph.semantics import Semantics

NOWHERE = Place()
UNITS = ("integrator", "membrane", "current")
BASES = ("executed", "read", "assumed")


@dataclass(frozen=True)
class Dialect:
    """How one platform uses the file format.

    dt_s: the platform's time step where it has one, else None. times: what the file's times are: "s" (seconds), "steps"
    (multiplied by dt), or "dt s" (seconds times dt in seconds: divided by dt). unit_gains: inputs whose gain is 1 per
    step whatever the file's r or w_in say: "integrator" (IF, I: v += x), "membrane" (LIF, LI and the membrane of the
    current-based ones: v = a v + x), "current" (i = a i + x). semantics: fields of Semantics that differ from its
    defaults; kinds: the same for nodes of one type. start: parameter that neurons start at ("v_leak", "v_reset"), "" at
    0; leaky integrators start at 0. docs: what differs; basis: how that is known.
    """

    name: str
    docs: str
    basis: str
    dt_s: float | None = None
    times: str = "s"
    unit_gains: tuple[str, ...] = ()
    semantics: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    start: str = ""

    def time_scale(self, dt_s: float) -> float:
        """Seconds for one unit of the file's times, with this time step."""
        return {"s": 1.0, "steps": dt_s, "dt s": 1.0 / dt_s}[self.times]


_EULER: Mapping[str, Any] = {"integration": "euler"}
_SPYX = {**_EULER, "reset": "subtract", "delayed_reset": True, "output_shift": 1}
_SINABS = {"reset": "subtract", "compare": ">=", "spikes_per_step": None}

_ALL = (
    Dialect(
        "nir",
        "The file read literally: forward Euler, reset to v_reset at once, v > v_threshold, times in seconds.",
        "read",
        semantics=_EULER,
    ),
    Dialect(
        "snntorch",
        "Files that snntorch writes, as its Leaky, Synaptic, RLeaky and RSynaptic run by default. dt is always 1e-4 s "
        "and forward Euler is exact. The reset mode is not in the file: the default subtracts the threshold one step "
        "late, after the decay. Give reset: value for reset_mechanism='zero' (and input_at_reset: false for Synaptic "
        "and RLeaky), reset: none for 'none', and reset: subtract_guarded, delayed_reset: false for reset_delay=False.",
        "executed",
        dt_s=1e-4,
        semantics={**_EULER, "reset": "subtract", "delayed_reset": True},
    ),
    Dialect(
        "snntorch-import",
        "Any file as snntorch's importer runs it: reset to zero at once, dt 1e-4 s. It scales thresholds instead of "
        "inputs, so its membranes are in other units. It reads IF with beta 0.9, which is not imitated.",
        "executed",
        dt_s=1e-4,
        semantics=_EULER,
    ),
    Dialect(
        "norse",
        "Files that norse writes. Times are written as dt / (1/tau) = 1e-3 of the true ones (its dt is 1e-3 s), and "
        "are divided by dt. A spike lets the synaptic current jump by its weight (no dt/tau_syn, no w_in in the file). "
        "IF adds its input once a step. The current is read by the membrane before it decays. Neurons start at v_leak; "
        "v_reset is not written.",
        "executed",
        dt_s=1e-3,
        times="dt s",
        unit_gains=("integrator", "current"),
        semantics=_EULER,
        start="v_leak",
    ),
    Dialect(
        "norse-import",
        "Any file with times in seconds as norse's importer runs it: forward Euler at dt 1e-3 s by default, hard reset "
        "to 0. IF adds its input once a step. It drops r of LIF and IF with a warning; here r of LIF counts.",
        "executed",
        dt_s=1e-3,
        unit_gains=("integrator",),
        semantics=_EULER,
        start="v_leak",
    ),
    Dialect(
        "spikingjelly",
        "Files that SpikingJelly writes and reads: dt 1e-4 s, forward Euler, hard reset, fires at v >= threshold, "
        "neurons start at v_reset. It refuses to write soft resets (v_reset=None): give reset: subtract for these.",
        "executed",
        dt_s=1e-4,
        semantics={**_EULER, "compare": ">="},
        start="v_reset",
    ),
    Dialect(
        "sinabs",
        "Files that sinabs writes. Times are in steps. Decay exp(-1/tau) with the input times 1 - exp(-1/tau) "
        "(norm_input, its default), subtracting reset, as many spikes in a step as thresholds fit into the membrane. "
        "IF adds its input once a step. Not in the file: norm_input=False (give integration: impulse and scale the "
        "weights by tau), tau_syn, min_v_mem (give v_min).",
        "executed",
        times="steps",
        unit_gains=("integrator",),
        semantics={**_SINABS, "integration": "exponential"},
    ),
    Dialect(
        "sinabs-import",
        "Any file as sinabs' importer runs it: times taken as steps, v = exp(-1/tau) v + x. It clamps IF at "
        "-v_threshold (give v_min).",
        "executed",
        times="steps",
        unit_gains=("integrator", "membrane"),
        semantics={**_SINABS, "integration": "impulse"},
    ),
    Dialect(
        "rockpool",
        "Files that Rockpool writes, as its LIFTorch and LIFNeuronTorch run: v = exp(-dt/tau) v + x whatever r says "
        "(written as tau exp(-dt/tau) / dt), subtracting reset, several spikes in a step, fires at v >= threshold. The "
        "current is i = exp(-dt/tau_syn) (i + x): the decay acts on the new input too, which the weights must hold.",
        "executed",
        dt_s=1e-3,
        unit_gains=("integrator", "membrane", "current"),
        semantics={**_SINABS, "integration": "impulse"},
    ),
    Dialect(
        "spyx",
        "Files that spyx writes with its default dt of 1: times are in steps. v = beta v + x whatever r says; spikes "
        "come from the membrane of the step before, so they leave one step late; the threshold is subtracted then. Its "
        "CuBaLIF subtracts before the decay. Recurrent layers of spyx feed spikes back without the extra step, which "
        "this cannot express.",
        "executed",
        times="steps",
        unit_gains=UNITS,
        semantics=_SPYX,
        kinds={"CubaLIF": {"delayed_reset": False}},
    ),
    Dialect(
        "nengo",
        "Any file as Nengo runs it: exact integration for constant input, hard reset. Nengo interpolates spike times "
        "inside a step, which shifts the membrane after a spike that comes with a lasting input; not modelled.",
        "executed",
        dt_s=1e-3,
        semantics={"integration": "exponential"},
    ),
    Dialect(
        "lava",
        "Any file as Lava's LIF process runs it on a CPU in floats: forward Euler, hard reset. In the published trace "
        "membranes and spikes are one step late; here the spikes are.",
        "executed",
        semantics={**_EULER, "output_shift": 1},
    ),
    Dialect(
        "spinnaker2",
        "Any file as py-spinnaker2's LIF runs it: forward Euler, hard reset. The published trace has its weight at "
        "0.9998 of its value, so membranes differ in the fourth digit; number formats are the machine's, not this.",
        "executed",
        semantics=_EULER,
    ),
)

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}

FIELDS = tuple(f.name for f in fields(Semantics) if f.name not in ("dt_s", "preset"))
"""Fields of Semantics that a dialect, a semantics file or an option may set."""


def dialect_of(name: str | None, place: Place = NOWHERE) -> Dialect:
    """The dialect of this name, "nir" for None. Raises InputError for an unknown one."""
    if name is None:
        return DIALECTS["nir"]
    if name not in DIALECTS:
        raise InputError(f"unknown preset {name!r}", place, suggest(name, DIALECTS))
    return DIALECTS[name]


def preset(name: str, dt_s: float | None = None, *, kind: str = "", **changes: Any) -> Semantics:
    """The Semantics of a dialect at a time step (seconds, the dialect's own where None), for nodes of a NIR type.

    changes: fields of Semantics in place of the dialect's. Raises InputError for an unknown name, field or value, and
    where neither dt_s nor the dialect gives a time step.
    """
    dialect = dialect_of(name)
    return semantics_of(dialect, need_dt(dialect, dt_s), kind, changes)


def need_dt(dialect: Dialect, dt_s: float | None, place: Place = NOWHERE) -> float:
    """The time step: what is given, else the dialect's own."""
    found = dialect.dt_s if dt_s is None else dt_s
    if found is None:
        who = f"preset {dialect.name!r} has no time step of its own" if dialect.name != "nir" else "the file has none"
        given = ", ".join(f"{d.name} ({d.dt_s:g} s)" for d in _ALL if d.dt_s is not None)
        raise InputError(f"a time step is needed: {who}", place, f"give dt, e.g. 1 ms, or a preset with one: {given}")
    if not math.isfinite(found) or found <= 0:
        raise InputError(f"dt is {found!r} s", place, "a finite time step above 0, e.g. 1 ms")
    return found


def semantics_of(dialect: Dialect, dt_s: float, kind: str, changes: Mapping[str, Any]) -> Semantics:
    """The Semantics of nodes of one type in a dialect, with changes."""
    unknown = [name for name in changes if name not in FIELDS]
    if unknown:
        raise InputError([Problem(f"unknown field of the semantics {n!r}", hint=suggest(n, FIELDS)) for n in unknown])
    given = {**dialect.semantics, **dialect.kinds.get(kind, {}), **changes}
    name = "" if dialect.name == "nir" else dialect.name
    return Semantics(dt_s=dt_s, preset=name, **given)
