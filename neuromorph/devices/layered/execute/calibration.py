"""Ranges of inputs and converters, found on data with one call."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.devices.layered.core import Layout, Ranges
from neuromorph.errors import InputError, Place, Problem
from neuromorph.events.inputs import as_inputs
from neuromorph.files import write_file

if TYPE_CHECKING:
    from neuromorph.devices.layered.place.placement import Placement
    from neuromorph.devices.protocol import Inputs

CHUNK = 256
"""Samples per calibration pass, fixed so that ranges do not depend on any batch size."""

SCHEMA = 1


@dataclass(frozen=True)
class Calibration:
    """Ranges of every group of nodes; samples: how many inputs they were found on."""

    ranges: Mapping[str, Ranges]
    samples: int

    def save(self, path: str | Path) -> None:
        """Writes the ranges as JSON. Raises InputError where they cannot be written."""
        nodes = {n: {k: v.tolist() for k, v in r.items()} for n, r in self.ranges.items()}
        write_file(path, json.dumps({"schema": SCHEMA, "samples": self.samples, "ranges": nodes}))

    @staticmethod
    def load(path: str | Path) -> Calibration:
        """Reads what `save` wrote; InputError if the file is something else."""
        place = Place(str(path))
        try:
            data = json.loads(Path(path).read_text())
            if data["schema"] != SCHEMA:
                raise InputError(Problem(f"calibration schema is {data['schema']!r}, expected {SCHEMA}", place))
            ranges = {n: {k: np.asarray(v, float) for k, v in r.items()} for n, r in data["ranges"].items()}
            return Calibration(ranges, int(data["samples"]))
        except InputError:
            raise
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            hint = "write it with `Calibration.save`"
            raise InputError(Problem(f"not a calibration file: {error}", place, hint)) from None

    @property
    def digest(self) -> str:
        """Content hash."""
        h = hashlib.blake2b(digest_size=16)
        for node in sorted(self.ranges):
            for key in sorted(self.ranges[node]):
                h.update(f"{node}/{key}".encode() + np.asarray(self.ranges[node][key], np.float64).tobytes())
        return h.hexdigest()


def by_node(layouts: Mapping[str, Layout], hosts: Mapping[str, Any]) -> dict[str, Any]:
    """Hosts of groups, by the name of every node that they serve."""
    return {node.name: host for name, host in hosts.items() for node in layouts[name].group.nodes}


def calibrate(placement: Placement, inputs: Inputs, *, torch_device: str = "cpu") -> Calibration:
    """Finds input and converter ranges on inputs (samples, *shape) with nominal cells and ideal converters.

    Raises InputError where inputs do not fit the network or there are none.
    """
    import torch

    from neuromorph.graph.evaluate import Evaluator

    inputs = np.asarray(as_inputs(inputs, placement.graph, dense=True))
    calibrators = {name: layout.kind.calibrate(layout, torch_device) for name, layout in placement.layouts.items()}
    evaluator = Evaluator(placement.graph)
    hosts = {**evaluator.hosts, **by_node(placement.layouts, {name: c.host() for name, c in calibrators.items()})}
    with torch.inference_mode():
        for start in range(0, len(inputs), CHUNK):
            x = torch.as_tensor(inputs[start : start + CHUNK], dtype=torch.float32, device=torch_device)
            evaluator(x[None], hosts=hosts)
    return Calibration({name: c.ranges() for name, c in calibrators.items()}, len(inputs))
