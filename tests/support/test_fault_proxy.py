"""The fault proxy does what the fault tests lean on."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from tests.support.fault_proxy import FaultProxy
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

SIZE = 300_000


@pytest.fixture
def proxy(standin: RayStandIn) -> Iterator[FaultProxy]:
    """In front of the agent, which has one log of `SIZE` bytes."""
    standin.add_job("job-1", log=b"x" * SIZE)
    with FaultProxy("127.0.0.1", standin.agent.port) as proxy:
        yield proxy


def _read(proxy: FaultProxy, timeout: float = 10.0) -> bytes:
    with urllib3.PoolManager(retries=False) as http:
        url = f"{proxy.url}/logs/job-driver-job-1.log"
        return http.request("GET", url, timeout=timeout, headers={"Connection": "close"}).data


def test_it_forwards_everything_and_counts(proxy: FaultProxy) -> None:
    assert len(_read(proxy)) == SIZE
    assert proxy.connections == 1
    wait_until(lambda: proxy.bytes_down > SIZE)
    assert proxy.bytes_up > 0
    assert proxy.cuts == 0


@pytest.mark.parametrize("reset", [False, True])
def test_it_cuts_each_connection_after_its_own_number_of_bytes(
    proxy: FaultProxy, reset: bool
) -> None:
    proxy.reset = reset
    proxy.cut_after = iter([1000, 100_000])
    for count in (1000, 101_000):
        with pytest.raises(urllib3.exceptions.HTTPError):
            _read(proxy)
        if not reset:
            assert proxy.bytes_down == count
    assert len(_read(proxy)) == SIZE
    assert proxy.cuts == 2


def test_a_reset_is_seen_as_one(proxy: FaultProxy) -> None:
    proxy.reset = True
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        wait_until(lambda: proxy.open_connections == 1)
        proxy.cut_all()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_delay_and_a_rate_slow_the_answer_down(proxy: FaultProxy) -> None:
    proxy.delay = 0.1
    started = time.monotonic()
    _read(proxy)
    assert time.monotonic() - started >= 0.1
    proxy.delay = 0.0
    proxy.rate = 1_000_000.0
    started = time.monotonic()
    assert len(_read(proxy)) == SIZE
    assert time.monotonic() - started >= 0.25


def test_frozen_it_accepts_and_answers_nothing_until_it_is_thawed(proxy: FaultProxy) -> None:
    proxy.freeze()
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        _read(proxy, timeout=0.2)
    proxy.thaw()
    assert len(_read(proxy)) == SIZE


def test_it_refuses_and_comes_back_on_its_port(proxy: FaultProxy) -> None:
    proxy.refuse()
    with pytest.raises(urllib3.exceptions.NewConnectionError):
        _read(proxy)
    proxy.start()
    assert len(_read(proxy)) == SIZE


def test_it_leaves_no_thread(standin: RayStandIn) -> None:
    before = set(threading.enumerate())
    with FaultProxy("127.0.0.1", standin.dashboard.port) as proxy:
        clients = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(20)]
        wait_until(lambda: proxy.open_connections == 20)
        proxy.freeze()
    for client in clients:
        client.close()
    standin.cut_all()
    wait_until(lambda: set(threading.enumerate()) <= before)
