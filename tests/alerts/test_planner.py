"""Who is told what and when, under an injected clock."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.alerts.engine.alert import Transition
from subscribers.alerts.notifications.mutes import Mute, Mutes
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.notifications.planner import Planner
from tests.support.alerting import alert, firing, over, receiver, resolved

ONE = alert()
HOUR = 3600.0


def planner(*receivers: object, mutes: Mutes | None = None) -> Planner:
    made = Planner()
    made.use_receivers(receivers or [receiver()])  # type: ignore[arg-type]
    made.use_mutes(mutes or Mutes())
    return made


def said(notifications: list[Notification]) -> list[tuple[str, str, int]]:
    return [(one.receiver, one.state, one.repeat) for one in notifications]


def test_an_alert_is_told_when_it_fires_and_when_it_resolves() -> None:
    plans = planner()
    assert said(plans.step([firing(ONE)], 1000).notifications) == [("a", "firing", 0)]
    assert said(plans.step([], 1001).notifications) == []
    assert said(plans.step([resolved(ONE, 1005)], 1005).notifications) == [("a", "resolved", 0)]
    assert plans.firing == []
    assert plans.told == []


def test_one_that_goes_on_is_told_again_after_the_repeat_interval() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    assert plans.due == 4 * HOUR
    assert said(plans.step([], 4 * HOUR - 1).notifications) == []
    assert said(plans.step([], 4 * HOUR).notifications) == [("a", "firing", 1)]
    assert said(plans.step([], 8 * HOUR).notifications) == [("a", "firing", 2)]


def test_each_receiver_gets_what_it_matches_at_its_own_interval() -> None:
    plans = planner(
        receiver("a", match=['severity="info"']),
        receiver("b", repeat_interval=60),
        receiver("c", kind="alertmanager"),
        receiver("d", send_resolved=False),
    )
    told = plans.step([firing(ONE)], 0).notifications
    assert said(told) == [("b", "firing", 0), ("c", "firing", 0), ("d", "firing", 0)]
    assert said(plans.step([], 60).notifications) == [("b", "firing", 1), ("c", "firing", 1)]
    told = plans.step([resolved(ONE, 70)], 70).notifications
    assert said(told) == [("b", "resolved", 0), ("c", "resolved", 0)]
    assert plans.told == []


def test_a_repeat_waits_while_the_last_word_was_not_sent_yet() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    assert plans.step([], 4 * HOUR, lambda _receiver, _alert: True).notifications == []
    assert said(plans.step([], 4 * HOUR + 5).notifications) == [("a", "firing", 1)]


def test_a_mute_holds_back_and_what_still_fires_is_told_when_it_ends() -> None:
    plans = planner(mutes=Mutes([Mute("m", ['severity="critical"'], until=500.0)]))
    plan = plans.step([firing(ONE)], 0)
    assert plan.notifications == []
    assert plan.alerts == [alert(episode=1)]
    assert plans.due == 500.0
    assert said(plans.step([], 500).notifications) == [("a", "firing", 0)]


def test_an_alert_that_came_and_went_in_a_mute_is_not_told() -> None:
    plans = planner(mutes=Mutes([Mute("m", ['severity="critical"'], until=500.0)]))
    plans.step([firing(ONE)], 0)
    assert plans.step([resolved(ONE, 10)], 10).notifications == []
    assert plans.step([], 600).notifications == []


def test_the_end_of_an_alert_that_was_told_before_the_mute_is_told_after_it() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    plans.use_mutes(Mutes([Mute("m", ['severity="critical"'], until=500.0)]))
    plan = plans.step([resolved(ONE, 10)], 10)
    assert plan.notifications == []
    again = Planner([over(ONE, 10)], plans.told)  # as after a restart
    again.use_receivers([receiver()])
    assert said(again.step([], 500).notifications) == [("a", "resolved", 0)]


def test_ending_a_mute_tells_at_once() -> None:
    plans = planner(mutes=Mutes([Mute("m", ['severity="critical"'], until=500.0)]))
    plans.step([firing(ONE)], 0)
    plans.use_mutes(Mutes())
    assert said(plans.step([], 1).notifications) == [("a", "firing", 0)]


def test_an_alert_that_fires_again_is_another_one_with_another_key() -> None:
    plans = planner()
    first = plans.step([firing(ONE)], 0).notifications
    plans.step([resolved(ONE, 1001)], 1)
    second = plans.step([firing(alert(starts_at=2000.0))], 2).notifications
    assert said(second) == [("a", "firing", 0)]
    assert first[0].key != second[0].key


def test_one_that_fires_again_with_the_same_start_has_other_keys() -> None:
    plans = planner()
    steps = [firing(ONE), resolved(ONE, 1001), firing(ONE), resolved(ONE, 1001)]
    told = plans.step(steps, 1).notifications
    assert said(told) == [("a", "firing", 0), ("a", "resolved", 0)] * 2
    assert len({one.key for one in told}) == 4


def test_after_a_restart_one_with_the_same_start_has_other_keys_still() -> None:
    plans = planner()
    first = plans.step([firing(ONE), resolved(ONE, 1001)], 1)
    again = Planner([], [], max(one.episode for one in first.alerts))
    again.use_receivers([receiver()])
    second = again.step([firing(ONE)], 2)
    assert second.notifications[0].key not in {one.key for one in first.notifications}


def test_the_key_of_a_notification_is_the_same_after_a_restart() -> None:
    plans = planner()
    (first,) = plans.step([firing(ONE)], 0).notifications
    plans.step([], 4 * HOUR)
    again = Planner(plans.firing, plans.told, 9)
    again.use_receivers([receiver()])
    (end,) = again.step([resolved(ONE, 1001)], 5 * HOUR).notifications
    assert end.alert.episode == first.alert.episode
    assert end.key == plans.step([resolved(ONE, 1001)], 5 * HOUR).notifications[0].key


def test_a_receiver_that_moved_is_told_once_more_what_fires() -> None:
    plans = planner(receiver("a"), receiver("b"))
    plans.step([firing(ONE)], 1000)
    plans.use_receivers([receiver("a"), receiver("b")], moved={"a"})
    again = Planner(plans.firing, plans.told)  # as after a crash just then
    again.use_receivers([receiver("a"), receiver("b")])
    for planned in (plans, again):
        assert said(planned.step([], 1001).notifications) == [("a", "firing", 1)]
        assert planned.step([], 1002).notifications == []


def test_what_still_waits_for_a_receiver_that_moved_is_told_once() -> None:
    plans = planner()
    plans.step([firing(ONE)], 1000)
    plans.use_receivers([receiver()], moved={"a"})
    assert plans.step([], 1001, lambda _receiver, _alert: True).notifications == []
    assert plans.step([], 1100).notifications == []
    assert said(plans.step([], 1001 + 4 * HOUR).notifications) == [("a", "firing", 1)]


def test_a_receiver_that_moved_is_told_of_what_is_muted_when_the_mute_ends() -> None:
    plans = planner()
    plans.step([firing(ONE)], 1000)
    plans.use_mutes(Mutes([Mute("m", ['severity="critical"'], until=1500.0)]))
    plans.use_receivers([receiver()], moved={"a"})
    assert plans.step([], 1001).notifications == []
    assert said(plans.step([], 1500).notifications) == [("a", "firing", 1)]


def test_a_receiver_that_is_new_is_told_what_fires() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    plans.use_receivers([receiver("a"), receiver("b")])
    assert said(plans.step([], 1).notifications) == [("b", "firing", 0)]


def test_one_that_went_and_came_back_is_told_anew() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    plans.use_receivers([receiver("b")])
    plans.step([], 1)
    plans.use_receivers([receiver("a")])
    assert said(plans.step([], 2).notifications) == [("a", "firing", 0)]


def test_after_a_restart_nothing_is_told_twice() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    again = Planner(plans.firing, plans.told)
    again.use_receivers([receiver()])
    assert again.step([], 10).notifications == []
    assert said(again.step([], 4 * HOUR).notifications) == [("a", "firing", 1)]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["fire", "resolve", "mute", "unmute", "wait"]),
        st.integers(0, 2),  # which alert
        st.floats(0.1, 5000),  # seconds that pass before
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_every_receiver_hears_of_each_alert_in_order_and_never_the_same_twice(
    steps: list[tuple[str, int, float]],
) -> None:
    plans = planner(receiver("a"), receiver("b", repeat_interval=60))
    now, live, muted = 1000.0, {}, False
    keys: set[str] = set()
    known: dict[tuple[str, str], tuple[float, str]] = {}
    for what, index, passes in steps:
        now += passes
        transitions: list[Transition] = []
        name = f"rule-{index}"
        if what == "fire" and name not in live:
            live[name] = alert(name, starts_at=now // 4000)  # often the same as before
            transitions = [firing(live[name])]
        elif what == "resolve" and name in live:
            transitions = [resolved(live.pop(name), now)]
        elif what in ("mute", "unmute"):
            muted = what == "mute"
            plans.use_mutes(Mutes([Mute("m", ['cluster="ray"'], now + 9e9)] if muted else []))
        plan = plans.step(transitions, now)
        assert not (muted and plan.notifications)
        for one in plan.notifications:
            assert one.key not in keys
            keys.add(one.key)
            key = one.receiver, one.alert.fingerprint
            if one.state == "resolved":
                assert known.pop(key) == (one.alert.starts_at, "firing")
            else:
                known[key] = one.alert.starts_at, "firing"
        if not muted:  # everyone knows of what fires, and of nothing else
            fires = {(one.fingerprint, one.starts_at) for one in live.values()}
            for name_ in ("a", "b"):
                heard = {(f, at) for (who, f), (at, _) in known.items() if who == name_}
                assert heard == fires


def test_the_end_is_told_of_one_that_fired_again_while_it_was_muted() -> None:
    plans = planner()
    plans.step([firing(ONE)], 0)
    plans.use_mutes(Mutes([Mute("m", ['severity="critical"'], until=500.0)]))
    again = alert(starts_at=ONE.starts_at + 100)
    plans.step([resolved(ONE, 10), firing(again)], 100)
    assert plans.step([resolved(again, 200)], 200).notifications == []
    (end,) = plans.step([], 500).notifications
    assert end.state == "resolved"
    assert (end.alert.starts_at, end.alert.ends_at) == (ONE.starts_at, 200)


def test_a_clock_that_was_put_back_does_not_silence_repeats() -> None:
    plans = planner(receiver(repeat_interval=60))
    plans.step([firing(ONE)], 10_000)
    assert said(plans.step([], 5_000).notifications) == [("a", "firing", 1)]
    assert said(plans.step([], 5_030).notifications) == []
    assert said(plans.step([], 5_060).notifications) == [("a", "firing", 2)]


def test_more_alerts_than_a_queue_takes_are_told_as_it_has_room() -> None:
    plans = planner()
    many = [alert(f"a{number}") for number in range(5)]
    told: list[str] = []
    for now in range(0, 30, 10):
        transitions = [] if now else [firing(one) for one in many]
        plan = plans.step(transitions, now, room=lambda _receiver: 2)
        told += [one.alert.rule for one in plan.notifications]
    assert sorted(told) == [one.rule for one in many]


def test_what_had_no_room_before_it_was_over_is_told_then() -> None:
    plans = planner()
    assert plans.step([firing(ONE)], 0, room=lambda _receiver: 0).notifications == []
    plan = plans.step([resolved(ONE, 5)], 5, room=lambda _receiver: 0)
    assert said(plan.notifications) == [("a", "firing", 0), ("a", "resolved", 0)]
    assert plans.told == []
