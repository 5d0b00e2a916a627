"""What the command's exit status says, and which error ends in which."""

from __future__ import annotations

from enum import IntEnum

from broker.errors import ClientError, JournalError


class ExitStatus(IntEnum):
    """Public: scripts rely on these numbers."""

    OK = 0
    CHECK_FAILED = 1  # a check failed, or something unexpected happened
    USAGE = 2  # usage or configuration
    UNREACHABLE = 3
    UNKNOWN_JOB = 4
    JOB_FAILED = 10  # `tail` of one job
    JOB_STOPPED = 11
    INTERRUPTED = 130  # 128 + SIGINT


def exit_status(error: ClientError) -> ExitStatus:
    """The status that says what kind of error it was."""
    if isinstance(error, JournalError):  # 503 too, but about this machine's disk
        return ExitStatus.CHECK_FAILED
    return {
        400: ExitStatus.USAGE,
        401: ExitStatus.USAGE,
        404: ExitStatus.UNKNOWN_JOB,
        408: ExitStatus.UNREACHABLE,
        503: ExitStatus.UNREACHABLE,
    }.get(error.status, ExitStatus.CHECK_FAILED)
