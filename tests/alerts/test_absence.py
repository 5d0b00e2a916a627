"""What is missing: only where it is known that nothing came."""

from __future__ import annotations

from tests.support.alert_world import START, World

SILENT = 'ready_made = ["job-silent"]'
NO_STEP = '[[alert]]\nname = "x"\nmatch = "step"\nabsent = "5m"'


def test_a_running_job_without_a_line_fires_and_a_line_resolves_it() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.lines("hello")
    assert world.wait(599) == []
    assert world.wait(3) == ["job-silent firing"]
    assert world.last.alert.starts_at == START + 600
    assert world.lines("again") == ["job-silent resolved"]


def test_a_job_that_never_printed_is_silent_from_when_it_runs() -> None:
    world = World(SILENT)
    world.status("PENDING")
    world.now += 3000
    world.status("RUNNING")
    began = world.now
    assert world.wait(595) == []
    assert world.wait(10) == ["job-silent firing"]
    assert world.last.alert.starts_at == began + 600


def test_a_job_that_ended_is_not_silent() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.wait(300)
    world.end()
    assert world.wait(2000, status="SUCCEEDED", state="ended") == []


def test_the_end_resolves_what_is_missing() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.wait(700)
    assert world.end() == ["job-silent resolved"]


def test_a_broker_that_says_nothing_is_no_silent_job() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.lines("hello")
    assert world.wait(5000, step=0) == []
    world.lines("back")
    assert world.tick() == []


def test_a_broker_that_cannot_reach_ray_is_no_silent_job() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.lines("hello")
    assert world.wait(1000, state="reconnecting") == []


def test_lines_on_their_way_are_no_silence() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.lines("hello")
    world.now += 590
    assert world.told(world.view(next=5)) == []  # the broker has lines that have not come yet
    world.now += 30
    assert world.told(world.view(next=5)) == []
    assert world.tick() == []


def test_an_unfinished_last_line_does_not_hide_a_silence() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.lines("hello")
    assert world.wait(605, size=100, offset=90) == ["job-silent firing"]


def test_no_match_fires_though_lines_come() -> None:
    world = World(NO_STEP)
    world.status("RUNNING")
    world.lines("step 1")
    for _ in range(5):
        assert world.wait(59) == []
        assert world.lines("other") == []
    assert world.wait(10) == ["x firing"]
    assert world.last.alert.starts_at == START + 300
    assert world.lines("step 2") == ["x resolved"]


def test_silence_goes_on_over_a_restart() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    world.lines("hello")
    world.wait(400)
    world.restart()
    world.now += 195
    assert world.told(world.view()) == []
    assert world.wait(10) == ["job-silent firing"]
    assert world.last.alert.starts_at == START + 600


def test_a_restart_waits_for_the_lines_it_missed_before_it_judges() -> None:
    world = World(NO_STEP)
    world.status("RUNNING")
    world.lines("step 1")
    world.restart()
    world.now += 1000  # step 2 was printed meanwhile
    assert world.tick() == []
    assert world.told(world.view(next=2)) == []
    assert world.lines("step 2") == []
    assert world.wait(200) == []


def test_the_clock_of_a_job_waits_for_lines_that_are_known_to_be_there() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"\nresolve_after = "1m"')
    world.lines("bad")
    world.restart()
    world.now += 3600
    assert world.tick() == []
    world.told(world.view(next=2))
    assert world.tick() == []  # the line that is missing may keep it firing
    assert world.frame("log", first=1, next=2, lines=["bad"], ts=int((START + 50) * 1e9)) == []
    assert world.tick() == ["x resolved"]
    assert world.last.alert.ends_at == START + 110


def test_a_rate_below_needs_a_whole_window_of_a_running_job() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "step"\nrate_below = "6/m"\nwindow = "1m"')
    world.status("RUNNING")
    for _ in range(12):
        world.lines("step")
        assert world.wait(8) == []
    assert world.wait(12) == ["x firing"]
    for _ in range(6):
        world.lines("step")
    assert world.last.what == "resolved"
    assert len(world.seen) == 2


def test_a_job_that_no_broker_lists_any_more_is_let_go() -> None:
    world = World(SILENT)
    world.status("RUNNING")
    assert world.wait(700) == ["job-silent firing"]
    world.now += 1000
    assert world.told() == ["job-silent resolved"]
    world.now += 1000
    world.told()
    world.tick()
    assert world.engine.dump() == World(SILENT).engine.dump()
