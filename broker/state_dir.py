"""The daemon's state directory: its own, closed to others, and one daemon's at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import stat
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from broker.errors import ConfigError

LOCK_NAME: Final = "lock"
BROKER_NAME: Final = "broker-id"


class StateDirInUse(ConfigError):
    """Another daemon has it."""


class StateDir:
    """Made (mode 0700) and locked from construction to `close`; a context manager too.

    The lock is the kernel's, so that a daemon which was killed leaves none behind. Raises
    `ConfigError` where the directory cannot be made or written, belongs to another user, is open
    to others, or is another daemon's now. A wider mode is refused, not changed: the directory
    might be one that others need.
    """

    path: Path

    def __init__(self, path: str | Path) -> None:
        self._lock = -1
        try:
            self.path = Path(path).expanduser().absolute()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()
            self._lock = self._locked()
        except (OSError, RuntimeError, ValueError) as error:  # no home directory, a NUL byte
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"state_dir: cannot use {path}: {reason}; give another with --state-dir"
            ) from None

    @property
    def journal(self) -> Path:
        """The journal's database; SQLite keeps two more files beside it."""
        return self.path / "journal.sqlite3"

    def broker_id(self) -> str:
        """This daemon's name on the bus: 8 hex digits, the same after a restart, so that a
        subscriber's count of what this broker sent goes on."""
        path = self.path / BROKER_NAME
        try:
            name = path.read_text(encoding="ascii").strip()
            if re.fullmatch(r"[0-9a-f]{8}", name):
                return name
        except (OSError, UnicodeDecodeError):
            pass  # none yet, or damaged: a new one
        name = secrets.token_hex(4)
        with contextlib.suppress(OSError):  # a full disk costs the continuity, no more
            path.write_text(name, encoding="ascii")
        return name

    def close(self) -> None:
        """Let another daemon have it. Idempotent."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            # The file stays: unlinking it would let two daemons lock two files of that name.
            os.ftruncate(lock, 0)
            os.close(lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self) -> None:
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise ConfigError(
                f"state_dir: {self.path} belongs to user {status.st_uid}, raytap runs as "
                f"{os.geteuid()}; give a directory of its own with --state-dir"
            )
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise ConfigError(
                f"state_dir: {self.path} has mode {mode:04o}, so that others can look into it; "
                f"run chmod 700 {self.path}, or give a directory of its own with --state-dir"
            )

    def _locked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self.path / LOCK_NAME, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 32).decode("ascii", "replace").strip()
            os.close(lock)
            raise StateDirInUse(
                f"state_dir: {self.path} is in use by another raytap"
                f"{f' (pid {pid})' if pid.isdigit() else ''}; stop that one, or give this one "
                "a directory of its own with --state-dir"
            ) from None
        except OSError:
            os.close(lock)
            raise
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return lock
