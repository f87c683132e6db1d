"""Who owns a sweep file, and whether that process still lives."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

STALE_S = 60.0
"""A process on another machine that has not shown itself for this long (twelve heartbeats) is taken for dead."""


@dataclass(frozen=True)
class Owner:
    """A process: token is its own, `started` tells it from a later process with the same number ("" unknown)."""

    token: str
    pid: int
    started: str
    host: str

    @classmethod
    def current(cls) -> Owner:
        pid = os.getpid()
        return cls(uuid.uuid4().hex, pid, _started(pid), socket.gethostname())

    def alive(self, age_s: float) -> bool:
        """Whether the process lives. age_s since its last heartbeat decides where it cannot be looked up."""
        if self.host != socket.gethostname() or os.name != "posix":
            return age_s < STALE_S
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # lives, and belongs to someone else
            return True
        return not self.started or _started(self.pid) == self.started


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), "" where there is no /proc.

    A process that has ended but was not collected by its parent yet (state Z) counts as gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces and parentheses
    return "gone" if fields[0] == "Z" else fields[19]
