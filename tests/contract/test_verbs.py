"""Every public verb on every shipped architecture: it works, or refuses with one message that says what is legal."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from spiking_run_network import CLASSES, events, network

import neuromorph as nm
from neuromorph.devices.options import DRAWN, legal_names
from neuromorph.devices.protocol import kind_of, kinds
from neuromorph.errors import InputError
from neuromorph.hardware.catalog import architecture_names

ARCHITECTURES = architecture_names()
X, Y = events(8)


@cache
def shipped(name: str) -> Any:
    return nm.load_architecture(name)


@cache
def placed(name: str) -> Any:
    return nm.place(network(), shipped(name))


@cache
def reported(name: str) -> Any:
    return nm.run(network(), shipped(name), X, Y)


def place(name: str, tmp_path: Any) -> None:
    placement = placed(name)
    assert placement.binding in placement.limits
    placement.save(tmp_path / "p.json")
    assert nm.load_placement(tmp_path / "p.json", network(), shipped(name)).signature == placement.signature


def execute(name: str, tmp_path: Any) -> None:
    found = nm.execute(placed(name), X, Y, seed=1)
    assert ((found.accuracy >= 0) & (found.accuracy <= 1)).all()
    assert found.samples == len(Y)


def calibrate(name: str, tmp_path: Any) -> None:
    found = nm.calibrate(placed(name), X)
    assert nm.execute(placed(name), X, Y, calibration=found, trials=1).samples == len(Y)


def attribute(name: str, tmp_path: Any) -> None:
    found = nm.attribute(placed(name), X, Y)
    assert [row.effect for row in found] == [*kind_of(shipped(name)).effects(shipped(name)), "all"]


def finetune(name: str, tmp_path: Any) -> None:
    trained, tuning = nm.finetune(placed(name), X, Y, epochs=1)
    assert trained.nodes[0].operator.weight.shape == network().nodes[0].operator.weight.shape
    assert all(math.isfinite(loss) for loss in tuning.losses)


def estimate(name: str, tmp_path: Any) -> None:
    found = nm.estimate(network(), shipped(name))
    assert np.isfinite(found.energy_j).all()


def run(name: str, tmp_path: Any) -> None:
    found = reported(name)
    assert found["energy"].value > 0
    assert nm.run(network(), shipped(name))["energy"].value > 0
    nm.write_report(found, tmp_path)


def sweep(name: str, tmp_path: Any) -> None:
    found = nm.sweep(network(), shipped(name), vary={"seed": [0, 1]}, data=(X, Y), samples=4, workers=0)
    assert [row["status"] for row in found.rows] == ["done", "done"]
    assert all(row["energy_j"] is None or row["energy_j"] > 0 for row in found.rows)


def compare(name: str, tmp_path: Any) -> None:
    others = [a for a in ("hermes-like", "spinnaker2") if a != name]
    found = nm.compare([reported(name), *(reported(a) for a in others)], tmp_path)
    assert len(found.reports) == len(others) + 1
    assert (tmp_path / "compare.html").stat().st_size > 0


VERBS: dict[str, Callable[[str, Any], None]] = {
    f.__name__: f for f in (place, execute, calibrate, attribute, finetune, estimate, run, sweep, compare)
}
NO_VERB_OF_HARDWARE = {
    "compress", "convert", "from_torch", "list_architectures", "list_parts", "load_architecture", "load_part",
    "load_placement", "read_data", "read_events", "read_graph", "read_report", "save_graph", "write_report",
}  # fmt: skip
"""Public names that take no architecture, or are tried with a verb (load_placement, write_report) above."""

REFUSED = {
    ("manycore", "calibrate"): "neurons have no ranges to find on data",
    ("manycore", "finetune"): "training reaches through the layers' engine only",
    ("manycore", "estimate"): "spikes decide the costs, so there is no closed form",
}
"""Verbs that a kind does not have, by root, with the reason. A new kind is not on this list: its verbs must work."""


def test_all_public_verbs_are_tried() -> None:
    assert set(nm.__all__) - {"__version__"} == set(VERBS) | NO_VERB_OF_HARDWARE
    assert {root for root, _ in REFUSED} <= set(kinds())
    assert {kind_of(shipped(n)).root for n in ARCHITECTURES} == set(kinds())


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_works_or_says_where_it_would(verb: str, name: str, tmp_path: Any) -> None:
    kind = kind_of(shipped(name))
    if (kind.root, verb) not in REFUSED:
        VERBS[verb](name, tmp_path)
        return
    with pytest.raises(InputError) as refusal:
        VERBS[verb](name, tmp_path)
    (problem,) = refusal.value.problems
    assert name in problem.message
    assert all(k.title in problem.hint for k in kinds().values() if (k.root, verb) not in REFUSED), problem
    assert "legal here: place, execute, " in problem.hint


def foreign(name: str, verb: str) -> list[str]:
    """Options of any kind, and one of none, that mean nothing to a verb on an architecture."""
    kind = kind_of(shipped(name))
    known = {f.name for k in kinds().values() for f in dataclasses.fields(k.options)} | set(DRAWN) | {"colour"}
    return sorted(known - set(legal_names(kind, verb)))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("verb", ["place", "execute", "attribute", "run"])
def test_an_option_without_meaning_is_refused_with_those_that_have_one(verb: str, name: str) -> None:
    call = {
        "place": lambda **o: nm.place(network(), shipped(name), **o),
        "execute": lambda **o: nm.execute(placed(name), X, Y, **o),
        "attribute": lambda **o: nm.attribute(placed(name), X, Y, **o),
        "run": lambda **o: nm.run(network(), shipped(name), X, Y, **o),
    }[verb]
    legal = legal_names(kind_of(shipped(name)), verb)
    for option in foreign(name, verb):
        if option == "seed":
            continue  # every verb may be told where its random streams begin, where there are none as well
        with pytest.raises(InputError) as refusal:
            call(**{option: "7"})
        (problem,) = refusal.value.problems
        assert problem.place.key == option
        assert any(word in problem.hint for word in legal), problem


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_finetune_names_its_settings(name: str) -> None:
    with pytest.raises(InputError) as refusal:
        nm.finetune(placed(name), X, Y, colour="red")
    (problem,) = refusal.value.problems
    assert problem.hint


def test_kinds_are_compared_in_one_sweep() -> None:
    found = nm.sweep(
        network(), shipped("hermes-like"), vary={"architecture": ARCHITECTURES}, data=(X, Y), samples=4, workers=0
    )
    assert {row["architecture"]: row["status"] for row in found.rows} == dict.fromkeys(ARCHITECTURES, "done")
    assert all(0 <= row["accuracy"] <= 1 for row in found.rows)
    assert CLASSES == 4
