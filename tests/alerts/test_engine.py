"""What fires and resolves, when, and with which words."""

from __future__ import annotations

import pytest

from broker.errors import ClientError
from subscribers.alerts.engine.book import MOST_LABEL_SETS
from subscribers.alerts.rules.rule import LINES_RESOLVE_S
from tests.support.alert_world import START, World

OOM = """
[[alert]]
name = "oom"
match = "CUDA out of memory"
severity = "critical"
"""


def test_the_smallest_rule_fires_at_its_line_and_says_where_it_is() -> None:
    world = World(OOM)
    assert world.lines("fine", "RuntimeError: CUDA out of memory. Tried", "x") == ["oom firing"]
    alert = world.last.alert
    assert alert.labels == {"alertname": "oom", "severity": "critical", "cluster": "c", "job": "a"}
    assert (alert.cluster, alert.job, alert.epoch, alert.line) == ("c", "a", "e1", 1)
    assert alert.url == "http://dash/jobs/c/a#L1"
    assert alert.annotations == {"summary": "a: RuntimeError: CUDA out of memory. Tried"}
    assert alert.starts_at == START
    assert alert.ends_at is None
    assert world.engine.firing == [alert]


def test_more_matches_keep_it_firing_and_it_resolves_when_they_have_stopped() -> None:
    world = World(OOM)
    world.lines("CUDA out of memory")
    world.now += 300
    assert world.lines("CUDA out of memory") == []
    world.now += LINES_RESOLVE_S - 1
    assert world.tick() == []
    world.now += 5
    assert world.tick() == ["oom resolved"]
    assert world.last.alert.ends_at == START + 300 + LINES_RESOLVE_S
    assert world.last.alert.starts_at == START
    assert world.engine.firing == []


def test_it_resolves_at_the_end_of_the_job() -> None:
    world = World(OOM)
    world.lines("CUDA out of memory")
    world.now += 2
    assert world.end("FAILED") == ["oom resolved"]
    assert world.last.alert.ends_at == START + 2


def test_it_stays_after_the_end_where_that_is_wanted() -> None:
    world = World(OOM + "resolve_at_end = false\nresolve_after = '1m'")
    world.lines("CUDA out of memory")
    assert world.end("FAILED") == []
    world.now += 61
    assert world.tick() == ["oom resolved"]


def test_what_is_the_same_alert_is_told_by_rule_and_labels_alone() -> None:
    first, second = World(OOM), World(OOM)
    first.lines("CUDA out of memory")
    second.now += 5000
    second.lines("x", "other CUDA out of memory")
    assert first.last.alert.fingerprint == second.last.alert.fingerprint
    second.lines("CUDA out of memory", job="b")
    assert first.last.alert.fingerprint != second.last.alert.fingerprint


def test_captured_groups_are_labels_and_make_alerts_of_their_own() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "(?P<kind>\\\\w+)Error on (?P<host>[\\\\w.]+)"')
    assert world.lines("IOError on h1", "KeyError on h1", "IOError on h1") == ["x firing"] * 2
    assert [one.alert.labels["kind"] for one in world.seen] == ["IO", "Key"]
    assert world.last.alert.labels["host"] == "h1"


def test_too_many_label_sets_are_folded_into_one_and_counted() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "id=(?P<id>\\\\d+)"')
    lines = [f"id={n}" for n in range(MOST_LABEL_SETS + 50)]
    assert len(world.lines(*lines)) == MOST_LABEL_SETS + 1
    assert world.last.alert.labels["id"] == "other"
    assert world.engine.folded == {"x": 50}


def test_a_captured_label_is_cut_to_a_bound() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "id=(?P<id>\\\\w+)"')
    world.lines("id=" + "y" * 5000)
    assert len(world.last.alert.labels["id"]) == 200


