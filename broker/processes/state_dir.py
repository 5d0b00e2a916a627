"""The daemon's state directory: its own, closed to others, and one daemon's at a time."""

from __future__ import annotations

import contextlib
import re
import secrets
from pathlib import Path
from typing import Final

from broker.access.private_directory import PrivateDirectory
from broker.errors import ConfigError

LOCK_NAME: Final = "lock"
BROKER_NAME: Final = "broker-id"


class StateDirInUse(ConfigError):
    """Another daemon has it."""


class StateDir(PrivateDirectory):
    """As every private directory; raises `StateDirInUse` where it is another daemon's now."""

    lock_name = LOCK_NAME
    holder = "raytap"
    in_use = StateDirInUse

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
