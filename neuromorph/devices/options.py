"""Options of verbs: those of every draw, those of a kind, each checked against what it means on the hardware at hand.

A kind's options are a dataclass whose fields say which verbs read them:

    @dataclass(frozen=True)
    class Options:
        duplicate: bool = option(True, "place", doc="copy early layers into free arrays")
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from neuromorph import units
from neuromorph.devices.protocol import Draw, Kind, kinds
from neuromorph.errors import InputError, Place, suggest
from neuromorph.hardware.component import Architecture

DRAWN = ("seed", "trials", "time_s", "off", "batch", "workers", "torch_device")
"""Fields of `Draw` that a user may set."""

DRAWING = ("execute", "attribute", "run")
"""Verbs that draw chips; `place` takes the seed alone."""


MOST_CHIPS = 1_000_000
"""More chips than this are taken for a slip of the pen."""


def option(default: Any, *verbs: str, doc: str = "", holds: str = "") -> Any:
    """A field of a kind's options. verbs: those that read it ("run" reads all of them); holds: what every value of it
    has as an attribute, unless it is None."""
    return dataclasses.field(default=default, metadata={"verbs": frozenset(verbs), "doc": doc, "holds": holds})


def legal_names(kind: Kind, verb: str) -> list[str]:
    """Options of a verb on hardware of this kind."""
    drawn = [n for n in DRAWN if n in kind.draws and verb in DRAWING] + (["seed"] if verb == "place" else [])
    return drawn + [f.name for f in dataclasses.fields(kind.options) if verb == "run" or verb in f.metadata["verbs"]]


def settled(kind: Kind, architecture: Architecture, verb: str, given: Mapping[str, Any]) -> tuple[Draw, Any]:
    """The draw and the kind's options from keyword arguments.

    Raises InputError for a name that means nothing to this verb on this architecture, with those that do; a field of
    `Draw` that means nothing here may be given with its neutral value.
    """
    legal = legal_names(kind, verb)
    own = {f.name for f in dataclasses.fields(kind.options)}
    for name, value in given.items():
        if name not in legal and not (name in DRAWN and verb in DRAWING and _neutral(name, value)):
            raise InputError(_refusal(name, verb, architecture), Place(key=name), suggest(name, legal, "legal here"))
    for f in dataclasses.fields(kind.options):
        if (value := given.get(f.name)) is not None and (holds := f.metadata["holds"]) and not hasattr(value, holds):
            raise InputError(f"{f.name} is a {type(value).__name__}", Place(key=f.name), f.metadata["doc"])
    drawn = {n: v for n, v in given.items() if n in DRAWN and (n in legal or n == "seed")}
    options = kind.options(**{n: v for n, v in given.items() if n in own})
    return draw_of(kind, architecture, **drawn), options


def draw_of(
    kind: Kind, architecture: Architecture, *, seed: int = 0, trials: int | Sequence[int] | None = None,
    time_s: float | str = 0.0, off: Iterable[str] | str = (), batch: int = 128, workers: int = 1,
    torch_device: str = "cpu",
) -> Draw:  # fmt: skip
    """A checked draw. trials: a number of chips or their indices; time_s: seconds or a text such as "1 day"; off: names
    of effects or one. Raises InputError with the legal values."""
    chips = kind.trials if trials is None else trials
    if isinstance(chips, int | np.integer) and chips > MOST_CHIPS:
        raise InputError(f"trials is {chips}", Place(key="trials"), f"at most {MOST_CHIPS} chips")
    chips = tuple(range(chips)) if isinstance(chips, int | np.integer) and not isinstance(chips, bool) else chips
    if not isinstance(chips, Sequence) or isinstance(chips, str):
        raise InputError(f"trials is {trials!r}", Place(key="trials"), "a number of chips, or their numbers from 0")
    if not chips:
        raise InputError("trials must be at least 1", Place(key="trials"))
    if any(isinstance(c, bool) or not isinstance(c, int | np.integer) or c < 0 for c in chips):
        raise InputError(f"trials are {chips}; chips are numbered by whole numbers from 0", Place(key="trials"))
    if len(set(chips)) < len(chips):
        raise InputError(f"trials {chips} name a chip twice", Place(key="trials"))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed!r}", Place(key="seed"), "legal: a whole number from 0 to 2^63 - 1")
    for name, value in (("batch", batch), ("workers", workers)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise InputError(f"{name} must be at least 1, got {value!r}", Place(key=name), "a whole number from 1")
    return Draw(
        int(seed), tuple(int(c) for c in chips), _seconds(time_s), _effects(kind, architecture, off),
        checked_torch_device(torch_device), batch=int(batch), workers=int(workers),
    )  # fmt: skip


def _seconds(value: float | str) -> float:
    seconds = units.parse(value, "s") if isinstance(value, str) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise InputError(
            f"time after programming must be a finite number of seconds >= 0, got {value}", Place(key="time_s"),
            "seconds, or a text such as '1 day'",
        )  # fmt: skip
    return float(seconds)


def _effects(kind: Kind, architecture: Architecture, off: Iterable[str] | str) -> frozenset[str]:
    legal = kind.effects(architecture)
    if not isinstance(off, str | Iterable) or not all(isinstance(n, str) for n in off):
        raise InputError(f"off is {off!r}", Place(key="off"), f"names of effects: {', '.join(legal)}")
    names = frozenset([off] if isinstance(off, str) else off)
    if unknown := sorted(names - set(legal)):
        raise InputError(
            f"no effect {', '.join(unknown)} on {architecture.name}", Place(key="off"), suggest(unknown[0], legal)
        )
    return names


def checked_torch_device(name: str) -> str:
    if name == "cpu":
        return name
    if not isinstance(name, str):
        raise InputError(f"torch_device is {name!r}", Place(key="torch_device"), "cpu or cuda")
    import torch

    try:
        device = torch.device(name)
    except RuntimeError as error:
        what = f"torch device {name!r}: {str(error).splitlines()[0]}"
        raise InputError(what, Place(key="torch_device"), "cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError("torch device cuda: this torch finds no CUDA device", Place(key="torch_device"), "use cpu")
    return name


def _neutral(name: str, value: Any) -> bool:
    """Whether a field of `Draw` is given as it is where nothing is drawn. Samples at once and processes are bounds that
    no result depends on, and hardware that takes one at a time keeps within them."""
    if name in ("batch", "workers"):
        return isinstance(value, int)
    if name == "trials":
        return value in (None, 1, (0,), [0])
    if name == "off":
        return isinstance(value, str | Iterable) and not tuple(value)
    neutral = {f.name: f.default for f in dataclasses.fields(Draw)} | {"seed": value}
    return bool(value == neutral[name])


def _refusal(name: str, verb: str, architecture: Architecture) -> str:
    owners = [k.title for k in kinds().values() if name in {*k.draws, *(f.name for f in dataclasses.fields(k.options))}]
    if not owners:
        return f"{verb} has no option {name!r}"
    return f"{name} has no meaning for {verb} on {architecture.name}; it is an option of {', '.join(owners)}"
