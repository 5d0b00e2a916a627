"""`ray`: the real head and the stand-in, by the same handle."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
import websocket

from broker.processes.localray import LocalRay
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until


class Ray:
    """A cluster, asked as raytap asks it. Tests write a job's log file themselves."""

    def __init__(self, cluster: LocalRay | RayStandIn) -> None:
        self.cluster = cluster
        self.http = urllib3.PoolManager(retries=False, timeout=20.0)
        self.to_delete = self.submit("echo first run", wait_for="SUCCEEDED")
        self.finished = self.submit("true", wait_for="SUCCEEDED")
        self.running = self.submit("sleep 600", wait_for="RUNNING")

    def close(self) -> None:
        """End the job that runs."""
        self.dashboard("POST", f"/api/jobs/{self.running}/stop")
        self.http.clear()

    def dashboard(self, method: str, path: str, body: Any = None) -> urllib3.BaseHTTPResponse:
        """Ask the dashboard."""
        return self.http.request(method, self.cluster.url + path, json=body)

    def agent(
        self, job_id: str, span: str | None = None, method: str = "GET"
    ) -> urllib3.BaseHTTPResponse:
        """Ask the agent for (a range of) a log."""
        url = f"{self.cluster.agent_url}/logs/job-driver-{job_id}.log"
        return self.http.request(method, url, headers={"Range": span} if span else {})

    def state(self, **query: str) -> urllib3.BaseHTTPResponse:
        """Ask the State API for a log."""
        url = f"{self.cluster.url}/api/v0/logs/file"
        return self.http.request("GET", url, fields=query)

    def job(self, job_id: str) -> Any:
        """A job's record."""
        return self.dashboard("GET", f"/api/jobs/{job_id}").json()

    def submit(self, entrypoint: str, job_id: str | None = None, wait_for: str = "") -> str:
        """Submit a job, and wait until it has a status."""
        body = {"entrypoint": entrypoint, "submission_id": job_id or new_id()}
        answer = self.dashboard("POST", "/api/jobs/", body)
        assert answer.status == 200, answer.data
        submitted = str(json.loads(answer.data)["submission_id"])
        if wait_for:
            self.wait(submitted, wait_for)
        return submitted

    def wait(self, job_id: str, status: str) -> None:
        """Wait until the job has that status, and its first lines are written."""
        wait_until(lambda: self.job(job_id)["status"] == status, 30, f"{job_id} {status}")
        text = b"Running entrypoint"
        wait_until(lambda: text in self.log_path(job_id).read_bytes(), 10, "its first lines")

    def log_path(self, job_id: str) -> Path:
        """A job's log file."""
        return self.cluster.log_path(job_id)

    def write(self, job_id: str, data: bytes) -> None:
        """What the whole log is from now on."""
        self.log_path(job_id).write_bytes(data)

    def append(self, job_id: str, data: bytes) -> None:
        """One write to its end."""
        with self.log_path(job_id).open("ab", buffering=0) as log:
            log.write(data)

    @contextlib.contextmanager
    def tail(self, job_id: str) -> Iterator[websocket.WebSocket]:
        """A websocket on a job's log."""
        url = self.cluster.url.replace("http", "ws") + f"/api/jobs/{job_id}/logs/tail"
        client = websocket.create_connection(url, timeout=15, skip_utf8_validation=True)
        try:
            yield client
        finally:
            client.shutdown()  # type: ignore[no-untyped-call]

    def tail_to_close(self, job_id: str) -> tuple[list[str], int]:
        """All messages of a websocket, and its close code."""
        with self.tail(job_id) as client:
            return read_to_close(client)


def read_to_close(client: websocket.WebSocket) -> tuple[list[str], int]:
    """The messages that are left, and the close code."""
    messages: list[str] = []
    while True:
        opcode, frame = client.recv_data_frame(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return messages, int.from_bytes(frame.data[:2], "big")
        messages.append(frame.data.decode())


def new_id() -> str:
    """A job id of one's own."""
    return f"job-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module", params=[pytest.param("head", marks=pytest.mark.ray), "standin"])
def ray(request: pytest.FixtureRequest) -> Iterator[Ray]:
    """Each cluster in turn, with a finished job and one that runs."""
    with contextlib.ExitStack() as stack:
        cluster: LocalRay | RayStandIn
        if request.param == "head":
            cluster = request.getfixturevalue("ray_head")
        else:
            cluster = stack.enter_context(RayStandIn())
        ray = Ray(cluster)
        stack.callback(ray.close)
        yield ray
