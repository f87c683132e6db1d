"""The core of a many-core chip: a processor or a fixed-function unit that updates neurons and adds up their input.

Energies and times are those of single actions; a part that is known by its power alone gives `active_power` and the
times of its actions. At a performance level of supply V and clock f, energies are those of the reference supply times
(V / V_ref)^2, powers times (V / V_ref)^2 f / f_ref and times times f_ref / f: dynamic CMOS energy C V^2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from neuromorph.hardware.component import (
    Component,
    ComponentKind,
    Cost,
    Footprint,
    Quantity,
    quantity,
    setting,
    weakest,
)
from neuromorph.hardware.pricing import Known, join, known, value
from neuromorph.spiking.arithmetic import KINDS, SIGNS

F, E, T, A = "function", "energy", "time", "area"
ACTIONS: Mapping[str, str] = {
    "update": "update_energy",
    "idle_update": "idle_update_energy",
    "synapse": "synapse_energy",
    "spike": "spike_energy",
    "send": "send_energy",
    "receive": "receive_energy",
    "learn": "learn_energy",
}
"""Actions of a core by the quantity that prices one of them."""

TIMES: Mapping[str, str] = {
    "step": "step_time",
    "update": "update_time",
    "synapse": "synapse_time",
    "spike": "spike_time",
    "receive": "receive_time",
    "learn": "learn_time",
}
"""Actions of a core by the quantity that gives their duration; "step" is what every step costs."""


@dataclass(frozen=True, kw_only=True)
class CoreLimits:
    """What one core holds, as the file of an architecture says it and as a Machine does."""

    synapse_bits: float = setting("bit", doc="memory of one synapse", affects=(E, T), low=0.0)
    neurons: int | None = setting(doc="most neurons on one core", affects=(E, T), default=None, low=1)
    axons_in: int | None = setting(doc="most source neurons of one core", affects=(E, T), default=None, low=1)
    axons_out: int | None = setting(
        doc="most pairs of a source neuron on this core and a target core", affects=(E, T), default=None, low=1
    )
    fan_in: int | None = setting(doc="most synapses of one neuron", affects=(E, T), default=None, low=1)
    min_delay: int = setting(doc="least delay of a spike in steps", affects=(F, T), default=1, low=1, high=65535)
    max_delay: int = setting(doc="greatest delay of a spike in steps", affects=(F, T), default=16, low=1, high=65535)
    delay_extension: bool = setting(
        doc="longer delays are made by further cores that hold spikes back", affects=(F, E, T), default=False
    )
    weight_bits: int = setting(
        doc="bits of a stored weight; in floating point 32 are the type's own", affects=(F,), default=16, low=1, high=32
    )
    row_bits: float = setting(
        "bit", doc="memory of the header of the synapses of one source neuron", affects=(E, T), default=0.0, low=0.0
    )
    state_bits: float = setting(
        "bit", doc="memory of one neuron's state and parameters", affects=(E, T), default=0.0, low=0.0
    )
    buffer_bits: float = setting(
        "bit", doc="memory of one slot of a neuron's ring of delayed input", affects=(E, T), default=0.0, low=0.0
    )
    input_source: str = setting(
        doc="spikes from outside are made by cores or come in through the interface", affects=(E, T), default="host",
        choices=("core", "host"),
    )  # fmt: skip
    shares_cores: bool = setting(doc="one core may hold neurons of several populations", affects=(E, T), default=False)
    source_neurons: int = setting(
        doc="spike sources on one core, where cores make the input", affects=(E, T), default=256, low=1
    )


@dataclass(frozen=True, kw_only=True)
class SpikingCoreSettings(CoreLimits):
    """One core: what it holds, how it computes, how fast it runs."""

    memory: float = setting("bit", doc="memory of the core for synapses, state and buffers", affects=(E, T), low=1.0)
    reserved_memory: float = setting(
        "bit", doc="of the memory, taken by code and buffers", affects=(E, T), default=0.0, low=0.0
    )
    arithmetic: str = setting(doc="number format of weights and state", affects=(F,), default="float32", choices=KINDS)
    precision_bits: int = setting(
        doc="bits of a state variable where arithmetic is loihi or integer; others have their own", affects=(F,),
        default=32, low=8, high=64,
    )  # fmt: skip
    weight_signs: str = setting(
        doc="a weight's sign is one of the synapse, within weight_bits, or one of the source neuron, besides them",
        affects=(F,), default="synapse", choices=SIGNS,
    )  # fmt: skip
    axon_types: int | None = setting(
        doc="weights of one neuron, chosen by the type of the axon; left out: one for each synapse", affects=(F,),
        default=None, low=1, high=256,
    )  # fmt: skip
    ring_rate: float | None = setting(
        "Hz", doc="spikes of every source and second that the saturating rings of inputs are made for, where the "
        "arithmetic is spinnaker; left out: 30", affects=(F,), default=None, low=0.0,
    )  # fmt: skip
    ring_deviations: float | None = setting(
        "1", doc="standard deviations above that rate that the rings hold; left out: 5", affects=(F,), default=None,
        low=0.0,
    )  # fmt: skip
    skip_below: float = setting(
        "1", doc="an update waits while the input since the last one is smaller than this; 0: never",
        affects=(F,), default=0.0, low=0.0,
    )  # fmt: skip
    rows_in: str = setting(
        doc="synapses lie in the core's memory or in the tile's", affects=(E, T), default="core",
        choices=("core", "tile"),
    )  # fmt: skip
    clock: float | None = setting(
        "Hz", doc="clock frequency; left out: the level's, or the one the part's figures hold at",
        affects=(E, T), default=None, low=1.0,
    )  # fmt: skip
    level: int | None = setting(
        doc="performance level of the part, 1 the slowest; left out: as its figures hold", affects=(E, T),
        default=None, low=1,
    )  # fmt: skip
    active: str = setting(
        doc="a core draws its active power while it is busy, or always where it holds neurons", affects=(E,),
        default="busy", choices=("busy", "always"),
    )  # fmt: skip


@dataclass(frozen=True)
class SpikingCoreQuantities:
    """Facts of one core."""

    update_energy: Quantity | None = quantity("J", doc="update of a neuron in one step", affects=(E,))
    idle_update_energy: Quantity | None = quantity(
        "J", doc="update of a neuron that gets no input and has no bias; left out: like any other", affects=(E,)
    )
    synapse_energy: Quantity | None = quantity("J", doc="one synaptic event", affects=(E,))
    spike_energy: Quantity | None = quantity("J", doc="one neuron that fires", affects=(E,))
    send_energy: Quantity | None = quantity("J", doc="one packet sent", affects=(E,))
    receive_energy: Quantity | None = quantity("J", doc="one packet received, without its synapses", affects=(E,))
    learn_energy: Quantity | None = quantity("J", doc="update of one plastic synapse", affects=(E,))
    active_power: Quantity | None = quantity("W", doc="power of a working core above that of a waiting one",
                                             affects=(E,))  # fmt: skip
    step_time: Quantity | None = quantity("s", doc="time every step takes on a core", affects=(E, T))
    update_time: Quantity | None = quantity("s", doc="time of a neuron update", affects=(E, T))
    synapse_time: Quantity | None = quantity("s", doc="time of a synaptic event", affects=(E, T))
    spike_time: Quantity | None = quantity("s", doc="time to send a spike", affects=(E, T))
    receive_time: Quantity | None = quantity("s", doc="time of a received packet, without its synapses", affects=(E, T))
    learn_time: Quantity | None = quantity("s", doc="time to update one plastic synapse", affects=(E, T))
    reference_clock: Quantity | None = quantity("Hz", doc="clock at which times and power hold", affects=(E, T))
    reference_supply: Quantity | None = quantity("V", doc="supply at which energies hold", affects=(E,))
    level_clocks: Quantity | None = quantity("Hz", doc="clock of each performance level", affects=(E, T), shape="list")
    level_supplies: Quantity | None = quantity("V", doc="supply of each performance level", affects=(E,), shape="list")
    energy_per_cycle: Quantity | None = quantity("J", doc="drawn at each clock cycle, work or not", affects=(E,))
    leakage: Quantity | None = quantity("W", doc="static power of one core", affects=(E,))
    area: Quantity | None = quantity("m^2", doc="area of one core", affects=(A,))


def clock(core: Component) -> Known | None:
    """Clock of a core: chosen, of its level, or of the part's figures."""
    if core.settings.clock is not None:
        return Known(core.settings.clock, "derived", "")
    found = _of_level(core, "level_clocks")
    return known(core.part, "reference_clock") if found is None else found


