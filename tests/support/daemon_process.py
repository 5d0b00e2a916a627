"""The real daemon: `raytap serve` as a process of its own, with a configuration of the test's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import urllib3

from tests.support.ports import free_port
from tests.support.wait import wait_until

ROOT: Final = Path(__file__).parents[2]
_SERVE: Final = [sys.executable, "-c", "from broker.cli import main; main()", "serve"]
_FAST: Final[Mapping[str, object]] = {
    "cluster.default.discovery_interval": 0.1,
    "cluster.default.poll_interval": 0.02,
    "cluster.default.poll_interval_max": 0.1,
    "cluster.default.agent_requests_per_s": 1000,
    "cluster.default.settle": 0.3,
    "cluster.default.backoff_base": 0.05,
    "cluster.default.backoff_cap": 0.3,
    "publish.zeromq.hwm": 0,
}


class DaemonProcess:
    """Follows the cluster at `ray` while it is entered; `home` holds its files.

    `settings`: dotted names and their values, over quick intervals and free ports. `flags` are
    further arguments, `env` further variables. Start it by hand, with `launch`, where it is not
    expected to come up. For one thread.
    """

    def __init__(
        self,
        home: Path,
        ray: str,
        settings: Mapping[str, object] | None = None,
        flags: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        home.mkdir(parents=True, exist_ok=True)
        bind = f"127.0.0.1:{free_port()}"
        self.settings: dict[str, object] = {
            **_FAST,
            "state_dir": str(home / "state"),
            "cluster.default.endpoints": [ray],
            "publish.zeromq.bind": f"tcp://127.0.0.1:{free_port()}",
            "http.bind": bind,
            **(settings or {}),
        }
        self.zeromq = str(self.settings["publish.zeromq.bind"])
        self.url = f"http://{self.settings['http.bind']}"
        self._home = home
        self._flags = list(flags)
        self._env = dict(env or {})
        self._http = urllib3.PoolManager(retries=False, timeout=10.0)
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and return at once."""
        config = self._home / "raytap.toml"
        # A JSON string, number, boolean or list is the same thing in TOML.
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in self.settings.items())
        config.write_text("".join(lines))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYTAP_"))}
        with (
            (self._home / "stdout").open("ab") as stdout,
            (self._home / "stderr").open("ab") as stderr,
        ):
            self._process = subprocess.Popen(
                [*_SERVE, "--config", str(config), *self._flags],
                cwd=ROOT,
                env=env | self._env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        wait_until(self._ready, 20, "the daemon is ready", 0.02)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        if error is not None:
            print(self.output[-20_000:])  # pytest shows it beside the failure

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "it was never started"
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def wait(self, timeout: float = 10.0) -> int:
        """Its exit status, as a shell tells it; negative where a signal ended it."""
        assert self._process is not None, "it was never started"
        return self._process.wait(timeout)

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM; its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """SIGKILL, if it still runs; nothing is left. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._http.clear()

    # What it tells ------------------------------------------------------------------------------

    def text(self, path: str) -> str:
        """What its HTTP API answers, whatever the status."""
        return self._http.request("GET", self.url + path).data.decode()

    def json(self, path: str) -> Any:
        """The same, decoded."""
        return json.loads(self.text(path))

    @property
    def degraded(self) -> list[str]:
        """What `/readyz` says does not work."""
        return list(self.json("/readyz")["degraded"])

    def jobs(self) -> dict[str, dict[str, Any]]:
        """The rows of `/v1/jobs`, by job."""
        return {view["job"]: view for view in self.json("/v1/jobs")["jobs"]}

    @property
    def output(self) -> str:
        """All it wrote so far, to stdout and to stderr."""
        files = (self._home / "stdout", self._home / "stderr")
        return "".join(file.read_text("utf-8", "replace") for file in files if file.exists())

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """The events it logged so far, of that name."""
        lines = (self._home / "stderr").read_text("utf-8", "replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "}"]
        return [event for event in found if not name or event["event"] == name]

    def memory(self, what: str) -> int:
        """Bytes of its resident memory: `VmRSS` now, `VmHWM` at most."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {what} of process {self.pid}")

    def forget_peak(self) -> None:
        """`VmHWM` begins anew, at what it holds now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _ready(self) -> bool:
        status = self._process.poll() if self._process else None
        assert status is None, f"the daemon ended with {status}:\n{self.output}"
        try:
            return self._http.request("GET", self.url + "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False
