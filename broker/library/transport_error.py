"""Where what requests, urllib3, websocket-client and the system raise becomes a `ClientError`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from broker.errors import ClientError
from broker.library.request import Request


@contextmanager
def client_errors(request: Request, *expected: type[Exception]) -> Iterator[None]:
    """Raise `ClientError` instead of any other error: 408 where something timed out, 400 for
    values a client refused, 503 for the system's errors and `expected` ones, 500 for the rest."""
    try:
        yield
    except ClientError:
        raise
    except Exception as error:
        causes = list(_causes(error))
        reason = _reason(causes)
        if any(isinstance(cause, TimeoutError) or _is_timeout(cause) for cause in causes):
            raise request.error(408, f"timed out, {reason}") from error
        if any(isinstance(cause, ssl.SSLError) for cause in causes):  # some are ValueErrors as well
            raise request.error(503, f"TLS failed, {reason}") from error
        if isinstance(error, ValueError):
            raise request.error(400, reason) from error
        if isinstance(error, (OSError, *expected)):
            raise request.error(503, f"connection failed or cut, {reason}") from error
        raise request.error(500, f"{type(error).__name__}, {reason}") from error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was made of, and so on. Not its `__context__`: that may be an error which
    the caller is handling while it tries again."""
    seen: list[BaseException] = [error]
    for cause in seen:
        yield cause
        inner = (cause.__cause__, getattr(cause, "reason", None), *cause.args)
        seen += [e for e in inner if isinstance(e, BaseException) and e not in seen]


def _is_timeout(cause: BaseException) -> bool:
    # By name, so that neither library has to be loaded to ask. A NewConnectionError is a
    # ConnectTimeoutError to urllib3, although a refused connection is one as well.
    names = {"WebSocketTimeoutException", "ReadTimeoutError", "ConnectTimeoutError"}
    return type(cause).__name__ in names


def _reason(causes: list[BaseException]) -> str:
    """What happened in the words of the innermost error that has any."""
    texts = (getattr(cause, "strerror", None) or str(cause) for cause in reversed(causes))
    return next(filter(None, texts), type(causes[0]).__name__)
