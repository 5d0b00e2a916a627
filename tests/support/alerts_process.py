"""`raytap alerts` as a child process that can be killed at any moment and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from tests.support.ports import free_port
from tests.support.wait import wait_until

ROOT: Final = Path(__file__).parents[2]
_RUN: Final = [sys.executable, "-c", "from broker.cli import main; main()", "alerts"]


class AlertsProcess:
    """One process on the state and the port of its own, over any number of lives. `rules` is the
    text of its rules file; `settings` are dotted names of the configuration. For one thread."""

    def __init__(
        self, home: Path, zeromq: str, broker: str, rules: str, settings: Mapping[str, Any] = {}
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.rules = home / "rules.toml"
        self.rules.write_text(rules)
        bind = f"127.0.0.1:{free_port()}"
        self.url = f"http://{bind}"
        self.state = home / "state"
        self._log = home / "log"
        self._process: subprocess.Popen[bytes] | None = None
        all_settings: dict[str, Any] = {
            "state_dir": str(self.state),
            "alerts.bind": bind,
            "alerts.rules": [str(self.rules)],
            "alerts.upstream.zeromq": [zeromq],
            "alerts.upstream.brokers": [broker],
            "log.format": "json",
            **settings,
        }
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in all_settings.items())
        self._config = home / "raytap.toml"
        self._config.write_text("".join(lines))

    @property
    def log(self) -> str:
        """What it wrote so far, in all lives."""
        return self._log.read_text("utf-8", "replace") if self._log.exists() else ""

    def spawn(self, env: Mapping[str, str] = {}, flags: Sequence[str] = ()) -> None:
        """Start it, and wait for nothing."""
        assert self._process is None
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYTAP_"))}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_RUN, "--config", str(self._config), *flags],
                cwd=ROOT,
                env=environ | dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def until_ready(self) -> None:
        wait_until(self._ready, 20.0, f"the alerts are ready; {self.log[-2000:]}", 0.02)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; nothing is left. Idempotent."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10.0)

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def wait(self, timeout: float = 10.0) -> int:
        """Its exit status, once it ended."""
        assert self._process is not None
        process = self._process
        status = process.wait(timeout)
        self._process = None
        return status

    def json(self, path: str) -> Any:
        """What its API answers, whatever the status."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5.0) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)

    def __enter__(self) -> Self:
        self.spawn()
        self.until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _ready(self) -> bool:
        if self._process is not None and (status := self._process.poll()) is not None:
            raise AssertionError(f"the alerts ended with {status}: {self.log[-2000:]}")
        try:
            return bool(self.json("/readyz")["ready"])
        except (OSError, ValueError):
            return False
