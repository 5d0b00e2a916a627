"""The journal's tables, and how a file of an older version becomes one of this version."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from broker.errors import JournalError

APPLICATION_ID: Final = 0x72746170  # "rtap", in the file's header

_TABLES: Final = """
CREATE TABLE journal (            -- one row
    sequence INTEGER NOT NULL,    -- the highest ever given
    watermark INTEGER NOT NULL    -- all up to this one was published
);
INSERT INTO journal VALUES (0, 0);
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    job TEXT NOT NULL,
    checkpoint BLOB,
    last INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    UNIQUE (cluster, job)
);
CREATE TABLE epochs (
    id INTEGER PRIMARY KEY,
    stream_id INTEGER,            -- NULL: forgotten, its frames are still to be removed
    epoch TEXT NOT NULL,
    next INTEGER NOT NULL,
    widest INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    complete INTEGER NOT NULL,
    UNIQUE (stream_id, epoch)
);
CREATE TABLE frames (
    sequence INTEGER PRIMARY KEY,
    epoch_id INTEGER NOT NULL,
    first INTEGER NOT NULL,
    next INTEGER NOT NULL,
    kind TEXT NOT NULL,
    ts INTEGER NOT NULL,
    packed INTEGER NOT NULL,      -- 1: zstd
    payload BLOB NOT NULL         -- last, so that the columns before it need no overflow page
);
CREATE INDEX frames_by_line ON frames (epoch_id, first);
CREATE INDEX gaps_by_line ON frames (epoch_id, next) WHERE kind = 'gap';
CREATE TABLE marks (
    epoch_id INTEGER NOT NULL,
    line INTEGER NOT NULL,
    "offset" INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    key_lines INTEGER NOT NULL,
    PRIMARY KEY (epoch_id, line)
) WITHOUT ROWID;
"""

STEPS: Final = (_TABLES,)  # the nth makes version n + 1 of version n; 0 is an empty file


def prepare(connection: sqlite3.Connection, path: Path, steps: Sequence[str] = STEPS) -> None:
    """Check whose file it is, bring it to the version of `steps`, set it up for writing.

    A file of something else, or of a newer raytap, raises `JournalError` and is not changed.
    """
    version = _version(connection, path)
    if version > len(steps):
        raise JournalError(
            f"journal {path}: it is of version {version}, of a newer raytap; this one reads up to "
            f"{len(steps)}. It is left as it is: update raytap or name another file"
        )
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    for number, step in enumerate(steps[version:], version + 1):
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise JournalError(
            f"journal {path}: this is a database of something else; it is left as it is, "
            "name another file"
        )
    return int(version)
