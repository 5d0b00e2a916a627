"""`alerts.db` as a file: opened, put aside where it is damaged, its errors in words."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from broker.events import get_logger
from broker.text.plain_text import one_line
from subscribers.alerts.store.schema import StoreError, prepare

events: Final = get_logger("alerts")
T = TypeVar("T")

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


class Database:
    """The file `path`, made (mode 0600) where it is missing. Any thread, one at a time.

    A damaged file is put aside, and a new one begun: `problem` says so. Raises `StoreError` where
    it cannot be used; every method does.
    """

    def __init__(self, path: Path) -> None:
        self.problem = ""
        self._path = path
        self._mutex = threading.Lock()
        try:
            self._sqlite: sqlite3.Connection | None = _opened(path)
        except sqlite3.DatabaseError as error:
            if not _is_damaged(error):
                raise _explained(path, error) from error
            aside = _put_aside(path)
            self.problem = (
                f"alerts.db was damaged and is now {aside.name}; a new one was begun: what fired "
                "before is not known any more"
            )
            events.error("store_damaged", put_aside=aside, why=str(error))
            self._sqlite = _opened(path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._mutex:
            if self._sqlite is None:
                raise StoreError(f"{self._path}: it is closed")
            try:
                yield self._sqlite
            except sqlite3.Error as error:
                raise _explained(self._path, error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    with suppress(sqlite3.Error):  # the error that brought us here says more
                        connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Idempotent."""
        with self._mutex:
            connection, self._sqlite = self._sqlite, None
            if connection is not None:
                connection.close()


def pack(value: object) -> bytes:
    """For a column."""
    return msgspec.msgpack.encode(value)


def unpack(blob: bytes, kind: type[T], path: Path) -> T:
    """What was packed. Raises `StoreError` where it is of no such kind."""
    try:
        return msgspec.msgpack.decode(blob, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreError(f"{path}: a row cannot be read: {error}") from None


def _opened(path: Path) -> sqlite3.Connection:
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


def _put_aside(path: Path) -> Path:
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


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    """Whether it says that the file is no database, or a broken one."""
    return type(error) is sqlite3.DatabaseError and _name(error) in ("", *_DAMAGED)


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    """The error in words."""
    meaning = _MEANING.get(_name(error), "the database failed")
    return StoreError(f"{path}: {meaning} ({one_line(str(error), 100)})")


def _name(error: sqlite3.Error) -> str:
    code: str = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(code.split("_")[:2])  # SQLITE_IOERR_WRITE is a kind of SQLITE_IOERR
