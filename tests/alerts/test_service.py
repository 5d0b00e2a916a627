"""The whole of it in one process: frames in, posts out, restarts, reloads, mutes."""

from __future__ import annotations

import sqlite3
import time
from itertools import count

import pytest
from msgspec.structs import replace

from broker.errors import ConfigError
from broker.frame import Frame
from broker.jobview import JobView
from broker.topic import Stream
from subscribers.alerts.delivery.views import AlertsView
from subscribers.alerts.rules.receiver_config import parse_receiver
from subscribers.alerts.service.brokers import Told
from subscribers.alerts.service.service import Service
from tests.alerts.conftest import ScriptedBrokers, Setup
from tests.support import alerting
from tests.support.alerting import EPOCH, log
from tests.support.receiver import Answer
from tests.support.receiver import Receiver as Web
from tests.support.wait import wait_until


def everything(_stream: Stream) -> bool:
    return True


def seen(service: Service) -> AlertsView:
    return service.view(everything, 500)


def states(web: Web) -> list[tuple[str, str]]:
    return [(p.json["alerts"][0]["labels"]["alertname"], p.json["status"]) for p in web.posts]


def test_an_alert_is_sent_when_it_fires_and_when_it_resolves(setup: Setup, web: Web) -> None:
    service = setup.begin()
    setup.frames.put(log(0, "hello", "fire oom", "more"))
    web.until(1)
    (shown,) = seen(service).firing
    assert (shown.rule, shown.state, shown.muted, shown.line) == ("oom", "firing", False, 1)
    setup.frames.put(log(3, "resolve oom"))
    web.until(2)
    assert states(web) == [("oom", "firing"), ("oom", "resolved")]
    assert web.posts[0].json["externalURL"] == "http://dash"
    view = seen(service)
    assert (view.firing, [one.state for one in view.history]) == ([], ["resolved"])
    (receiver,) = view.receivers
    wait_until(lambda: seen(service).receivers[0].sent == 2)
    assert (receiver.name, receiver.kind, receiver.ok) == ("hook", "webhook", True)


def test_a_restart_goes_on_where_it_was_and_repeats_nothing(setup: Setup, web: Web) -> None:
    service = setup.begin()
    setup.frames.put(log(0, "fire oom", "x"))
    web.until(1)
    service.stop()
    again = setup.begin()
    assert setup.frames.positions == {"ray/train-1": (EPOCH, 2)}
    assert [one.rule for one in seen(again).firing] == ["oom"]
    setup.frames.put(log(0, "fire oom", "x"), log(2, "resolve oom"))
    web.until(2)
    assert states(web) == [("oom", "firing"), ("oom", "resolved")]


def test_what_could_not_be_sent_before_a_restart_is_sent_after_it(setup: Setup) -> None:
    with Web(lambda _post, _number: Answer(500)) as bad, Web() as good:
        setup.receivers = [alerting.receiver("hook", url=bad.url)]
        service = setup.begin()
        setup.frames.put(log(0, "fire oom"))
        bad.until(1)
        service.stop()
        setup.receivers = [alerting.receiver("hook", url=good.url)]
        setup.begin()
        good.until(1)
        assert good.keys[0] == bad.keys[0]


def test_at_the_first_start_what_there_is_already_is_passed_over(setup: Setup, web: Web) -> None:
    setup.brokers = ScriptedBrokers(
        JobView("ray", "train-1", "streaming", status="RUNNING", epoch=EPOCH, next=100)
    )
    setup.begin()
    assert setup.frames.positions == {"ray/train-1": (EPOCH, 100)}
    setup.frames.put(log(99, "fire old", "fire new"), log(0, "fire young", job="train-2"))
    web.until(2)
    assert states(web) == [("new", "firing"), ("young", "firing")]


def test_at_the_first_start_a_log_that_is_still_being_read_fires_nothing_of_what_it_held(
    setup: Setup, web: Web
) -> None:
    def reads(next: int, offset: int) -> JobView:
        return JobView("ray", "train-1", "streaming", status="RUNNING", epoch=EPOCH, next=next,
                       offset=offset, size=500)  # fmt: skip

    setup.brokers = ScriptedBrokers(reads(10, 100))
    setup.begin()
    setup.frames.put(log(10, "fire old"))
    rounds = count(2)

    def is_told_again() -> bool:
        setup.brokers.latest = Told(next(rounds), [reads(12, 500)], [], [], True)
        return bool(setup.engine.jobs)

    wait_until(is_told_again)
    setup.frames.put(log(11, "fire older", "fire new"))
    web.until(1)
    assert states(web) == [("new", "firing")]


