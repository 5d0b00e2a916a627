"""Logs over HTTP as a library: lines, totals, and each failure with its own status."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import requests

from broker.network import ClientError, HTTPStreamManager, StreamLimits
from tests.support.ws_server import Peer, ScriptedServer

TIMEOUT = 5


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def reply(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode() + body


def read(
    session: requests.Session,
    url: str,
    limits: StreamLimits | None = None,
    timeout: object = TIMEOUT,
) -> tuple[list[str], ClientError | None]:
    """All lines, and the error that ended them."""
    lines: list[str] = []
    manager = HTTPStreamManager(session, limits or StreamLimits())
    try:
        lines.extend(manager.stream_logs(url, {}, timeout, "log"))  # type: ignore[arg-type]
    except ClientError as error:
        return lines, error
    return lines, None


def test_lines_come_without_their_ends_and_the_unfinished_last_one_too(
    session: requests.Session,
) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b"a\n\nb\r\nc\rd\xff\ne"))) as server:
        assert read(session, server.http_url) == (["a", "", "b", "c", "d\ufffd", "e"], None)


def test_lines_are_sanitized(session: requests.Session) -> None:
    body = b"\x1b[31mkey\x1b[0m AKIA\x1b[0mIOSFODNN7EXAMPLE\n" + b"x" * 200 + b"\n"
    with ScriptedServer(lambda peer: peer.send(reply(body))) as server:
        lines, error = read(session, server.http_url, StreamLimits(max_message_size=100))
    assert error is None
    assert lines == ["key [REDACTED]", "x" * 100 + " …[truncated 100 bytes]"]


def test_a_private_key_over_several_reads_is_redacted_whole(session: requests.Session) -> None:
    seen = threading.Event()

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\na\n-----BEGIN PRIVATE KEY-----\nMIIE\n")
        seen.wait(TIMEOUT)
        peer.send(b"vQIB\n-----END PRIVATE KEY-----\nz\n")

    with ScriptedServer(script) as server:
        stream = HTTPStreamManager(session, StreamLimits()).stream_logs(
            server.http_url, None, TIMEOUT, "log"
        )
        assert next(stream) == "a"
        seen.set()
        rest = list(stream)
    assert not [line for line in rest if "MIIE" in line or "vQIB" in line]
    assert rest[-1] == "z"


def test_a_line_is_delivered_while_the_response_goes_on(session: requests.Session) -> None:
    seen = threading.Event()

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n")
        if seen.wait(TIMEOUT):
            peer.send(b"7\r\nsecond\n\r\n0\r\n\r\n")

    with ScriptedServer(script) as server:
        stream = HTTPStreamManager(session, StreamLimits()).stream_logs(
            server.http_url, None, TIMEOUT, "log"
        )
        assert next(stream) == "first"
        seen.set()
        assert list(stream) == ["second"]


def test_the_callers_headers_are_sent_and_the_body_is_asked_for_as_it_is(
    session: requests.Session,
) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b""))) as server:
        manager = HTTPStreamManager(session, StreamLimits())
        headers = {"Authorization": "Bearer t", "accept-encoding": "gzip"}
        assert list(manager.stream_logs(server.http_url, headers, TIMEOUT, "log")) == []
    head = server.heads[0].lower()
    assert "authorization: bearer t\r\n" in head
    assert "accept-encoding: identity\r\n" in head
    assert "gzip" not in head


def test_nothing_is_connected_before_the_first_next(session: requests.Session) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b""))) as server:
        HTTPStreamManager(session, StreamLimits()).stream_logs(server.http_url, {}, 1, "x").close()
    assert server.heads == []


BODY = b"".join(b"line %d\n" % n for n in range(10))  # lines of 7 bytes


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (StreamLimits(max_lines=10, max_bytes=70), 10),
        (StreamLimits(max_lines=3), 3),
        (StreamLimits(max_bytes=21), 3),
        (StreamLimits(max_bytes=27), 3),
        (StreamLimits(max_bytes=1), 0),
    ],
)
def test_over_a_total_everything_up_to_it_is_delivered_before_429(
    session: requests.Session, limits: StreamLimits, expected: int
) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(BODY))) as server:
        lines, error = read(session, server.http_url, limits)
    assert lines == [f"line {n}" for n in range(expected)]
    if expected == 10:
        assert error is None
    else:
        assert error is not None
        assert error.status == 429
        assert error.message.startswith("log: over ")


def test_an_unfinished_last_line_counts_as_a_line(session: requests.Session) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b"a\nb"))) as server:
        lines, error = read(session, server.http_url, StreamLimits(max_lines=1))
    assert lines == ["a"]
    assert error is not None
    assert error.status == 429


def test_a_message_is_one_read(session: requests.Session) -> None:
    go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n", b"a\n")
        go_on.wait(TIMEOUT)
        peer.send(b"b\n")

    with ScriptedServer(script) as server:
        stream = HTTPStreamManager(session, StreamLimits(max_messages=1)).stream_logs(
            server.http_url, None, TIMEOUT, "log"
        )
        assert next(stream) == "a"
        go_on.set()
        with pytest.raises(ClientError) as caught:
            next(stream)
    assert caught.value.status == 429


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("400 Bad Request", 400),
        ("401 Unauthorized", 400),
        ("403 Forbidden", 400),
        ("404 Not Found", 404),
        ("408 Request Timeout", 408),
        ("418 Teapot", 400),
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("502 Bad Gateway", 503),
        ("503 Service Unavailable", 503),
        ("504 Gateway Timeout", 503),
        ("302 Found", 503),
    ],
)
def test_an_answer_that_is_no_log_has_its_status(
    session: requests.Session, answer: str, status: int
) -> None:
    body = b"Job nope does not exist, token=hunter2"
    with ScriptedServer(lambda peer: peer.send(reply(body, answer))) as server:
        lines, error = read(session, server.http_url)
    assert lines == []
    assert error is not None
    assert error.status == status
    assert error.message.startswith(f"log: the server answered {answer[:3]}")
    assert "hunter2" not in error.message


def test_of_a_traceback_the_last_line_is_told(session: requests.Session) -> None:
    body = b"Traceback (most recent call last):\n  File x\nRuntimeError: no such node\n"
    with ScriptedServer(lambda peer: peer.send(reply(body, "500 Oops"))) as server:
        _, error = read(session, server.http_url)
    assert error is not None
    assert error.message == "log: the server answered 500, RuntimeError: no such node"


def test_a_redirect_is_not_followed_since_it_would_take_the_headers_along(
    session: requests.Session,
) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b"stolen\n"))) as other:
        location = f"Location: {other.http_url}\r\n"
        with ScriptedServer(lambda peer: peer.answer("307 Moved", b"", location)) as server:
            lines, error = read(session, server.http_url)
    assert lines == []
    assert error is not None
    assert error.status == 503
    assert other.heads == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(reply(b"a\nb\nhal", length=100), id="short of its Content-Length"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\nb\n\r\n9\r\nhal",
            id="in the middle of a chunk",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\nb\n\r\n",
            id="between two chunks",
        ),
    ],
)
def test_a_body_cut_short_is_503_after_its_complete_lines(
    session: requests.Session, body: bytes
) -> None:
    with ScriptedServer(lambda peer: peer.send(body)) as server:
        lines, error = read(session, server.http_url)
    assert lines == ["a", "b"]
    assert error is not None
    assert error.status == 503


def test_a_line_that_ended_in_a_lone_cr_is_complete_when_the_connection_is_cut(
    session: requests.Session,
) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b"a\n50%\r", length=100))) as server:
        lines, error = read(session, server.http_url)
    assert lines == ["a", "50%"]
    assert error is not None


def test_no_answer_at_all_is_503(session: requests.Session) -> None:
    with ScriptedServer(lambda peer: None) as server:
        _, error = read(session, server.http_url)
    assert error is not None
    assert error.status == 503


def test_a_refused_connection_is_503(session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _, error = read(session, f"http://127.0.0.1:{port}/")
    assert error is not None
    assert error.status == 503
    assert "refused" in error.message.lower()


def test_a_failing_tls_handshake_is_503(session: requests.Session) -> None:
    def no_tls(sock: socket.socket) -> None:
        with listener, sock:
            connection, _ = sock.accept()
            connection.sendall(b"HTTP/1.1 400 plain\r\n\r\n")
            connection.close()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=no_tls, args=(listener,))
    thread.start()
    _, error = read(session, f"https://127.0.0.1:{listener.getsockname()[1]}/")
    thread.join(TIMEOUT)
    assert error is not None
    assert error.status == 503
    assert "TLS" in error.message


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\n\r\na\n"])
def test_silence_before_or_in_the_body_is_408(session: requests.Session, before: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send(before)
        peer.wait_until_gone()

    with ScriptedServer(script) as server:
        lines, error = read(session, server.http_url, timeout=(TIMEOUT, 0.1))
    assert lines == (["a"] if before else [])
    assert error is not None
    assert error.status == 408


def test_a_connect_that_takes_too_long_is_408(session: requests.Session) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = []  # with its backlog full, the kernel leaves further connects unanswered
        for _ in range(8):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        _, error = read(session, f"http://127.0.0.1:{port}/", timeout=(0.1, TIMEOUT))
        for filler in fillers:
            filler.close()
    assert error is not None
    assert error.status == 408


@pytest.mark.parametrize(
    ("url", "headers", "timeout"),
    [
        ("ws://h/", {}, 1),
        ("h/", {}, 1),
        ("http://h/", {"X": "a\r\nY: b"}, 1),
        ("http://h/", {"X\n": "a"}, 1),
        ("http://h/", {"X": None}, 1),
        ("http://h/", {}, 0),
        ("http://h/", {}, True),
        ("http://h/", {}, None),
        ("http://h/", {}, float("nan")),
        ("http://h/", {}, 301),
        ("http://h/", {}, (1, 2, 3)),
        ("http://h/", {}, (1, 0)),
    ],
)
def test_invalid_arguments_are_400(
    session: requests.Session, url: str, headers: dict[str, str], timeout: float
) -> None:
    manager = HTTPStreamManager(session, StreamLimits())
    with pytest.raises(ClientError) as caught:
        next(manager.stream_logs(url, headers, timeout, "log"))
    assert caught.value.status == 400


def test_an_error_that_the_caller_is_handling_is_not_taken_for_the_cause(
    session: requests.Session,
) -> None:
    with ScriptedServer(lambda peer: peer.send(reply(b"", length=9))) as server:
        try:
            raise TimeoutError
        except TimeoutError:
            _, error = read(session, server.http_url)
    assert error is not None
    assert error.status == 503


def test_closing_the_generator_closes_the_connection(session: requests.Session) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\na\nb\n")
        peer.wait_until_gone()

    with ScriptedServer(script) as server:
        stream = HTTPStreamManager(session, StreamLimits()).stream_logs(
            server.http_url, None, TIMEOUT, "log"
        )
        assert next(stream) == "a"
        stream.close()
        assert server.gone.wait(TIMEOUT)


def test_importing_the_api_loads_neither_requests_nor_a_websocket_client() -> None:
    program = (
        "import broker.network, sys;"
        "heavy = {'requests', 'urllib3', 'websocket', 'redis', 'zmq', 'starlette', 'rich'};"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)
