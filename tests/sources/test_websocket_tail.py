"""Ray's tail over one websocket: what it brings, how it ends, and what is left behind."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.sources.websocket_tail import WebsocketTail
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port
from tests.support.tls_server import TlsServer, make_certificate
from tests.support.wait import wait_until
from tests.support.ws_server import (
    BINARY,
    CONTINUATION,
    PING,
    Peer,
    ScriptedServer,
    close_frame,
    frame,
)

TOKEN = "tok-3fa85f6457174562"


class Tail(WebsocketTail):
    """With an event for each call of `on_data`."""

    def __init__(self, url: str, **options: Any) -> None:
        self.news = threading.Semaphore(0)
        headers = options.pop("headers", {})
        timeout = options.pop("connect_timeout", 5.0)
        super().__init__(url, headers, timeout, self.news.release, **options)

    def until_news(self) -> None:
        assert self.news.acquire(timeout=5.0), "nothing came"

    def until_closed(self) -> bytes:
        """All that is left to come."""
        data = b""
        while not self.closed:
            self.until_news()
            data += self.take()
        return data


@contextmanager
def tailing(url: str, **options: Any) -> Iterator[Tail]:
    tail = Tail(url, **options)
    tail.start()
    try:
        yield tail
    finally:
        tail.stop()
        wait_until(lambda: not tail._thread.is_alive(), 6, "its thread ends")


def sending(*data: bytes) -> Callable[[Peer], None]:
    """Accept, send and close with 1000, as Ray does whatever happened."""

    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(*data, close_frame(1000))
        peer.wait_until_gone(2)

    return script


def reset(peer: Peer) -> None:
    """Cut with a RST."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()


def test_messages_come_as_bytes_in_order_and_a_close_is_no_error() -> None:
    script = sending(frame(b"one\n"), frame("zwei größer\n".encode()), frame(b"three\n", BINARY))
    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        assert tail.until_closed() == "one\nzwei größer\nthree\n".encode()
        assert (tail.closed, tail.error) == (True, None)


def test_a_message_in_fragments_with_a_ping_between_is_whole() -> None:
    script = sending(
        frame(b"on", final=False), frame(b"?", PING), frame(b"e\n", CONTINUATION), frame(b"two\n")
    )
    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        assert tail.until_closed() == b"one\ntwo\n"


def test_bytes_that_are_no_utf8_stop_nothing() -> None:
    with ScriptedServer(sending(frame(b"a\xff\n"))) as server, tailing(server.ws_url) as tail:
        assert tail.until_closed() == b"a\xff\n"
        assert tail.error is None


def test_it_is_closed_only_when_all_it_brought_was_taken() -> None:
    with ScriptedServer(sending(frame(b"one\n"))) as server, tailing(server.ws_url) as tail:
        wait_until(lambda: tail._closed, 5, "the close")
        assert not tail.closed
        assert tail.take() == b"one\n"
        assert tail.closed
        assert tail.take() == b""


@pytest.mark.parametrize("end", [reset, lambda peer: peer.socket.shutdown(socket.SHUT_RDWR)])
def test_a_cut_is_503_and_what_came_before_it_is_kept(end: Callable[[Peer], None]) -> None:
    taken = threading.Event()

    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(b"one\n"))
        assert taken.wait(5)
        end(peer)

    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        tail.until_news()
        assert tail.take() == b"one\n"
        taken.set()
        assert tail.until_closed() == b""
        assert tail.error is not None
        assert tail.error.status == 503
        assert tail.error.message.startswith("the tail was cut")


@pytest.mark.parametrize(
    ("answer", "status"), [(401, 400), (403, 400), (404, 404), (429, 429), (500, 500), (503, 503)]
)
def test_a_refused_handshake_has_the_answer_s_status(answer: int, status: int) -> None:
    body = f"Traceback\nValueError: Bearer {TOKEN}".encode()
    with (
        ScriptedServer(lambda peer: peer.answer(f"{answer} No", body)) as server,
        tailing(server.ws_url, headers={"Authorization": f"Bearer {TOKEN}"}) as tail,
    ):
        assert tail.until_closed() == b""
        assert tail.error is not None
        assert tail.error.status == status
        assert f"the server answered {answer}" in tail.error.message
        assert TOKEN not in str(tail.error)


def test_a_redirect_is_refused_and_the_token_stays_here() -> None:
    with (
        LittleHttp(lambda *_: Reply(200)) as other,
        ScriptedServer(
            lambda peer: peer.answer("302 Found", b"", f"Location: {other.url}\r\n")
        ) as server,
        tailing(server.ws_url, headers={"Authorization": f"Bearer {TOKEN}"}) as tail,
    ):
        tail.until_closed()
        assert tail.error is not None
        assert tail.error.status == 503
        assert other.asked == []


def test_a_refused_connection_is_503() -> None:
    with tailing(f"ws://127.0.0.1:{free_port()}/x") as tail:
        tail.until_closed()
        assert tail.error is not None
        assert tail.error.status == 503


