"""What an execution leaves behind for pricing: statistics per node and accuracy over chips, as bytes without pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.layered.core import Statistics
from neuromorph.devices.result import Execution, LayerQuality

FORMAT = 1


@dataclass(frozen=True)
class State:
    """statistics: by node. execution: without outputs, None if activity was assumed. layout: the placement's digest."""

    statistics: Mapping[str, Statistics]
    execution: Execution | None
    layout: str

    def pack(self) -> bytes:
        """An .npz archive with a JSON header; floats keep every bit."""
        arrays: dict[str, np.ndarray] = {}
        nodes = []
        for i, (name, s) in enumerate(self.statistics.items()):
            nodes.append({"node": name, "origin": s.origin, "spread": s.spread, "values": list(s.values)})
            arrays |= {f"s{i}_{k}": np.asarray(v) for k, v in enumerate(s.values.values())}
        header: dict[str, Any] = {"format": FORMAT, "layout": self.layout, "nodes": nodes, "execution": None}
        if (e := self.execution) is not None:
            header["execution"] = {
                "trials": list(e.trials), "samples": e.samples, "seed": e.seed, "time_s": e.time_s,
                "off": sorted(e.off), "float_accuracy": e.float_accuracy, "seconds": e.seconds, "notes": list(e.notes),
                "layers": [[q.node, q.snr_db, q.clipped] for q in e.layers],
            }  # fmt: skip
            arrays["error"] = e.error
            if e.accuracy is not None:
                arrays["accuracy"] = e.accuracy
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        out = io.BytesIO()
        np.savez(out, **arrays)  # type: ignore[arg-type]
        return out.getvalue()

    @staticmethod
    def unpack(data: bytes) -> State:
        """The inverse of `pack`."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays["header"].tobytes())
        statistics = {
            n["node"]: Statistics(
                {key: arrays[f"s{i}_{k}"] for k, key in enumerate(n["values"])}, n["origin"], n["spread"]
            )
            for i, n in enumerate(header["nodes"])
        }
        e = header["execution"]
        execution = None
        if e is not None:
            execution = Execution(
                tuple(e["trials"]), e["samples"], e["seed"], e["time_s"], frozenset(e["off"]), arrays.get("accuracy"),
                e["float_accuracy"], arrays["error"], tuple(LayerQuality(*q) for q in e["layers"]), statistics,
                None, e["seconds"], tuple(e["notes"]),
            )  # fmt: skip
        return State(statistics, execution, header["layout"])
