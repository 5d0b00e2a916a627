"""The commands that ask a daemon which asks for tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from broker import cli
from broker.access.access import Access
from broker.exit_status import ExitStatus
from broker.http.app import create_app
from broker.jobview import JobView
from broker.metrics import Metrics
from broker.web.server import HttpServer
from tests.http.conftest import STREAM, FakeStatus, log
from tests.support.permissions import TOKEN, access

USAGE, REFUSED = ExitStatus.USAGE, ExitStatus.CHECK_FAILED


@pytest.fixture
def status() -> Iterator[FakeStatus]:
    status = FakeStatus()
    status.views = [JobView(*STREAM, "ended"), JobView("default", "eval", "ended")]
    status.journal.append([log(0, "a", "b")])
    yield status
    status.journal.close()


@pytest.fixture
def address(status: FakeStatus, request: pytest.FixtureRequest) -> Iterator[str]:
    permissions: Access = getattr(request, "param", None) or access(["train-*"])
    server = HttpServer(create_app(status, Metrics("1"), "127.0.0.1:0", permissions), "127.0.0.1:0")
    server.start()
    yield f"http://{server.address}"
    server.stop(2)


@pytest.mark.parametrize("command", [["jobs"], ["export", "train-1"], ["purge", "train-1"]])
def test_without_the_right_token_each_says_so_and_shows_none(
    command: list[str],
    address: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RAYTAP_TOKEN", raising=False)
    assert cli.run([*command, "--broker", address]) == USAGE
    assert "no token was given (--token, RAYTAP_TOKEN" in capfd.readouterr().err
    assert cli.run([*command, "--broker", address, "--token", "raytap_wrong"]) == USAGE
    err = capfd.readouterr().err
    assert "the token is not taken: this token is not known here" in err
    assert "raytap_wrong" not in err


def test_jobs_lists_what_the_token_opens(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["jobs", "--broker", address, "--token", TOKEN]) == 0
    assert [job["job"] for job in json.loads(capfd.readouterr().out)["jobs"]] == ["train-1"]


def test_export_writes_the_log_of_a_job_that_the_token_opens(
    address: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYTAP_TOKEN", TOKEN)
    assert cli.run(["export", "train-1", "--broker", address]) == 0
    assert capfd.readouterr().out == "a\nb\n"
    assert cli.run(["export", "eval", "--broker", address]) == REFUSED
    assert "may not read job default/eval" in capfd.readouterr().err


def test_purge_is_refused_to_a_token_that_may_only_read(
    address: str, status: FakeStatus, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["purge", "train-1", "--broker", address, "--token", TOKEN]) == REFUSED
    assert "the token 'tester' may not change job default/train-1" in capfd.readouterr().err
    assert status.journal.spans(STREAM)


@pytest.mark.parametrize("address", [access(actions=["read", "admin"])], indirect=True)
def test_purge_removes_with_a_token_for_admin(address: str, status: FakeStatus) -> None:
    assert cli.run(["purge", "train-1", "--broker", address, "--token", TOKEN]) == 0
    assert not status.journal.spans(STREAM)
