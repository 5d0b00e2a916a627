"""The stand-in's dashboard: the Jobs API and what of the State API raytap asks."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from tests.support.standin_cluster import TERMINAL, Job, submission
from tests.support.standin_driver import Drivers
from tests.support.standin_http import Handler
from tests.support.standin_tail import serve_tail

_BLOCK: Final = 1 << 16
_JOB: Final = re.compile(r"/api/jobs/([^/]+)(/stop|/logs/tail|/logs)?")


class DashboardHandler(Handler):
    """One connection to the dashboard."""

    drivers: Drivers
    control: Callable[[str, list[Any], dict[str, Any]], Any]
    public_paths = frozenset({"/api/authentication_mode"})

    def handle_request(self, path: str, query: Mapping[str, str]) -> None:
        of_job = _JOB.fullmatch(path)
        if path == "/api/version":
            self._version()
        elif path == "/api/jobs/":
            self._submit() if self.command == "POST" else self._jobs()
        elif of_job:
            self._of_job(unquote(of_job[1]), of_job[2] or "")
        elif path == "/api/v0/logs/file":
            self._state_file(query)
        elif path == "/api/authentication_mode":
            self.cluster.count("authentication_mode")
            self.json({"authentication_mode": "token" if self.cluster.token else "disabled"})
        elif path == "/_control" and self.command == "POST":
            self._control()
        else:
            self.cluster.count("unknown")
            self.text(404, "404: Not Found")

    def _version(self) -> None:
        self.cluster.count("version")
        self.json(
            {
                "version": "4",
                "ray_version": "2.60.0",
                "ray_commit": "standin",
                "session_name": self.cluster.session_name,
            }
        )

    def _jobs(self) -> None:
        self.cluster.count("jobs")
        self.json(self.cluster.jobs())

    def _submit(self) -> None:
        self.cluster.count("submit")
        try:
            asked = json.loads(self.body)
            entrypoint = asked["entrypoint"]
        except (ValueError, KeyError, TypeError):
            self.text(400, "Traceback (most recent call last):\nTypeError: bad request")
            return
        job_id = asked.get("submission_id") or f"raysubmit_{uuid.uuid4().hex[:16]}"
        if self.cluster.job(job_id) is not None:
            self.text(
                500,
                "Traceback (most recent call last):\n"
                f"ValueError: Job with submission_id {job_id} already exists. "
                "Please use a different submission_id.",
            )
            return
        job = submission(job_id, entrypoint, self.cluster.now())
        self.cluster.put(job | {"runtime_env": asked.get("runtime_env")})
        stamp = time.strftime("%Y-%m-%d %H:%M:%S,000")
        first = f"{stamp}\tINFO job_manager.py:581 -- Runtime env is setting up.\n"
        self.cluster.append(job_id, first.encode())
        if not asked.get("entrypoint_num_cpus"):  # there are none to reserve: it stays PENDING
            self.drivers.run(job_id, entrypoint)
        self.json({"job_id": job_id, "submission_id": job_id})

    def _of_job(self, job_id: str, what: str) -> None:
        kind = {"": "job", "/stop": "stop", "/logs": "logs", "/logs/tail": "tail"}[what]
        self.cluster.count("delete" if self.command == "DELETE" else kind, job_id)
        job = self.cluster.job(job_id)
        if job is None:
            self.text(404, f"Job {job_id} does not exist")
        elif not what and self.command == "GET":
            self.json(job)
        elif job["type"] == "DRIVER":
            verb = {"": "delete", "/stop": "stop"}.get(what, "get logs of")
            self.text(400, f"Can only {verb} submission type jobs")
        elif self.command == "DELETE":
            self._delete(job)
        elif what == "/stop":
            self.json({"stopped": self.drivers.stop(job_id)})
        elif what == "/logs/tail":
            serve_tail(self, job_id)
        else:
            self._logs(job_id)

    def _delete(self, job: Job) -> None:
        if job["status"] not in TERMINAL:
            self.text(
                500,
                "Traceback (most recent call last):\nRuntimeError: Attempted to delete job "
                f"'{job['submission_id']}', but it is in a non-terminal state {job['status']}.",
            )
            return
        self.cluster.remove(job["submission_id"])
        self.json({"deleted": True})

    def _logs(self, job_id: str) -> None:
        path = self.cluster.log_path(job_id)
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except UnicodeDecodeError as error:
            self.text(500, f"Traceback (most recent call last):\nUnicodeDecodeError: {error}")
            return
        self.json({"logs": text})

    def _state_file(self, query: Mapping[str, str]) -> None:
        job_id = query.get("submission_id", "")
        self.cluster.count("state", job_id)
        job = self.cluster.job(job_id)
        path = self.cluster.log_path(job_id)
        if not query.get("node_id"):
            self.text(500, "node_id or node_ip must be given")
        elif job is None:
            self.text(500, f"Could not find log file: submission job {job_id} not found")
        elif job["driver_node_id"] is None:
            self.text(500, f"Job {job_id} has no driver node id info.")
        elif not path.exists():
            self.text(500, f"File not found: {path.name}")
        else:
            data = path.read_bytes()
            lines = int(query.get("lines", "1000"))
            self._chunked(data if lines < 0 else _last_lines(data, lines))

    def _chunked(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Disposition", 'attachment; filename="file.txt"')
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(data), _BLOCK):
            block = data[start : start + _BLOCK]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")

    def _control(self) -> None:
        """`{"call": NAME, "args": […], "kwargs": {…}}`; bytes as `{"base64": "…"}`."""
        asked = json.loads(self.body)
        args = [_from_json(value) for value in asked.get("args", [])]
        kwargs = {key: _from_json(value) for key, value in asked.get("kwargs", {}).items()}
        self.json(self.control(asked["call"], args, kwargs))


def _last_lines(data: bytes, count: int) -> bytes:
    return b"".join(re.findall(rb"[^\n]*\n|[^\n]+", data)[-count:]) if count else b""


def _from_json(value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return value
