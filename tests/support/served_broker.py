"""A broker of frames that a test makes up, with the daemon's own HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from broker.access.access import Access
from broker.errors import ClientError
from broker.http.app import create_app
from broker.jobview import JobView
from broker.journal.replay import Replay, replay
from broker.metrics import Metrics
from broker.topic import Stream
from broker.web.server import HttpServer
from tests.support.fake_broker import FakeBroker
from tests.support.permissions import OPEN
from tests.support.ports import free_port


class ServedBroker(FakeBroker):
    """`before_replay`, where set, is called before each replay; it may raise a `ClientError`."""

    def __init__(self, name: str = "a", access: Access = OPEN) -> None:
        super().__init__(name)
        self.problems: list[str] = []
        self.replays: list[tuple[Stream, str | None, int]] = []
        self.before_replay: Callable[[], None] = lambda: None
        self._access = access
        self._api: HttpServer | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self.http_up()
        return self

    def __exit__(self, *error: object) -> None:
        self.http_stop()
        super().__exit__(*error)

    def http_up(self) -> None:
        """Answer over HTTP, where it answered before."""
        bind = self._api.address if self._api is not None else f"127.0.0.1:{free_port()}"
        app = create_app(_Status(self), Metrics("1"), "127.0.0.1:0", self._access)
        self._api = HttpServer(app, bind)
        self._api.start()
        self.http = f"http://{self._api.address}"

    def http_stop(self) -> None:
        """Nobody listens there any more."""
        if self._api is not None:
            self._api.stop(1.0)


class _Status:
    def __init__(self, fake: FakeBroker) -> None:
        assert isinstance(fake, ServedBroker)
        self._fake = fake
        self.broker = fake.name

    def ready(self) -> bool:
        return True

    def degraded(self) -> list[str]:
        return self._fake.problems

    def jobs(self) -> list[JobView]:
        return list(self._fake.views.values())

    def replay(self, stream: Stream, epoch: str | None, start: int, limit: int | None) -> Replay:
        self._fake.before_replay()
        self._fake.replays.append((stream, epoch, start))
        return replay(self._fake.journal, stream, epoch, start, limit)

    def forget(self, stream: Stream) -> int:
        raise ClientError(404, f"nothing is known of job {stream}")
