"""Where the points of a sweep are kept: one SQLite file, each finished point committed at once.

A `run` is one sweep of one thing (model, architecture, data, options, versions): its identity is the hash of that
description. Points are identified by the hash of their parameters, so the same command finds what it finished.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from neuromorph.errors import InputError, Place
from neuromorph.files import check_target
from neuromorph.sweep.owner import Owner
from neuromorph.sweep.space import Point, Value, key_of

APPLICATION_ID = 0x4E4D5357  # "NMSW": tells our files from any other SQLite file
SCHEMA = 1
FINAL = ("done", "misfit")
"""Statuses of points that the same command does not run again. done: has metrics; misfit: the network does not fit; of
the others, error: an exception; died: its process was lost."""

_TABLES = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created REAL NOT NULL, what TEXT NOT NULL);
CREATE TABLE points (
  run INTEGER NOT NULL REFERENCES runs(id), key TEXT NOT NULL, parameters TEXT NOT NULL, status TEXT NOT NULL,
  metrics TEXT NOT NULL, error TEXT NOT NULL, seconds REAL NOT NULL, attempt INTEGER NOT NULL, finished REAL NOT NULL,
  PRIMARY KEY (run, key)) WITHOUT ROWID;
CREATE TABLE states (
  run INTEGER NOT NULL REFERENCES runs(id), key TEXT NOT NULL, state BLOB NOT NULL, PRIMARY KEY (run, key));
CREATE TABLE lock (one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL, pid INTEGER NOT NULL,
  started TEXT NOT NULL, host TEXT NOT NULL, beat REAL NOT NULL);
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one point. metrics: name -> SI number or None; attempt counts from 1."""

    key: str
    status: str
    metrics: Mapping[str, float | None]
    error: str = ""
    seconds: float = 0.0
    attempt: int = 1


@dataclass(frozen=True)
class Begun:
    """How a run began: anew or continued, and in which parts it differs from the latest other run of the store."""

    run: int
    resumed: bool
    changed: tuple[str, ...] = ()


