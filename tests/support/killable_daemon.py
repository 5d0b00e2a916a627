"""`raytap serve` as a child process that can be killed at any moment and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.ports import free_port
from tests.support.wait import wait_until

FAST: Final[dict[str, Any]] = {
    "follow": "all",
    "discovery_interval": 0.1,
    "poll_interval": 0.02,
    "poll_interval_max": 0.2,
    "settle": 0.5,
    "heartbeat_interval": 1.0,
    "backoff_base": 0.05,
    "backoff_cap": 0.5,
    "connect_timeout": 2.0,
    "read_timeout": 5.0,
    "agent_requests_per_s": 1000.0,
}


class KillableDaemon:
    """One daemon on the state and the ports of its own, over any number of lives.

    `cluster`: fields of the cluster's section, over `FAST`. `sections`: others by their name in
    the file; those of further clusters are over `FAST` too. The daemon ends with the process that
    started it. Usable with `with`, which starts it.
    """

    def __init__(
        self,
        home: Path,
        ray: str,
        *,
        redis: str = "",
        cluster: Mapping[str, Any] | None = None,
        sections: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.home = home
        self.zeromq = f"tcp://127.0.0.1:{free_port()}"
        self.http = f"http://127.0.0.1:{free_port()}"
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        tables: dict[str, dict[str, Any]] = {
            "cluster.default": {"endpoints": [ray], **FAST, **(cluster or {})},
            "publish.zeromq": {"bind": self.zeromq, "hwm": 0},
            "publish.redis": {"url": redis, "socket_timeout": 1.0},
            "http": {"bind": self.http.removeprefix("http://")},
            "log": {"format": "json"},
        }
        for name, fields in (sections or {}).items():
            base = FAST if name.startswith("cluster.") and name not in tables else {}
            tables[name] = base | tables.get(name, {}) | dict(fields)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._config = home / "raytap.toml"
        state = f"state_dir = {json.dumps(str(home / 'state'))}\n"
        self._config.write_text(state + "\n".join(_table(*item) for item in tables.items()))

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None, "the daemon is not running"
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote to standard error, in all its lives."""
        return (self.home / "daemon.log").read_text(errors="replace")

    def spawn(self) -> None:
        """Start the process, and wait for nothing."""
        assert self._process is None, "the daemon is running"
        self.starts += 1
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("RAY", "RAYTAP"))}
        command = [sys.executable, "-m", "broker.demo.run_serve", "serve"]
        with (self.home / "daemon.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--config", str(self._config)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environ,
            )

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.spawn()
        self.until_ready()

    def until_ready(self, timeout: float = 20.0) -> None:
        """Wait until `/readyz` says 200."""
        wait_until(self._ready, timeout, f"the daemon is ready; its log: {self.log[-2000:]}")

    def kill(self) -> None:
        """`kill -9`."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status. Idempotent (0)."""
        return self._end(signal.SIGTERM)

    def jobs(self) -> dict[str, dict[str, Any]]:
        """What `GET /v1/jobs` tells, by job."""
        with urllib.request.urlopen(f"{self.http}/v1/jobs", timeout=5.0) as answer:
            return {row["job"]: row for row in json.load(answer)["jobs"]}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(15.0)
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()

    def _ready(self) -> bool:
        if self._process is not None and (status := self._process.poll()) is not None:
            raise AssertionError(f"the daemon ended with {status}: {self.log[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.http}/readyz", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _table(name: str, fields: Mapping[str, Any]) -> str:
    # JSON is TOML for what is used here: numbers, texts, booleans and lists of them.
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    return "\n".join([f"[{name}]", *lines, ""])
