"""One process writes a journal: its lock, which a crash lets go of by itself."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from broker.errors import JournalError


class Lock:
    """Holds `<journal>.lock`. Raises `JournalError` where another process (its id is named) has
    it, `OSError` where it cannot be made. Not the database itself: closing a descriptor of that
    would take SQLite's own locks away."""

    def __init__(self, journal: Path) -> None:
        name = journal.with_name(journal.name + ".lock")
        self._descriptor = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            self.release()
            raise JournalError(f"journal {journal}: process {holder} is using it") from None
        except OSError:
            self.release()
            raise
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
