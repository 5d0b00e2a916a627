"""SIGHUP: a token is taken back, or given, while everything runs."""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3

from broker.access.access import Access
from broker.access.token import OWN_NAME, hash_token, new_token
from broker.commands.access_changes import FromParent
from broker.commands.own_token import with_same_token
from broker.config.config import AccessConfig, TokenConfig
from broker.topic import Stream
from tests.support.daemon_process import DaemonProcess
from tests.support.dashboard_process import DashboardProcess
from tests.support.journal_records import log_frame
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.served_broker import ServedBroker
from tests.support.sse import SseClient, reaches
from tests.support.wait import wait_until

OPS, LEAKED = new_token(), new_token()
STREAM = Stream("default", "train-1")
PATH = f"/v1/jobs/{STREAM}"


def tokens(**named: str) -> dict[str, object]:
    """Their settings."""
    return {f"access.token.{name}.hash": hash_token(token) for name, token in named.items()}


class Asker:
    """Asks with a token or a cookie."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(retries=False, timeout=10.0)

    def __call__(
        self, token: str = "", path: str = PATH, method: str = "GET", **headers: str
    ) -> urllib3.BaseHTTPResponse:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return self._pool.request(method, self.url + path, headers={**bearer, **headers})

    def status(self, token: str) -> int:
        return self(token).status

    def refuses(self, token: str) -> bool:
        return self.status(token) == 401

    def sign_in(self, token: str) -> str:
        """The cookie."""
        answer = self(token, "/v1/session", "POST")
        return answer.headers["Set-Cookie"].partition(";")[0]


def write(file: Path, settings: dict[str, object]) -> None:
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))


def ended(client: SseClient) -> bool:
    """Reads a stream to its end."""
    with pytest.raises(EOFError):
        client.until(lambda _: False)
    return True


def said(home: Path, name: str) -> Callable[[], list[dict[str, Any]]]:
    """The events of that name that were logged."""

    def found() -> list[dict[str, Any]]:
        lines = (home / "stderr").read_text().splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "}"]
        return [event for event in events if event["event"] == name]

    return found


def test_a_token_that_is_taken_back_ends_with_its_cookies_and_streams_and_no_others(
    tmp_path: Path,
) -> None:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 10, STREAM))
        upstream = {
            "dashboard.upstream.zeromq": [broker.endpoint],
            "dashboard.upstream.brokers": [broker.http],
        }
        settings = {**upstream, **tokens(ops=OPS, leaked=LEAKED)}
        with DashboardProcess(tmp_path, [], settings) as dashboard:
            ask = Asker(dashboard.url)
            wait_until(lambda: ask.status(OPS) == 200, message="the job is listed")
            cookie, kept = ask.sign_in(LEAKED), ask.sign_in(OPS)
            stream = f"{dashboard.url}{PATH}/stream"
            with (
                SseClient(stream, Authorization=f"Bearer {LEAKED}") as by_token,
                SseClient(stream, Cookie=cookie) as by_cookie,
                SseClient(stream, Cookie=kept) as other,
            ):
                for client in (by_token, by_cookie, other):
                    client.next()
                write(tmp_path / "raytap.toml", {**upstream, **tokens(ops=OPS)})
                assert dashboard.process is not None
                dashboard.process.send_signal(signal.SIGHUP)
                assert ended(by_token)
                assert ended(by_cookie)
                assert (ask.status(LEAKED), ask.status(OPS)) == (401, 200)
                assert ask(Cookie=cookie).status == 401
                assert ask(Cookie=kept).status == 200
                broker.publish(log_frame(10, 20, STREAM))
                other.until(reaches(20))
            (event,) = wait_until(said(tmp_path, "access_reloaded"))
            assert event["tokens"] == ["ops"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"access.token.ops.hash": "sha256:short"}, "access.token.ops.hash"),
        ({"access.jwt.key_file": "/nowhere/key.pem"}, "access.jwt.key_file"),
        ({"dashboard.bnd": "x"}, "bnd"),
        ({}, "only a start opens all to all"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_and_the_old_one_kept(
    tmp_path: Path, wrong: dict[str, object], says: str
) -> None:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 10, STREAM))
        flags = ["--zeromq", broker.endpoint, "--broker", broker.http]
        with DashboardProcess(tmp_path, flags, tokens(ops=OPS)) as dashboard:
            ask = Asker(dashboard.url)
            wait_until(lambda: ask.status(OPS) == 200, message="the job is listed")
            write(tmp_path / "raytap.toml", wrong)
            assert dashboard.process is not None
            dashboard.process.send_signal(signal.SIGHUP)
            (event,) = wait_until(said(tmp_path, "access_not_reloaded"))
            assert says in event["why"]
            assert ask.status(OPS) == 200
            write(tmp_path / "raytap.toml", tokens(new=LEAKED))
            dashboard.process.send_signal(signal.SIGHUP)
            wait_until(lambda: ask.status(LEAKED) == 200, message="the mended file is taken")
            assert ask.status(OPS) == 401


def test_serve_hands_it_to_those_that_it_started_and_they_go_on_reading_from_it(
    tmp_path: Path,
) -> None:
    gateway, alerts = (f"127.0.0.1:{free_port()}" for _ in range(2))
    rules = tmp_path / "rules.toml"
    rules.write_text('[[alert]]\nname = "oom"\nmatch = "out of memory"\nseverity = "critical"\n')
    settings = {
        **{"dashboard.enabled": True, "dashboard.bind": gateway},
        **{"alerts.enabled": True, "alerts.bind": alerts, "alerts.rules": [str(rules)]},
    }
    with RayStandIn() as standin:
        daemon = DaemonProcess(
            tmp_path,
            standin.url,
            {**settings, **tokens(ops=OPS, leaked=LEAKED)},
            ["--log-format", "json"],
        )
        with daemon:
            standin.add_job(STREAM.job)
            standin.append(STREAM.job, b"one\n")
            asks = Asker(daemon.url), Asker(f"http://{gateway}")
            warner = Asker(f"http://{alerts}")
            wait_until(lambda: _reaches(asks[1], OPS, 1), 20, "the gateway lists the line")
            wait_until(lambda: _answers(warner, LEAKED), 20, "the alerts answer")
            kept = {k: v for k, v in daemon.settings.items() if "leaked" not in k}
            write(tmp_path / "raytap.toml", kept)
            daemon.signal(signal.SIGHUP)
            for ask in asks:
                wait_until(partial(ask.refuses, LEAKED), message="it is refused")
                assert ask.status(OPS) == 200
            wait_until(lambda: not _answers(warner, LEAKED), message="the alerts refuse it")
            assert _answers(warner, OPS)
            standin.append(STREAM.job, b"two\n")
            wait_until(lambda: _reaches(asks[1], OPS, 2), message="its own token is still good")
            assert asks[1](OPS, f"{PATH}/lines").json()["next"] == 2
            wait_until(lambda: len(daemon.events("access_reloaded")) == 3)
            names = [event["tokens"] for event in daemon.events("access_reloaded")]
            assert names == [["ops", OWN_NAME]] * 3


def test_a_program_is_told_by_its_parent_and_goes_on_after_what_is_no_configuration() -> None:
    ops = AccessConfig(token={"ops": TokenConfig(hash=hash_token(OPS))})
    new = AccessConfig(token={"new": TokenConfig(hash=hash_token(LEAKED))})
    door = Access.of(ops)
    told = [b"{}", b"no JSON", msgspec.json.encode(new)]
    done = threading.Event()

    def take(config: AccessConfig) -> None:
        door.reload(config)
        done.set()

    FromParent(io.BytesIO(b"\n".join(told) + b"\n")).follow(take)
    assert done.wait(10)
    assert door.authenticate(LEAKED).name == "new"


def _answers(ask: Asker, token: str) -> bool:
    try:
        return ask(token, "/v1/alerts").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _reaches(ask: Asker, token: str, line: int) -> bool:
    try:
        answer = ask(token)
    except urllib3.exceptions.HTTPError:
        return False
    return answer.status == 200 and answer.json()["next"] == line


def test_the_token_of_its_own_programs_stays_with_what_was_read_again() -> None:
    own, ops = TokenConfig(hash="own"), TokenConfig(hash="ops")
    before = AccessConfig(token={"ops": ops, OWN_NAME: own})
    again = AccessConfig(token={"new": ops})
    assert with_same_token(again, before).token == {"new": ops, OWN_NAME: own}
    assert with_same_token(again, AccessConfig(token={"ops": ops})) is again
    nothing = AccessConfig()
    assert with_same_token(nothing, before) is nothing  # which a reload refuses
