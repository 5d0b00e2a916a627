"""Jobs submitted to the stand-in: their entrypoints are run, as Ray's supervisor does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading

from tests.support.standin_cluster import NODE_ID, Cluster


class Drivers:
    """The shell commands that run now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped: set[str] = set()
        self._threads: list[threading.Thread] = []

    def run(self, job_id: str, entrypoint: str) -> None:
        """Start the job; its status follows."""
        self._cluster.append(
            job_id, f"Running entrypoint for job {job_id}: {entrypoint}\n".encode()
        )
        with self._cluster.log_path(job_id).open("ab") as log:
            process = subprocess.Popen(
                entrypoint, shell=True, stdout=log, stderr=log, start_new_session=True
            )
        self._running[job_id] = process
        self._cluster.change(
            job_id,
            status="RUNNING",
            message="Job is currently running.",
            driver_agent_http_address=self._cluster.agent_address,
            driver_node_id=NODE_ID,
        )
        thread = threading.Thread(target=self._watch, args=(job_id, process), daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, job_id: str) -> bool:
        """End the job; whether it was running."""
        process = self._running.get(job_id)
        if process is None or process.poll() is not None:
            return False
        self._stopped.add(job_id)
        with contextlib.suppress(ProcessLookupError):  # it ended just now
            os.killpg(process.pid, signal.SIGKILL)
        return True

    def close(self) -> None:
        """End all."""
        for job_id in list(self._running):
            self.stop(job_id)
        for thread in self._threads:
            thread.join(10.0)

    def _watch(self, job_id: str, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        self._running.pop(job_id, None)
        if self._cluster.job(job_id) is None:  # the head was restarted
            return
        stopped = job_id in self._stopped
        self._stopped.discard(job_id)
        status = "STOPPED" if stopped else "FAILED" if code else "SUCCEEDED"
        self._cluster.change(
            job_id,
            status=status,
            message=f"Job {status.lower()}.",
            end_time=self._cluster.now(),
            driver_exit_code=None if stopped else code,
        )
