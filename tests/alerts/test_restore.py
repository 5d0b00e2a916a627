"""A restart at any moment changes nothing that is told."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.alert_world import World

RULES = """
ready_made = ["driver-traceback", "job-failed"]
[[alert]]
name = "plain"
match = "bad (?P<what>\\\\w)"
resolve_after = "20s"
[[alert]]
name = "many"
match = "bad"
threshold = 3
window = "15s"
by = ["cluster"]
[[alert]]
name = "long"
match = "bad"
for = "10s"
window = "8s"
resolve_after = "0s"
[[alert]]
name = "context"
match = "bad x"
resolve_after = "5s"
annotations = {text = "{before}|{after}"}
[[alert]]
name = "quiet"
absent = "12s"
[[alert]]
name = "few"
match = "ok"
rate_below = 0.2
window = "10s"
[[alert]]
name = "gaps"
broker = "gap"
threshold = 2
[[alert]]
name = "late"
broker = "lag"
above = "2s"
""".replace("\\\\\\\\", "\\\\")
TRACE = ["Traceback (most recent call last):", '  File "t.py", line 1, in f', "KeyError: 1"]
JOB = st.sampled_from("ab")
STEP = st.one_of(
    st.tuples(
        st.just("lines"),
        JOB,
        st.lists(st.sampled_from(["bad x", "bad y", "ok", "?", *TRACE]), min_size=1, max_size=5),
    ),
    st.tuples(st.just("wait"), st.integers(1, 15), st.booleans()),
    st.tuples(st.just("status"), JOB, st.sampled_from(["RUNNING", "PENDING"])),
    st.tuples(st.just("end"), JOB, st.sampled_from(["FAILED", "SUCCEEDED"])),
    st.tuples(st.just("gap"), JOB, st.integers(1, 5)),
    st.tuples(st.just("late"), JOB, st.integers(1, 5)),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


def play(steps: list[tuple[str, object, object]], *, restarts: bool) -> World:
    """Each step, and the broker's list after it."""
    world = World(RULES)
    for kind, one, two in steps:
        match kind, one, two:
            case "lines", str(job), list(lines):
                world.lines(*lines, job=job)
            case "wait", int(seconds), bool(told):
                world.wait(seconds, step=1 if told else 0)
            case "status", str(job), str(status):
                world.status(status, job)
            case "end", str(job), str(status):
                world.end(status, job)
            case "gap", str(job), int(lines):
                at = world.positions.get(job, 0)
                world.frame("gap", job, first=at, next=at + lines, reason="limit")
            case "late", str(job), int(lines):
                at = world.positions.get(job, 0)
                world.now += 3
                world.told(world.view(job, next=at + lines))
                world.lines(*["ok"] * lines, job=job)
            case "restart", _, _ if restarts:
                world.restart()
        known = [job for job in "ab" if job in world.positions]
        world.told(*(world.view(job, status="") for job in known))
    world.wait(1000)
    return world


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_a_restored_engine_tells_what_an_uninterrupted_one_does(
    steps: list[tuple[str, object, object]],
) -> None:
    assert play(steps, restarts=True).seen == play(steps, restarts=False).seen


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_each_alert_fires_once_until_it_resolves_and_times_never_go_back(
    steps: list[tuple[str, object, object]],
) -> None:
    firing: dict[str, float] = {}
    ended: dict[str, float] = {}
    for alert, what in ((one.alert, one.what) for one in play(steps, restarts=False).seen):
        if what == "firing":
            assert alert.fingerprint not in firing
            assert alert.starts_at >= ended.get(alert.fingerprint, 0.0)
            assert alert.ends_at is None
            firing[alert.fingerprint] = alert.starts_at
        else:
            assert firing.pop(alert.fingerprint) == alert.starts_at
            assert alert.ends_at is not None
            assert alert.ends_at >= alert.starts_at
            ended[alert.fingerprint] = alert.ends_at


OOM = '[[alert]]\nname = "oom"\nmatch = "out of memory"\n'


def test_a_rule_that_changed_starts_afresh_and_its_alert_resolves() -> None:
    world = World(OOM)
    world.lines("out of memory")
    world.restart(OOM + 'severity = "critical"')
    world.now += 1
    assert world.tick() == ["oom resolved"]
    assert world.tick() == []
    assert world.lines("out of memory") == ["oom firing"]


def test_what_fired_for_a_rule_that_went_resolves_even_after_another_restart() -> None:
    world = World(OOM)
    world.lines("out of memory")
    world.restart("ready_made = ['job-failed']")
    world.restart()
    assert world.tick() == ["oom resolved"]


def test_a_rule_that_stays_the_same_keeps_what_fires_though_others_change() -> None:
    world = World(OOM)
    world.lines("out of memory")
    alert = world.last.alert
    world.restart(f"ready_made = ['*']\n{OOM}")
    assert world.tick() == []
    assert world.engine.firing == [alert]


def test_a_half_open_traceback_goes_on_after_a_restart() -> None:
    world = World('[[alert]]\nname = "x"\non = "traceback"\n')
    world.lines("Traceback (most recent call last):", '  File "t.py", line 1, in f')
    world.restart()
    world.lines("    f()", "KeyError: 1")
    assert world.lines("goes on") == ["x firing"]
    assert world.last.alert.line == 0
    assert "KeyError: 1" in world.last.alert.annotations["summary"]


def test_a_job_that_came_and_failed_while_we_were_away_fires_and_an_older_one_does_not() -> None:
    world = World('[[alert]]\nname = "failed"\nstatus = "FAILED"')
    world.told(world.view("a"))
    left = world.now
    world.restart()
    world.now += 7200
    over = {"state": "ended", "status": "FAILED"}
    assert world.told(
        world.view("a"),
        world.view("b", last_frame_ts=int((left + 60) * 1e9), **over),
        world.view("c", last_frame_ts=int((left - 60) * 1e9), **over),
    ) == ["failed firing"]
    assert world.last.alert.job == "b"
