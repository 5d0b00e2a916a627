"""What one answer of `GET /v1/alerts` holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.topic import Stream
from subscribers.alerts.delivery.views import AlertsView
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.notifications.mutes import Mute, Mutes
from subscribers.alerts.notifications.planner import Plan
from subscribers.alerts.service.overview import Allows, overview
from subscribers.alerts.store.store import Store
from tests.support.alerting import alert, over


def everything(_stream: Stream) -> bool:
    return True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "alerts.db")
    yield store
    store.close()


def seen(
    store: Store, *firing: Alert, limit: int = 3, mutes: Mutes | None = None,
    allows: Allows = everything,
) -> AlertsView:  # fmt: skip
    return overview(firing, store, mutes or Mutes(), [], [], allows=allows, limit=limit, now=1000.0)


def test_an_answer_holds_so_many_alerts_and_says_how_many_there_are(store: Store) -> None:
    store.commit(Plan([over(alert(f"old-{i}"), 1000.0 + i) for i in range(7)], [], [], []))
    view = seen(store, *(alert(f"a{i}", float(i)) for i in range(5000)))
    assert [one.rule for one in view.firing] == ["a4999", "a4998", "a4997"]
    assert [one.rule for one in view.history] == ["old-6", "old-5", "old-4"]
    assert (view.total.firing, view.total.muted, view.total.history) == (5000, 0, 7)


def test_those_that_press_most_come_first_and_muted_ones_last(store: Store) -> None:
    mutes = Mutes([Mute("m", ['alertname="known"'], 2000.0)])
    firing = [
        alert("known"),
        alert("mild", severity="warning"),
        alert("own", severity="page-me"),
        alert("bad", 1.0),
        alert("new", 2.0),
    ]
    view = seen(store, *firing, limit=10, mutes=mutes)
    assert [one.rule for one in view.firing] == ["new", "bad", "mild", "own", "known"]
    assert (view.total.firing, view.total.muted) == (5, 1)


def test_a_token_is_told_the_numbers_of_its_jobs_alone(store: Store) -> None:
    mine, theirs = [alert(f"a{i}", job="mine") for i in range(4)], [alert(job="theirs")] * 9
    ended = [over(one, 1001.0) for one in [*mine, *theirs]]
    store.commit(Plan(ended, [], [], []))
    view = seen(store, *mine, *theirs, allows=lambda stream: stream.job == "mine")
    assert {one.job for one in [*view.firing, *view.history]} == {"mine"}
    assert (view.total.firing, view.total.history) == (4, 4)


def test_alerts_that_quote_very_much_do_not_make_an_answer_huge(store: Store) -> None:
    texts = {f"text{number}": "x" * 8000 for number in range(30)}
    view = seen(store, *(alert(f"a{i}", annotations=texts) for i in range(200)), limit=500)
    assert 0 < len(view.firing) < 20
    assert view.total.firing == 200
