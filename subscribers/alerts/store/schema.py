"""The tables of `alerts.db`, and how a file of an older version becomes one of this version."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from broker.errors import ClientError

APPLICATION_ID: Final = 0x7274616C  # "rtal", in the file's header

_TABLES: Final = """
CREATE TABLE state (              -- one row
    engine BLOB NOT NULL,         -- the rules' windows, and what is half seen
    patterns BLOB NOT NULL        -- the jobs that are listened to; empty: none ever were
);
INSERT INTO state VALUES (x'', x'');
CREATE TABLE positions (          -- what the engine has seen of each stream
    stream TEXT PRIMARY KEY,      -- cluster/job
    position BLOB NOT NULL,
    touched INTEGER NOT NULL      -- grows with each commit
) WITHOUT ROWID;
CREATE TABLE alerts (
    fingerprint TEXT NOT NULL,
    starts_at REAL NOT NULL,
    ends_at REAL,                 -- NULL: it fires
    alert BLOB NOT NULL,
    PRIMARY KEY (fingerprint, starts_at)
) WITHOUT ROWID;
CREATE INDEX alerts_by_end ON alerts (ends_at);
CREATE TABLE told (               -- what receivers know of alerts that fire
    receiver TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    starts_at REAL NOT NULL,
    repeat INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (receiver, fingerprint)
) WITHOUT ROWID;
CREATE TABLE notifications (      -- those that no receiver has acknowledged
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,
    notification BLOB NOT NULL
);
CREATE TABLE receivers (
    name TEXT PRIMARY KEY,
    sent INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE mutes (
    id TEXT PRIMARY KEY,
    until REAL NOT NULL,
    mute BLOB NOT NULL
) WITHOUT ROWID;
"""

# An alert may fire twice with the same start, so episodes are told apart by their number.
_EPISODES: Final = """
CREATE TABLE episodes (
    fingerprint TEXT NOT NULL,
    starts_at REAL NOT NULL,
    episode INTEGER NOT NULL,
    ends_at REAL,                 -- NULL: it fires
    alert BLOB NOT NULL,
    PRIMARY KEY (fingerprint, starts_at, episode)
) WITHOUT ROWID;
INSERT INTO episodes SELECT fingerprint, starts_at, 0, ends_at, alert FROM alerts;
DROP TABLE alerts;
ALTER TABLE episodes RENAME TO alerts;
CREATE INDEX alerts_by_end ON alerts (ends_at);
ALTER TABLE told ADD COLUMN episode INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state RENAME COLUMN patterns TO eras;  -- each a time, and what was listened to then
ALTER TABLE state ADD COLUMN backlog BLOB NOT NULL DEFAULT x'80';   -- of logs that were being read
ALTER TABLE state ADD COLUMN episode INTEGER NOT NULL DEFAULT 0;    -- the last one's number
ALTER TABLE receivers ADD COLUMN address TEXT NOT NULL DEFAULT '';  -- its hash; '': not known
"""

_STEPS: Final = (_TABLES, _EPISODES)  # the nth makes version n + 1 of version n; 0 is an empty file


class StoreError(ClientError):
    """`alerts.db` cannot be read or written."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Check whose file it is, bring it to this version, set it up for writing.

    A file of something else, or of a newer raytap, raises `StoreError` and is not changed; a
    damaged one raises `sqlite3.DatabaseError`.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreError(f"{path} is a database of something else; it is left as it is")
    if version > len(_STEPS):
        raise StoreError(
            f"{path} is of version {version}, of a newer raytap; this one reads up to "
            f"{len(_STEPS)}. It is left as it is: update raytap, or move it away"
        )
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    if version == 0:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    for number, step in enumerate(_STEPS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {step}; PRAGMA user_version = {number}; COMMIT;"
        )
