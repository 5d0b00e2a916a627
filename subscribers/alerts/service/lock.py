"""One process of alerts for each state directory, which nobody else can look into."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from broker.errors import ConfigError

NAME: Final = "alerts.lock"


class StateLock:
    """Holds `alerts.lock` in the directory, which is made (mode 0700) where it is missing. The
    daemon's own lock is another one: both may use the same directory.

    The lock is the kernel's, so that a process which was killed leaves none behind. Raises
    `ConfigError` where the directory cannot be used, is open to others, or is in use.
    """

    def __init__(self, directory: str | Path) -> None:
        self._descriptor = -1
        try:
            self.path = Path(directory).expanduser().absolute()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check()
            self._descriptor = self._locked()
        except (OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"state_dir: cannot use {directory}: {reason}; give another with --state-dir"
            ) from None

    def release(self) -> None:
        """Let another process have it. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def _check(self) -> None:
        status = self.path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid != os.geteuid():
            raise ConfigError(
                f"state_dir: {self.path} belongs to user {status.st_uid}, raytap runs as "
                f"{os.geteuid()}; give a directory of its own with --state-dir"
            )
        if mode & 0o077:
            raise ConfigError(
                f"state_dir: {self.path} has mode {mode:04o}, so that others can look into it; "
                f"run chmod 700 {self.path}, or give a directory of its own with --state-dir"
            )

    def _locked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.path / NAME, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise ConfigError(
                f"state_dir: another `raytap alerts`{f' (pid {pid})' if pid.isdigit() else ''} "
                f"is using {self.path}; stop that one, or give another with --state-dir"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return descriptor
