"""What the stand-in's two servers share: its jobs, their log files, faults and counters."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

TERMINAL: Final = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
NODE_ID: Final = "5e" * 28

Job = dict[str, Any]


@dataclass(frozen=True)
class Timing:
    """Seconds. Ray's own: start_delay and poll 1, end_delay 2, keep_alive 1."""

    start_delay: float = 0.0  # before a websocket sends anything
    poll: float = 0.02  # between two looks of a websocket at the end of the file
    end_delay: float = 0.02  # before it closes, once the job is over
    keep_alive: float = 1.0  # an idle connection to the agent is closed then


RAY_TIMING: Final = Timing(start_delay=1.0, poll=2.0, end_delay=0.0)


@dataclass
class Fault:
    """Answers to be given instead of the real ones."""

    path_prefix: str
    status: int
    times: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "Traceback (most recent call last):\n  stand-in: told to fail"


class Cluster:
    """Jobs and log files. Safe for any thread."""

    def __init__(self, timing: Timing, token: str | None) -> None:
        self.timing = timing
        self.token = token
        self.agent_address: str | None = None
        self.requests: Counter[str] = Counter()
        self.open_tails: Counter[str] = Counter()
        self._lock = threading.RLock()
        self._faults: list[Fault] = []
        self._home = tempfile.TemporaryDirectory(prefix="standin-", ignore_cleanup_errors=True)
        self._clock = int(time.time() * 1000)
        self.restart()

    def restart(self, session: str | None = None) -> None:
        """Another head: no jobs, another session name, no files."""
        with self._lock:
            self.session_name = session or f"session_{uuid.uuid4().hex}"
            self._jobs: dict[str, Job] = {}
            self._logs = Path(self._home.name, uuid.uuid4().hex)
            self._logs.mkdir()

    def close(self) -> None:
        """Remove all files."""
        self._home.cleanup()

    def now(self) -> int:
        """Milliseconds since 1970, never the same twice."""
        with self._lock:
            self._clock = max(self._clock + 1, int(time.time() * 1000))
            return self._clock

    def put(self, job: Job) -> None:
        """Add a job, or replace the one of that id."""
        with self._lock:
            self._jobs[job["submission_id"] or job["job_id"]] = job

    def change(self, job_id: str, **fields: Any) -> None:
        """Change a job's record."""
        with self._lock:
            self._jobs[job_id] = self._jobs[job_id] | fields

    def remove(self, job_id: str) -> None:
        """Forget a job; its file stays."""
        with self._lock:
            del self._jobs[job_id]

    def job(self, job_id: str) -> Job | None:
        """A job's record."""
        with self._lock:
            return self._jobs.get(job_id)

    def jobs(self) -> list[Job]:
        """All records."""
        with self._lock:
            return list(self._jobs.values())

    def log_path(self, job_id: str) -> Path:
        """Where the job's log is, or will be."""
        return self._logs / f"job-driver-{job_id}.log"

    def file(self, name: str) -> Path | None:
        """A log file by its name, as the agent serves it."""
        path = self._logs / name
        return path if "/" not in name and path.is_file() else None

    def append(self, job_id: str, data: bytes) -> None:
        """One write to the end of the log."""
        with self.log_path(job_id).open("ab", buffering=0) as log:
            log.write(data)

    def truncate(self, job_id: str, size: int = 0) -> None:
        """Cut the file in place, as copytruncate would."""
        os.truncate(self.log_path(job_id), size)

    def replace(self, job_id: str, data: bytes) -> None:
        """Put another file in its place, in one step."""
        new = self._logs / f".{job_id}.new"
        new.write_bytes(data)
        new.replace(self.log_path(job_id))

    def fail(self, fault: Fault) -> None:
        """Answer the next requests so."""
        with self._lock:
            self._faults.append(fault)

    def fault_for(self, path: str) -> Fault | None:
        """The fault that a request to this path meets; it counts as met."""
        with self._lock:
            for fault in self._faults:
                if path.startswith(fault.path_prefix):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def count(self, kind: str, job_id: str = "") -> None:
        """Count a request, by kind and by `kind/job`."""
        with self._lock:
            self.requests[kind] += 1
            if job_id:
                self.requests[f"{kind}/{job_id}"] += 1

    @contextlib.contextmanager
    def tail_open(self, job_id: str) -> Any:
        """Count a websocket as open."""
        with self._lock:
            self.open_tails[job_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self.open_tails[job_id] -= 1


def submission(job_id: str, entrypoint: str, start_time: int) -> Job:
    """The record of a job that was just submitted, as the Jobs API gives it."""
    return {
        "type": "SUBMISSION",
        "job_id": None,
        "submission_id": job_id,
        "driver_info": None,
        "status": "PENDING",
        "entrypoint": entrypoint,
        "message": "Job has not started yet. It may be waiting for the runtime environment "
        "to be set up.",
        "error_type": None,
        "start_time": start_time,
        "end_time": None,
        "metadata": None,
        "runtime_env": None,
        "driver_agent_http_address": None,
        "driver_node_id": None,
        "driver_exit_code": None,
    }


def driver(job_id: str, entrypoint: str, start_time: int) -> Job:
    """The record of a driver that was not submitted: it has no submission id and no log."""
    return submission(job_id, entrypoint, start_time) | {
        "type": "DRIVER",
        "job_id": job_id,
        "submission_id": None,
        "driver_info": {"id": job_id, "node_ip_address": "127.0.0.1", "pid": "1"},
        "status": "RUNNING",
        "message": None,
        "end_time": 0,
        "metadata": {},
        "runtime_env": {},
    }