def _of_level(core: Component, name: str) -> Known | None:
    """The entry of a list of the part that belongs to the core's level."""
    found = core.part.get(name) if core.part is not None else None
    level = core.settings.level
    if found is None or level is None:
        return None
    return Known(found.value[level - 1], found.basis, join(found.source))


def _speed(core: Component) -> Known:
    """Clock relative to that of the part's figures."""
    actual, reference = clock(core), known(core.part, "reference_clock")
    if actual is None or reference is None or actual.value == reference.value:
        return Known(1.0, "measured", "")
    return actual / reference


def _per_charge(core: Component) -> Known:
    """(V / V_ref)^2 of the core's level."""
    supply, reference = _of_level(core, "level_supplies"), known(core.part, "reference_supply")
    if supply is None or reference is None or supply.value == reference.value:
        return Known(1.0, "measured", "")
    ratio = supply / reference
    return ratio * ratio


def _times(number: Known | None, factor: Known) -> Known | None:
    return number if number is None or factor.value == 1.0 else number * factor


def costs(core: Component) -> dict[str, Cost]:
    """J per action, and W for "busy" where the part gives its power."""
    charge = _per_charge(core)
    found: dict[str, Cost] = {}
    for action, name in ACTIONS.items():
        energy = _times(known(core.part, name), charge)
        if energy is not None:
            found[action] = energy.cost()
    if "update" in found:
        found.setdefault("idle_update", found["update"])
    power = _times(_times(known(core.part, "active_power"), charge), _speed(core))
    if power is not None:
        found["busy"] = power.cost()
    return found


