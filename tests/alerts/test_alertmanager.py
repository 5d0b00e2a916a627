"""A real Alertmanager takes our alerts, and shows what its own webhooks look like."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.conftest import Setup
from tests.support import alerting
from tests.support.alerting import log
from tests.support.alertmanager import Alertmanager
from tests.support.receiver import Receiver as Web
from tests.support.wait import wait_until


@pytest.fixture
def behind() -> Iterator[Web]:
    """Whom Alertmanager notifies."""
    with Web() as web:
        yield web


@pytest.fixture
def manager(tmp_path: Path, behind: Web) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path, behind.url) as manager:
        yield manager


def fields(body: Any) -> dict[str, str]:
    """The names of a webhook's fields with their types, those of its first alert too."""
    alert = {f"alerts.{name}": type(value).__name__ for name, value in body["alerts"][0].items()}
    return {name: type(value).__name__ for name, value in body.items()} | alert


def test_an_alert_appears_stays_while_it_fires_and_resolves(
    setup: Setup, manager: Alertmanager, behind: Web
) -> None:
    with Web() as ours:
        setup.receivers = [
            alerting.receiver("am", "alertmanager", url=manager.url, repeat_interval=1),
            alerting.receiver("hook", url=ours.url),
        ]
        service = setup.begin()
        now = int(time.time())
        setup.frames.put(log(now, "fire oom"))
        wait_until(manager.alerts, message="the alert is in its API")
        (shown,) = manager.alerts()
        (alert,) = service.view(lambda _stream: True, 10).firing
        assert shown["labels"] == alert.labels
        assert shown["annotations"] == alert.annotations
        assert shown["generatorURL"] == alert.url
        first_end = shown["endsAt"]
        wait_until(lambda: manager.alerts()[0]["endsAt"] > first_end, message="it is sent again")
        assert len(manager.alerts()) == 1
        setup.frames.put(log(now + 1, "resolve oom"))
        wait_until(lambda: not manager.alerts(), message="it is over")
        behind.until(2)
        assert [post.json["status"] for post in behind.posts] == ["firing", "resolved"]
        ours.until(2)
        for theirs, mine in zip(behind.posts, ours.posts, strict=True):
            assert fields(mine.json) == fields(theirs.json)
            assert mine.json["groupKey"] == theirs.json["groupKey"]
            assert mine.json["commonLabels"] == theirs.json["commonLabels"]
            assert mine.json["alerts"][0]["endsAt"][:4] == theirs.json["alerts"][0]["endsAt"][:4]


@pytest.mark.slow
def test_an_alert_that_is_not_sent_again_ends_by_itself(
    setup: Setup, manager: Alertmanager, behind: Web
) -> None:
    am = alerting.receiver("am", "alertmanager", url=manager.url, repeat_interval=1)
    setup.receivers = [am]
    service = setup.begin()
    setup.frames.put(log(int(time.time()), "fire oom"))
    wait_until(manager.alerts)
    service.stop()
    wait_until(lambda: not manager.alerts(), 15.0, "four intervals later it is over")


def test_many_alerts_at_once_all_appear(setup: Setup, manager: Alertmanager) -> None:
    setup.receivers = [alerting.receiver("am", "alertmanager", url=manager.url)]
    setup.begin()
    setup.frames.put(log(int(time.time()), *(f"fire rule-{i}" for i in range(200))))
    wait_until(lambda: len(manager.alerts()) == 200, message="all 200")
