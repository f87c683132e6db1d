"""How long work tells where it is: one type of callback for everything that may take long."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]
"""Told the fraction of all work that is finished, from 0 to 1, and what is being done."""


def silent(done: float, what: str) -> None:
    """Tells nobody."""


def part(say: Progress | None, start: float, share: float, before: str = "") -> Progress:
    """For a part of the work that begins where `start` of the whole is done and takes `share` of it.

    before: put in front of what is being done.
    """
    if say is None:
        return silent
    return lambda done, what: say(start + share * done, before + what)
