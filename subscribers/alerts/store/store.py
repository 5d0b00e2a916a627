"""`alerts.db`: what a restart goes on from, and what is still to be sent.

A step of evaluation is one transaction: the positions in the logs, the engine's state, the alerts
and the notifications that follow from them. A process that is killed goes on from the last one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import zstandard

from broker.events import get_logger
from broker.topic import Stream
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.notifications.planner import Plan, Told
from subscribers.alerts.store.backlog import Behind
from subscribers.alerts.store.database import Database, pack, unpack
from subscribers.alerts.store.eras import Era
from subscribers.alerts.store.progress import MOST_POSITIONS, Position

events: Final = get_logger("alerts")

MOST_OVER: Final = 20_000  # alerts that are over


class Kept(NamedTuple):
    """What a restart goes on from."""

    engine: bytes
    eras: list[Era]  # empty: nothing was ever listened to
    backlog: dict[str, Behind]
    positions: dict[str, Position]  # by "cluster/job"
    alerts: list[Alert]  # those that fire, and those that are over while someone was told they fire
    told: list[Told]
    episode: int  # the number that was given last
    addresses: dict[str, str]  # hashes, by receiver


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
        self._database = Database(path)
        self.problem = self._database.problem
        self._zip = zstandard.ZstdCompressor(level=1)  # it is written several times a second
        self._touched = 0
        with self._database.reading() as connection:
            (last,) = connection.execute("SELECT max(touched) FROM positions").fetchone()
            self._touched = last or 0

    # A step ----------------------------------------------------------------------------------

    def commit(
        self,
        plan: Plan,
        positions: Mapping[str, Position] | None = None,
        engine: bytes | None = None,
        eras: Sequence[Era] | None = None,
        backlog: Mapping[str, Behind] | None = None,
    ) -> list[Notification]:
        """All of it or nothing; the notifications, with their ids. None: as it was."""
        with self._database.writing() as connection:
            if engine is not None:
                connection.execute("UPDATE state SET engine = ?", (self._zip.compress(engine),))
            if eras is not None:
                connection.execute("UPDATE state SET eras = ?", (pack(eras),))
            if backlog is not None:
                connection.execute("UPDATE state SET backlog = ?", (pack(backlog),))
            if positions:
                self._touched += 1
                connection.executemany(
                    "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
                    [(stream, pack(at), self._touched) for stream, at in positions.items()],
                )
            connection.executemany(
                "INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?)",
                [
                    (one.fingerprint, one.starts_at, one.episode, one.ends_at, pack(one))
                    for one in plan.alerts
                ],
            )
            if plan.alerts:
                last = max(one.episode for one in plan.alerts)
                connection.execute("UPDATE state SET episode = max(episode, ?)", (last,))
            connection.executemany(
                "INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)",
                [msgspec.structs.astuple(told) for told in plan.told],
            )
            connection.executemany(
                "DELETE FROM told WHERE receiver = ? AND fingerprint = ?", plan.forgotten
            )
            return [_added(connection, one) for one in plan.notifications]

    def replace_told(self, told: Iterable[Told], addresses: Mapping[str, str]) -> int:
        """Exactly these are known to these receivers, by name, with the hashes of where they are;
        what waited for others is let go of, and how many that were."""
        names = list(addresses)
        marks = ", ".join("?" * len(names))
        with self._database.writing() as connection:
            connection.execute("DELETE FROM told")
            connection.executemany(
                "INSERT INTO told VALUES (?, ?, ?, ?, ?, ?)",
                [msgspec.structs.astuple(one) for one in told],
            )
            connection.executemany(
                "INSERT INTO receivers VALUES (?, 0, 0, 0, ?) "
                "ON CONFLICT (name) DO UPDATE SET address = excluded.address",
                addresses.items(),
            )
            connection.execute(f"DELETE FROM receivers WHERE name NOT IN ({marks})", names)
            return connection.execute(
                f"DELETE FROM notifications WHERE receiver NOT IN ({marks})", names
            ).rowcount

    # What became of notifications ---------------------------------------------------------------

    def done(self, receiver: str, ids: Sequence[int], counted: Counts) -> None:
        """These need not be sent any more; `counted` is added to the receiver's counts."""
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM notifications WHERE id = ?", [(i,) for i in ids])
            connection.execute(
                "INSERT INTO receivers VALUES (?, ?, ?, ?, '') ON CONFLICT (name) DO UPDATE SET "
                "sent = sent + excluded.sent, failed = failed + excluded.failed, "
                "dropped = dropped + excluded.dropped",
                (receiver, *counted),
            )

    def waiting(self, receiver: str) -> list[Notification]:
        """What is still to be sent to it, in order."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT id, notification FROM notifications WHERE receiver = ? ORDER BY id",
                (receiver,),
            ).fetchall()
        return [
            msgspec.structs.replace(unpack(blob, Notification, self.path), id=id_)
            for id_, blob in rows
        ]

    def counts(self, receiver: str) -> Counts:
        """So far, in all lives."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT sent, failed, dropped FROM receivers WHERE name = ?", (receiver,)
            ).fetchone()
        return Counts(*row) if row else Counts()

    # Mutes --------------------------------------------------------------------------------------

    def mutes(self) -> list[Mute]:
        """Those that were not removed."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT mute FROM mutes").fetchall()
        return [unpack(blob, Mute, self.path) for (blob,) in rows]

    def add_mute(self, mute: Mute) -> None:
        with self._database.writing() as connection:
            row = (mute.id, mute.until, pack(mute))
            connection.execute("INSERT OR REPLACE INTO mutes VALUES (?, ?, ?)", row)

    def remove_mute(self, id_: str) -> None:
        with self._database.writing() as connection:
            connection.execute("DELETE FROM mutes WHERE id = ?", (id_,))

    # What a restart, and what people, ask -------------------------------------------------------

    def kept(self) -> Kept:
        """What the last step left."""
        with self._database.reading() as connection:
            engine, eras, backlog, episode = connection.execute("SELECT * FROM state").fetchone()
            positions = connection.execute(
                "SELECT stream, position FROM positions ORDER BY touched"
            ).fetchall()
            told = connection.execute("SELECT * FROM told").fetchall()
            alerts = connection.execute(
                "SELECT alert, starts_at FROM alerts WHERE ends_at IS NULL UNION ALL "
                "SELECT alert, max(alerts.ends_at) FROM alerts JOIN told USING (fingerprint) "
                "WHERE ends_at IS NOT NULL AND fingerprint NOT IN "
                "(SELECT fingerprint FROM alerts WHERE ends_at IS NULL) GROUP BY fingerprint"
            ).fetchall()
            addresses = connection.execute("SELECT name, address FROM receivers").fetchall()
        return Kept(
            _unzip(engine) if engine else b"",
            _eras(eras, self.path) if eras else [],
            unpack(backlog, dict[str, Behind], self.path),
            {stream: unpack(blob, Position, self.path) for stream, blob in positions},
            [unpack(blob, Alert, self.path) for blob, _ in alerts],
            [Told(*row) for row in told],
            episode,
            dict(addresses),
        )

    def history(
        self, limit: int, allows: Callable[[Stream], bool] | None = None
    ) -> tuple[list[Alert], int]:
        """Alerts that are over, the last one first, and how many there are; `allows`: of these
        jobs. At most `limit` are given."""
        over = "FROM alerts WHERE ends_at IS NOT NULL"
        last_first = f"SELECT alert {over} ORDER BY ends_at DESC"
        with self._database.reading() as connection:
            if allows is None:
                (total,) = connection.execute(f"SELECT count(*) {over}").fetchone()
                rows = connection.execute(f"{last_first} LIMIT ?", (limit,)).fetchall()
            else:
                rows = connection.execute(last_first).fetchall()
                rows = [row for row in rows if allows(_stream(row[0], self.path))]
                total = len(rows)
        return [unpack(blob, Alert, self.path) for (blob,) in rows[:limit]], total

    def prune(self, before: float, now: float) -> None:
        """Let go of alerts that ended before `before`, of mutes that are over, and of what is
        beyond the bounds; unix seconds."""
        beyond = "(SELECT {0} FROM {1} {2} ORDER BY {0} DESC LIMIT 1 OFFSET ?)"
        ends = beyond.format("ends_at", "alerts", "WHERE ends_at IS NOT NULL")
        touched = beyond.format("touched", "positions", "")
        with self._database.writing() as connection:
            connection.execute(
                f"DELETE FROM alerts WHERE ends_at < ? OR ends_at < {ends}", (before, MOST_OVER)
            )
            connection.execute(
                f"DELETE FROM positions WHERE touched < {touched}", (MOST_POSITIONS,)
            )
            connection.execute("DELETE FROM mutes WHERE until <= ?", (now,))

    def close(self) -> None:
        """Idempotent; later calls raise `StoreError`."""
        self._database.close()


class _Place(msgspec.Struct, frozen=True):
    """Of an alert, what says who may see it."""

    cluster: str
    job: str


def _stream(blob: bytes, path: Path) -> Stream:
    place = unpack(blob, _Place, path)
    return Stream(place.cluster, place.job)


def _added(connection: sqlite3.Connection, one: Notification) -> Notification:
    row = (one.receiver, pack(one))
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


def _eras(blob: bytes, path: Path) -> list[Era]:
    """Version 1 had patterns only."""
    kept = unpack(blob, list[Era | str], path)
    eras = [one for one in kept if isinstance(one, Era)]
    return eras or [Era(0, [one for one in kept if isinstance(one, str)])]
