"""`raytap jobs`."""

from __future__ import annotations

import json
import sys

import msgspec
import pytest

from broker import cli
from broker.jobview import JobList, JobView
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port

VIEWS = [
    JobView(
        "ray",
        "train-1",
        "streaming",
        "RUNNING",
        source="agent",
        lines=45,
        next=12345,
        bytes=5 << 20,
    ),
    JobView("ray", "bad/id", "skipped", reason="its id is no resource id"),
]


def jobs(listed: JobList, *arguments: str) -> int:
    body = msgspec.json.encode(listed)
    with LittleHttp(lambda path, headers: Reply(200, body)) as server:
        return cli.run(["jobs", "--broker", server.url, *arguments])


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")


def test_it_is_json_where_it_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert jobs(JobList("b", ["journal"], VIEWS)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["degraded"] == ["journal"]
    assert [job["job"] for job in said["jobs"]] == ["train-1", "bad/id"]


def test_it_is_a_table_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch)
    assert jobs(JobList("b", ["the journal cannot be written"], VIEWS)) == 0
    out, err = capsys.readouterr()
    assert "train-1" in out
    assert "12,345" in out
    assert "5.0 MiB" in out
    assert "its id is no resource id" in out
    assert "degraded: the journal cannot be written" in err


def test_json_can_be_asked_for_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch)
    assert jobs(JobList("b", [], VIEWS), "--json") == 0
    assert json.loads(capsys.readouterr().out)["broker"] == "b"


def test_no_jobs_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_terminal(monkeypatch)
    assert jobs(JobList("b", [], [])) == 0
    assert "No jobs yet" in capsys.readouterr().out


def test_a_daemon_out_of_reach_is_status_3_with_advice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.run(["jobs", "--broker", f"http://127.0.0.1:{free_port()}"]) == 3
    assert "is `raytap serve` running" in capsys.readouterr().err


def test_an_answer_that_is_no_list_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with LittleHttp(lambda path, headers: Reply(200, b"<html>")) as server:
        assert cli.run(["jobs", "--broker", server.url]) == 3
    assert "unexpected answer" in capsys.readouterr().err


def test_an_address_that_is_none_is_wrong_usage() -> None:
    assert cli.run(["jobs", "--broker", "127.0.0.1:8270"]) == 2


def test_on_a_narrow_terminal_the_job_s_name_is_what_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "80")
    view = JobView("default", "demo-evaluate-2026-11-21", "streaming", status="RUNNING")
    jobs(JobList("b", [], [view]))
    out = capsys.readouterr().out
    assert "demo-evaluate-2026-11-21" in out
    assert "REDACTED" not in out
