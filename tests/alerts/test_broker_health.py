"""Rules on the broker itself."""

from __future__ import annotations

from tests.support.alert_world import START, World


def test_reconnects_in_a_window_fire() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "reconnects"\nwindow = "5m"')
    for reconnects in (4, 5, 6):
        world.now += 10
        assert world.told(world.view(reconnects=reconnects)) == []
    world.now += 10
    assert world.told(world.view(reconnects=7, last_error="cut")) == ["x firing"]
    assert world.last.alert.value == 3.0
    assert "cut" in world.last.alert.annotations["summary"]


def test_a_daemon_that_began_anew_counts_from_nothing() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "reconnects"\nthreshold = 2')
    world.told(world.view(reconnects=100))
    assert world.told(world.view(reconnects=1)) == []
    assert world.told(world.view(reconnects=2)) == ["x firing"]


def test_lines_that_are_there_and_do_not_come_are_a_lag() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "lag"\nabove = "5s"')
    world.lines("one")
    assert world.wait(60) == []
    assert world.wait(5, next=3) == []  # it was first told after a second
    assert world.wait(2, next=3) == ["x firing"]
    world.lines("two", "three")
    assert world.wait(1) == ["x resolved"]


def test_bytes_that_the_broker_does_not_read_are_a_lag() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "lag"\nabove = "5s"')
    seen = [world.wait(1, size=size, offset=10) for size in range(1000, 1007)]
    assert seen == [[]] * 5 + [["x firing"], []]
    assert world.wait(1, size=1008, offset=1008) == ["x resolved"]


def test_a_gap_fires_unless_it_is_from_before_raytap_came() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "gap"')
    assert world.frame("gap", first=0, next=50, reason="backfill") == []
    assert world.frame("gap", first=50, next=60, reason="limit") == ["x firing"]
    alert = world.last.alert
    assert (alert.line, alert.annotations["summary"]) == (50, "x: a  10 lines are missing: limit")


def test_a_broker_without_a_word_is_noticed_and_its_word_resolves_it() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "heartbeat"\nabove = "45s"')
    world.told()
    assert world.wait(44, step=0) == []
    assert world.wait(2, step=0) == ["x firing"]
    assert world.last.alert.starts_at == START + 45
    assert world.last.alert.job == ""
    assert world.told() == ["x resolved"]


def test_the_time_that_we_were_away_is_not_the_brokers() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "heartbeat"')
    world.restart()
    world.now += 1000
    assert world.tick() == []
    assert world.wait(50, step=0) == ["x firing"]


def test_a_degraded_broker_says_why() -> None:
    world = World('[[alert]]\nname = "x"\nbroker = "degraded"')
    assert world.told(degraded=["journal: disk full"]) == ["x firing"]
    assert "disk full" in world.last.alert.annotations["summary"]
    assert world.told() == ["x resolved"]
