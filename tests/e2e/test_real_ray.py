"""A real head, the real daemon and a real Valkey: every line, to plain subscribers."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker.processes.localray import LocalRay
from tests.support.daemon_process import DaemonProcess
from tests.support.hostile_log import HOSTILE_LINES, HOSTILE_WRITES
from tests.support.plain_subscribers import (
    PlainSubscriber,
    RedisSubscriber,
    ZeromqSubscriber,
    count_line_ends,
)
from tests.support.valkey_process import unlimited_valkey
from tests.support.wait import wait_until

pytestmark = pytest.mark.ray

COUNT = 200_000
# A job prints once its first gate is there, when every subscriber knows it, and ends at the other.
GATES = """\
import os, sys, time
def await_gate(path):
    while not os.path.exists(path): time.sleep(0.02)
await_gate(sys.argv[1])
"""
NUMBERED = f"{GATES}for n in range({COUNT}): print('line', n)\n"
HOSTILE = f"""{GATES}
for data in {HOSTILE_WRITES!r}:
    os.write(1, data)
    time.sleep(0.3)
await_gate(sys.argv[2])
"""


@dataclass
class Followed:
    """One daemon with its two plain subscribers."""

    protocol: str
    ray: LocalRay
    daemon: DaemonProcess
    zeromq: PlainSubscriber
    redis: PlainSubscriber
    home: Path

    def begin(self, name: str, script: str) -> str:
        """Submit a job, and let it print once both subscribers know it."""
        job = f"{self.protocol}-{name}"
        code = self.home / f"{job}.py"
        code.write_text(script)
        gates = [str(self._gate(job, number)) for number in (1, 2)]
        self.ray.submit(shlex.join([sys.executable, str(code), *gates]), job)
        for subscriber in (self.zeromq, self.redis):
            subscriber.until(job, "status")
        self._gate(job, 1).touch()
        return job

    def end(self, job: str) -> None:
        """Let the job end, and wait until both subscribers heard of it."""
        self._gate(job, 2).touch()
        for subscriber in (self.zeromq, self.redis):
            end = subscriber.until(job, "end", timeout=60)
            assert (end["status"], end["complete"]) == ("SUCCEEDED", True)

    def _gate(self, job: str, number: int) -> Path:
        return self.home / f"{job}.gate-{number}"


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    """The URL of a Valkey that cuts no subscriber off."""
    with unlimited_valkey() as server:
        yield server.url


@pytest.fixture(scope="module", params=["http", "websocket", "auto"])
def followed(
    request: pytest.FixtureRequest,
    ray_head: LocalRay,
    valkey: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Followed]:
    """A daemon for each protocol in turn, its subscribers joined before any job of its own."""
    protocol = request.param
    home = tmp_path_factory.mktemp(protocol)
    settings: dict[str, object] = {
        "cluster.default.protocol": protocol,
        "cluster.default.settle": "1s",
        "cluster.default.jobs": [f"{protocol}-*"],
        "publish.redis.url": valkey,
    }
    if protocol == "http":  # as someone behind a port-forward would; the others use the address
        settings["cluster.default.agent_host"] = "127.0.0.1"  # that the job's record has
    with ExitStack() as stack:
        daemon = stack.enter_context(DaemonProcess(home, ray_head.url, settings))
        zeromq = stack.enter_context(ZeromqSubscriber(daemon.zeromq))
        redis = stack.enter_context(RedisSubscriber(valkey, patterns=[b"default/*"]))
        yield Followed(protocol, ray_head, daemon, zeromq, redis, home)


def test_every_line_of_a_fast_job_reaches_both_subscribers_once_in_order_and_in_equal_frames(
    followed: Followed,
) -> None:
    job = followed.begin("numbered", NUMBERED)
    followed.end(job)
    log = followed.ray.log_path(job).read_bytes()
    lines = followed.zeromq.lines(job)
    assert len(lines) == count_line_ends(log)
    assert "\n".join(lines) + "\n" == log.decode()
    # Ray writes its own line through another file: on a busy machine in the midst of one of ours.
    printed = re.sub(rb"Running entrypoint for job [^\n]*\n", b"", log)
    assert printed.endswith(b"".join(b"line %d\n" % n for n in range(COUNT)))
    assert followed.zeromq.payloads(job) == followed.redis.payloads(job)
    view = followed.daemon.jobs()[job]
    assert (view["state"], view["dropped"], view["resets"]) == ("ended", 0, 0)
    # A websocket counts no bytes, so this is how frames tell which source they came from.
    by_range = all("offset" in frame for frame in followed.zeromq.frames(job, "log"))
    assert by_range == (followed.protocol != "websocket")


def test_a_hostile_log_arrives_with_the_numbers_that_its_bytes_have(followed: Followed) -> None:
    job = followed.begin("hostile", HOSTILE)
    path, written = followed.ray.log_path(job), b"".join(HOSTILE_WRITES)
    wait_until(lambda: path.read_bytes().endswith(written), 60, "all is written", 0.1)
    # While it still runs: on a websocket, what follows the bad byte comes by the state file.
    followed.zeromq.until_line(job, count_line_ends(path.read_bytes()) - 1)
    followed.end(job)
    log = path.read_bytes()
    assert log.endswith(written)
    lines = followed.zeromq.lines(job)
    assert len(lines) == count_line_ends(log)
    assert lines[-len(HOSTILE_LINES) :] == HOSTILE_LINES
    assert followed.zeromq.payloads(job) == followed.redis.payloads(job)
    assert followed.zeromq.frames(job, "log")[-1]["partial"]
    assert followed.zeromq.frames(job, "gap", "reset") == []
    given_up = [event["job"] for event in followed.daemon.events("tail_given_up")]
    assert given_up == ([f"default/{job}"] if followed.protocol == "websocket" else [])
