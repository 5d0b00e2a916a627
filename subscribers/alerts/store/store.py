"""`alerts.db`: what a restart goes on from, and what is still to be sent.

A step of evaluation is one transaction: the positions in the logs, the engine's state, the alerts
and the notifications that follow from them. A process that is killed goes on from the last one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec
import zstandard

from broker.events import get_logger
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.notifications.planner import Plan, Told
from subscribers.alerts.store.database import explained, is_damaged, opened, put_aside
from subscribers.alerts.store.progress import MOST_POSITIONS, Position
from subscribers.alerts.store.schema import StoreError

events: Final = get_logger("alerts")
T = TypeVar("T")

MOST_OVER: Final = 20_000  # alerts that are over


class Kept(NamedTuple):
    """What a restart goes on from."""

    engine: bytes
    patterns: list[str]  # empty: nothing was ever listened to
    positions: dict[str, Position]  # by "cluster/job"
    alerts: list[Alert]  # those that fire, and those that are over while someone was told they fire
    told: list[Told]


class Counts(NamedTuple):
    """A receiver's notifications so far."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0


class Store:
    """The file `path`, made (mode 0600) where it is missing; its directory is locked already.

    A damaged file is put aside, and a new one begun: `problem` says so. Raises `StoreError` where
    it cannot be used; every method does. Any thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem = ""
        self._mutex = threading.Lock()
        self._zip = zstandard.ZstdCompressor(level=1)  # it is written several times a second
        self._touched = 0
        try:
            self._sqlite: sqlite3.Connection | None = opened(path)
        except sqlite3.DatabaseError as error:
            if not is_damaged(error):
                raise explained(path, error) from error
            aside = put_aside(path)
            self.problem = (
                f"alerts.db was damaged and is now {aside.name}; a new one was begun: what fired "
                "before is not known any more"
            )
            events.error("store_damaged", put_aside=aside, why=str(error))
            self._sqlite = opened(path)
        with self._reading() as connection:
            (last,) = connection.execute("SELECT max(touched) FROM positions").fetchone()
            self._touched = last or 0

    # A step ----------------------------------------------------------------------------------

    def commit(
        self,
        plan: Plan,
        positions: Mapping[str, Position] | None = None,
        engine: bytes | None = None,
        patterns: Sequence[str] | None = None,
    ) -> list[Notification]:
        """All of it or nothing; the notifications, with their ids. None: as it was."""
        with self._writing() as connection:
            if engine is not None:
                connection.execute("UPDATE state SET engine = ?", (self._zip.compress(engine),))
            if patterns is not None:
                connection.execute("UPDATE state SET patterns = ?", (_pack(patterns),))
            if positions:
                self._touched += 1
                connection.executemany(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
                    [(stream, _pack(at), self._touched) for stream, at in positions.items()],
                )
            connection.executemany(
                "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?)",
                [(one.fingerprint, one.starts_at, one.ends_at, _pack(one)) for one in plan.alerts],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?)",
                [msgspec.structs.astuple(told) for told in plan.told],
            )
            connection.executemany(
                "DELETE FROM told WHERE receiver = ? AND fingerprint = ?", plan.forgotten
            )
            return [_added(connection, one) for one in plan.notifications]

    def replace_told(self, told: Iterable[Told], receivers: Iterable[str]) -> int:
        """Exactly these are known to these receivers; what waited for others is let go of, and
        how many that were."""
        names = list(receivers)
        marks = ", ".join("?" * len(names))
        with self._writing() as connection:
            connection.execute("DELETE FROM told")
            connection.executemany(
                "INSERT INTO told VALUES (?, ?, ?, ?, ?)",
                [msgspec.structs.astuple(one) for one in told],
            )
            connection.execute(f"DELETE FROM receivers WHERE name NOT IN ({marks})", names)
            return connection.execute(
                f"DELETE FROM notifications WHERE receiver NOT IN ({marks})", names
            ).rowcount

    # What became of notifications ---------------------------------------------------------------

    def done(self, receiver: str, ids: Sequence[int], counted: Counts) -> None:
        """These need not be sent any more; `counted` is added to the receiver's counts."""
        with self._writing() as connection:
            connection.executemany("DELETE FROM notifications WHERE id = ?", [(i,) for i in ids])
            connection.execute(
                "INSERT INTO receivers VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "sent = sent + excluded.sent, failed = failed + excluded.failed, "
                "dropped = dropped + excluded.dropped",
                (receiver, *counted),
            )

    def waiting(self, receiver: str) -> list[Notification]:
        """What is still to be sent to it, in order."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT id, notification FROM notifications WHERE receiver = ? ORDER BY id",
                (receiver,),
            ).fetchall()
        return [
            msgspec.structs.replace(_unpack(blob, Notification, self.path), id=id_)
            for id_, blob in rows
        ]

    def counts(self, receiver: str) -> Counts:
        """So far, in all lives."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT sent, failed, dropped FROM receivers WHERE name = ?", (receiver,)
            ).fetchone()
        return Counts(*row) if row else Counts()

    # Mutes --------------------------------------------------------------------------------------

    def mutes(self) -> list[Mute]:
        """Those that were not removed."""
        with self._reading() as connection:
            rows = connection.execute("SELECT mute FROM mutes").fetchall()
        return [_unpack(blob, Mute, self.path) for (blob,) in rows]

    def add_mute(self, mute: Mute) -> None:
        with self._writing() as connection:
            row = (mute.id, mute.until, _pack(mute))
            connection.execute("INSERT OR REPLACE INTO mutes VALUES (?, ?, ?)", row)

    def remove_mute(self, id_: str) -> None:
        with self._writing() as connection:
            connection.execute("DELETE FROM mutes WHERE id = ?", (id_,))

    # What a restart, and what people, ask -------------------------------------------------------

    def kept(self) -> Kept:
        """What the last step left."""
        with self._reading() as connection:
            engine, patterns = connection.execute("SELECT * FROM state").fetchone()
            positions = connection.execute(
                "SELECT stream, position FROM positions ORDER BY touched"
            ).fetchall()
            told = connection.execute("SELECT * FROM told").fetchall()
            alerts = connection.execute(
                "SELECT alert, starts_at FROM alerts WHERE ends_at IS NULL UNION ALL "
                "SELECT alert, max(alerts.starts_at) FROM alerts JOIN told USING (fingerprint) "
                "WHERE ends_at IS NOT NULL AND fingerprint NOT IN "
                "(SELECT fingerprint FROM alerts WHERE ends_at IS NULL) GROUP BY fingerprint"
            ).fetchall()
        return Kept(
            _unzip(engine) if engine else b"",
            _unpack(patterns, list[str], self.path) if patterns else [],
            {stream: _unpack(blob, Position, self.path) for stream, blob in positions},
            [_unpack(blob, Alert, self.path) for blob, _ in alerts],
            [Told(*row) for row in told],
        )

    def history(self, limit: int) -> list[Alert]:
        """Alerts that are over, the last one first."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT alert FROM alerts WHERE ends_at IS NOT NULL ORDER BY ends_at DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [_unpack(blob, Alert, self.path) for (blob,) in rows]

    def prune(self, before: float, now: float) -> None:
        """Let go of alerts that ended before `before`, of mutes that are over, and of what is
        beyond the bounds; unix seconds."""
        beyond = "(SELECT {0} FROM {1} {2} ORDER BY {0} DESC LIMIT 1 OFFSET ?)"
        ends = beyond.format("ends_at", "alerts", "WHERE ends_at IS NOT NULL")
        touched = beyond.format("touched", "positions", "")
        with self._writing() as connection:
            connection.execute(
                f"DELETE FROM alerts WHERE ends_at < ? OR ends_at < {ends}", (before, MOST_OVER)
            )
            connection.execute(
                f"DELETE FROM positions WHERE touched < {touched}", (MOST_POSITIONS,)
            )
            connection.execute("DELETE FROM mutes WHERE until <= ?", (now,))

    def close(self) -> None:
        """Idempotent; later calls raise `StoreError`."""
        with self._mutex:
            connection, self._sqlite = self._sqlite, None
            if connection is not None:
                connection.close()

    # The connection -----------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._sqlite is None:
                raise StoreError(f"{self.path}: it is closed")
            try:
                yield self._sqlite
            except sqlite3.Error as error:
                raise explained(self.path, error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self._reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # the error that brought us here says more
                        connection.execute("ROLLBACK")
                raise


def _added(connection: sqlite3.Connection, one: Notification) -> Notification:
    row = (one.receiver, _pack(one))
    added = connection.execute(
        "INSERT INTO notifications (receiver, notification) VALUES (?, ?)", row
    )
    return msgspec.structs.replace(one, id=added.lastrowid)


def _unzip(blob: bytes) -> bytes:
    """Nothing where it cannot be read: the rules begin afresh, and alerts go on."""
    try:
        return zstandard.ZstdDecompressor().decompress(blob)
    except zstandard.ZstdError as error:
        events.error("engine_state_lost", why=str(error), effect="the rules begin afresh")
        return b""


def _pack(value: object) -> bytes:
    return msgspec.msgpack.encode(value)


def _unpack(blob: bytes, kind: type[T], path: Path) -> T:
    try:
        return msgspec.msgpack.decode(blob, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path}: a row cannot be read: {error}") from None
