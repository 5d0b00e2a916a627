"""A service whose brokers, frames and rules a test scripts; receivers are real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import ConfigError
from broker.jobview import JobView
from subscribers.alerts.rules.receiver_config import Receiver
from subscribers.alerts.service.brokers import Told
from subscribers.alerts.service.metrics import Metrics
from subscribers.alerts.service.service import Loaded, Service
from tests.support import alerting
from tests.support.alerting import ScriptedEngine, ScriptedFrames
from tests.support.receiver import Receiver as Web
from tests.support.wait import wait_until


class ScriptedBrokers:
    """Tells what is set, or nothing."""

    def __init__(
        self, *jobs: JobView, missing: tuple[str, ...] = (), answered: bool = True
    ) -> None:
        self.latest: Told | None = Told(1, list(jobs), [], list(missing), answered)

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Setup:
    """A service over scripted parts; `life` is one of its lives."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.frames = ScriptedFrames()
        self.brokers = ScriptedBrokers()
        self.engine = ScriptedEngine()
        self.receivers: list[Receiver] = []
        self.patterns = ["*"]
        self.wrong = ""
        self.forgets = False  # the engine's state is of no use
        self.metrics = Metrics("test")
        self.services: list[Service] = []

    def load(self) -> Loaded:
        if self.wrong:
            raise ConfigError(self.wrong)
        self.engine = ScriptedEngine(self.forgets)
        return Loaded(self.engine, list(self.patterns), 1, list(self.receivers))

    def begin(self, *, wait: bool = True) -> Service:
        """A new life; `wait` until frames can come."""
        self.metrics = Metrics("test")
        service = Service(
            load=self.load,
            subscribe=self.frames.subscribe,
            brokers=self.brokers,  # type: ignore[arg-type]
            state_dir=self.home / "state",
            environ={},
            external_url="http://dash",
            metrics=self.metrics,
        )
        self.services.append(service)
        service.start()
        if wait:
            wait_until(service.ready)
        return service


@pytest.fixture
def setup(tmp_path: Path) -> Iterator[Setup]:
    setup = Setup(tmp_path)
    yield setup
    for service in setup.services:
        service.stop()


@pytest.fixture
def web(setup: Setup) -> Iterator[Web]:
    with Web() as web:
        setup.receivers = [alerting.receiver("hook", url=web.url)]
        yield web
