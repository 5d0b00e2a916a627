"""What the daemon tells about one job: the row of `raytap jobs` and of `GET /v1/jobs`. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal[
    "connecting", "streaming", "waiting", "reconnecting", "ended", "failed", "queued", "skipped"
]


class ErrorView(msgspec.Struct, frozen=True):
    """One of a stream's recent errors, sanitized."""

    ts: int
    code: int
    message: str


class JobView(msgspec.Struct, frozen=True):
    """One stream at this moment. Totals count since this daemon began to follow it."""

    cluster: str
    job: str
    state: State
    status: str = ""  # Ray's word, or LOST
    run: int = 0  # start_time, ms
    source: str = ""  # agent, state-file, websocket
    epoch: str = ""
    next: int = 0  # the line that comes next
    offset: int | None = None  # bytes of the file consumed
    size: int | None = None  # the file's size when last seen
    lines: int = 0
    bytes: int = 0
    frames: int = 0
    lines_per_s: float = 0.0  # over the last 10 s
    poll_interval_s: float = 0.0  # the interval in use; longer where the polling budget is short
    reconnects: int = 0
    dropped: int = 0  # lines that went into gap frames
    unsent: int = 0  # frames that a full outbox let go of; the journal has them
    redacted: int = 0
    truncated: int = 0
    resets: int = 0
    last_frame_ts: int = 0  # ns
    complete: bool | None = None
    reason: str = ""  # why it is skipped or failed
    last_error: str = ""
    errors: list[ErrorView] = []


class JobList(msgspec.Struct, frozen=True):
    """`GET /v1/jobs`."""

    broker: str
    degraded: list[str]
    jobs: list[JobView]
