"""A client of server-sent events, with nothing in it but a socket and the parsing."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit


class Event(NamedTuple):
    """One event; a comment is `name` ":"."""

    name: str
    data: Any
    id: str


class SseClient:
    """Open while it is entered. `last_id` is what a browser would send when it connects again.

    With `receive_buffer` (bytes) the system takes little on its behalf: it is slow while nobody
    calls `next`. For one thread.
    """

    def __init__(
        self, url: str, *, last_id: str = "", receive_buffer: int = 0, **headers: str
    ) -> None:
        parts = urlsplit(url)
        self.last_id = last_id
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(10.0)
        self._socket.connect((parts.hostname or "", parts.port or 0))
        sent = {"Host": parts.netloc, "Accept": "text/event-stream", **headers}
        if last_id:
            sent["Last-Event-ID"] = last_id
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in sent.items())
        self._socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        self._response: http.client.HTTPResponse | None = None

    @property
    def response(self) -> http.client.HTTPResponse:
        """The answer's head; waits for it."""
        if self._response is None:
            self._response = http.client.HTTPResponse(self._socket)
            self._response.begin()
        return self._response

    def next(self) -> Event:
        """The next event or comment. Raises `EOFError` at the end of the stream."""
        name, data, found_id = "message", "", ""
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            line = line[:-1]
            if not line:
                if data:
                    return Event(name, json.loads(data), found_id)
                continue
            field, _, value = line.partition(": ")
            if line.startswith(":"):
                return Event(":", line[2:], "")
            if field == "id":
                self.last_id = found_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data += value

    def until(self, enough: Callable[[Event], object]) -> list[Event]:
        """The events up to the one that is enough."""
        events = [self.next()]
        while not enough(events[-1]):
            events.append(self.next())
        return events

    def close(self) -> None:
        """The client is gone."""
        if self._response is not None:
            self._response.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def frames(events: list[Event]) -> list[dict[str, Any]]:
    """The frames among them, those of a cluster's stream included."""
    return [
        frame
        for event in events
        if event.name in ("frame", "frames")
        for frame in (event.data if event.name == "frames" else [event.data])
    ]


def reaches(line: int, epoch: str = "") -> Callable[[Event], bool]:
    """Whether an event goes up to a line."""

    def enough(event: Event) -> bool:
        if event.name not in ("frame", "skipped"):
            return False
        return event.data["next"] >= line and epoch in ("", event.data["epoch"])

    return enough


def text(found: list[dict[str, Any]]) -> dict[tuple[str, int], str]:
    """The lines by epoch and number. Raises `AssertionError` where one comes twice, unless it
    amends."""
    lines: dict[tuple[str, int], str] = {}
    for frame in found:
        if frame["kind"] != "log":
            continue
        for index, line in enumerate(frame["lines"]):
            place = frame["epoch"], frame["first"] + index
            again = frame.get("amends") and not index
            assert place not in lines or again, f"{place} came twice"
            lines[place] = line
    return lines
