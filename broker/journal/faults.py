"""What a disk or a database does wrong, as a `JournalError` that says what and where."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from broker.errors import JournalError

_MEANING: Final = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "it cannot be written",
    "SQLITE_CANTOPEN": "it cannot be opened or created",
    "SQLITE_NOTADB": "this file is no journal; it is left as it is, move it away or name another",
    "SQLITE_CORRUPT": "the file is damaged; it is left as it is, move it away to begin a new one",
    "SQLITE_BUSY": "another program holds it",
    "SQLITE_IOERR": "the disk failed to read or write",
}


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turn errors of the file at `path` into `JournalError`s that name it."""
    try:
        yield
    except sqlite3.Error as error:
        code: str = getattr(error, "sqlite_errorname", None) or ""
        primary = "_".join(code.split("_")[:2])  # SQLITE_IOERR_WRITE is a kind of SQLITE_IOERR
        meaning = _MEANING.get(primary, "the database failed")
        raise JournalError(f"journal {path}: {meaning} ({error})") from error
    except OSError as error:
        raise JournalError(f"journal {path}: {error.strerror or error}") from error
