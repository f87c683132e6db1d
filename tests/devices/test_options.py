"""Options of verbs: checked once, for every kind of hardware."""

from __future__ import annotations

import pytest

import neuromorph as nm
from neuromorph.devices.options import draw_of, legal_names, settled
from neuromorph.devices.protocol import kind_of, kinds
from neuromorph.errors import InputError

CHIP, CORES = nm.load_architecture("hermes-like"), nm.load_architecture("spinnaker2")


def test_draws_take_what_users_write() -> None:
    kind = kind_of(CHIP)
    draw = draw_of(kind, CHIP, trials=3, time_s="1 day", off="adc", seed=7)
    assert (draw.trials, draw.time_s, draw.off, draw.seed) == ((0, 1, 2), 86400.0, frozenset({"adc"}), 7)
    assert draw_of(kind, CHIP, trials=[4, 9]).trials == (4, 9)
    assert draw_of(kind, CHIP).trials == tuple(range(10))
    assert draw_of(kind_of(CORES), CORES).trials == (0,)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"trials": 0}, "at least 1"),
        ({"trials": (1, 1)}, "name a chip twice"),
        ({"trials": (-1,)}, "whole numbers from 0"),
        ({"trials": "ten"}, "a number of chips"),
        ({"time_s": -1.0}, ">= 0"),
        ({"time_s": float("nan")}, "finite"),
        ({"time_s": "1 volt"}, "s"),
        ({"off": "adcs"}, "did you mean 'adc'"),
        ({"off": ("adc", "gremlins")}, "no effect gremlins on hermes-like"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"workers": True}, "workers must be at least 1"),
        ({"seed": -1}, "2\\^63"),
        ({"torch_device": "abacus"}, "cpu or cuda"),
    ],
)
def test_what_is_no_draw_is_refused(given: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        draw_of(kind_of(CHIP), CHIP, **given)


def test_options_that_mean_nothing_are_refused_and_neutral_ones_are_not() -> None:
    kind = kind_of(CORES)
    for name, value in (("trials", 3), ("time_s", 1e9), ("torch_device", "cuda"), ("copies", {}), ("calibration", 1)):
        with pytest.raises(InputError, match=f"{name} has no meaning for run on spinnaker2.*legal here: seed, off"):
            settled(kind, CORES, "run", {name: value})
    draw, _ = settled(
        kind, CORES, "run", {"trials": 1, "time_s": 0.0, "torch_device": "cpu", "batch": 25, "workers": 2}
    )
    assert (draw.trials, draw.workers) == ((0,), 2)
    with pytest.raises(InputError, match="rates has no meaning for place on hermes-like"):
        settled(kind_of(CHIP), CHIP, "place", {"rates": None})
    with pytest.raises(InputError, match="duplicate has no meaning for execute on hermes-like"):
        settled(kind_of(CHIP), CHIP, "execute", {"duplicate": False})
    with pytest.raises(InputError, match=r"run has no option 'trails'.*did you mean 'trials'"):
        settled(kind_of(CHIP), CHIP, "run", {"trails": 3})


def test_run_takes_all_that_place_and_execute_take() -> None:
    for kind in kinds().values():
        both = {*legal_names(kind, "place"), *legal_names(kind, "execute")}
        assert both == set(legal_names(kind, "run"))


def test_a_placed_network_is_not_placed_by_other_options() -> None:
    graph = nm.read_graph("examples/mnist/mlp.nmg.json")
    placement = nm.place(graph, CHIP, duplicate=False)
    with pytest.raises(InputError, match="placed already, duplicate would change nothing"):
        nm.run(graph, CHIP, placement=placement, duplicate=True)
    assert nm.run(graph, CHIP, placement=placement, seed=3)["energy"].value > 0
