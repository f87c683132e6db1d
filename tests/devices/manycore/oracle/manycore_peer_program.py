"""SANA-FE (GPL-3.0) as a program of its own: it gets files with a chip and a mapped network, and prints figures.

    NEUROMORPH_SANAFE=/path/to/its/python python tests/manycore_oracle/manycore_peer_program.py

writes peers_sanafe.json beside this file anew: numbers that it computed, so that tests compare without it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import manycore_peer_networks as peers
import numpy as np
import yaml

FIGURES = Path(__file__).with_name("peers_sanafe.json")
STEPS = 32
TIMINGS = ("simple", "detailed", "cycle")
COUNTS = ("fired", "spikes", "hops")
ENERGIES = ("synapse", "soma", "network")
COMMAND = """
import json, sys, sanafe
arch = sanafe.load_arch(sys.argv[1])
chip = sanafe.SpikingChip(arch)
chip.load(sanafe.load_net(sys.argv[2], arch))
run = chip.sim(int(sys.argv[3]), timing_model=sys.argv[4], processing_threads=1, perf_trace=True)
print(json.dumps({k: v for k, v in run.items() if v is not None}))
"""


def interpreter() -> str | None:
    """Of the environment that SANA-FE is installed in; NEUROMORPH_SANAFE may name a script after it."""
    words = shlex.split(os.environ.get("NEUROMORPH_SANAFE", ""))
    return words[0] if words else None


def chip() -> dict[str, Any]:
    """The constants that loihi-sanafe carries, as the other simulator takes them, written out by hand."""
    hops = {
        f"{what}_{way}_hop": value
        for ways, energy, latency in (("north south", 4.2e-12, 6.5e-9), ("east west", 3e-12, 4.1e-9))
        for way in ways.split()
        for what, value in (("energy", energy), ("latency", latency))
    }
    soma = {
        "model": "leaky_integrate_fire", "energy_access_neuron": 51.2e-12, "latency_access_neuron": 6e-9,
        "energy_update_neuron": 21.6e-12, "latency_update_neuron": 3.7e-9, "energy_spike_out": 69.3e-12,
        "latency_spike_out": 30e-9,
    }  # fmt: skip
    synapse = {"model": "current_based", "energy_process_spike": 33.6e-12, "latency_process_spike": 4.7e-9}
    units = {
        "axon_in": {"energy_message_in": 0.0, "latency_message_in": 16e-9},
        "synapse": synapse,
        "dendrite": {"model": "accumulator", "energy_update": 0.0, "latency_update": 0.0},
        "soma": soma,
        "axon_out": {"energy_message_out": 111e-12, "latency_message_out": 5.1e-9},
    }
    core = {
        "name": "core[0..3]",
        "attributes": {"buffer_position": "soma", "buffer_inside_unit": False, "max_neurons_supported": 1024},
        **{name: [{"name": name, "attributes": values}] for name, values in units.items()},
    }
    attributes = {
        "width": peers.WIDTH, "height": peers.HEIGHT, "link_buffer_size": 16, "sync_model": "table",
        "latency_sync": {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6},
    }  # fmt: skip
    tile = {"name": "tile[0..31]", "attributes": hops, "core": [core]}
    return {"architecture": {"name": "peer", "attributes": attributes, "tile": [tile]}}


def network(kind: str, mapping: str) -> str:
    given, core = peers.peer_network(kind), peers.core_of(mapping)
    lines = ["network:", "  name: peer", "  groups:", "    - name: p"]
    lines += [f"      attributes: [threshold: {peers.THRESHOLD}, reset: 0.0, leak_decay: {peers.LEAK}]"]
    lines += ["      neurons:", *(f"        - {i}: [bias: {b}]" for i, b in enumerate(given.bias.tolist()))]
    synapses = zip(given.pre.tolist(), given.post.tolist(), given.weight.tolist(), strict=True)
    lines += ["  edges:", *(f"    - p.{a} -> p.{b}: [weight: {w}]" for a, b, w in synapses)]
    lines += ["mappings:"]
    lines += [f"  - p.{i}: [core: {c // peers.PER_TILE}.{c % peers.PER_TILE}]" for i, c in enumerate(core.tolist())]
    return "\n".join(lines) + "\n"


def run(python: str, kind: str, mapping: str, steps: int, timing: str) -> dict[str, Any]:
    """What the program says of one run."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("chip.yaml", "network.yaml")]
        files[0].write_text(yaml.safe_dump(chip(), sort_keys=False))
        files[1].write_text(network(kind, mapping))
        words = [python, "-c", COMMAND, *map(str, files), str(steps), timing]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=600)
    found: dict[str, Any] = json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])
    return found


def figures(python: str, kind: str, mapping: str, steps: int = STEPS, timings: tuple[str, ...] = TIMINGS) -> Any:
    """Counts by step, energies in total and by step, and simulated seconds of every step by timing model."""
    found: dict[str, Any] = {"net": kind, "mapping": mapping, "steps": steps, "time_s": {}}
    for timing in timings:
        made = run(python, kind, mapping, steps, timing)
        trace = made["perf_trace"]
        found["time_s"][timing] = trace["sim_time"]
        found |= {name: [int(x) for x in trace[name]] for name in COUNTS}
        found |= {f"{name}_j": trace[f"{name}_energy"] for name in ENERGIES}
        found |= {"messages": made["packets_sent"], "updated": made["neurons_updated"]}
    return found


def main() -> int:
    python = interpreter()
    if python is None:
        print("NEUROMORPH_SANAFE is not set", file=sys.stderr)
        return 1
    cases = [figures(python, kind, mapping) for kind in peers.FAN_OUT for mapping in peers.MAPPINGS]
    text = json.dumps({"program": "SANA-FE 2.2.9", "cases": cases}, default=float)
    FIGURES.write_text(text.replace('{"net"', '\n{"net"') + "\n")
    total = {c["net"] + " " + c["mapping"]: np.sum(c["time_s"]["cycle"]) for c in cases}
    print(total)
    return 0


if __name__ == "__main__":
    sys.exit(main())
