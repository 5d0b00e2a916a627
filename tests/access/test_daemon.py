"""A whole daemon with permissions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from broker.config.settings import resolve
from broker.daemon import Daemon
from broker.errors import ClientError, ConfigError
from broker.processes.state_dir import StateDir
from broker.topic import Stream
from subscribers.replay import JournalClient
from tests.support.permissions import TOKEN
from tests.support.permissions import config as permissions
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until


@pytest.fixture
def standin() -> Iterator[RayStandIn]:
    with RayStandIn() as standin:
        yield standin


def made(standin: RayStandIn, tmp_path: Path, **settings: str) -> Daemon:
    (token,) = permissions(["train-*"]).token.values()
    environ = {
        "RAYTAP_CLUSTER__DEFAULT__DISCOVERY_INTERVAL": "0.1",
        "RAYTAP_ACCESS__TOKEN__TESTER__HASH": token.hash,
        "RAYTAP_ACCESS__TOKEN__TESTER__JOBS": "train-*",
        **settings,
    }
    flags = {
        "ray": (standin.url,),
        "state_dir": str(tmp_path / "state"),
        "http": "127.0.0.1:0",
        "zeromq": f"ipc://{tmp_path}/bus",
    }
    return Daemon(resolve(flags, environ, tmp_path).config, {}, [], "1")


def test_the_token_of_the_configuration_opens_its_jobs_and_no_others(
    standin: RayStandIn, tmp_path: Path
) -> None:
    daemon = made(standin, tmp_path)
    daemon.start()
    try:
        wait_until(daemon.ready)
        for job in ("train-1", "eval"):
            standin.add_job(job)
            standin.append(job, b"one\n")
        wait_until(lambda: sum(view.next for view in daemon.jobs()) == 2)
        with (
            closing(JournalClient(daemon.http)) as nobody,
            closing(JournalClient(daemon.http, TOKEN)) as somebody,
        ):
            with pytest.raises(ClientError, match="HTTP 401: no token was given"):
                nobody.jobs()
            assert [view.job for view in somebody.jobs().jobs] == ["train-1"]
            frames = [frame for frame, _ in somebody.replay(Stream("default", "train-1"), 0)]
            assert [line for frame in frames for line in frame.lines] == ["one"]
            with pytest.raises(ClientError, match=r"403: .* may not read job default/eval"):
                list(somebody.replay(Stream("default", "eval"), 0))
    finally:
        daemon.stop()


def test_a_key_that_does_not_fit_keeps_the_daemon_from_starting_and_holds_no_lock(
    standin: RayStandIn, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"access\.jwt\.key_file"):
        made(standin, tmp_path, RAYTAP_ACCESS__JWT__KEY_FILE=str(tmp_path / "none"))
    with StateDir(str(tmp_path / "state")):
        pass