def at(frame: Frame, ts: float) -> Frame:
    return replace(frame, ts=int(ts * 1e9))


def test_at_the_first_start_old_lines_of_a_broker_that_came_late_fire_nothing(
    setup: Setup, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.alerts.service.following._PATIENCE_S", 0.0)
    setup.brokers = ScriptedBrokers(missing=("http://b: away",))
    began = time.time()
    service = setup.begin()
    setup.frames.put(at(log(0, "fire old"), began - 60), at(log(1, "fire new"), began + 60))
    web.until(1)
    service.stop()
    setup.begin()  # it still is away
    setup.frames.put(at(log(0, "fire older", job="train-2"), began - 900),
                     at(log(1, "fire newer", job="train-2"), began + 900))  # fmt: skip
    web.until(2)
    assert states(web) == [("new", "firing"), ("newer", "firing")]


def test_where_all_brokers_told_their_places_a_slow_clock_loses_nothing(
    setup: Setup, web: Web
) -> None:
    setup.begin()
    setup.frames.put(at(log(0, "fire new"), time.time() - 900))
    web.until(1)


def test_a_job_of_a_late_broker_that_was_over_before_the_first_start_is_not_told_of(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.alerts.service.following._PATIENCE_S", 0.0)
    setup.brokers = ScriptedBrokers(missing=("http://b: away",))
    now = time.time_ns()
    setup.begin()

    def failed(job: str, ts: int) -> JobView:
        return JobView("ray", job, "ended", status="FAILED", last_frame_ts=ts)

    jobs = [failed("before", now - 60 * 10**9), failed("some-time", 0),
            failed("after", now + 60 * 10**9)]  # fmt: skip
    setup.brokers.latest = Told(2, jobs, [], [], True)
    wait_until(lambda: [view.job for view in setup.engine.jobs] == ["after"])
    setup.frames.put(Frame("end", "ray", "before", 9, 9, epoch=EPOCH, status="FAILED"),
                     log(0, "last", job="after"))  # fmt: skip
    wait_until(lambda: setup.engine.fed)
    assert [frame.job for frame in setup.engine.fed] == ["after"]


def test_jobs_that_are_named_later_begin_then_where_their_broker_is_away(
    setup: Setup, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.alerts.service.following._PATIENCE_S", 0.0)
    setup.patterns = ["train-*"]
    service = setup.begin()
    started = time.time()
    setup.brokers.latest = Told(2, [], [], ["http://b: away"], True)
    setup.patterns = ["*"]
    service.reload()
    wait_until(lambda: setup.frames.patterns == ["*"])
    setup.frames.put(
        at(log(0, "fire old", job="other"), started - 1),
        at(log(0, "fire between", job="train-1"), started + 0.0001),
        at(log(1, "fire new", job="other"), started + 900),
    )
    web.until(2)
    assert states(web) == [("between", "firing"), ("new", "firing")]


def test_one_that_fires_again_from_the_same_moment_has_another_key(setup: Setup, web: Web) -> None:
    setup.begin()
    for epoch in ("aaaaaaaaaaaa", "bbbbbbbbbbbb"):
        setup.frames.put(log(0, "fire oom", epoch=epoch), log(1, "resolve oom", epoch=epoch))
    web.until(4)
    assert states(web) == [("oom", "firing"), ("oom", "resolved")] * 2
    assert len(set(web.keys)) == 4


def test_a_receiver_that_moved_hears_soon_of_what_fires(setup: Setup, web: Web) -> None:
    service = setup.begin()
    setup.frames.put(log(0, "fire oom"))
    web.until(1)
    with Web() as second, Web() as third:
        setup.receivers = [alerting.receiver("hook", url=second.url)]
        service.reload()
        second.until(1)
        service.stop()
        setup.receivers = [alerting.receiver("hook", url=third.url)]
        again = setup.begin()
        third.until(1)
        again.reload()  # nothing moved
        setup.frames.put(log(1, "resolve oom"))
        third.until(2)
        assert states(second) == [("oom", "firing")]
        assert states(third) == [("oom", "firing"), ("oom", "resolved")]
        assert len({*web.keys, *second.keys, *third.keys}) == 4
        again.stop()


def test_what_was_refused_for_want_of_a_right_token_is_told_once_it_is_right(
    setup: Setup, web: Web
) -> None:
    web.answer = lambda post, _number: Answer(
        200 if post.headers.get("authorization") == "Bearer right" else 401
    )
    token = setup.home / "token"
    token.write_text("wrong\n")
    setup.receivers = [alerting.receiver("hook", url=web.url, authorization_file=str(token))]
    service = setup.begin()
    setup.frames.put(log(0, "fire oom"))
    web.until(1)
    wait_until(lambda: seen(service).receivers[0].failed == 1)
    assert "does not take the authorization" in seen(service).receivers[0].last_error
    token.write_text("right\n")
    service.reload()
    web.until(2)
    wait_until(lambda: seen(service).receivers[0].sent == 1)
    assert states(web) == [("oom", "firing")] * 2


def test_what_could_not_be_sent_goes_to_the_new_address_once(setup: Setup) -> None:
    with Web(lambda _post, _number: Answer(hang=True)) as hung, Web() as good:
        setup.receivers = [alerting.receiver("hook", url=hung.url)]
        service = setup.begin()
        setup.frames.put(log(0, "fire oom"))
        hung.until(1)
        setup.receivers = [alerting.receiver("hook", url=good.url)]
        service.reload()
        good.until(1)
        setup.frames.put(log(1, "resolve oom"))
        good.until(2)
        assert states(good) == [("oom", "firing"), ("oom", "resolved")]
        assert good.keys[0] == hung.keys[0]
        service.stop()


def test_without_a_broker_nothing_begins_and_that_is_said(setup: Setup) -> None:
    setup.brokers = ScriptedBrokers(missing=("http://b: no answer",), answered=False)
    service = setup.begin(wait=False)
    assert not service.ready()
    wait_until(lambda: "upstream: http://b: no answer" in service.degraded())
    setup.brokers.latest = Told(2, [], [], [], True)
    wait_until(service.ready)
    assert service.degraded() == []


def test_a_restart_does_not_pass_over_what_came_meanwhile(setup: Setup, web: Web) -> None:
    setup.begin().stop()
    setup.brokers = ScriptedBrokers(
        JobView("ray", "train-9", "streaming", status="RUNNING", epoch=EPOCH, next=50)
    )
    setup.begin()
    assert setup.frames.positions == {}  # from its beginning
    setup.frames.put(log(0, "fire oom", job="train-9"))
    web.until(1)


def test_a_mute_is_shown_and_holds_back_until_it_is_ended(setup: Setup, web: Web) -> None:
    service = setup.begin()
    mute = service.mute(['alertname="oom"'], 3600, "known", "me")
    setup.frames.put(log(0, "fire oom", "fire disk"))
    web.until(1)
    wait_until(lambda: {one.rule: one.muted for one in seen(service).firing}
               == {"oom": True, "disk": False})  # fmt: skip
    assert seen(service).mutes == [mute]
    service.stop()
    again = setup.begin()
    assert seen(again).mutes == [mute]
    again.end_mute(mute.id)
    web.until(2)
    assert states(web) == [("disk", "firing"), ("oom", "firing")]
    assert seen(again).mutes == []


def test_a_mute_that_ends_by_itself_lets_what_still_fires_through(setup: Setup, web: Web) -> None:
    service = setup.begin()
    service.mute(['alertname="oom"'], 0.3, "", "")
    setup.frames.put(log(0, "fire oom"))
    wait_until(lambda: seen(service).firing)
    assert web.posts == []
    web.until(1)


def test_a_reload_takes_new_receivers_and_keeps_what_fires(setup: Setup, web: Web) -> None:
    service = setup.begin()
    setup.frames.put(log(0, "fire oom"))
    web.until(1)
    with Web() as second:
        setup.receivers = [*setup.receivers, alerting.receiver("second", url=second.url)]
        service.reload()
        second.until(1)
        assert states(second) == [("oom", "firing")]
        assert len(web.posts) == 1
        service.stop()


def test_a_reload_of_wrong_files_changes_nothing_and_is_shown(setup: Setup, web: Web) -> None:
    service = setup.begin()
    engine = setup.engine
    setup.wrong = "rules.toml:3: match: no regex"
    service.reload()
    wait_until(service.degraded)
    assert service.degraded() == [
        "rules: rules.toml:3: match: no regex (the old ones are in force)"
    ]
    assert b"raytap_alerts_reload_ok 0.0" in setup.metrics.exposition()[0]
    setup.frames.put(log(0, "fire oom"))
    web.until(1)
    assert engine.fed
    setup.wrong = ""
    service.reload()
    wait_until(lambda: not service.degraded())


def test_a_reload_with_a_receiver_that_cannot_be_made_changes_nothing(
    setup: Setup, web: Web
) -> None:
    service = setup.begin()
    bad = {"name": "bad", "kind": "webhook", "url_env": "NOWHERE"}
    setup.receivers = [parse_receiver(bad)]
    service.reload()
    wait_until(service.degraded)
    assert "NOWHERE is not set" in service.degraded()[0]
    setup.frames.put(log(0, "fire oom"))
    web.until(1)


def test_rules_about_other_jobs_begin_where_those_are_now(setup: Setup, web: Web) -> None:
    setup.patterns = ["train-1"]
    setup.brokers = ScriptedBrokers(
        JobView("ray", "train-1", "streaming", status="RUNNING", epoch=EPOCH, next=0),
        JobView("ray", "train-2", "streaming", status="RUNNING", epoch=EPOCH, next=70),
    )
    service = setup.begin()
    setup.frames.put(log(0, "a", "b"))
    wait_until(lambda: setup.engine.fed)
    setup.patterns = ["train-1", "train-2"]
    service.reload()
    wait_until(lambda: setup.frames.patterns == ["train-1", "train-2"])
    positions = {"ray/train-1": (EPOCH, 2), "ray/train-2": (EPOCH, 70)}
    assert setup.frames.positions == positions


def test_alerts_that_the_rules_know_nothing_of_any_more_are_over(setup: Setup, web: Web) -> None:
    service = setup.begin()
    setup.frames.put(log(0, "fire oom"))
    web.until(1)

    setup.forgets = True
    service.reload()
    web.until(2)
    assert states(web) == [("oom", "firing"), ("oom", "resolved")]
    assert seen(service).firing == []


def test_a_bug_in_a_rule_ends_nothing_else(setup: Setup, web: Web) -> None:
    setup.begin()
    setup.frames.put(log(0, "crash"), log(1, "fire oom"))
    web.until(1)
    assert b"raytap_alerts_evaluation_failures_total 1.0" in setup.metrics.exposition()[0]


def test_a_store_that_cannot_be_written_does_not_silence_alerts(
    setup: Setup, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.alerts.store.database._BUSY_S", 0.05)
    service = setup.begin()
    locker = sqlite3.connect(setup.home / "state" / "alerts.db", isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    setup.frames.put(log(0, "fire oom"))
    web.until(1)
    assert any("another program holds it" in one for one in service.degraded())
    locker.execute("ROLLBACK")
    locker.close()
    wait_until(lambda: not service.degraded())
    service.stop()
    again = setup.begin()
    assert [one.rule for one in seen(again).firing] == ["oom"]
    assert setup.frames.positions == {"ray/train-1": (EPOCH, 1)}
    assert states(web) == [("oom", "firing")]


def test_a_hung_receiver_delays_no_evaluation_and_no_other(setup: Setup) -> None:
    with Web(lambda _post, _number: Answer(hang=True)) as hung, Web() as good:
        setup.receivers = [
            alerting.receiver("hung", url=hung.url),
            alerting.receiver("good", url=good.url),
        ]
        setup.begin()
        setup.frames.put(log(0, "fire a"))
        hung.until(1)
        setup.frames.put(log(1, *(f"fire r{i}" for i in range(50))))
        good.until(51, timeout=5.0)
        assert len(hung.posts) == 1


def test_a_failing_receiver_is_seen_everywhere(setup: Setup) -> None:
    with Web(lambda _post, _number: Answer(500, b"database down")) as bad:
        setup.receivers = [alerting.receiver("hook", url=f"{bad.url}/T0KENT0KEN")]
        service = setup.begin()
        setup.frames.put(log(0, "fire oom"))
        wait_until(lambda: not seen(service).receivers[0].ok)
        (view,) = seen(service).receivers
        assert view.last_error == "HTTP 500: database down"
        assert service.degraded() == ["receiver hook: HTTP 500 (1 wait)"]
        page = setup.metrics.exposition()[0].decode()
        assert 'raytap_alerts_receiver_ok{receiver="hook"} 0.0' in page
        assert 'raytap_alerts_queued{receiver="hook"} 1.0' in page
        assert "T0KEN" not in page + repr(view)


def test_brokers_lists_reach_the_rules(setup: Setup) -> None:
    view = JobView("ray", "train-1", "streaming", status="RUNNING")
    setup.brokers = ScriptedBrokers()
    setup.brokers.latest = Told(1, [view], ["journal: disk full"], ["http://b: away"], True)
    setup.begin(wait=False)
    wait_until(lambda: setup.engine.jobs == [view])
    assert setup.engine.degraded == ["journal: disk full", "http://b: away"]


def test_the_same_state_directory_is_not_used_twice(setup: Setup) -> None:
    setup.begin()
    with pytest.raises(ConfigError, match="another `raytap alerts`"):
        setup.begin()
