"""Many streams at once and one after another: what waits is seen, and nothing is left behind."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from broker.ingest.tail import Tail
from tests.support.followed import Followed
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

CYCLES = 1_000
SLACK = 40  # pooled connections: two ends and a thread of the stand-in's each


class Held(NamedTuple):
    """What this process holds."""

    threads: int
    files: int


def held() -> Held:
    gc.collect()
    return Held(threading.active_count(), len(os.listdir("/proc/self/fd")))


def until_no_more_than(before: Held) -> None:
    def few() -> bool:
        now = held()
        return now.threads <= before.threads and now.files <= before.files

    wait_until(few, 10, f"no more than {before} is held; it is {held()}", 0.05)


@pytest.fixture
def short_linger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.ingest.worker.LINGER", 0.0)
    monkeypatch.setattr("broker.ingest.worker.LINGER_POLL", 0.01)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    before = held()
    yield
    until_no_more_than(before)


def states(followed: Followed) -> dict[str, str]:
    return {view.job: view.state for view in followed.ingest.views()}


def until(followed: Followed, **expected: str) -> None:
    wanted = {name.replace("_", "-"): state for name, state in expected.items()}

    def there() -> bool:
        now = states(followed)
        return all(now.get(job) == state for job, state in wanted.items())

    wait_until(there, 10, f"{wanted}")


@pytest.mark.usefixtures("short_linger")
def test_over_max_streams_jobs_wait_where_it_is_seen_and_over_twice_that_are_refused(
    standin: RayStandIn,
) -> None:
    with Followed(standin.url, max_streams=2) as followed:
        for number in range(1, 6):
            standin.add_job(f"job-{number}", log=b"x\n")
        until(followed, job_1="streaming", job_2="streaming", job_3="queued", job_4="queued")
        until(followed, job_5="skipped")
        assert followed.view("job-5").reason == "503: max_streams are read and as many wait"
        assert [followed.frames(f"job-{number}") for number in (3, 4, 5)] == [[], [], []]


@pytest.mark.usefixtures("short_linger")
def test_each_that_ends_makes_room_for_the_next_until_all_were_read(standin: RayStandIn) -> None:
    with Followed(standin.url, max_streams=2, settle=0.05) as followed:
        for number in range(1, 6):
            standin.add_job(f"job-{number}", log=b"x\n")
        until(followed, job_3="queued", job_4="queued", job_5="skipped")
        for number in range(1, 6):
            standin.finish(f"job-{number}")
            followed.until_end(f"job-{number}")
            assert followed.lines(f"job-{number}") == ["x"]


@pytest.mark.usefixtures("nothing_left", "short_linger")
def test_a_thousand_streams_one_after_another_leave_nothing_behind() -> None:
    with RayStandIn() as standin, Followed(standin.url, settle=0.02, follow="all") as followed:
        follow_to_the_end(standin, followed, range(50))
        warm = held()
        for start in range(50, 50 + CYCLES, 200):
            follow_to_the_end(standin, followed, range(start, start + 200))
        assert len(followed.ingest._workers) == 0
        until_no_more_than(Held(warm.threads + SLACK, warm.files + SLACK))


def follow_to_the_end(standin: RayStandIn, followed: Followed, numbers: range) -> None:
    """Add jobs that are over, wait until each was read and its worker is gone, and drop them."""
    jobs = [f"job-{number}" for number in numbers]
    for job in jobs:
        standin.add_job(job, log=b"one\ntwo\n", status="SUCCEEDED")

    def over() -> bool:
        ended = sum(record.kind == "end" for record in followed.records)
        return ended >= numbers.stop and not any(map(followed.ingest.follows, jobs))

    wait_until(over, 30, f"{numbers} are over", 0.05)
    for job in jobs:
        standin.delete(job)


@pytest.mark.usefixtures("nothing_left", "short_linger")
def test_websockets_keep_to_their_slots_and_give_all_of_them_back() -> None:
    with (
        RayStandIn() as standin,
        Followed(standin.url, protocol="websocket", max_websockets=3, settle=0.05) as followed,
    ):
        slots = followed.ingest._context.websockets
        jobs = [f"job-{number}" for number in range(12)]
        for job in jobs:
            standin.add_job(job, log=b"one\n")
        for job in jobs:
            followed.until_lines(job, 1)  # those without a slot are polled
        assert standin.open_tails <= 3
        assert not slots.acquire(blocking=False)
        standin.cut_all()
        for job in jobs:
            standin.append(job, b"two\n")
            standin.finish(job)
        for job in jobs:
            followed.until_end(job)
            assert followed.lines(job) == ["one", "two"]
        wait_until(lambda: not any(map(followed.ingest.follows, jobs)), 10, "all are over")
        assert [slots.acquire(blocking=False) for _ in range(4)] == [True, True, True, False]


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("when", ["connecting", "connected", "after data"])
def test_hundreds_of_tails_cut_at_any_stage_leave_no_slot_thread_or_socket(when: str) -> None:
    with RayStandIn() as standin:
        standin.add_job("job-1", log=b"one\n")
        with Followed(standin.url, max_websockets=2) as followed:
            context = followed.ingest._context
            for _ in range(CYCLES // 5):
                news = threading.Event()
                tail = Tail(context, "job-1", news.set)
                assert tail.open(0, 0.0), "a slot was not given back"
                reach(when, tail, news)
                tail.close()
                tail.close()
                assert not tail.is_open
            slots = context.websockets
            assert [slots.acquire(blocking=False) for _ in range(3)] == [True, True, False]


def reach(when: str, tail: Tail, news: threading.Event) -> None:
    connection = tail._connection
    assert connection is not None
    if when == "connected":
        wait_until(lambda: connection._socket is not None, 5, "the handshake", 0.001)
    elif when == "after data":
        assert news.wait(5)
        assert tail.take() == b"one\n"


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("how", ["agent_down", "dashboard_down", "cut_all"])
def test_a_cluster_that_goes_away_leaves_nothing_open(how: str) -> None:
    with RayStandIn() as standin:
        for number in range(20):
            standin.add_job(f"job-{number}", log=b"one\n")
        with Followed(standin.url, max_websockets=5) as followed:
            for number in range(20):
                followed.until_lines(f"job-{number}", 1)
            action: Callable[[], None] = getattr(standin, how)
            action()
            standin.append("job-0", b"two\n")
            if how == "cut_all":
                followed.until_lines("job-0", 2)
