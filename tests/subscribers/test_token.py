"""A token that the journals do not take: live lines come, and what cannot be had says why."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from subscribers import Subscription
from tests.subscribers.frames import numbers, reaches, until
from tests.support.fake_broker import FakeBroker
from tests.support.journal_records import STREAM, log_frame
from tests.support.wait import wait_until


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker(token="right") as broker:
        yield broker


def subscription(broker: FakeBroker, token: str | None, **options: object) -> Subscription:
    return Subscription(
        str(STREAM),
        zeromq=broker.endpoint,
        brokers=broker.http,
        token=token,
        **options,  # type: ignore[arg-type]
    )


def test_with_the_right_token_the_log_comes_whole(broker: FakeBroker) -> None:
    broker.publish(log_frame(0, 50), live=False)
    with subscription(broker, "right", start="begin") as frames:
        assert numbers(until(frames, reaches(50))) == list(range(50))
        assert frames.problem == ""


@pytest.mark.parametrize(
    ("token", "says"),
    [("wrong-one", "the token is not taken"), (None, "no token was given (--token")],
)
def test_a_gap_and_the_problem_say_that_it_is_the_token(
    broker: FakeBroker, token: str | None, says: str
) -> None:
    broker.publish(log_frame(0, 50), live=False)
    with subscription(broker, token, start="begin") as frames:
        wait_until(lambda: broker.joins)
        begun = time.monotonic()
        broker.publish(log_frame(50, 60))
        got = until(frames, reaches(60))
        assert time.monotonic() - begun < 4  # nobody waits for a token to become right
        (gap,) = [frame for frame in got if frame.kind == "gap"]
        assert (gap.first, gap.next, gap.reason) == (0, 50, "unreachable")
        assert "HTTP 401" in gap.message
        assert says in gap.message
        assert says in frames.problem
        assert numbers(got) == list(range(50, 60))
        assert "wrong-one" not in gap.message + frames.problem
