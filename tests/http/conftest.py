"""A daemon that is not there, and its API on a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import urllib3

from broker.errors import ClientError
from broker.frame import Frame, encode
from broker.http.app import create_app
from broker.jobview import JobView
from broker.journal import Journal, Record
from broker.journal.memory import MemoryJournal
from broker.journal.replay import Replay, replay
from broker.metrics import Metrics
from broker.topic import Stream
from broker.web.server import HttpServer
from tests.support.permissions import OPEN

STREAM = Stream("default", "train-1")
EPOCH = "5f2b8c0d91ae"


def record(kind: str, first: int, following: int, **fields: object) -> Record:
    """A journal record of STREAM."""
    values = {"broker": "b1", "epoch": EPOCH, "ts": 7, **fields}
    frame = Frame(kind, *STREAM, first, following, **values)  # type: ignore[arg-type]
    return Record(STREAM, kind, frame.epoch, first, following, frame.ts, encode(frame))


def log(first: int, *lines: str, **fields: object) -> Record:
    return record("log", first, first + len(lines), lines=list(lines), **fields)


@dataclass
class FakeStatus:
    """What the daemon would tell; tests change it."""

    broker: str = "b1"
    is_ready: bool = True
    problems: list[str] = field(default_factory=list)
    views: list[JobView] = field(default_factory=list)
    journal: Journal = field(default_factory=lambda: MemoryJournal(1 << 30, 1 << 30, 3600.0))
    asked: list[tuple[Stream, str | None, int, int | None]] = field(default_factory=list)
    answer: Callable[[], Replay] | None = None

    def ready(self) -> bool:
        return self.is_ready

    def degraded(self) -> list[str]:
        return self.problems

    def jobs(self) -> list[JobView]:
        return self.views

    def replay(self, stream: Stream, epoch: str | None, start: int, limit: int | None) -> Replay:
        self.asked.append((stream, epoch, start, limit))
        if self.answer:
            return self.answer()
        return replay(self.journal, stream, epoch, start, limit)

    def forget(self, stream: Stream) -> int:
        if not self.journal.spans(stream):
            raise ClientError(404, f"nothing is known of job {stream}")
        return self.journal.forget(stream)


@dataclass
class Client:
    """urllib3 on the server's address."""

    pool: urllib3.HTTPConnectionPool
    server: HttpServer

    def get(self, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        """The whole answer, as it was sent. Header names are written with `_`."""
        response = self.open(path, method, **headers)
        _ = response.data
        return response

    def open(self, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        """The answer's head; its body is still to be read, or let go with `close`."""
        return self.pool.urlopen(
            method,
            path,
            headers={name.replace("_", "-"): value for name, value in headers.items()},
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
            timeout=10,
        )

    def error(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """The status, and the message of the one shape that every error has."""
        response = self.get(path, method, **headers)
        body = response.json()
        assert list(body) == ["error"]
        assert body["error"]["status"] == response.status
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        return response.status, body["error"]["message"]


@pytest.fixture
def status() -> Iterator[FakeStatus]:
    status = FakeStatus()
    yield status
    status.journal.close()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


@pytest.fixture
def client(status: FakeStatus, metrics: Metrics) -> Iterator[Client]:
    server = HttpServer(create_app(status, metrics, "127.0.0.1:0", OPEN), "127.0.0.1:0")
    server.start()
    host, port = server.address.split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port), maxsize=20)
    yield Client(pool, server)
    pool.close()
    server.stop(2)


def refuse(status: int, message: str) -> Callable[[], Replay]:
    """An answer that is an error."""

    def answer() -> Replay:
        raise ClientError(status, message)

    return answer
