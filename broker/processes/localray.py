"""A real Ray head of our own on this machine, for `raytap demo` and the tests (Linux).

It runs as `ray start --head --block` in a session of its own, on ports of its own, and is ended
by the ids of its processes: a Ray that the user has running beside it is never touched.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from broker.errors import ClientError
from broker.processes.proctree import ProcessTree, command

if TYPE_CHECKING:
    import urllib3

TERMINAL: Final = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})

_HEAD: Final = str(Path(__file__).with_name("rayhead.py"))

_PROCESSES: Final = {
    "agent": r"ray::DashboardAgent",
    "dashboard": r"\S+ \S*/dashboard/dashboard\.py ",
    "gcs": r"\S*/gcs_server ",
    "JobHead": r"ray-dashboard-JobHead",
    "raylet": r"\S*/raylet/raylet ",
    "StateHead": r"ray-dashboard-StateHead",
    "supervisor": r"ray::JobSupervisor",
}

_METRIC_PORTS: Final = ("DASHBOARD_METRIC_PORT", "AUTOSCALER_METRIC_PORT")
_MAX_TEMP_DIR: Final = 40  # characters; Ray appends 64 for its sockets, the kernel takes 107
_TMP: Final = "tmp"  # the dashboard's sockets add 32 to it
_STOP_TIMEOUT: Final = 10.0  # seconds; it takes 0.6


class LocalRay:
    """A Ray head. Usable as a context manager; may be started again on the same dashboard port.

    `temp_dir`: where Ray writes (a short path; default: a new directory in /tmp, removed by
    `stop`). `env`: what the head and its jobs see beside our environment, from which every
    `RAY_*` is taken out. Jobs run in the current directory. Not thread-safe.
    """

    def __init__(
        self,
        temp_dir: Path | None = None,
        num_cpus: int = 2,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if temp_dir is not None and len(str(temp_dir.resolve())) > _MAX_TEMP_DIR:
            raise ClientError(
                400, f"{temp_dir} is too long for Ray's sockets: at most {_MAX_TEMP_DIR} characters"
            )
        self._temp_dir = temp_dir
        self._num_cpus = num_cpus
        self._env = dict(env or {})
        self._home: Path | None = None
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._tree: ProcessTree | None = None
        self._http: urllib3.PoolManager | None = None

    def start(self, timeout: float = 90.0) -> None:
        """Start the head and wait for its dashboard and agent, for at most `timeout` seconds.

        Raises `ClientError` 503 where Ray is not installed or does not come up; nothing is left
        running then, nor after an interrupt.
        """
        if self._process is not None:
            return
        if importlib.util.find_spec("ray") is None:
            raise ClientError(503, "Ray is not installed; try: pip install 'raytap[demo]'")
        try:
            self._spawn()
            self._await_ready(time.monotonic() + timeout)
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """The dashboard's base address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def agent_url(self) -> str:
        """The agent's base address on the loopback interface."""
        port = self._agent_port()
        if port is None:
            raise ClientError(503, "the local Ray head has no agent yet")
        return f"http://127.0.0.1:{port}"

    @property
    def session_dir(self) -> Path:
        """Where this head's sockets and logs are."""
        if self._home is None:
            raise ClientError(503, "the local Ray head is not running")
        return (self._home / "session_latest").resolve()

    def pids(self, name: str) -> list[int]:
        """Pids of this head's own processes of that name (for fault tests).

        Names: agent, dashboard, gcs, JobHead, raylet, StateHead, supervisor. Raises `KeyError`.
        """
        pattern = re.compile(_PROCESSES[name])
        tree = self._tree
        return [p for p in tree.alive() if pattern.match(command(p))] if tree else []

    def submit(
        self,
        entrypoint: str,
        submission_id: str | None = None,
        runtime_env: Mapping[str, Any] | None = None,
    ) -> str:
        """Submit a job; its submission id. Raises `ClientError`."""
        request: dict[str, Any] = {"entrypoint": entrypoint}
        if submission_id is not None:
            request["submission_id"] = submission_id
        if runtime_env is not None:
            request["runtime_env"] = dict(runtime_env)
        return str(self._request("POST", "/api/jobs/", request)["submission_id"])

    def job(self, submission_id: str) -> dict[str, Any]:
        """Ray's record of a job. Raises `ClientError` (404 where it is unknown)."""
        return self._request("GET", f"/api/jobs/{submission_id}")

    def wait(
        self, submission_id: str, statuses: Collection[str] = TERMINAL, timeout: float = 60.0
    ) -> dict[str, Any]:
        """Wait until the job has one of the statuses; its record. Raises `ClientError` 408."""
        deadline = time.monotonic() + timeout
        while (job := self.job(submission_id))["status"] not in statuses:
            if time.monotonic() > deadline:
                raise ClientError(
                    408, f"{submission_id} is still {job['status']} after {timeout:g} s"
                )
            time.sleep(0.1)
        return job

    def log_path(self, submission_id: str) -> Path:
        """The job's log file."""
        return self.session_dir / "logs" / f"job-driver-{submission_id}.log"

    def stop(self) -> None:
        """End every process of this head, and remove a temporary directory. Idempotent."""
        process, tree = self._process, self._tree
        try:
            if process is not None:
                _end(process, tree)
        finally:
            if self._http is not None:
                self._http.clear()
            if self._home is not None and self._temp_dir is None:
                shutil.rmtree(self._home, ignore_errors=True)
            self._process = self._tree = self._http = self._home = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self) -> None:
        # Asked for together: what nobody binds yet may be found free twice.
        port, agent, client, *metrics = free_ports(3 + len(_METRIC_PORTS))
        self._port = self._port or port
        if self._temp_dir is None:
            # Not tempfile's default: $TMPDIR is often too long for Ray's sockets.
            self._home = Path(tempfile.mkdtemp(prefix="raytap-", dir="/tmp"))
        else:
            self._home = self._temp_dir.resolve()
            self._home.mkdir(parents=True, exist_ok=True)
        (self._home / _TMP).mkdir(exist_ok=True)
        env = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
        # A second head on one machine would take the first one's well-known ports.
        env |= {name: str(port) for name, port in zip(_METRIC_PORTS, metrics, strict=True)}
        env["TMPDIR"] = str(self._home / _TMP)  # Ray, when ended, leaves sockets there
        with (self._home / "head.out").open("wb") as output:
            self._process = subprocess.Popen(
                # -P: our own folder is not to be searched for what Ray imports
                [sys.executable, "-P", _HEAD, *self._arguments(self._home, agent, client)],
                stdin=subprocess.PIPE,  # its end tells the head that we are gone
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env | self._env,
                start_new_session=True,
            )
        self._tree = ProcessTree(self._process.pid)

    def _arguments(self, home: Path, agent: int, client: int) -> list[str]:
        # 0 lets a process bind a free port by itself. The agent would bind a different one on each
        # of its two addresses, and for the others 0 means their well-known port.
        itself = (
            "port",
            "object-manager-port",
            "node-manager-port",
            "dashboard-agent-grpc-port",
            "metrics-export-port",
            "runtime-env-agent-port",
            "min-worker-port",
            "max-worker-port",
        )
        return [
            *("start", "--head", "--block", "--disable-usage-stats", "--log-color=false"),
            *(f"--{name}=0" for name in itself),
            # Ray replaces 127.0.0.1 by the machine's outside address; this one it leaves.
            "--node-ip-address=127.0.0.2",
            "--dashboard-host=127.0.0.1",
            f"--dashboard-port={self._port}",
            f"--dashboard-agent-listen-port={agent}",
            f"--ray-client-server-port={client}",
            f"--num-cpus={self._num_cpus}",
            "--object-store-memory=200000000",
            f"--temp-dir={home}",
        ]

    def _await_ready(self, deadline: float) -> None:
        while not (self._agent_answers() and self._dashboard_answers()):
            died = self._process is not None and self._process.poll() is not None
            if died or time.monotonic() > deadline:
                what = "ended at once" if died else "did not come up in time"
                raise ClientError(503, f"the local Ray head {what}:\n{self._last_output()}")
            time.sleep(0.1)

    def _agent_port(self) -> int | None:
        for file in self.session_dir.glob("dashboard_agent_listen_port_*"):
            with contextlib.suppress(ValueError):  # just being written
                return int(file.read_text())
        return None

    def _agent_answers(self) -> bool:
        port = self._agent_port()
        if port is None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            return False
        return True

    def _dashboard_answers(self) -> bool:
        try:
            self._request("GET", "/api/version")
        except ClientError as error:
            return error.status in (401, 403)  # it is up, and wants a token
        return True

    def _last_output(self) -> str:
        if self._home is None:
            return ""
        text = (self._home / "head.out").read_text(errors="replace")
        return "\n".join(text.splitlines()[-10:])

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        import urllib3

        if self._http is None:
            self._http = urllib3.PoolManager(timeout=30.0, retries=False)
        token = self._env.get("RAY_AUTH_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = self._http.request(method, self.url + path, json=body, headers=headers)
        except urllib3.exceptions.NewConnectionError as error:  # a TimeoutError in some versions
            raise ClientError(503, f"the local Ray head: {error}") from None
        except urllib3.exceptions.TimeoutError as error:
            raise ClientError(408, f"the local Ray head: {error}") from None
        except urllib3.exceptions.HTTPError as error:
            raise ClientError(503, f"the local Ray head: {error}") from None
        if answer.status != 200:
            raise ClientError(answer.status, answer.data.decode(errors="replace")[-2000:])
        found: dict[str, Any] = json.loads(answer.data)
        return found


def _end(process: subprocess.Popen[bytes], tree: ProcessTree | None) -> None:
    """SIGTERM; the process ends after all below it did. One that does not is killed with them."""
    try:
        if tree is not None:
            tree.alive()  # remember them, in case that somebody kills the process first
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT)
    finally:
        if tree is not None:
            tree.kill()
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def free_port() -> int:
    """A port that is free now, outside the range the kernel hands out and Ray's own fixed ones."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """So many different ones. Raises `ClientError` 503."""
    free = filter(_is_free, random.sample(range(20_000, 32_000), 100 + count))
    found = list(itertools.islice(free, count))
    if len(found) < count:
        raise ClientError(503, f"not {count} free ports between 20000 and 32000")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
