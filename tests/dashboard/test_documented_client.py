"""The client in docs/dashboard.md, as it stands there."""

from __future__ import annotations

import queue
import re
import threading
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from broker.topic import Stream
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import log_frame
from tests.support.permissions import TOKEN, access
from tests.support.served_broker import ServedBroker
from tests.support.sse import text
from tests.support.wait import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "dashboard.md"
STREAM = Stream("ray", "job-1")
Follow = Callable[..., Iterator[dict[str, Any]]]
Found = Callable[[int], list[dict[str, Any]]]


class _Stopped(Exception):
    """The test is over."""


def documented(**names: Any) -> Follow:
    """Its function; `names` in place of what it imports."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    code, loop = block.split("\n\n\nfor frame in ")
    assert loop.startswith("follow(")
    scope: dict[str, Any] = {}
    exec(code, scope)
    scope |= names
    follow: Follow = scope["follow"]
    return follow


@pytest.fixture
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 100, STREAM))
        yield broker


@pytest.fixture
def run() -> Iterator[Callable[[str], Found]]:
    """Runs it on a thread; gives the frames up to a line, in their order."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def sleep(seconds: float) -> None:
        if stopping.wait(min(seconds, 0.05)):
            raise _Stopped

    def begin(url: str) -> Found:
        frames: queue.Queue[dict[str, Any]] = queue.Queue()

        def follow() -> None:
            with suppress(_Stopped):
                for frame in documented(time=SimpleNamespace(sleep=sleep))(url):
                    frames.put(frame)

        def upto(line: int) -> list[dict[str, Any]]:
            found = [frames.get(timeout=10)]
            while found[-1]["next"] != line:
                found.append(frames.get(timeout=10))
            return found

        threads.append(threading.Thread(target=follow))
        threads[-1].start()
        return upto

    yield begin
    stopping.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize("path", [f"/v1/jobs/{STREAM}/stream", "/v1/clusters/ray/stream"])
def test_it_goes_on_without_a_hole_or_a_repetition_when_the_gateway_comes_back(
    run: Callable[[str], Found], broker: ServedBroker, path: str
) -> None:
    with GatewayUnderTest([broker]) as gateway:
        wait_until(lambda: gateway.json("/v1/jobs")["jobs"], message="the job is listed")
        found = run(gateway.url + path)
        wait_until(lambda: gateway.json("/v1/clients")["clients"], message="it is there")
        broker.publish(log_frame(100, 120, STREAM))
        frames = found(120)
        gateway.stop()
        broker.publish(log_frame(120, 150, STREAM))
        gateway.start()
        frames += found(150)
    assert [line for _, line in text(frames)] == list(range(100, 150))


def test_it_shows_its_token_and_does_not_ask_again_without_a_right_one(
    broker: ServedBroker,
) -> None:
    follow = documented()
    with GatewayUnderTest([broker], access()) as gateway:
        url = f"{gateway.url}/v1/jobs/{STREAM}/stream?from=0"
        wait_until(lambda: next(follow(url, TOKEN))["first"] == 0)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            next(follow(url, "raytap_wrong"))