def test_unless_level_source_and_jobs_narrow_a_rule() -> None:
    rule = """
    [[alert]]
    name = "x"
    match = "loss"
    unless = "ignored"
    level = "warning"
    source = "workers"
    jobs = ["train-*"]
    """
    world = World(rule)
    said = "(f pid=1) 2025-06-01 12:00:00,417 {} a.py:1 -- loss"
    assert world.lines(said.format("WARNING"), job="eval-1") == []
    assert world.lines(said.format("INFO"), job="train-1") == []
    assert world.lines(said.format("ERROR") + " ignored", job="train-1") == []
    assert world.lines("2025-06-01 12:00:00,417 ERROR a.py:1 -- loss", job="train-1") == []
    assert world.lines(said.format("ERROR"), job="train-1") == ["x firing"]


def test_a_rule_of_another_cluster_does_not_see_the_job() -> None:
    world = World(OOM + 'clusters = ["prod-*"]')
    assert world.lines("CUDA out of memory") == []


def test_a_level_alone_is_a_rule() -> None:
    world = World('[[alert]]\nname = "x"\nlevel = "error"\nthreshold = 3')
    error = "2025-06-01 12:00:00,417 ERROR a.py:1 -- no"
    assert world.lines(error, "fine", error, "fine") == []
    assert world.lines("fine", error, error) == ["x firing"]
    assert (world.last.alert.line, world.last.alert.value) == (5, 4.0)


def test_a_threshold_counts_in_its_window_and_the_line_is_the_one_that_reached_it() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"\nthreshold = 3\nwindow = "60s"')
    assert world.lines("bad", "bad") == []
    world.now += 61
    assert world.lines("bad") == []
    world.now += 10
    assert world.lines("ok", "bad", "bad", "bad") == ["x firing"]
    assert world.last.alert.line == 5
    assert world.last.alert.value == 3.0


def test_a_threshold_by_a_label_counts_over_jobs() -> None:
    rule = """
    [[alert]]
    name = "x"
    match = "lost (?P<host>\\\\S+)"
    threshold = 2
    by = ["host"]
    """
    world = World(rule.replace("\\\\", "\\").replace('"lost', "'lost").replace('+)"', "+)'"))
    assert world.lines("lost h1", job="a") == []
    assert world.lines("lost h2", job="b") == []
    assert world.lines("lost h1", job="b") == ["x firing"]
    assert world.last.alert.labels == {"alertname": "x", "severity": "warning", "host": "h1"}
    assert world.last.alert.job == "b"
    assert world.end(job="b") == []


def test_what_ray_folded_into_one_line_counts_as_often_as_it_stood_there() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "retry"\nthreshold = 8')
    assert world.lines("(f pid=1) retry") == []
    assert world.lines("(f pid=2) retry [repeated 7x across cluster]") == ["x firing"]


def test_a_rate_above_fires_and_its_value_is_the_rate() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "m"\nrate_above = "2/s"\nwindow = "10s"')
    assert world.lines(*["m"] * 20) == []
    assert world.lines("m") == ["x firing"]
    assert world.last.alert.value == pytest.approx(2.1)


def test_a_rate_of_all_lines_needs_no_regex() -> None:
    world = World('[[alert]]\nname = "x"\nrate_above = 5\nwindow = "10s"')
    assert world.lines(*["m"] * 50) == []
    assert world.lines("any") == ["x firing"]


def test_for_waits_and_a_pause_longer_than_the_window_begins_it_anew() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "m"\nfor = "60s"\nwindow = "30s"')
    world.lines("m")
    for _ in range(2):
        world.now += 25
        assert world.lines("m") == []
    world.now += 31
    assert world.tick() == ["x firing"]  # 60 s after the first, the third was 10 s before
    assert world.last.alert.starts_at == START + 60
    other = World('[[alert]]\nname = "x"\nmatch = "m"\nfor = "60s"\nwindow = "30s"')
    other.lines("m")
    other.now += 31
    other.tick()
    other.now += 30
    assert other.lines("m") == []
    assert other.tick() == []


