"""`raytap serve` as the benchmarks run it: the shipped defaults, but for what a script names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.process import CpuMeter, forget_peak, peak_mib, resident_mib
from broker.config.config import ClusterConfig, ZeromqConfig
from tests.support.killable_daemon import FAST, KillableDaemon

DEFAULTS: Final = {name: getattr(ClusterConfig(), name) for name in FAST}

Section = Mapping[str, Any]

LIFTED: Final[Mapping[str, Section]] = {
    "limits": {
        "max_bytes": 1 << 34,
        "max_lines": 10**9,
        "max_messages": 10**9,
        "queue_size": 20_000,
    },
    "journal": {"max_bytes": 1 << 34, "max_job_bytes": 1 << 34},
    "publish.zeromq": {"hwm": 0},
}
"""Sections that hold nothing back: a reader gets the log as fast as it can be read."""


class Daemon(KillableDaemon):
    """One daemon in a fresh home. Usable with `with`, which starts it and waits until `/readyz`."""

    def __init__(
        self,
        home: Path,
        ray: str,
        *,
        cluster: Section | None = None,
        sections: Mapping[str, Section] | None = None,
    ) -> None:
        tables: dict[str, Section] = {"publish.zeromq": {"hwm": ZeromqConfig().hwm}}
        for name, fields in (sections or {}).items():
            tables[name] = {**tables.get(name, {}), **fields}
        super().__init__(home, ray, cluster={**DEFAULTS, **(cluster or {})}, sections=tables)

    def meter(self) -> CpuMeter:
        """Its CPU from now on, as the group `daemon`."""
        return CpuMeter({"daemon": [self.pid]})

    @property
    def resident_mib(self) -> float:
        """Memory now."""
        return resident_mib(self.pid)

    @property
    def peak_mib(self) -> float:
        """The most memory since its start or `forget_peak`."""
        return peak_mib(self.pid)

    def forget_peak(self) -> None:
        """Begin the peak anew."""
        forget_peak(self.pid)
