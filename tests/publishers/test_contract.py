"""What every transport does alike."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from broker.topic import Stream
from tests.publishers.subscribers import Backend, MemoryBackend, RedisBackend, ZeromqBackend
from tests.support.outgoing import JOB, log_message

TWELVE = Stream("default", "job-12")
ELSEWHERE = Stream("default-2", "job-1")


@pytest.fixture(params=["memory", "zeromq_tcp", "zeromq_ipc", "valkey", "redis_server"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each transport, open."""
    with ExitStack() as stack:
        backend: Backend
        if request.param == "memory":
            backend = MemoryBackend()
        elif request.param == "zeromq_tcp":
            backend = ZeromqBackend(stack)
        elif request.param == "zeromq_ipc":
            backend = ZeromqBackend(stack, f"ipc://{tmp_path}/raytap.sock")
        else:
            backend = RedisBackend(stack, request.getfixturevalue(request.param))
        stack.callback(backend.publisher.close)
        backend.publisher.open()
        yield backend


def test_messages_arrive_in_order_with_equal_bytes(backend: Backend) -> None:
    receive = backend.subscribe(JOB.topic)
    sent = [log_message(JOB, line, size=1 + line * 37 % 2000) for line in range(500)]
    for start in range(0, 500, 100):
        backend.publisher.publish(sent[start : start + 100])
    assert receive(500) == sent


def test_large_frames_arrive_whole(backend: Backend) -> None:
    receive = backend.subscribe(JOB.topic)
    sent = [log_message(JOB, line, size=300_000) for line in range(20)]
    backend.publisher.publish(sent)
    assert receive(20) == sent


def test_a_subscriber_of_job_1_gets_nothing_of_job_12(backend: Backend) -> None:
    receive = backend.subscribe(JOB.topic)
    wanted = [log_message(JOB, line) for line in range(2)]
    other = [log_message(stream, 0) for stream in (TWELVE, ELSEWHERE)]
    backend.publisher.publish([*other, wanted[0], *other, wanted[1]])
    assert receive(2) == wanted


def test_a_subscriber_of_a_cluster_gets_all_its_jobs_and_no_others(backend: Backend) -> None:
    receive = backend.subscribe(b"default/")
    wanted = [log_message(JOB, 0), log_message(TWELVE, 0)]
    backend.publisher.publish([wanted[0], log_message(ELSEWHERE, 0), wanted[1]])
    assert receive(2) == wanted


def test_a_subscriber_of_the_empty_prefix_gets_everything(backend: Backend) -> None:
    receive = backend.subscribe(b"")
    sent = [log_message(stream, 0) for stream in (JOB, TWELVE, ELSEWHERE)]
    backend.publisher.publish(sent)
    assert receive(3) == sent


def test_each_subscriber_gets_its_own_copy(backend: Backend) -> None:
    receivers = [backend.subscribe(JOB.topic) for _ in range(3)]
    sent = [log_message(JOB, line) for line in range(10)]
    backend.publisher.publish(sent)
    assert [receive(10) for receive in receivers] == [sent, sent, sent]


def test_close_is_idempotent_and_open_begins_again(backend: Backend) -> None:
    backend.publisher.close()
    backend.publisher.close()
    backend.publisher.open()
    receive = backend.subscribe(JOB.topic)
    message = log_message(JOB, 0)
    backend.publisher.publish([message])
    assert receive(1) == [message]


def test_open_twice_leaves_no_file_behind(backend: Backend) -> None:
    backend.publisher.open()
    before = len(os.listdir("/proc/self/fd"))
    backend.publisher.open()
    backend.publisher.open()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_wait_ends_at_once_when_it_is_woken(backend: Backend) -> None:
    wake = os.eventfd(1)
    try:
        backend.publisher.wait(wake, timeout=60.0)
    finally:
        os.close(wake)