def test_a_folded_traceback_is_matched_as_a_whole_with_the_frames_between() -> None:
    rule = """
    [[alert]]
    name = "x"
    on = "traceback"
    match = '(?s)in train_step.*^(?P<error>\\w+Error): bad'
    [alert.annotations]
    text = "{line} at {number}"
    trace = "{traceback}"
    """
    world = World(rule)
    world.lines("fine", "(w pid=7) Traceback (most recent call last):", "(v pid=8) other")
    world.lines('(w pid=7)   File "t.py", line 3, in train_step', "(w pid=7)     f()")
    assert world.lines("(w pid=7) ValueError: bad shape") == []
    assert world.lines("(w pid=7) goes on") == ["x firing"]
    alert = world.last.alert
    assert alert.labels["error"] == "ValueError"
    assert alert.annotations["text"] == "ValueError: bad shape at 1"
    assert alert.annotations["trace"].startswith("Traceback (most")
    assert alert.line == 1


def test_a_traceback_that_nothing_follows_is_taken_after_a_quiet_time_or_at_the_end() -> None:
    rule = '[[alert]]\nname = "x"\non = "traceback"\nresolve_at_end = false'
    trace = ["Traceback (most recent call last):", '  File "t.py", line 3, in f', "KeyError: 1"]
    world = World(rule)
    assert world.lines(*trace) == []
    world.now += 2.5
    assert world.tick() == ["x firing"]
    assert world.last.alert.starts_at == START
    ended = World(rule)
    ended.lines(*trace)
    assert ended.end("FAILED") == ["x firing"]


def test_tracebacks_of_workers_are_not_those_of_the_driver() -> None:
    world = World('[[alert]]\nname = "x"\non = "traceback"\nsource = "driver"')
    trace = ["Traceback (most recent call last):", '  File "t.py", line 3, in f', "KeyError: 1"]
    assert world.lines(*(f"(w pid=1) {line}" for line in trace), "fine") == []
    world.now += 5
    assert world.tick() == []
    assert world.lines(*trace, "fine") == ["x firing"]


def test_a_json_field_is_compared_behind_a_worker_prefix_too() -> None:
    rule = """
    [[alert]]
    name = "x"
    json = {field = "metrics.loss", above = 10}
    """
    world = World(rule)
    assert world.lines('{"metrics": {"loss": 9}}', '{"loss": 99}', "metrics loss 99") == []
    assert world.lines('{"metrics": {"loss": "99"}}', '{"metrics": {"loss": 99') == []
    assert world.lines('(f pid=1) {"metrics": {"loss": 12.5}}') == ["x firing"]
    assert world.last.alert.value == 12.5


def test_templates_show_the_lines_before_and_after() -> None:
    rule = (
        OOM
        + """
before = 2
after = 2
[alert.annotations]
context = "{before}|{line}|{after}|{number}|{labels.job}|{{{url}}}"
"""
    )
    world = World(rule)
    world.lines("0", "1")
    assert world.lines("2", "CUDA out of memory", "4") == []  # it waits for one more
    assert world.lines("5", "6") == ["oom firing"]
    assert world.last.alert.annotations["context"] == (
        "1\n2|CUDA out of memory|4\n5|3|a|{http://dash/jobs/c/a#L3}"
    )


def test_the_lines_after_are_waited_for_only_so_long() -> None:
    world = World(OOM + '[alert.annotations]\ncontext = "{line}|{after}"')
    assert world.lines("CUDA out of memory", "one") == []
    world.now += 3
    assert world.tick() == ["oom firing"]
    assert world.last.alert.annotations["context"] == "CUDA out of memory|one"
    assert world.last.alert.starts_at == START


def test_an_alert_that_waits_for_lines_is_told_before_it_resolves() -> None:
    world = World(OOM + '[alert.annotations]\ncontext = "{after}"')
    world.lines("CUDA out of memory")
    assert world.end() == ["oom firing", "oom resolved"]


