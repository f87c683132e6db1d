"""What an execution leaves behind for pricing: its trace and its answers, as bytes without pickle."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuromorph.devices.protocol import Trace, kinds
from neuromorph.devices.result import Execution, LayerQuality, Score

FORMAT = 2


@dataclass(frozen=True)
class State:
    """root: of the kind that made the trace. execution: without outputs, None if activity was assumed. signature: that
    of the placement (see `devices.protocol.Placement`)."""

    root: str
    trace: Trace
    execution: Execution | None
    signature: str

    def pack(self) -> bytes:
        """An .npz archive with a JSON header; floats keep every bit."""
        traced, arrays = self.trace.pack()
        arrays = {f"trace_{name}": array for name, array in arrays.items()}
        header: dict[str, Any] = {
            "format": FORMAT, "root": self.root, "signature": self.signature, "trace": traced, "execution": None,
        }  # fmt: skip
        if (e := self.execution) is not None:
            header["execution"] = {
                "trials": list(e.trials), "samples": e.samples, "seed": e.seed, "time_s": e.time_s,
                "off": sorted(e.off), "float_accuracy": e.float_accuracy, "seconds": e.seconds, "notes": list(e.notes),
                "scores": {n: [s.float_value, s.meaning] for n, s in e.scores.items()},
                "layers": [[q.node, q.snr_db, q.clipped] for q in e.layers],
            }  # fmt: skip
            arrays["error"] = e.error
            arrays |= {f"score_{name}": score.values for name, score in e.scores.items()}
            if e.accuracy is not None:
                arrays["accuracy"] = e.accuracy
            if e.correct is not None:
                arrays["correct"] = np.packbits(e.correct, axis=1) if e.correct.dtype == bool else e.correct
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
        traced = {n.removeprefix("trace_"): a for n, a in arrays.items() if n.startswith("trace_")}
        trace = kinds()[header["root"]].unpack(header["trace"], traced)
        e, execution = header["execution"], None
        if e is not None:
            right = arrays.get("correct")
            if right is not None and right.dtype == np.uint8:
                right = np.unpackbits(right, axis=1, count=e["samples"]).astype(bool)
            known = e.get("scores", {})
            scores = {n: Score(arrays[f"score_{n}"], value, said) for n, (value, said) in known.items()}
            execution = Execution(
                tuple(e["trials"]), e["samples"], e["seed"], e["time_s"], frozenset(e["off"]), arrays.get("accuracy"),
                e["float_accuracy"], arrays["error"], tuple(LayerQuality(*q) for q in e["layers"]), {}, None,
                e["seconds"], tuple(e["notes"]), correct=right, scores=scores,
            )  # fmt: skip
        return State(header["root"], trace, execution, header["signature"])


def answers(execution: Execution) -> Execution:
    """What is kept of an execution beside its trace: accuracies and errors, not outputs."""
    return Execution(
        execution.trials, execution.samples, execution.seed, execution.time_s, execution.off, execution.accuracy,
        execution.float_accuracy, execution.error, execution.layers, {}, None, execution.seconds, execution.notes,
        correct=execution.correct, scores=execution.scores,
    )  # fmt: skip
