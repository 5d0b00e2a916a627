from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import urllib3

from broker.errors import ClientError
from broker.http.app import create_app
from broker.metrics import Metrics
from broker.web.server import HttpServer
from tests.http.conftest import FakeStatus
from tests.http.test_log_route import LOG, MSGPACK, Endless
from tests.support.permissions import OPEN
from tests.support.wait import wait_until


def serve(status: FakeStatus, bind: str = "127.0.0.1:0", stall_s: float = 60.0) -> HttpServer:
    return HttpServer(create_app(status, Metrics("1"), bind, OPEN), bind, stall_s=stall_s)


@pytest.fixture
def server(status: FakeStatus) -> Iterator[HttpServer]:
    server = serve(status)
    yield server
    server.stop(2)


def threads() -> set[str]:
    return {
        thread.name for thread in threading.enumerate() if thread.name.startswith("raytap-http")
    }


def ask_slowly(address: str) -> socket.socket:
    """A client that asks for a replay and reads nothing of it."""
    host, port = address.split(":")
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((host, int(port)))
    slow.sendall(f"GET {LOG} HTTP/1.1\r\nHost: {host}\r\nAccept: {MSGPACK}\r\n\r\n".encode())
    return slow


def test_it_answers_at_its_address_as_soon_as_it_is_started(server: HttpServer) -> None:
    server.start()
    response = urllib3.request("GET", f"http://{server.address}/livez", retries=False)
    assert response.data == b"ok"


def test_an_address_in_use_is_refused_with_what_to_do(server: HttpServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClientError) as refused:
            serve(FakeStatus(), taken).start()
    assert refused.value.status == 400
    assert f"cannot serve HTTP on {taken}: Address already in use" in refused.value.message
    assert "--http HOST:PORT" in refused.value.message
    assert threads() == set()


@pytest.mark.parametrize("bind", ["127.0.0.1:0:0", "[::1:0", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_refused(status: FakeStatus, bind: str) -> None:
    with pytest.raises(ClientError, match=r"HTTP address: .*(HOST:PORT|IPv6)") as refused:
        HttpServer(create_app(status, Metrics("1"), "127.0.0.1:0", OPEN), bind).start()
    assert refused.value.status == 400


def test_a_host_that_is_not_of_this_machine_is_refused(status: FakeStatus) -> None:
    with pytest.raises(ClientError, match=r"cannot serve HTTP on 192\.0\.2\.1:0"):
        serve(status, "192.0.2.1:0").start()


def test_ipv6_is_served_where_the_machine_has_it(status: FakeStatus) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 loopback")
    server = serve(status, "[::1]:0")
    server.start()
    try:
        assert server.address.startswith("[::1]:")
        response = urllib3.request("GET", f"http://{server.address}/livez", retries=False)
        assert response.status == 200
    finally:
        server.stop(2)


def test_signals_stay_with_the_daemon(server: HttpServer) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    server.start()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_stop_can_come_twice_or_before_start(status: FakeStatus) -> None:
    never = serve(status)
    never.stop()
    server = serve(status)
    server.start()
    server.stop(2)
    server.stop(2)
    assert threads() == set()


def test_the_address_is_free_again_after_stop(status: FakeStatus) -> None:
    first = serve(status)
    first.start()
    urllib3.request("GET", f"http://{first.address}/livez", retries=False)
    first.stop(2)
    second = serve(status, first.address)
    second.start()
    second.stop(2)


def test_stop_cuts_an_open_replay_within_its_time_and_leaves_no_thread(
    status: FakeStatus, server: HttpServer
) -> None:
    endless = Endless()
    status.answer = endless.replay
    server.start()
    with ask_slowly(server.address):
        wait_until(lambda: endless.taken > 1)
        begun = time.monotonic()
        server.stop(4)
        assert time.monotonic() - begun < 4
        assert threads() == set()
        assert endless.closed.is_set()


def test_a_client_that_takes_nothing_is_cut_off(status: FakeStatus) -> None:
    endless = Endless()
    status.answer = endless.replay
    server = serve(status, stall_s=0.3)
    server.start()
    try:
        with ask_slowly(server.address):
            assert endless.closed.wait(20)
    finally:
        server.stop(2)
