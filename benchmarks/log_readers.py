"""Readers of one finished log, each a process as a user would write it, that checks what it gets.

    python -m benchmarks.log_readers zeromq ENDPOINT JOB LINES
    python -m benchmarks.log_readers ray    DASHBOARD JOB LINES
    python -m benchmarks.log_readers socket DASHBOARD JOB LINES

Each prints a line of JSON when it is ready (`zeromq`: connected and subscribed; the other two
begin when a line comes on their standard input), and another when it has the last line: times of
the monotonic clock, CPU seconds from `start` on, peak memory, and the last line.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any, Final

from benchmarks.process import peak_mib

QUIET_MS: Final = 100_000  # nothing for so long: the reader gives up


def read_zeromq(endpoint: str, job: str, lines: int) -> None:
    """Plain pyzmq and msgpack: unpacks every frame; a hole or a repeat ends it."""
    import msgpack
    import zmq
    from zmq.utils.monitor import recv_monitor_message

    socket = zmq.Context().socket(zmq.SUB)
    socket.set(zmq.RCVHWM, 0)
    socket.subscribe(f"default/{job}/".encode())
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.connect(endpoint)
    recv_monitor_message(monitor)
    socket.disable_monitor()
    start, cpu = _ready()
    expected, last = 0, ""
    while expected < lines:
        if not socket.poll(QUIET_MS):
            sys.exit("nothing came for 100 s")
        frame = msgpack.unpackb(socket.recv_multipart()[1])
        if frame["kind"] == "log":
            if frame["first"] != expected or len(frame["lines"]) != frame["next"] - expected:
                sys.exit(f"line {frame['first']} came for {expected}")
            expected, last = frame["next"], frame["lines"][-1]
    _done(start, cpu, expected, last)


def read_ray(dashboard: str, job: str, lines: int) -> None:
    """Ray's own client, as its documentation has it."""
    from ray.job_submission import JobSubmissionClient

    client = JobSubmissionClient(dashboard)

    async def tail() -> tuple[int, str]:
        count, text = 0, ""
        async for text in client.tail_job_logs(job):
            count += text.count("\n")
            if count >= lines:
                break
        return count, text

    start, cpu = _ready(wait=True)
    count, text = asyncio.run(tail())
    _done(start, cpu, count, text)


def read_socket(dashboard: str, job: str, lines: int) -> None:
    """websocket-client alone, without its check of UTF-8."""
    import websocket

    start, cpu = _ready(wait=True)
    url = f"{dashboard.replace('http', 'ws', 1)}/api/jobs/{job}/logs/tail"
    connection = websocket.create_connection(url, skip_utf8_validation=True)
    count, data = 0, b""
    while count < lines:
        data = connection.recv_data_frame()[1].data
        count += data.count(b"\n")
    _done(start, cpu, count, data.decode())


class LogReader:
    """One of them from the outside. Every reader that was made must be asked for its result."""

    def __init__(self, what: str, address: str, job: str, lines: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, what, address, job, str(lines)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until_ready(self) -> None:
        """Wait for its first line."""
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise AssertionError("a reader did not get ready")

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self, timeout: float) -> dict[str, Any]:
        """What it printed last. Raises `AssertionError` where it found something wrong."""
        try:
            output, _ = self._process.communicate(timeout=timeout)
        finally:
            self._process.kill()
            self._process.wait()
        if self._process.returncode:
            raise AssertionError("a reader failed")
        found: dict[str, Any] = json.loads(output.splitlines()[-1])
        return found


def _ready(wait: bool = False) -> tuple[float, float]:
    print("{}", flush=True)
    if wait:
        sys.stdin.readline()
    return time.monotonic(), time.process_time()


def _done(start: float, cpu: float, count: int, text: str) -> None:
    done = time.monotonic()
    result = {
        "start": start,
        "done": done,
        "lines": count,
        "cpu": time.process_time() - cpu,
        "peak_mib": peak_mib(),
        "last": text.rstrip("\n").rpartition("\n")[2],
    }
    print(json.dumps(result))


if __name__ == "__main__":
    readers = {"zeromq": read_zeromq, "ray": read_ray, "socket": read_socket}
    readers[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
