"""`alerts.db` as a file: opened, put aside where it is damaged, its errors in words."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from broker.plain_text import one_line
from subscribers.alerts.store.schema import StoreError, prepare

_BUSY_S: Final = 0.5  # evaluation waits meanwhile
_DAMAGED: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_MEANING: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it cannot be written",
    "SQLITE_CANTOPEN": "it cannot be opened or created",
    "SQLITE_NOTADB": "it is no database",
    "SQLITE_CORRUPT": "it is damaged",
    "SQLITE_BUSY": "another program holds it",
    "SQLITE_IOERR": "the disk failed to read or write",
}


def opened(path: Path) -> sqlite3.Connection:
    """A connection for any thread, one at a time; the file is made (mode 0600) where it is
    missing. Raises `StoreError`, and `sqlite3.DatabaseError` where the file is damaged."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(descriptor)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def put_aside(path: Path) -> Path:
    """Give the file another name, which is returned. Raises `StoreError`."""
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    try:
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(f"{path} is damaged, and {error.strerror or error}") from error
    return aside


def is_damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether it says that the file is no database, or a broken one."""
    return type(error) is sqlite3.DatabaseError and _name(error) in ("", *_DAMAGED)


def explained(path: Path, error: sqlite3.Error) -> StoreError:
    """The error in words."""
    meaning = _MEANING.get(_name(error), "the database failed")
    return StoreError(f"{path}: {meaning} ({one_line(str(error), 100)})")


def _name(error: sqlite3.Error) -> str:
    code: str = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(code.split("_")[:2])  # SQLITE_IOERR_WRITE is a kind of SQLITE_IOERR
