"""`raytap dashboard` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import urllib3

from tests.support.ports import free_port
from tests.support.wait import wait_until

_DASHBOARD: Final = [sys.executable, "-c", "from broker.cli import main; main()", "dashboard"]
ROOT: Final = Path(__file__).parents[2]


class DashboardProcess:
    """Runs while it is entered, on a port of its own; `home` holds its files. For one thread."""

    def __init__(
        self, home: Path, flags: Sequence[str] = (), settings: Mapping[str, object] | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._home = home
        self._flags = [*flags, "--bind", self.url.removeprefix("http://")]
        self._settings = dict(settings or {})
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        config = self._home / "raytap.toml"
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in self._settings.items())
        config.write_text("".join(lines))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYTAP_"))}
        with (self._home / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(
                [*_DASHBOARD, "--config", str(config), "--log-format", "json", *self._flags],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        wait_until(self._ready, 20, "the dashboard is ready", 0.02)
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._http.clear()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after a signal."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(10.0)

    def json(self, path: str) -> Any:
        """What it answers."""
        return json.loads(self._http.request("GET", self.url + path).data)

    def events(self) -> list[str]:
        """The names of the events it logged so far."""
        lines = (self._home / "stderr").read_text().splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self._home / "stderr").read_text()
        try:
            return self._http.request("GET", self.url + "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False
