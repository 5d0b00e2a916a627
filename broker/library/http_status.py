"""What an HTTP answer means in statuses of ours. Pure."""

from __future__ import annotations

from typing import Final

_STATUS: Final = {404: 404, 408: 408, 410: 404, 429: 429, 502: 503, 503: 503, 504: 503}


def client_status(answer: int) -> int:
    """The `ClientError` status for an HTTP status that is no success. A refused token is invalid
    input (400); a redirect, or a success where something else was asked for, is 503."""
    if answer in _STATUS:
        return _STATUS[answer]
    if answer >= 500:
        return 500
    return 400 if answer >= 400 else 503


def explain_answer(answer: int, body: bytes | None) -> str:
    """What the server said, for `sanitize_error_message`: of a traceback its last line."""
    lines = (body or b"").decode("utf-8", "replace").strip().splitlines()
    text = lines[-1 if "Traceback" in lines[0] else 0].strip() if lines else ""
    if answer in (401, 403):
        text = "no token was accepted" if answer == 401 else "the token was refused"
    elif 300 <= answer < 400:
        text = "it redirects; give the address it redirects to"
    return f"the server answered {answer}" + (f", {text}" if text else "")
