"""`raytap dashboard`."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest

from broker import cli
from broker.topic import Stream
from tests.support.dashboard_process import DashboardProcess
from tests.support.journal_records import log_frame
from tests.support.permissions import TOKEN, access
from tests.support.ports import free_port
from tests.support.served_broker import ServedBroker
from tests.support.sse import SseClient, reaches
from tests.support.wait import wait_until

STREAM = Stream("ray", "job-1")


def run(*arguments: str) -> int:
    return cli.run(["dashboard", *arguments])


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_with_its_clients(tmp_path: Path, number: signal.Signals) -> None:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 10, STREAM))
        flags = ["--zeromq", broker.endpoint, "--broker", broker.http]
        with DashboardProcess(tmp_path, flags) as dashboard:
            wait_until(lambda: dashboard.json("/v1/jobs")["jobs"], message="the job is listed")
            with SseClient(f"{dashboard.url}/v1/jobs/{STREAM}/stream?from=0") as client:
                client.until(reaches(10))
                begun = time.monotonic()
                assert dashboard.stop(number) == 0
                assert time.monotonic() - begun < 5.0
                with pytest.raises(EOFError):
                    client.next()
            assert dashboard.events()[0] == "dashboard_started"
            assert dashboard.events()[-1] == "dashboard_stopped"


def test_it_ends_in_time_while_a_broker_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hanging:
        address = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        flags = ["--zeromq", "tcp://127.0.0.1:1", "--broker", address]
        dashboard = DashboardProcess(tmp_path, flags)
        dashboard._ready = lambda: "dashboard_started" in dashboard.events()  # type: ignore[method-assign]
        with dashboard:
            begun = time.monotonic()
            assert dashboard.stop() == 0
            assert time.monotonic() - begun < 5.0


def test_it_reads_the_token_for_the_broker_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    with ServedBroker(access=access()) as broker:
        broker.publish(log_frame(0, 10, STREAM))
        settings = {
            "dashboard.upstream.zeromq": [broker.endpoint],
            "dashboard.upstream.brokers": [broker.http],
        }
        flags = ["--token-file", str(tmp_path / "token")]
        with DashboardProcess(tmp_path, flags, settings) as dashboard:
            wait_until(lambda: dashboard.json("/v1/jobs")["jobs"], message="the job is listed")


def test_a_broker_that_wants_a_token_is_told_with_the_flag_that_gives_it(tmp_path: Path) -> None:
    with ServedBroker(access=access()) as broker:
        flags = ["--zeromq", broker.endpoint, "--broker", broker.http]
        with DashboardProcess(tmp_path, flags) as dashboard:
            said = dashboard.json("/readyz")["degraded"]
            told = [one for one in said if "no token was given" in one]
            assert told, said
            assert "(--token-file or dashboard.upstream.token_file)" in told[0]
            assert told[0].count(broker.http) == 1


def test_what_is_away_is_told_with_its_address_once_and_in_words(tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    alerts = f"127.0.0.1:{free_port()}"
    settings = {"alerts.bind": alerts, "alerts.rules": ["rules.toml"]}
    flags = ["--zeromq", "tcp://127.0.0.1:1", "--broker", away]
    with DashboardProcess(tmp_path, flags, settings) as dashboard:

        def said() -> list[str]:
            return [one for one in dashboard.json("/readyz")["degraded"] if "connect to" in one]

        wait_until(lambda: len(said()) == 2, message="both are told to be away")
        assert said() == [
            f"cannot connect to {away}: connection refused",
            f"alerts: cannot connect to http://{alerts}: connection refused",
        ]


def test_a_bind_beyond_this_machine_without_tokens_is_refused_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("--bind", "0.0.0.0:0") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--bind: 0.0.0.0 is reached from other machines" in said
    assert "raytap token new" in said
    assert "--insecure" in said


def test_an_address_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        assert run("--bind", taken, "--zeromq", "tcp://127.0.0.1:1") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"cannot serve HTTP on {taken}" in said
    assert "--bind HOST:PORT" in said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--zeromq", "tcp://h:1", "--redis", "redis://h"], "not both"),
        (["--bind", "nowhere"], "HOST:PORT"),
        (["--zeromq", "h:1"], "not a ZeroMQ endpoint"),
        (["--redis", "h:1"], "redis://"),
        (["--broker", "h:1"], "http://HOST:PORT is one"),
        (["--token-file", "nothing"], "cannot be read"),
        (["--config", "nothing.toml"], "nothing.toml"),
    ],
)
def test_wrong_flags_are_said_in_one_line(
    capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert run(*flags) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
