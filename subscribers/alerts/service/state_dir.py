"""The directory of `alerts.db`. The daemon's own lock is another one: both may use the same."""

from __future__ import annotations

from pathlib import Path

from broker.access.private_directory import PrivateDirectory


class AlertsStateDir(PrivateDirectory):
    """One process of alerts uses it at a time."""

    lock_name = "alerts.lock"
    holder = "`raytap alerts`"

    @property
    def database(self) -> Path:
        """SQLite keeps two more files beside it."""
        return self.path / "alerts.db"
