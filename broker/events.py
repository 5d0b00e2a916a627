"""The daemon's own log: named events with fields, as text on a terminal and as JSON elsewhere.

    get_logger("ingest").info("job_followed", cluster="default", job="raysubmit_x")

Lines of jobs, tokens and whole job records are never fields. As a second guard, values are kept
on one line and at a bounded length, credentials in URLs are masked, and fields named like a
credential are not shown. Any thread may log.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Final, TextIO

from broker.text.plain_text import mask_credentials, one_line

ROOT: Final = "raytap"
_FIELDS: Final = "raytap_fields"
_SECRET: Final = re.compile(r"(?i)(^|_)(token|password|secret|authorization|api_key|headers)$")
_BARE: Final = re.compile(r"[^\s\"'=\\]+")
_ENVELOPE: Final = frozenset({"ts", "level", "logger", "event"})
_OURS: Final = (ROOT, "broker", "publishers", "subscribers")
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
}


class EventLogger:
    """One part's logger. An event is a snake_case name; what varies is in the fields."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: object) -> None:
        """What a developer asks for."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """What an operator reads afterwards."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """What goes on, but not as it should."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """What someone should look at."""
        self._log(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException, /, **fields: object) -> None:
        """An error nobody expected: with where it was raised, without its locals or sources."""
        places = traceback.extract_tb(error.__traceback__)
        fields["error"] = f"{type(error).__name__}: {error}"
        fields["at"] = [f"{place.filename}:{place.lineno} {place.name}" for place in places[-12:]]
        self._log(logging.ERROR, event, fields)

    def _log(self, level: int, event: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", event, extra={_FIELDS: fields})


def get_logger(part: str) -> EventLogger:
    """The logger of one part of raytap, such as `ingest`; cheap, no output before `setup`."""
    return EventLogger(logging.getLogger(f"{ROOT}.{part}"))


def setup(format: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Write events, and other libraries' warnings, to the stream (stderr). Again: replaces it.

    `format`: `auto`, `text` or `json`; `level`: `debug`, `info`, `warning` or `error`.
    """
    stream = sys.stderr if stream is None else stream
    as_text = format == "text" or (format == "auto" and stream.isatty())
    handler = _EventHandler(stream)
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    root = logging.getLogger()
    for other in [other for other in root.handlers if isinstance(other, _EventHandler)]:
        root.removeHandler(other)
    root.addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(level.upper())


class _EventHandler(logging.StreamHandler[TextIO]):
    """Told from handlers of others (a test runner's), so that `setup` replaces only its own."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `ts` (UTC), `level`, `logger`, `event`, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(
            {
                "ts": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "level": record.levelname.lower(),
                "logger": _part(record),
                "event": _clean(record.getMessage()),
                **_fields(record),
            },
            ensure_ascii=False,
        )


class TextFormatter(logging.Formatter):
    """`12:34:56.789 info    ingest  job_followed cluster=default job=raysubmit_x` (local time)."""

    def format(self, record: logging.LogRecord) -> str:
        time = _time(record).astimezone().strftime("%H:%M:%S.%f")[:-3]
        event = _clean(record.getMessage())
        fields = "".join(f" {name}={_text(value)}" for name, value in _fields(record).items())
        return f"{time} {record.levelname.lower():<7} {_part(record):<10} {event}{fields}"


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _part(record: logging.LogRecord) -> str:
    return record.name.removeprefix(f"{ROOT}.")


def _fields(record: logging.LogRecord) -> dict[str, object]:
    given: dict[str, object] | None = getattr(record, _FIELDS, None)
    if given is None:  # logged past `EventLogger`: its fields are what `extra` added
        given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        given["error"] = f"{type(error).__name__}: {error}"
    return {
        f"{name}_" if name in _ENVELOPE else name: (
            "[REDACTED]" if _SECRET.search(name) and value else _clean_value(value)
        )
        for name, value in given.items()
    }


def _clean_value(value: object) -> object:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        # JSON has neither NaN nor infinity.
        return round(value, 6) if value - value == 0 else str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean_value(item) for item in list(value)[:50]]
    return _clean(str(value))


def _clean(text: str) -> str:
    return one_line(mask_credentials(text))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False)
