"""Delivery: retries, order, bounds, restarts. The receivers are real HTTP servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.backoff import Backoff
from subscribers.alerts.delivery.courier import KEEP_S, Courier
from subscribers.alerts.delivery.delivery import Delivery
from subscribers.alerts.delivery.receivers.senders import make_sender
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.notifications.notification import Notification, NotSent
from subscribers.alerts.notifications.planner import Plan
from subscribers.alerts.store.store import Store
from tests.support.alerting import alert, notification, receiver
from tests.support.receiver import OK, Answer, Receiver
from tests.support.wait import wait_until


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "alerts.db")
    yield store
    store.close()


@pytest.fixture
def started() -> Iterator[Callable[..., Courier]]:
    """Makes couriers to a URL, and ends them."""
    couriers: list[Courier] = []

    def start(store: Store, url: str, after: Courier | None = None, **fields: object) -> Courier:
        one = receiver(**fields)  # type: ignore[arg-type]
        sender = make_sender(one, Target(url), "")
        courier = Courier(one, sender, store, Backoff(0.01, 0.05), lambda: 1000.0)
        courier.start(after)
        couriers.append(courier)
        return courier

    yield start
    for courier in couriers:
        courier.stop()
    for courier in couriers:
        courier.abort()
        courier.join(5.0)
        assert not courier.is_alive


def queue(store: Store, *notifications: Notification) -> list[Notification]:
    return store.commit(Plan([], list(notifications), [], []))


def several(count: int) -> list[Notification]:
    return [notification(alert(f"rule-{i}", float(i))) for i in range(count)]


def test_what_is_put_is_sent_once_in_order_and_forgotten(
    store: Store, started: Callable[..., Courier]
) -> None:
    with Receiver() as web:
        courier = started(store, web.url)
        sent = queue(store, *several(20))
        courier.put(sent)
        wait_until(lambda: courier.counts.sent == 20)
        assert web.keys == [one.key for one in sent]
        assert store.waiting("a") == []
        assert courier.queued == 0


def test_what_waited_at_the_end_is_sent_after_a_restart(
    store: Store, started: Callable[..., Courier]
) -> None:
    sent = queue(store, *several(5))
    with Receiver() as web:
        started(store, web.url)
        assert [post.key for post in web.until(5)] == [one.key for one in sent]


@pytest.mark.parametrize("bad", [Answer(500), Answer(503), Answer(close=True)])
def test_what_fails_for_now_is_sent_again_under_the_same_key(
    bad: Answer, store: Store, started: Callable[..., Courier]
) -> None:
    with Receiver(lambda _post, number: bad if number < 2 else OK) as web:
        courier = started(store, web.url)
        courier.put(queue(store, notification()))
        posts = web.until(3)
        assert len({post.key for post in posts}) == 1
        assert len({post.body for post in posts}) == 1
        wait_until(lambda: courier.ok)
        assert (courier.retries, courier.counts.sent, store.waiting("a")) == (2, 1, [])


def test_retry_after_is_waited_for(store: Store, started: Callable[..., Courier]) -> None:
    busy = Answer(429, headers=(("Retry-After", "1"),))
    with Receiver(lambda _post, number: busy if number == 0 else OK) as web:
        courier = started(store, web.url)
        courier.put(queue(store, notification()))
        first, second = web.until(2)
        assert second.at - first.at >= 0.95


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410])
def test_a_refusal_is_shown_and_not_repeated(
    status: int, store: Store, started: Callable[..., Courier]
) -> None:
    answer = Answer(status, b"no such channel", (("Location", "/elsewhere"),))
    with Receiver(lambda _post, number: answer if number == 0 else OK) as web:
        courier = started(store, web.url)
        courier.put(queue(store, *several(2)))
        wait_until(lambda: courier.counts == (1, 1, 0))
        assert str(status) in courier.last_error
        assert courier.ok
        assert len(web.posts) == 2
        assert store.waiting("a") == []


def test_one_that_the_receiver_always_fails_at_does_not_hold_back_the_others(
    store: Store, started: Callable[..., Courier]
) -> None:
    poison = several(1)[0].key
    with Receiver(lambda post, _number: Answer(500) if post.key == poison else OK) as web:
        courier = started(store, web.url)
        courier.put(queue(store, *several(30)))
        wait_until(lambda: courier.counts.sent == 29)
        assert [one.key for one in store.waiting("a")] == [poison]


def test_what_is_said_of_one_alert_stays_in_order(
    store: Store, started: Callable[..., Courier]
) -> None:
    one, other = alert("one"), alert("other")
    told = [notification(one), notification(other), notification(one, state="resolved")]
    bad = told[0].key
    with Receiver(lambda post, n: Answer(500) if post.key == bad and n < 6 else OK) as web:
        courier = started(store, web.url)
        courier.put(queue(store, *told))
        wait_until(lambda: courier.counts.sent == 3)
        taken = [key for key in web.keys if key != bad]
        assert taken == [told[1].key, told[2].key]
        assert web.keys[-2:] == [told[0].key, told[2].key]


def test_a_full_queue_lets_go_of_the_oldest_and_counts_it(
    store: Store, started: Callable[..., Courier]
) -> None:
    with Receiver(lambda _post, number: Answer(hang=True) if number == 0 else OK) as web:
        courier = started(store, web.url, queue_size=5)
        courier.put(queue(store, *several(1)))
        web.until(1)
        rest = queue(store, *several(12)[1:])
        courier.put(rest)
        assert (courier.counts.dropped, courier.queued) == (7, 5)
        assert len(store.waiting("a")) == 5
        web.release()
        wait_until(lambda: courier.counts.sent == 5)
        assert set(web.keys[1:]) == {web.keys[0], *(one.key for one in rest[-4:])}


def test_what_nobody_took_for_a_day_is_let_go(store: Store) -> None:
    class Refusing:
        batch = 1

        def send(self, notifications: list[Notification]) -> None:
            raise NotSent(503, "away", again=True)

        def abort(self) -> None: ...

    now = [1000.0 + KEEP_S - 1]
    courier = Courier(receiver(), Refusing(), store, Backoff(0.001, 0.001), lambda: now[0])
    courier.put(queue(store, notification()))
    courier.start()
    wait_until(lambda: courier.retries > 3)
    assert courier.queued == 1
    now[0] += 2
    wait_until(lambda: courier.counts.failed == 1)
    assert store.waiting("a") == []
    courier.stop()
    courier.join(5.0)


def test_a_batch_that_is_refused_is_sent_one_by_one(store: Store) -> None:
    class Picky:
        batch = 10
        taken: list[str] = []  # noqa: RUF012

        def send(self, notifications: list[Notification]) -> None:
            if any(one.alert.rule == "rule-3" for one in notifications):
                raise NotSent(400, "bad label", again=False)
            self.taken += [one.alert.rule for one in notifications]

        def abort(self) -> None: ...

    sender = Picky()
    courier = Courier(receiver(), sender, store, Backoff(0.001, 0.001))
    courier.put(queue(store, *several(6)))
    courier.start()
    wait_until(lambda: courier.counts == (5, 1, 0))
    assert sorted(sender.taken) == ["rule-0", "rule-1", "rule-2", "rule-4", "rule-5"]
    assert courier.last_error == "bad label"
    courier.stop()
    courier.join(5.0)


def test_what_a_batch_fails_at_is_found_out_and_costs_no_other(store: Store) -> None:
    class Broken:
        batch = 10
        taken: list[str] = []  # noqa: RUF012

        def send(self, notifications: list[Notification]) -> None:
            rules = [one.alert.rule for one in notifications]
            if "rule-1" in rules:
                raise NotSent(500, "cannot", again=True)
            if "rule-2" in rules:
                raise ValueError("a bug")
            self.taken += rules

        def abort(self) -> None: ...

    sender = Broken()
    courier = Courier(receiver(), sender, store, Backoff(0.001, 0.001), lambda: 1000.0)
    courier.put(queue(store, *several(5)))
    courier.start()
    wait_until(lambda: len(sender.taken) == 3)
    wait_until(lambda: courier.last_error == "ValueError")
    wait_until(lambda: courier.last_error == "cannot")
    assert [one.alert.rule for one in store.waiting("a")] == ["rule-1", "rule-2"]
    courier.stop()
    courier.join(5.0)


def test_a_courier_with_new_settings_waits_for_the_one_before_it_and_repeats_nothing(
    store: Store, started: Callable[..., Courier]
) -> None:
    with Receiver(lambda _post, number: Answer(delay=0.3) if number == 0 else OK) as web:
        old = started(store, web.url)
        first = queue(store, *several(3))
        old.put(first)
        web.until(1)
        old.stop()
        new = started(store, web.url, after=old, timeout=7)
        later = queue(store, *several(6)[3:])
        new.put(later)
        wait_until(lambda: store.waiting("a") == [])
        assert web.keys == [one.key for one in [*first, *later]]


def test_a_hung_receiver_delays_no_other_and_no_stop(store: Store) -> None:
    delivery = Delivery(store, {}, "", lambda: 1000.0)
    with Receiver(lambda _post, _number: Answer(hang=True)) as hung, Receiver() as good:
        delivery.use([receiver("hung", url=hung.url), receiver("good", url=good.url)])
        told = [notification(alert(f"r{i}"), name) for i in range(10) for name in ("hung", "good")]
        began = time.monotonic()
        delivery.put(queue(store, *told))
        assert time.monotonic() - began < 2.0
        good.until(10, timeout=5.0)
        hung.until(1)
        began = time.monotonic()
        delivery.stop(0.3)
        assert time.monotonic() - began < 2.0
        assert len(store.waiting("hung")) == 10
        assert store.waiting("good") == []


def test_a_receiver_that_did_not_change_is_not_disturbed(store: Store) -> None:
    delivery = Delivery(store, {"URL": "http://127.0.0.1:9/"}, "")
    one = receiver("a")
    delivery.use([one])
    before = {thread for thread in threading.enumerate() if thread.name == "raytap-alerts-a"}
    delivery.use([receiver("a"), receiver("b")])
    after = {thread for thread in threading.enumerate() if thread.name == "raytap-alerts-a"}
    assert before == after
    assert [view.name for view in delivery.views()] == ["a", "b"]
    delivery.stop(1.0)


def test_what_the_one_before_still_holds_waits_too(
    store: Store, started: Callable[..., Courier]
) -> None:
    one = notification()
    with Receiver(lambda _post, _number: Answer(hang=True)) as hung, Receiver() as web:
        before = started(store, hung.url)
        before.put(queue(store, one))
        hung.until(1)
        after = started(store, web.url, before)
        assert after.waits(one.alert.fingerprint)
        before.stop()
        before.abort()
        web.until(1)
        wait_until(lambda: not after.waits(one.alert.fingerprint))
        assert web.keys == hung.keys == [one.key]


def test_what_the_store_holds_waits_from_the_start(
    store: Store, started: Callable[..., Courier]
) -> None:
    one = notification()
    queue(store, one)
    with Receiver(lambda _post, _number: Answer(hang=True)) as hung:
        assert started(store, hung.url).waits(one.alert.fingerprint)
