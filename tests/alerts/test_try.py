"""`raytap alerts check` and `raytap alerts try`, as one types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from broker.cli import run
from broker.exit_status import ExitStatus
from broker.frame import Frame
from subscribers.alerts.engine.links import Links
from subscribers.alerts.engine.log_times import Clock
from subscribers.alerts.engine.trial import Trial
from subscribers.alerts.rules.rules_file import parse
from tests.support.fake_broker import FakeBroker
from tests.support.ports import free_port

RULES = """
ready_made = ["cuda-oom", "job-silent", "job-failed"]
[[alert]]
name = "loss"
match = "loss is (?P<loss>[0-9]+)"
resolve_after = "30s"
[[alert]]
name = "lag"
broker = "lag"
"""
LOG = """\
2026-01-01 10:00:00,123 INFO start
(w pid=1) 2026-01-01T10:00:05Z INFO loss is 5 password=hunter2hunter2
no time here
\x1b[31mRuntimeError: CUDA out of memory.\x1b[0m
2026-01-01 10:30:00 bye
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return str(path)


def tried(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["alerts", "try", *arguments, "-o", "json"]) == ExitStatus.OK
    value: dict[str, Any] = json.loads(capsys.readouterr().out)
    return value


def test_check_says_that_all_is_right(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", "check", rules]) == ExitStatus.OK
    assert "5 rules and 0 receivers, all is right" in capsys.readouterr().out


def test_check_notes_what_would_keep_run_from_starting_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONCALL_URL", raising=False)
    path = tmp_path / "rules.toml"
    path.write_text(
        '[[receiver]]\nname = "oncall"\nkind = "webhook"\nurl_env = "ONCALL_URL"\n'
        f'secret_file = "{tmp_path}/secret"\n[[alert]]\nname = "x"\nmatch = "boom"\n'
    )
    assert run(["alerts", "check", str(path)]) == ExitStatus.OK
    out, err = capsys.readouterr()
    unset, unread = err.splitlines()
    assert "ONCALL_URL is not set, so `raytap alerts run` would not start here" in unset
    assert f"secret_file: {tmp_path}/secret cannot be read" in unread
    said = "1 rule and 1 receiver, all is right, but for what this machine lacks"
    assert out == f"{path}: {said}\n"
    monkeypatch.setenv("ONCALL_URL", "https://hook.example/x")
    (tmp_path / "secret").write_text("s3cret")
    assert run(["alerts", "check", str(path)]) == ExitStatus.OK
    assert capsys.readouterr().err == ""


def test_check_says_each_fault_on_a_line_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[[alert]]\nname = "x"\nmatch = "("\nlevle = "error"\n')
    assert run(["alerts", "check", str(path)]) == ExitStatus.USAGE
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:3: match: no regex (re2): missing ): (, at character 1",
        f"{path}:4: levle: no such setting; did you mean level?",
    ]
    assert run(["alerts", "check", str(path), "-o", "json"]) == ExitStatus.USAGE
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_try_names_the_command_that_tells_all_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[[alert]]\nname = "x"\nmatch = "("\nlevle = "error"\n')
    assert run(["alerts", "try", str(path), str(path)]) == ExitStatus.USAGE
    assert "(and 1 more: `raytap alerts check` tells all)" in capsys.readouterr().err


def test_try_says_that_there_is_no_such_file_where_nobody_knows_of_jobs(
    rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broker = f"http://127.0.0.1:{free_port()}"
    assert run(["alerts", "try", rules, "jb-log", "--broker", broker]) == ExitStatus.UNREACHABLE
    assert "there is no file jb-log, and for a job: cannot connect" in capsys.readouterr().err


def test_the_table_of_try_has_no_spaces_at_the_ends_of_its_lines(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "job.log"
    log.write_text(LOG)
    assert run(["alerts", "try", rules, str(log)]) == ExitStatus.OK
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) > 1
    assert rows == [row.rstrip() for row in rows]


def test_check_without_a_file_takes_those_of_the_configuration(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "raytap.toml"
    config.write_text(f'[alerts]\nrules = ["{rules}"]\n')
    assert run(["alerts", "check", "--config", str(config)]) == ExitStatus.OK
    config.write_text("")
    assert run(["alerts", "check", "--config", str(config)]) == ExitStatus.USAGE
    assert "no rule file" in capsys.readouterr().err


def test_try_takes_the_times_of_a_log_and_makes_it_safe(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "job.log"
    log.write_text(LOG)
    body = tried(capsys, rules, str(log))
    fired = {one["rule"]: one for one in body["fired"]}
    assert {name: one["line"] for name, one in fired.items()} == {
        "loss": 1,
        "cuda-oom": 3,
        "job-silent": None,
    }
    start = 1767261600  # 10:00
    assert (fired["loss"]["starts_at"], fired["loss"]["ends_at"]) == (start + 5, start + 35)
    assert fired["cuda-oom"]["starts_at"] == start + 5
    assert fired["job-silent"]["starts_at"] == start + 605
    assert fired["job-silent"]["ends_at"] == start + 1800
    assert fired["cuda-oom"]["annotations"]["description"] == "RuntimeError: CUDA out of memory."
    assert "hunter2" not in json.dumps(body)
    assert (body["lines"], body["not_tried"]) == (5, ["job-failed", "lag"])


def test_try_prints_a_table(rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "job.log"
    log.write_text(LOG)
    assert run(["alerts", "try", rules, str(log)]) == ExitStatus.OK
    shown = capsys.readouterr()
    assert "2026-01-01 10:00:05  0:00:30" in shown.out
    assert "5 lines, 5 rules, 3 alerts" in shown.err
    assert "not tried, a log does not tell: job-failed, lag" in shown.err
    log.write_text("nothing\n")
    assert run(["alerts", "try", rules, str(log)]) == ExitStatus.OK
    assert capsys.readouterr().out == "Nothing would have fired.\n"


def test_try_assumes_a_pace_where_lines_have_no_times(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "job.log"
    log.write_text("x\n" * 99 + "loss is 5\n" + "x\n" * 100 + "CUDA out of memory")
    (loss, oom) = tried(capsys, rules, str(log), "--lines-per-second", "2")["fired"]
    assert (loss["starts_at"], loss["ends_at"]) == (49, 79)
    assert oom["line"] == 200
    assert run(["alerts", "try", rules, str(log)]) == ExitStatus.OK
    assert "+0:00:09" in capsys.readouterr().out


def test_try_replays_a_job_of_the_daemon_with_its_own_times(
    rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = 1_700_000_000

    def frame(kind: Any, first: int, seconds: int, *lines: str, **fields: Any) -> Frame:
        return Frame(
            kind=kind,
            cluster="default",
            job="train-1",
            epoch="e1",
            first=first,
            next=first + len(lines),
            lines=list(lines),
            ts=(start + seconds) * 10**9,
            **fields,
        )

    frames = [
        frame("status", 0, 0, status="RUNNING", run=5),
        frame("log", 0, 10, "one", "CUDA out of memory"),
        frame("log", 2, 20, "two"),
        frame("end", 3, 1000, status="FAILED", run=5, complete=True),
    ]
    with FakeBroker() as broker:
        broker.publish(*frames, live=False)
        body = tried(capsys, rules, "train-1", "--broker", broker.http)
    fired = [(one["rule"], one["starts_at"] - start, one["ends_at"]) for one in body["fired"]]
    assert fired == [
        ("cuda-oom", 10, start + 610),
        ("job-silent", 620, start + 1000),
        ("job-failed", 1000, None),
    ]
    assert body["not_tried"] == ["lag"]


def test_try_says_that_there_is_no_such_log(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["alerts", "try", rules, "no/such.log"]) == ExitStatus.USAGE
    assert "there is no such file, and no such job" in capsys.readouterr().err
    nobody = ["--broker", "http://127.0.0.1:9"]
    assert run(["alerts", "try", rules, "job", *nobody]) == ExitStatus.UNREACHABLE
    assert "is `raytap serve` running" in capsys.readouterr().err


def test_a_log_without_an_end_shows_what_fires_on() -> None:
    trial = Trial(parse(RULES).rules, Links())
    frame = Frame(kind="log", cluster="c", job="j", first=0, next=1, lines=["loss is 1"], ts=10**9)
    assert [alert.rule for alert in trial.run([frame])] == ["loss"]
    assert trial.fired[0].ends_at is None


def test_lines_of_a_second_come_together_and_time_never_goes_back() -> None:
    clock = Clock(10)
    lines = [
        "2026-01-01 00:00:01.5 a",
        "b",
        "2026-01-01 00:00:00 c",
        "[2026-01-01T00:00:02+00:00] d",
    ]
    (first, three), (second, one) = clock.runs(lines)
    assert (three, one, second - first) == (3, 1, 0.5)
    assert list(clock.runs(["x"])) == [(second, 1)]
    assert list(Clock(10).runs(["9999-99-99 00:00:00 x"])) == [(0.0, 1)]
