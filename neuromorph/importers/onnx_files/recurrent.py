"""LSTM, GRU and RNN: a node per direction, its gates in torch's order."""

from __future__ import annotations

import numpy as np

from neuromorph.graph.model import Operator
from neuromorph.graph.operators.recurrent import GRU, LSTM, RNN
from neuromorph.graph.operators.wiring import Concat, Reshape, Select, Slice
from neuromorph.importers.onnx_files.values import Call, Refused, Result, Value, finite, reads

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""torch's gates by ONNX's: i o f c to i f g o; z r h to r z n."""
_USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}


@reads("LSTM", "GRU", "RNN")
def _recurrent(call: Call) -> Result:
    b, x = call.builder, call.value()
    _check(call, x)
    directions = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}.get(
        call.attr("direction", "forward")
    )
    if directions is None:
        raise Refused(f"has direction {call.attr('direction')!r}", "legal: forward, reverse, bidirectional")
    layout = int(call.attr("layout", 0))
    if x.batch is None and len(x.full) == 3 and x.full[1 - layout] == 1:
        x = b.reshaped(x, (x.full[layout], x.full[2]))
    elif x.batch != 1 - layout or len(x.shape) != 2:
        raise Refused(
            f"takes its batch axis at {1 - layout}, found it at {x.batch}", "check layout and the model's input"
        )
    cells = _cells(call, len(directions))
    states = [_states(call, x, k) for k in range(len(directions))]
    cell = call.op == "LSTM" and call.wants(2)
    made = [_made(call, cells[k], back, states[k], cell) for k, back in enumerate(directions)]
    whole = [b.emit(operator, [x]) for operator in made]
    steps = x.shape[0]
    sequences = [b.emit(Slice(-2, 0, steps), [s]) if cell else s for s in whole]
    finals = [
        b.emit(Select(-2, 0 if back else -1), [s], x.batch and 0) for s, back in zip(sequences, directions, strict=True)
    ]
    batched = x.batch is not None
    hidden = sequences[0].shape[-1]
    # Y: (steps, directions, batch, hidden), layout 1: (batch, steps, directions, hidden); the sample is the same
    y_at, h_at = (0 if layout else 2, 0 if layout else 1) if batched else (None, None)
    wide = [b.emit(Reshape((steps, hidden), (steps, 1, hidden)), [s], y_at) for s in sequences]
    y = wide[0] if len(wide) == 1 else b.emit(Concat(-2), wide)
    if not batched:
        y = b.reshaped(y, (1, *y.shape) if layout else (*y.shape[:2], 1, hidden))
    ends = [b.emit(Select(-2, -1), [s], x.batch and 0) for s in whole] if cell else None

    def joined(states: list[Value]) -> Value:
        last = [b.emit(Reshape((hidden,), (1, hidden)), [f], h_at) for f in states]
        h = last[0] if len(last) == 1 else b.emit(Concat(-2), last)
        return h if batched else b.reshaped(h, (1, *h.shape) if layout else (h.shape[0], 1, hidden))

    return (y, joined(finals)) if ends is None else (y, joined(finals), joined(ends))


def _states(call: Call, x: Value, direction: int) -> list[np.ndarray | None]:
    """Constant states before the first step, the same for every sample."""
    found: list[np.ndarray | None] = []
    for index in (5, 6):
        if not call.has(index):
            found.append(None)
            continue
        given = finite(call.const(index, "initial state"))
        given = given[:, direction] if call.attr("layout", 0) else given[direction]
        if np.any(given != given[:1]):
            raise Refused("starts from another state for each sample", "give the same to all")
        found.append(given[0] if np.any(given) else None)
    return found


def _check(call: Call, x: Value) -> None:
    """What is not read is refused: peepholes, other activations, lengths of sequences."""
    if call.has(7) and np.any(call.const(7, "P") != 0):
        raise Refused("has P other than zero", "leave the peepholes out")
    if any(call.has(k) and isinstance(call.inputs[k], Value) for k in (5, 6)):
        raise Refused("starts from a state that depends on the model's input", "start from a constant")
    time = x.full[1 if call.attr("layout", 0) else 0]
    if call.has(4) and np.any(call.const(4, "sequence_lens") != time):
        raise Refused("has sequence_lens", "sequences are of one length")
    for name in ("clip", "input_forget"):
        if call.attr(name, 0):
            raise Refused(f"has {name}", "leave it out")
    given = [
        a.decode().lower() if isinstance(a, bytes) else str(a).lower() for a in call.attributes.get("activations", [])
    ]
    usual = _USUAL[call.op]
    relu = call.op == "RNN" and set(given) == {"relu"}
    if given and not relu and given != list(usual) * (len(given) // len(usual)):
        raise Refused(f"has activations {given}", f"legal: {', '.join(usual)}{' or relu' if call.op == 'RNN' else ''}")


def _cells(call: Call, directions: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Weights and both biases of each direction, gates reordered."""
    w, r = finite(call.const(1, "W")), finite(call.const(2, "R"))
    bias = finite(call.const(3, "B")) if call.has(3) else None
    order = _ORDER[call.op]
    if w.ndim != 3 or r.ndim != 3 or len(w) != directions or len(r) != directions or w.shape[1] % len(order):
        raise Refused(f"has W {w.shape} and R {r.shape} for {directions} directions")

    def gates(a: np.ndarray) -> np.ndarray:
        parts = np.split(a, len(order))
        return np.concatenate([parts[k] for k in order])

    made = []
    for d in range(directions):
        pair = None if bias is None else np.stack([gates(p) for p in np.split(bias[d], 2)])
        made.append((gates(w[d]), gates(r[d]), pair))
    return made


def _made(
    call: Call,
    parts: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    back: bool,
    states: list[np.ndarray | None],
    cell: bool,
) -> Operator:
    w, r, bias = parts
    if call.op == "GRU":
        ih, hh = (None, None) if bias is None else (bias[0], bias[1])
        first = not call.attr("linear_before_reset", 0)
        return GRU(w, r, ih, hh, reverse=back, initial=states[0], reset_first=first)
    total = None if bias is None else bias[0] + bias[1]
    if call.op == "LSTM":
        return LSTM(w, r, total, reverse=back, return_cell=cell, initial=states[0], initial_cell=states[1])
    relu = any(b"relu" in a.lower() for a in call.attributes.get("activations", []) if isinstance(a, bytes))
    return RNN(w, r, total, reverse=back, function="relu" if relu else "tanh", initial=states[0])
