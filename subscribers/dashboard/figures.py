"""What is told about a job or a cluster: values that cross threads and processes. Pure."""

from __future__ import annotations

import msgspec


class Figures(msgspec.Struct, frozen=True):
    """A job's or a cluster's at this moment. Lags are None where no frame came for a minute."""

    lines_per_s: float = 0.0
    bytes_per_s: float = 0.0
    frames_per_s: float = 0.0
    lag_p50_ms: float | None = None  # from read by the broker to seen by us
    lag_p95_ms: float | None = None
    lag_p99_ms: float | None = None
    source_lag_bytes: int = 0  # of the log, not read yet
    reconnects: int = 0  # of the brokers to Ray
    errors: dict[str, int] = {}  # of the brokers with Ray, by status
    lines: int = 0  # seen since the job, or the cluster, was met
    bytes: int = 0
    frames: int = 0
    errors_seen: int = 0  # lines of level ERROR and above
    gap_lines: dict[str, int] = {}  # by reason
    status: str = ""  # a job's by Ray; a cluster's: RUNNING, IDLE, or UNKNOWN if no broker tells
    spark: list[float] = []  # lines/s, the last minute in steps of 2 s, oldest first

    def row(self) -> dict[str, object]:
        """The `stats` of a row of `GET /v1/jobs`."""
        return {name: getattr(self, name) for name in self.__struct_fields__[:9]}


class Series(msgspec.Struct, frozen=True):
    """The course of the figures, oldest first; None where unknown. The last step ended `ago_s`
    before now."""

    step_s: float
    ago_s: float
    series: dict[str, list[float | None]]
