"""When this daemon last listed a cluster's jobs: what began after that is new to it."""

from __future__ import annotations

import os
import time
from pathlib import Path


class LastAlive:
    """A file's modification time, so that a crash costs nothing. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.before: int | None = int(path.stat().st_mtime * 1000)  # ms since 1970
        except OSError:
            self.before = None

    def now(self) -> None:
        """The cluster's jobs were listed just now; a full disk is no reason to stop."""
        try:
            self._path.touch(mode=0o600)
            os.utime(self._path, (time.time(), time.time()))
        except OSError:
            return