def test_a_partial_line_that_is_amended_counts_once() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"\nthreshold = 2')
    assert world.lines("ok", "bad st", partial=True) == []
    assert world.lines("bad state", "ok", amends=True) == []
    assert world.lines("bad") == ["x firing"]


def test_lines_that_were_fed_before_are_passed_over() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"\nthreshold = 3')
    world.lines("bad", "bad")
    assert world.frame("log", first=0, next=2, lines=["bad", "bad"]) == []
    assert world.frame("log", first=1, next=3, lines=["bad", "bad"]) == ["x firing"]


def test_a_job_that_fails_fires_and_its_next_run_resolves_it() -> None:
    world = World('ready_made = ["job-failed"]')
    world.status("RUNNING", run=1)
    assert world.end("FAILED") == ["job-failed firing"]
    assert world.last.alert.annotations["summary"] == "a is FAILED"
    assert world.told(world.view(status="RUNNING", run=1)) == []  # an older word on the same run
    assert world.status("RUNNING", run=2) == ["job-failed resolved"]


def test_an_end_that_does_not_tell_its_run_is_that_of_the_run_there_is() -> None:
    world = World('ready_made = ["job-failed"]')
    world.told(world.view())
    assert world.frame("end", status="FAILED") == ["job-failed firing"]


def test_lines_of_another_file_begin_anew() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"\nthreshold = 2')
    world.lines("ok", "bad")
    world.frame("reset", epoch="e2", first=0, next=0)
    assert world.frame("log", epoch="e2", first=0, next=1, lines=["bad"]) == ["x firing"]
    assert (world.last.alert.epoch, world.last.alert.line) == ("e2", 0)


def test_a_job_that_failed_resolves_by_itself_in_the_end() -> None:
    world = World('ready_made = ["job-failed"]')
    world.status("RUNNING")
    world.end("FAILED")
    world.now += 3590
    assert world.tick() == []
    world.now += 20
    assert world.tick() == ["job-failed resolved"]
    world.now += 20
    assert world.tick() == []


def test_what_was_over_before_the_first_list_does_not_fire() -> None:
    world = World('ready_made = ["job-failed"]', told=False)
    assert world.told(world.view(status="FAILED", state="ended")) == []
    assert world.told(world.view(job="b", status="FAILED", state="ended")) == ["job-failed firing"]


def test_a_status_can_be_held_for_a_time() -> None:
    world = World('[[alert]]\nname = "x"\nstatus = "PENDING"\nfor = "10m"')
    world.status("PENDING")
    assert world.wait(590, status="PENDING") == []
    assert world.wait(20, status="PENDING") == ["x firing"]
    assert world.status("RUNNING") == ["x resolved"]


def test_a_job_that_runs_for_too_long_fires_until_it_ends() -> None:
    world = World('[[alert]]\nname = "x"\nrunning_longer = "1h"')
    world.status("RUNNING")
    assert world.wait(3590) == []
    assert world.wait(20) == ["x firing"]
    assert world.last.alert.starts_at == START + 3600
    assert world.end() == ["x resolved"]


def test_a_broken_dump_is_refused() -> None:
    world = World(OOM)
    with pytest.raises(ClientError, match="no state of this version"):
        world.engine.restore(b"\x93\x01")


def test_one_frame_from_the_future_does_not_stop_a_jobs_clock() -> None:
    world = World(
        '[[alert]]\nname = "bad"\nmatch = "bad"\nthreshold = 2\nwindow = "1m"\nresolve_after = "1m"'
    )
    world.lines("ok", ts=int((world.now + 1e8) * 1e9))
    assert world.lines("bad") == []
    world.wait(300)
    assert world.lines("bad") == []
    assert world.lines("bad") == ["bad firing"]
    assert world.wait(300) == ["bad resolved"]