def test_no_handshake_in_time_is_408() -> None:
    def script(peer: Peer) -> None:
        peer.wait_until_gone()

    with ScriptedServer(script) as server, tailing(server.ws_url, connect_timeout=0.1) as tail:
        tail.until_closed()
        assert tail.error is not None
        assert tail.error.status == 408


def test_silence_after_the_handshake_is_no_timeout() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        peer.accept()
        assert go.wait(5)
        peer.send(frame(b"at last\n"), close_frame(1000))
        peer.wait_until_gone(2)

    with ScriptedServer(script) as server, tailing(server.ws_url, connect_timeout=0.05) as tail:
        assert not tail.news.acquire(timeout=0.2)  # four times its timeout
        go.set()
        assert tail.until_closed() == b"at last\n"


def test_the_token_and_headers_are_sent_and_no_origin() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "X-Team": "ml"}
    with ScriptedServer(sending()) as server, tailing(server.ws_url, headers=headers) as tail:
        tail.until_closed()
        (head,) = server.heads
    assert f"Authorization: Bearer {TOKEN}\r\n" in head
    assert "X-Team: ml\r\n" in head
    assert "Origin" not in head


def test_what_nobody_takes_is_held_back_at_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.sources.websocket_tail.BUFFER", 10_000)
    message, total = b"x" * 1_000, 2_000_000

    def script(peer: Peer) -> None:
        peer.accept()
        for _ in range(total // len(message)):
            peer.send(frame(message))
        peer.send(close_frame(1000))
        peer.wait_until_gone(2)

    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        count, most = 0, 0
        while not tail.closed:
            tail.until_news()
            data = tail.take()
            count += len(data)
            most = max(most, len(data))
        assert count == total
        assert most <= 10_000 + len(message)


@pytest.mark.parametrize("cut", [True, False])
def test_stop_ends_it_while_its_buffer_is_full(monkeypatch: pytest.MonkeyPatch, cut: bool) -> None:
    monkeypatch.setattr("broker.sources.websocket_tail.BUFFER", 1)
    was_cut = threading.Event()

    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(b"one\n"), frame(b"two\n"))
        if cut:
            reset(peer)
            was_cut.set()
        peer.wait_until_gone()

    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        tail.until_news()
        assert not cut or was_cut.wait(5)
        tail.stop()
        assert not tail._thread.is_alive()


def test_stop_while_it_waits_for_data_cuts_the_connection() -> None:
    accepted = threading.Event()

    def script(peer: Peer) -> None:
        peer.accept()
        accepted.set()
        assert peer.wait_until_gone()

    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        assert accepted.wait(5)
        wait_until(lambda: tail._socket is not None, 5, "the handshake is over")
        tail.stop()
        tail.stop()
        assert not tail._thread.is_alive()


def test_stop_while_it_connects_returns_at_once_and_nothing_stays_open() -> None:
    go = threading.Event()

    def script(peer: Peer) -> None:
        assert go.wait(5)
        peer.accept()
        assert peer.wait_until_gone()

    with ScriptedServer(script) as server, tailing(server.ws_url) as tail:
        wait_until(lambda: server.heads, 5, "it connects")
        tail.stop()
        go.set()
        wait_until(lambda: not tail._thread.is_alive(), 5, "its thread ends")


@pytest.mark.parametrize(("user", "sent"), [("", None), ("me:s%40cret@", "bWU6c0BjcmV0")])
def test_through_a_proxy_it_asks_for_a_tunnel(
    user: str, sent: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")  # the configuration's proxy is not the environment's

    def script(peer: Peer) -> None:
        target = peer.head.split(" ")[1]
        peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.socket.recv(65_536)
        sending(frame(target.encode() + b"\n"))(Peer(peer.socket, head.decode(), peer.gone))

    with ScriptedServer(script) as proxy:
        address = f"http://{user}127.0.0.1:{proxy.port}"
        with tailing("ws://ray.invalid:8265/logs", proxy=address) as tail:
            assert tail.until_closed() == b"ray.invalid:8265\n"
        assert proxy.heads[0].startswith("CONNECT ray.invalid:8265 HTTP/1.1\r\n")
        assert ("Proxy-Authorization: Basic" in proxy.heads[0]) == (sent is not None)
        assert (sent or "") in proxy.heads[0]


def test_the_environment_s_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with ScriptedServer(sending(frame(b"one\n"))) as server, tailing(server.ws_url) as tail:
        assert tail.until_closed() == b"one\n", tail.error


def test_a_private_authority_is_trusted_where_it_is_given_and_no_other(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with TlsServer(sending(frame(b"one\n")), certificate) as server:
        with tailing(server.wss_url, ca_file=str(certificate.file)) as tail:
            assert tail.until_closed() == b"one\n", tail.error
        with tailing(server.wss_url, headers={"Authorization": TOKEN}) as tail:
            tail.until_closed()
            assert tail.error is not None
            assert tail.error.status == 503
        assert len(server.heads) == 1
