"""A real Ray head, what its processes use, and a job with a long log on it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.process import CpuMeter
from broker.processes.localray import LocalRay

_PROCESSES: Final = ("dashboard", "JobHead", "StateHead", "agent", "gcs", "raylet")

_PRINTER: Final = """
import sys
text = (
    "2026-11-21 09:14:03,118 INFO train.py:212 -- epoch 3 step {n:08d} loss=0.{n:07d} "
    "lr=3.0e-04 tokens/s=48211 grad_norm=0.731\\n"
)
for start in range(0, LINES, 10000):
    sys.stdout.write("".join([text.format(n=n) for n in range(start, min(start + 10000, LINES))]))
"""


class FinishedLog(NamedTuple):
    """A job that is over."""

    job: str
    lines: int
    size: int  # bytes
    last: str  # its last line


def print_log(head: LocalRay, job: str, lines: int) -> FinishedLog:
    """Run a job that prints so many lines of 124 bytes to its end; Ray adds a few of its own."""
    with tempfile.TemporaryDirectory() as home:
        script = Path(home, "printer.py")
        script.write_text(_PRINTER.replace("LINES", str(lines)))
        head.submit(f"{sys.executable} {script}", job)
        head.wait(job, {"SUCCEEDED"}, 120)
    log = head.log_path(job).read_bytes()
    last = log[log.rindex(b"\n", 0, len(log) - 1) + 1 :].decode().rstrip("\n")
    return FinishedLog(job, log.count(b"\n"), len(log), last)


def head_meter(head: LocalRay) -> CpuMeter:
    """The CPU of the head's own processes, by their names; jobs are not among them."""
    return CpuMeter({name: head.pids(name) for name in _PROCESSES})
