"""A Ray stand-in: the dashboard's and the agent's HTTP and websocket as Ray 2.60 has them.

For what is slow or impossible to provoke on a real head. `tests/ray_contract` runs the same
tests on both, so that it stays true. As a process of its own:

    python -m tests.support.ray_standin --port 8265 --agent-port 52365

and then `POST /_control {"call": "append", "args": ["job-1", {"base64": "aGkK"}]}` for any of
the controls below; it runs until its standard input ends, or until SIGTERM.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.standin_agent import AgentHandler
from tests.support.standin_cluster import (
    NODE_ID,
    TERMINAL,
    Cluster,
    Fault,
    Timing,
    driver,
    submission,
)
from tests.support.standin_dashboard import DashboardHandler
from tests.support.standin_driver import Drivers
from tests.support.standin_http import Server

CONTROLS: Final = frozenset(
    {
        *("add_job", "add_driver", "append", "finish", "truncate", "replace", "delete", "restart"),
        *("agent_up", "agent_down", "dashboard_up", "dashboard_down", "cut_all", "fail_next"),
    }
)


class RayStandIn:
    """A cluster of one node. Controls may be called from any thread; usable with `with`.

    `token`: the cluster wants it as a bearer token. `timing`: delays (`RAY_TIMING` for Ray's own).
    Jobs that are submitted over HTTP run their entrypoint as a shell command.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        timing: Timing | None = None,
        port: int = 0,
        agent_port: int = 0,
    ) -> None:
        cluster = Cluster(timing or Timing(), token)
        self.cluster = cluster
        self._drivers = Drivers(cluster)
        dashboard = {"cluster": cluster, "drivers": self._drivers, "control": self._control}
        self.dashboard = Server(type("Dashboard", (DashboardHandler,), dashboard), port)
        self.agent = Server(type("Agent", (AgentHandler,), {"cluster": cluster}), agent_port)
        cluster.agent_address = self.agent.url

    def start(self) -> None:
        """Listen on both ports."""
        self.dashboard.start()
        self.agent.start()

    def stop(self) -> None:
        """Cut everything and leave no thread, process or file. Idempotent."""
        self._drivers.close()
        self.dashboard.stop()
        self.agent.stop()
        self.cluster.close()

    @property
    def url(self) -> str:
        """The dashboard's base address."""
        return self.dashboard.url

    @property
    def agent_url(self) -> str:
        """The agent's base address."""
        return self.agent.url

    @property
    def session_name(self) -> str:
        """What `/api/version` says."""
        return self.cluster.session_name

    @property
    def requests(self) -> Counter[str]:
        """How many requests came: version, jobs, job, submit, stop, delete, logs, tail, state,
        agent, fault; those about a job also as `agent/job-1`."""
        return self.cluster.requests

    @property
    def open_tails(self) -> int:
        """How many websockets are open."""
        return self.cluster.open_tails.total()

    def log_path(self, job_id: str) -> Path:
        """The job's log file."""
        return self.cluster.log_path(job_id)

    def add_job(
        self,
        job_id: str,
        status: str = "RUNNING",
        log: bytes | None = b"",
        start_time: int | None = None,
        entrypoint: str = "python train.py",
    ) -> None:
        """Add a job, or one more run of that id. `log` is appended to its file (None: no file).

        A PENDING job has no agent address yet, but its file may be there.
        """
        job = submission(job_id, entrypoint, start_time or self.cluster.now())
        self.cluster.put(job)
        if log is not None:
            self.cluster.append(job_id, log)
        if status != "PENDING":
            self.run(job_id)
            if status in TERMINAL:
                self.finish(job_id, status)

    def add_driver(self, job_id: str, entrypoint: str = "python driver.py") -> None:
        """Add a driver that was not submitted (type DRIVER, no log)."""
        self.cluster.put(driver(job_id, entrypoint, self.cluster.now()))

    def run(self, job_id: str) -> None:
        """PENDING becomes RUNNING."""
        self.cluster.change(
            job_id,
            status="RUNNING",
            message="Job is currently running.",
            driver_agent_http_address=self.cluster.agent_address,
            driver_node_id=NODE_ID,
        )

    def append(self, job_id: str, data: bytes) -> None:
        """One write to the log."""
        self.cluster.append(job_id, data)

    def finish(self, job_id: str, status: str = "SUCCEEDED") -> None:
        """The job is over."""
        code = {"SUCCEEDED": 0, "FAILED": 1}.get(status)
        self.cluster.change(
            job_id, status=status, end_time=self.cluster.now(), driver_exit_code=code
        )

    def truncate(self, job_id: str, size: int = 0) -> None:
        """Cut the log in place."""
        self.cluster.truncate(job_id, size)

    def replace(self, job_id: str, data: bytes) -> None:
        """Put another log in its place."""
        self.cluster.replace(job_id, data)

    def delete(self, job_id: str) -> None:
        """The API forgets the job; the agent still has its file."""
        self.cluster.remove(job_id)

    def restart(self, session: str | None = None) -> None:
        """Another head on the same ports: no jobs, no files, another session name."""
        self.dashboard.stop()
        self.agent.stop()
        self.cluster.restart(session)
        self.start()

    def agent_down(self) -> None:
        """The agent refuses connections."""
        self.agent.stop()

    def agent_up(self) -> None:
        """The agent is back on its port."""
        self.agent.start()

    def dashboard_down(self) -> None:
        """The dashboard refuses connections; what was open is cut (a websocket sees 1006)."""
        self.dashboard.stop()

    def dashboard_up(self) -> None:
        """The dashboard is back on its port."""
        self.dashboard.start()

    def cut_all(self) -> None:
        """Cut every open connection; both servers go on."""
        self.dashboard.cut()
        self.agent.cut()

    def fail_next(
        self,
        path_prefix: str,
        status: int = 500,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next requests to such paths (on either server) with that status."""
        self.cluster.fail(Fault(path_prefix, status, times, headers or {}))

    def _control(self, call: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if call not in CONTROLS:
            raise ValueError(f"no control {call!r}")
        return getattr(self, call)(*args, **kwargs)

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


def main() -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(description="A Ray stand-in.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--agent-port", type=int, default=0)
    parser.add_argument("--token")
    options = parser.parse_args()
    with RayStandIn(
        token=options.token, port=options.port, agent_port=options.agent_port
    ) as standin:
        print(standin.url, standin.agent_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