class Store:
    """An open sweep file, owned by this process until closed. path None keeps everything in memory.

    Raises InputError where the file is owned by a running sweep, is no sweep file, is damaged, or cannot be written.
    """

    def __init__(self, path: str | Path | None, *, beat_s: float = 5.0) -> None:
        self.path = None if path is None else Path(path)
        self._run: int | None = None
        self._owner = Owner.current()
        self._stop = threading.Event()
        self._beater: threading.Thread | None = None
        with self._guarded():
            if self.path is not None:
                check_target(self.path)
            self._db = sqlite3.connect(str(self.path or ":memory:"), timeout=20, isolation_level=None)
        try:
            with self._guarded():
                self._prepare()
                self._own()
        except BaseException:
            self._db.close()
            raise
        if self.path is not None:
            self._beater = threading.Thread(target=self._beat, args=(beat_s,), name="sweep-store-beat", daemon=True)
            self._beater.start()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file free. Safe to call twice."""
        self._stop.set()
        if self._beater is not None:
            self._beater.join()
        with contextlib.suppress(sqlite3.Error):  # closing must not hide the error that led here
            self._db.execute("DELETE FROM lock WHERE token = ?", (self._owner.token,))
        self._db.close()

    # -- opening ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Create the tables in a new file, or make sure that an existing one is ours."""
        self._db.execute("PRAGMA busy_timeout = 20000")
        with self._transaction():
            application = self._db.execute("PRAGMA application_id").fetchone()[0]
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if empty and not application:
                for statement in filter(str.strip, _TABLES.split(";\n")):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                self._db.execute(f"PRAGMA user_version = {SCHEMA}")
            elif application != APPLICATION_ID:
                raise InputError("is a database of another program", self._place, "name another file with --store")
            elif version != SCHEMA:
                raise InputError(
                    f"has sweep format {version}, this version reads {SCHEMA}",
                    self._place,
                    "name a new file with --store",
                )
        if self.path is not None:
            # One reader beside the writer, and a commit without waiting for the disk: a killed process loses nothing.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")

    def _own(self) -> None:
        with self._transaction():
            row = self._db.execute("SELECT token, pid, started, host, beat FROM lock").fetchone()
            if row is not None:
                other, beat = Owner(*row[:4]), row[4]
                if other.alive(age_s=time.time() - beat):
                    raise InputError(
                        f"another sweep is writing to it (process {other.pid} on {other.host})",
                        self._place,
                        "wait for it or stop it, or name another file with --store",
                    )
            o = self._owner
            self._db.execute(
                "INSERT OR REPLACE INTO lock VALUES (1, ?, ?, ?, ?, ?)",
                (o.token, o.pid, o.started, o.host, time.time()),
            )

    def _beat(self, every_s: float) -> None:
        """Tell other machines, which cannot see this process, that it lives."""
        db = sqlite3.connect(str(self.path), timeout=20, isolation_level=None)
        try:
            while not self._stop.wait(every_s):
                with contextlib.suppress(sqlite3.Error):  # a missed beat is made up by the next
                    db.execute("UPDATE lock SET beat = ? WHERE token = ?", (time.time(), self._owner.token))
        finally:
            db.close()

    # -- runs ------------------------------------------------------------------------------------------------------

    def begin(self, what: Mapping[str, Any]) -> Begun:
        """Open the run of this description (JSON values), which is its identity; a new one where none is stored."""
        digest, text = key_of(what), json.dumps(what, sort_keys=True)
        with self._guarded(), self._transaction():
            found = self._db.execute("SELECT id FROM runs WHERE hash = ?", (digest,)).fetchone()
            if found:
                self._run = int(found[0])
                return Begun(self._run, resumed=True)
            last = self._db.execute("SELECT what FROM runs ORDER BY id DESC LIMIT 1").fetchone()
            before = json.loads(last[0]) if last else {}
            changed = tuple(k for k in {**before, **what} if before.get(k) != what.get(k)) if last else ()
            cursor = self._db.execute(
                "INSERT INTO runs (hash, created, what) VALUES (?, ?, ?)", (digest, time.time(), text)
            )
            self._run = int(cursor.lastrowid or 0)
            return Begun(self._run, resumed=False, changed=changed)

    @property
    def run(self) -> int:
        if self._run is None:
            raise RuntimeError("Store.begin was not called")
        return self._run

    def record(self, outcomes: Iterable[tuple[Point, Outcome]]) -> None:
        """Commit finished points, all or none of this call."""
        now = time.time()
        rows = [
            (self.run, o.key, _json(p.parameters), o.status, _json(o.metrics), o.error, o.seconds, o.attempt, now)
            for p, o in outcomes
        ]
        with self._guarded(), self._transaction():
            self._still_owned()
            self._db.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def keep_state(self, key: str, state: bytes) -> None:
        """Keep what an execution left behind, for pricing more points without executing again."""
        with self._guarded(), self._transaction():
            self._still_owned()
            self._db.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?)", (self.run, key, state))

    def state(self, key: str) -> bytes | None:
        with self._guarded():
            row = self._db.execute("SELECT state FROM states WHERE run = ? AND key = ?", (self.run, key)).fetchone()
        return None if row is None else bytes(row[0])

    def state_keys(self) -> set[str]:
        with self._guarded():
            return {r[0] for r in self._db.execute("SELECT key FROM states WHERE run = ?", (self.run,)).fetchall()}

    def outcomes(self) -> dict[str, Outcome]:
        """Everything stored of the present run, by point key."""
        with self._guarded():
            rows = self._db.execute(
                "SELECT key, status, metrics, error, seconds, attempt FROM points WHERE run = ?", (self.run,)
            ).fetchall()
            return {r[0]: Outcome(r[0], r[1], json.loads(r[2]), r[3], r[4], r[5]) for r in rows}

    def parameters(self) -> dict[str, dict[str, Value]]:
        """The parameters of every stored point of the present run, by point key."""
        with self._guarded():
            rows = self._db.execute("SELECT key, parameters FROM points WHERE run = ?", (self.run,)).fetchall()
            return {key: json.loads(text) for key, text in rows}

    def _still_owned(self) -> None:
        row = self._db.execute("SELECT token, pid, host FROM lock").fetchone()
        if row is None or row[0] != self._owner.token:
            taker = f"process {row[1]} on {row[2]}" if row else "another process"
            raise InputError(
                f"{taker} took the file over while this sweep was halted",
                self._place,
                "let that one finish; nothing stored is lost",
            )

    # -- errors ----------------------------------------------------------------------------------------------------

    @property
    def _place(self) -> Place:
        return Place(str(self.path) if self.path else "sweep store in memory")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself after a full disk
                self._db.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn database and file errors into one message that says what to do."""
        try:
            yield
        except (sqlite3.Error, OSError, json.JSONDecodeError) as e:
            message, hint = _explain(e)
            raise InputError(message, self._place, hint) from e


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values))


_EXPLANATIONS: Sequence[tuple[str, str, str]] = (
    ("full", "the disk is full", "free some space and run the same command again; finished points are kept"),
    ("readonly", "cannot be written", "its file or folder is read-only; name another file with --store"),
    ("unable to open", "cannot be opened for writing", "check its folder's permissions or name another --store"),
    ("not a database", "is no sweep file", "name another file with --store"),
    ("malformed", "is damaged", "name a new file with --store; `sqlite3 FILE .recover` may save its points"),
    ("locked", "another program keeps it locked", "close that program or name another file with --store"),
    ("no such table", "is damaged: a table is missing", "name a new file with --store"),
    ("disk i/o", "cannot be read or written (disk error or quota)", "check the disk; finished points are kept"),
)


def _explain(e: Exception) -> tuple[str, str]:
    text = str(e).lower()
    if isinstance(e, OSError) and not isinstance(e, sqlite3.Error):
        return f"cannot be used: {e.strerror or e}", "check the path and its permissions"
    for mark, message, hint in _EXPLANATIONS:
        if mark in text:
            return message, hint
    return f"cannot be read as a sweep file ({e})", "name a new file with --store"
