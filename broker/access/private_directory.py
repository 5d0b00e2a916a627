"""A directory that nobody else can look into, and that one process uses at a time."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from broker.errors import ConfigError


class PrivateDirectory:
    """Made (mode 0700) and locked from construction to `close`; a context manager too.

    `lock_name` is the locked file in it, so that programs of different kinds may share the
    directory; `holder` is what this kind is called, `in_use` what is raised where another one has
    it. The lock is the kernel's, so that a process which was killed leaves none behind. Raises
    `ConfigError` where the directory cannot be made or written, belongs to another user, is open
    to others, or is in use. A wider mode is refused, not changed: the directory might be one that
    others need.
    """

    lock_name: ClassVar[str]
    holder: ClassVar[str]
    in_use: ClassVar[type[ConfigError]] = ConfigError

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

    def close(self) -> None:
        """Let another process have it. Idempotent."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            # The file stays: unlinking it would let two processes lock two files of that name.
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
        lock = os.open(self.path / self.lock_name, flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 32).decode("ascii", "replace").strip()
            os.close(lock)
            raise self.in_use(
                f"state_dir: {self.path} is in use by another {self.holder}"
                f"{f' (pid {pid})' if pid.isdigit() else ''}; stop that one, or give this one "
                "a directory of its own with --state-dir"
            ) from None
        except OSError:
            os.close(lock)
            raise
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        return lock
