"""The ledger and the frames as rows: what the write connection says to the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from broker.checkpoint import Checkpoint
from broker.errors import JournalError
from broker.journal.ledger import Epoch, Ledger, Log, Victim
from broker.journal.payload import ROW_BYTES
from broker.topic import Stream

_VICTIM: Final = f"SELECT sequence, epoch_id, ts, length(payload) + {ROW_BYTES} FROM frames"


def load_ledger(connection: sqlite3.Connection) -> tuple[Ledger, int]:
    """What the file knows, and the watermark."""
    ledger = Ledger()
    ledger.sequence, watermark = connection.execute("SELECT * FROM journal").fetchone()
    streams = connection.execute("SELECT * FROM streams").fetchall()
    names = {row[0]: Stream(row[1], row[2]) for row in streams}
    epochs: dict[int, list[Epoch]] = {}
    ids = list(names)
    for id_, owner, *rest in connection.execute("SELECT * FROM epochs ORDER BY id"):
        ids.append(id_)
        if owner is not None:
            epochs.setdefault(owner, []).append(_epoch(id_, names[owner], rest))
    for id_, _, _, checkpoint, last, ended in streams:
        kept = None if checkpoint is None else load_checkpoint(checkpoint)
        log = Log(id_, names[id_], kept, last, bool(ended))
        ledger.restore(log, epochs.get(id_, []))
    ledger.next_id = max(ids, default=0) + 1
    return ledger, watermark


def load_checkpoint(blob: bytes) -> Checkpoint:
    """The checkpoint in a row; raises `JournalError` where it is none."""
    try:
        return msgspec.msgpack.decode(blob, type=Checkpoint)
    except msgspec.MsgspecError as error:
        raise JournalError(f"a stored checkpoint is damaged: {error}") from None


def add_frames(connection: sqlite3.Connection, frames: list[tuple[object, ...]]) -> None:
    """Rows as in the schema."""
    connection.executemany("INSERT INTO frames VALUES (?, ?, ?, ?, ?, ?, ?, ?)", frames)


def add_marks(connection: sqlite3.Connection, marks: list[tuple[object, ...]]) -> None:
    """Rows as in the schema; a mark at the same line is replaced."""
    connection.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)", marks)


def save_epochs(connection: sqlite3.Connection, ledger: Ledger, epochs: Iterable[Epoch]) -> None:
    """As they are in the ledger now."""
    connection.executemany(
        "INSERT OR REPLACE INTO epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (epoch.id, ledger.logs[epoch.stream].id, epoch.name, epoch.next, epoch.widest,
             epoch.frames, epoch.stored, epoch.ts, epoch.ended, epoch.complete)
            for epoch in epochs
        ],
    )  # fmt: skip


def save_logs(connection: sqlite3.Connection, logs: Iterable[Log]) -> None:
    """As they are in the ledger now."""
    connection.executemany(
        "INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?, ?, ?)",
        [
            (log.id, *log.stream,
             None if log.checkpoint is None else msgspec.msgpack.encode(log.checkpoint),
             log.last, log.ended)
            for log in logs
        ],
    )  # fmt: skip


def oldest_victims(connection: sqlite3.Connection, limit: int) -> list[Victim]:
    """The oldest frames of all."""
    rows = connection.execute(f"{_VICTIM} ORDER BY sequence LIMIT ?", (limit,))
    return [Victim(*row) for row in rows]


def first_victims(connection: sqlite3.Connection, epoch: Epoch, limit: int) -> list[Victim]:
    """The first frames of an epoch."""
    rows = connection.execute(
        f"{_VICTIM} WHERE epoch_id = ? ORDER BY first, sequence LIMIT ?", (epoch.id, limit)
    )
    return [Victim(*row) for row in rows]


def delete_frames(connection: sqlite3.Connection, victims: Iterable[Victim]) -> None:
    connection.executemany(
        "DELETE FROM frames WHERE sequence = ?", [(victim.sequence,) for victim in victims]
    )


def delete_epoch(connection: sqlite3.Connection, id_: int) -> None:
    """With its marks; its frames are gone already."""
    connection.execute("DELETE FROM marks WHERE epoch_id = ?", (id_,))
    connection.execute("DELETE FROM epochs WHERE id = ?", (id_,))


def delete_log(connection: sqlite3.Connection, log: Log) -> None:
    """The stream; its epochs are nobody's from now on, and `reap` removes them step by step."""
    connection.execute("UPDATE epochs SET stream_id = NULL WHERE stream_id = ?", (log.id,))
    connection.execute("DELETE FROM streams WHERE id = ?", (log.id,))


def reap(connection: sqlite3.Connection, budget: int) -> int:
    """Remove at most `budget` frames of epochs that are nobody's; how many."""
    left = budget
    nobodys = "SELECT id FROM epochs WHERE stream_id IS NULL"
    for (id_,) in connection.execute(nobodys).fetchall():
        left -= connection.execute(
            "DELETE FROM frames WHERE sequence IN "
            "(SELECT sequence FROM frames WHERE epoch_id = ? LIMIT ?)",
            (id_, left),
        ).rowcount
        if left <= 0:
            break
        delete_epoch(connection, id_)
    return budget - left


def vacuum(connection: sqlite3.Connection, keep: int, at_most: int) -> None:
    """Give free pages beyond `keep` back to the disk, `at_most` of them."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free > keep:
        pages = min(free - keep, at_most)
        # A script, because `execute` would stop after the first page.
        connection.executescript(f"PRAGMA incremental_vacuum({pages})")


def _epoch(id_: int, stream: Stream, row: list[Any]) -> Epoch:
    name, following, widest, frames, stored, ts, ended, complete = row
    return Epoch(
        id_, stream, name, following, widest, frames, stored, ts, bool(ended), bool(complete)
    )
