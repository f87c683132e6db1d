"""What a pipeline refuses, and what it says about it."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from neuromorph.errors import InputError
from neuromorph.timeline import (
    Edge,
    Pipeline,
    Stage,
    simulate,
    tandem,
    tandem_departures,
    tandem_latency,
    window_need,
    window_need_2d,
)

A, B = Stage("a", 1.0, 2), Stage("b", 1.0, 2)

BAD_PIPELINES = {
    "no stage": (lambda: Pipeline([]), "at least one stage"),
    "same name": (lambda: Pipeline([A, A]), "used twice"),
    "empty name": (lambda: Pipeline([Stage("", 1.0)]), "empty"),
    "no tokens": (lambda: Pipeline([Stage("a", 1.0, 0)]), "tokens is 0"),
    "half a token": (lambda: Pipeline([Stage("a", 1.0, 1.5)]), "whole number"),
    "negative service": (lambda: Pipeline([Stage("a", -1.0)]), "negative"),
    "undefined service": (lambda: Pipeline([Stage("a", [1.0, math.nan], 2)]), "undefined"),
    "infinite service": (lambda: Pipeline([Stage("a", math.inf)]), "infinite"),
    "service in words": (lambda: Pipeline([Stage("a", "fast")]), "number or an array"),
    "service shape": (lambda: Pipeline([Stage("a", [1.0, 2.0, 3.0], 2)]), r"legal is \(\), \(2,\)"),
    "negative depth": (lambda: Pipeline([Stage("a", 1.0, depth_s=-1.0)]), "depth_s"),
    "unknown stage": (lambda: Pipeline([A, B], [Edge("a", "bb")]), "did you mean 'b'"),
    "negative delay": (lambda: Pipeline([A, B], [Edge("a", "b", delay_s=-1.0)]), "delay_s"),
    "no capacity": (lambda: Pipeline([A, B], [Edge("a", "b", capacity=0)]), "1, 2, 3, ... or inf"),
    "undefined capacity": (lambda: Pipeline([A, B], [Edge("a", "b", capacity=math.nan)]), "1, 2, 3, ... or inf"),
    "half a place": (lambda: Pipeline([A, B], [Edge("a", "b", capacity=1.5)]), "1, 2, 3, ... or inf"),
    "release": (lambda: Pipeline([A, B], [Edge("a", "b", release="never")]), "start, finish, depart"),
    "need alone": (lambda: Pipeline([A, B], [Edge("a", "b", [1, 2])]), "belong together"),
    "need shape": (lambda: Pipeline([A, B], [Edge("a", "b", [1], [2])]), r"legal is \(2,\)"),
    "need type": (lambda: Pipeline([A, B], [Edge("a", "b", [1.0, 2.0], [1, 2])]), "whole numbers"),
    "need falls": (lambda: Pipeline([A, B], [Edge("a", "b", [2, 1], [1, 2])]), "never decrease"),
    "need too much": (lambda: Pipeline([A, B], [Edge("a", "b", [1, 3], [1, 2])]), "source's 2 tokens"),
    "keep ends early": (lambda: Pipeline([A, B], [Edge("a", "b", [1, 2], [0, 1])]), "must discard all 2"),
    "not one to one": (lambda: Pipeline([A, Stage("c", 1.0, 3)], [Edge("a", "c")]), "2 tokens meet 3"),
    "no first need": (lambda: Pipeline([A, B], [Edge("a", "b", [0, 2], [1, 2])]), "before its sample exists"),
    "cycle": (lambda: Pipeline([A, B], [Edge("a", "b"), Edge("b", "a")]), "cycle"),
    "self": (lambda: Pipeline([A], [Edge("a", "a")]), "cycle"),
    "unknown server": (lambda: Pipeline([A], orders={"core": ("a",)}), "no stage runs on server 'core'"),
    "wrong member": (lambda: Pipeline([Stage("a", 1.0, server="s"), B], orders={"s": ("b", "a")}), "does not run on"),
    "order short": (
        lambda: Pipeline([Stage("a", 1.0, 3, server="s")], orders={"s": (("a", 2),)}),
        "2 tokens per sample",
    ),
    "empty turn": (lambda: Pipeline([Stage("a", 1.0, 1, server="s")], orders={"s": (("a", 0), "a")}), "not 1 or more"),
}


@pytest.mark.parametrize("name", BAD_PIPELINES)
def test_bad_pipelines_are_refused(name):
    build, message = BAD_PIPELINES[name]
    with pytest.raises(InputError, match=message):
        build()


def test_all_faults_are_told_at_once():
    with pytest.raises(InputError) as caught:
        Pipeline([Stage("a", -1.0), Stage("b", 1.0, 0), Stage("a", 1.0)])
    assert [p.place.key for p in caught.value.problems] == ["stages.a", "stages.b", "stages.a"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate(tandem([1.0]), 0), "samples is 0"),
        (lambda: simulate(tandem([1.0]), 2.5), "samples is 2.5"),
        (lambda: simulate(tandem([[1.0], [2.0]]), 3), "for 2 samples"),
        (lambda: simulate(tandem([1.0]), 2, engine="fast"), "recursion, simpy"),
        (lambda: simulate(tandem([1.0]), 2, [0.0]), r"\(2,\)"),
        (lambda: simulate(tandem([1.0]), 2, [1.0, 0.0]), "never decrease"),
        (lambda: simulate(tandem([1.0]), 2, [-1.0, 0.0]), "from 0 on"),
        (lambda: simulate(tandem([1.0]), 2, math.nan), "finite"),
        (lambda: tandem(np.zeros((2, 2, 2))), "legal is"),
        (lambda: tandem_latency([1.0, 2.0]), r"\(designs, stages\)"),
        (lambda: tandem_latency([[1.0, -2.0]]), "negative"),
        (lambda: tandem_latency([[1.0]], 0), "samples is 0"),
        (lambda: tandem_latency([[1.0]], 2, -1.0), "period_s"),
        (lambda: tandem_departures(np.ones((1, 2, 3)), math.nan), "finite"),
        (lambda: window_need(4, 0, in_rows=4), "kernel is 0"),
        (lambda: window_need(9, 3, 1, in_rows=4), "run past"),
        (lambda: window_need_2d((2, 2), (2, 2), padding=(-1, 0), source=(4, 4)), "padding is -1"),
    ],
)
def test_bad_calls_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_slow_imports_wait_until_they_are_used():
    code = (
        "import sys, neuromorph.timeline as t\n"
        "p = t.Pipeline([t.Stage('a', 1.0)])\n"
        "assert not {'numba', 'simpy', 'torch', 'scipy'} & set(sys.modules), sorted(sys.modules)\n"
        "t.simulate(p, engine='simpy')\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
