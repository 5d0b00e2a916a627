"""Why an HTTP address did not answer, in words for a person."""

from __future__ import annotations

from broker.errors import ClientError
from broker.text.plain_text import one_line


def connection_problem(error: Exception, base: str) -> ClientError:
    """For one of urllib3's errors or the system's, on asking `base`: 408 no answer in time, else
    503. The text names `base` and no class of Python."""
    import urllib3

    known = urllib3.exceptions
    if isinstance(error, known.NameResolutionError):
        return ClientError(503, f"cannot connect to {base}: its host name cannot be resolved")
    if isinstance(error, known.NewConnectionError):
        return ClientError(503, f"cannot connect to {base}: {_reason(error) or 'it failed'}")
    if isinstance(error, known.TimeoutError | TimeoutError):
        return ClientError(408, f"{base}: no answer in time")
    if isinstance(error, known.SSLError):
        return ClientError(503, f"{base}: TLS failed: {_reason(error) or 'no reason given'}")
    if isinstance(error, known.ProtocolError | OSError):
        why = _reason(error) or "the connection was closed early"
        return ClientError(503, f"{base}: no whole answer: {why}")
    return ClientError(503, f"{base}: {one_line(str(error), 200)}")


def _reason(error: Exception) -> str:
    """In the words of the system: they stand at the end of the chain of causes."""
    causes: list[BaseException] = [error]
    for cause in causes:
        reason = getattr(cause, "verify_message", "") or getattr(cause, "strerror", None)
        if reason:
            return one_line(str(reason).lower(), 200)
        inner = (cause.__cause__, *cause.args)
        causes += [one for one in inner if isinstance(one, BaseException) and one not in causes]
    return ""
