"""The one error tree. Every error a user can meet is a `ClientError` with an HTTP-like status."""

from __future__ import annotations


class ClientError(Exception):
    """An error with a status a program can act on and a message a person can.

    `status`: 400 invalid input, 401 no valid token, 403 not allowed, 404 not found, 408 timeout,
    429 limit, 500 unexpected, 503 refused, cut or closed early.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        return f"{self.status}: {self.message}"


class ConfigError(ClientError):
    """A setting is wrong. The message names the setting, what is wrong and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


class FrameError(ClientError):
    """A payload is no frame of a version we read; `payload` carries the bytes."""

    def __init__(self, message: str, payload: bytes) -> None:
        super().__init__(400, message)
        self.payload = payload


class JournalError(ClientError):
    """The journal cannot be read or written; ingest goes on without replay."""

    def __init__(self, message: str) -> None:
        super().__init__(503, message)


class Stopping(Exception):
    """The daemon is going down and takes no more records. Not an error: nothing is lost by it."""
