"""What a running process has used, read from /proc (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICK: Final = 1 / os.sysconf("SC_CLK_TCK")  # seconds: the step in which CPU time is told
_RESET_PEAK: Final = "5"


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes, all threads; of those that are gone, none."""
    ticks = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks * _TICK


def peak_mib(pid: int | str = "self") -> float:
    """The largest resident memory since the start or `forget_peak`. (`ru_maxrss` would begin at
    the parent's.)"""
    return _status_mib(pid, "VmHWM:")


def resident_mib(pid: int | str = "self") -> float:
    """The resident memory now."""
    return _status_mib(pid, "VmRSS:")


def forget_peak(pid: int) -> None:
    """Begin the peak anew, at what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text(_RESET_PEAK)


class CpuMeter:
    """CPU seconds of groups of processes since it was made."""

    def __init__(self, groups: Mapping[str, Iterable[int]]) -> None:
        self._groups = {name: list(pids) for name, pids in groups.items()}
        self._before = {name: cpu_seconds(pids) for name, pids in self._groups.items()}

    def read(self) -> dict[str, float]:
        """Seconds by group."""
        return {name: cpu_seconds(pids) - self._before[name] for name, pids in self._groups.items()}


def _status_mib(pid: int | str, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} has ended")