def times(core: Component) -> Mapping[str, float]:
    """Seconds of each action at the core's clock."""
    speed = _speed(core).value
    given = {action: value(core.part, name) for action, name in TIMES.items()}
    return {action: seconds / speed for action, seconds in given.items() if seconds is not None}


def footprint(core: Component) -> Footprint:
    """Area and static power; what is drawn at each cycle is static power too, since it is drawn without work."""
    area, leakage = known(core.part, "area"), known(core.part, "leakage")
    per_cycle, hertz = known(core.part, "energy_per_cycle"), clock(core)
    if per_cycle is not None and hertz is not None:
        ticking = per_cycle * hertz
        leakage = ticking if leakage is None else leakage + ticking
    stated = [k for k in (area, leakage) if k is not None]
    return Footprint(
        None if area is None else area.value,
        None if leakage is None else leakage.value,
        weakest(*(k.basis for k in stated)) if stated else "assumed",
        join(*(k.source for k in stated)),
    )


def check(core: Component) -> list[str]:
    """Settings that contradict each other or the part."""
    s, part = core.settings, core.part
    problems = []
    if s.reserved_memory >= s.memory:
        problems.append("reserved_memory: nothing of the memory is left; give less than memory")
    if s.min_delay > s.max_delay:
        problems.append(f"min_delay: {s.min_delay} steps, but max_delay is {s.max_delay}; give at most that")
    if s.arithmetic not in ("loihi", "integer") and s.precision_bits != 32:
        problems.append(
            f"precision_bits: {s.arithmetic} has its own; leave it out, or choose arithmetic loihi or integer"
        )
    if s.arithmetic != "spinnaker" and (s.ring_rate is not None or s.ring_deviations is not None):
        problems.append(f"ring_rate and ring_deviations: {s.arithmetic} arithmetic has no rings; leave them out")
    if s.arithmetic in ("spinnaker", "loihi") and (s.axon_types is not None or s.weight_signs != "synapse"):
        problems.append(f"weight_signs and axon_types mean nothing in {s.arithmetic} arithmetic; leave them out")
    if s.arithmetic == "integer" and s.skip_below:
        problems.append("skip_below: integer arithmetic has a unit for each neuron and skips nothing; leave it out")
    lists = {name: value(part, name) for name in ("level_clocks", "level_supplies")}
    levels = min((len(x) for x in lists.values() if x is not None), default=0)
    if s.level is not None and s.level > levels:
        legal = f"1 to {levels}" if levels else "none: its part gives no levels"
        problems.append(f"level: {s.level} is not a level of this core; legal: {legal}")
    if s.level is not None and s.clock is not None:
        problems.append("clock: the level gives the clock already; leave one of them out")
    bare = value(part, "reference_clock") is None and value(part, "energy_per_cycle") is None
    if s.clock is not None and bare:
        problems.append("clock: the part says neither at which clock its figures hold nor what a cycle draws")
    return problems


SPIKING_CORE = ComponentKind(
    name="spiking_core",
    family="neural_core",
    doc="A core of a many-core chip: neurons, their synapses and how it computes them.",
    settings=SpikingCoreSettings,
    quantities=SpikingCoreQuantities,
    costs=costs,
    footprint=footprint,
    times=times,
    check=check,
    structural=True,
)
