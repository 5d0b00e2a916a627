"""Logs over a websocket as a library: lines, totals, failures, and a pool that is never stuck."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.network import ClientError, StreamLimits, WebSocketStreamManager
from tests.support.wait import wait_until
from tests.support.ws_server import (
    BINARY,
    CONTINUATION,
    PING,
    TEXT,
    Peer,
    ScriptedServer,
    close_frame,
    frame,
)

TIMEOUT = 5
DONE = close_frame(1000)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2, thread_name_prefix="test-pool") as pool:
        yield pool


def playing(*data: bytes) -> Callable[[Peer], None]:
    """A script: the handshake, these bytes, and the client's close awaited."""

    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(*data)
        peer.socket.shutdown(socket.SHUT_WR)
        peer.wait_until_gone()

    return script


def read(
    pool: ThreadPoolExecutor,
    url: str,
    limits: StreamLimits | None = None,
    timeout: object = TIMEOUT,
) -> tuple[list[str], ClientError | None]:
    """All lines, and the error that ended them."""
    lines: list[str] = []
    manager = WebSocketStreamManager(pool, limits or StreamLimits())
    try:
        lines.extend(manager.stream_logs(url, {}, timeout, "tail"))  # type: ignore[arg-type]
    except ClientError as error:
        return lines, error
    return lines, None


def is_free(pool: ThreadPoolExecutor) -> bool:
    """Whether each of the pool's threads takes new work."""
    barrier = threading.Barrier(3)
    for _ in range(2):
        pool.submit(barrier.wait, TIMEOUT)
    try:
        barrier.wait(TIMEOUT)
    except threading.BrokenBarrierError:
        return False
    return True


def test_lines_come_without_their_ends_up_to_a_close_with_1000(pool: ThreadPoolExecutor) -> None:
    script = playing(frame(b"a\nb"), frame(b"\n\nc\n"), frame(b"d"), DONE)
    with ScriptedServer(script) as server:
        assert read(pool, server.ws_url) == (["a", "b", "", "c", "d"], None)


def test_text_binary_fragments_and_bad_utf8_are_all_bytes_of_the_log(
    pool: ThreadPoolExecutor,
) -> None:
    script = playing(
        frame(b"t\n", TEXT),
        frame(b"b\xff\n", BINARY),
        frame(b"one ", TEXT, final=False),
        frame(b"two ", CONTINUATION, final=False),
        frame(b"", PING),
        frame("thré".encode()[:-1], CONTINUATION, final=False),
        frame("é".encode()[1:] + b"e\n", CONTINUATION),
        frame(b""),
        DONE,
    )
    with ScriptedServer(script) as server:
        assert read(pool, server.ws_url) == (["t", "b\ufffd", "one two thrée"], None)


def test_lines_are_sanitized(pool: ThreadPoolExecutor) -> None:
    script = playing(frame(b"AKIAIOS"), frame(b"FODNN7EXAMPLE\n" + b"x" * 200 + b"\n"), DONE)
    with ScriptedServer(script) as server:
        lines, error = read(pool, server.ws_url, StreamLimits(max_message_size=100))
    assert error is None
    assert lines == ["[REDACTED]", "x" * 100 + " …[truncated 100 bytes]"]


def test_a_line_is_delivered_while_the_server_is_silent(pool: ThreadPoolExecutor) -> None:
    seen = threading.Event()

    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(b"first\n"))
        if seen.wait(TIMEOUT):
            peer.send(frame(b"second\n"), DONE)
        peer.wait_until_gone()

    with ScriptedServer(script) as server:
        stream = WebSocketStreamManager(pool, StreamLimits()).stream_logs(
            server.ws_url, None, TIMEOUT, "tail"
        )
        assert next(stream) == "first"
        seen.set()
        assert list(stream) == ["second"]


def test_the_callers_headers_are_sent_and_no_origin_is(pool: ThreadPoolExecutor) -> None:
    with ScriptedServer(playing(DONE)) as server:
        manager = WebSocketStreamManager(pool, StreamLimits())
        url = server.ws_url.replace("ws://", "WS://") + "?a=b"
        assert list(manager.stream_logs(url, {"Authorization": "Bearer t"}, 5, "tail")) == []
    assert server.heads[0].startswith("GET /logs?a=b HTTP/1.1\r\n")
    assert "Authorization: Bearer t\r\n" in server.heads[0]
    assert "origin" not in server.heads[0].lower()


MESSAGES = [frame(b"line %d\n" % n) for n in range(10)]  # of 7 bytes


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (StreamLimits(max_messages=10, max_lines=10, max_bytes=70), 10),
        (StreamLimits(max_messages=4), 4),
        (StreamLimits(max_lines=3), 3),
        (StreamLimits(max_bytes=27), 3),
        (StreamLimits(max_bytes=28), 4),
        (StreamLimits(max_messages=1, queue_size=1), 1),
    ],
)
def test_over_a_total_everything_up_to_it_is_delivered_before_429(
    pool: ThreadPoolExecutor, limits: StreamLimits, expected: int
) -> None:
    with ScriptedServer(playing(*MESSAGES, DONE)) as server:
        lines, error = read(pool, server.ws_url, limits)
    assert lines == [f"line {n}" for n in range(expected)]
    if expected == 10:
        assert error is None
    else:
        assert error is not None
        assert error.status == 429


def test_a_fragmented_message_is_one_message(pool: ThreadPoolExecutor) -> None:
    script = playing(
        frame(b"a\n", TEXT, final=False), frame(b"b\n", CONTINUATION), frame(b"c\n"), DONE
    )
    with ScriptedServer(script) as server:
        lines, error = read(pool, server.ws_url, StreamLimits(max_messages=1))
    assert lines == ["a", "b"]
    assert error is not None
    assert error.status == 429


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(b"", id="without a close frame"),
        pytest.param(close_frame(1001), id="going away"),
        pytest.param(close_frame(1011, b"it broke"), id="server error"),
        pytest.param(frame(b"", opcode=8), id="no code"),
        pytest.param(close_frame(1005), id="a code that must not be sent"),
        pytest.param(frame(b"half")[:-2], id="in the middle of a message"),
        pytest.param(b"\xf1\x00", id="no frame of the protocol"),
        pytest.param(frame(b"x", CONTINUATION), id="a continuation of nothing"),
    ],
)
def test_any_end_but_a_close_with_1000_is_503_after_the_complete_lines(
    pool: ThreadPoolExecutor, ending: bytes
) -> None:
    with ScriptedServer(playing(frame(b"a\nhal"), ending)) as server:
        lines, error = read(pool, server.ws_url)
    assert lines == ["a"]
    assert error is not None
    assert error.status == 503


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("200 OK", 503),
        ("302 Found", 503),
        ("400 Bad Request", 400),
        ("401 Unauthorized", 400),
        ("403 Forbidden", 400),
        ("404 Not Found", 404),
        ("429 Too Many Requests", 429),
        ("500 Internal Server Error", 500),
        ("503 Service Unavailable", 503),
    ],
)
def test_a_refused_handshake_has_its_status(
    pool: ThreadPoolExecutor, answer: str, status: int
) -> None:
    def script(peer: Peer) -> None:
        peer.answer(answer, b"Job nope does not exist, token=hunter2", "Location: ws://other/\r\n")
        peer.wait_until_gone()

    with ScriptedServer(script) as server:
        lines, error = read(pool, server.ws_url)
    assert lines == []
    assert error is not None
    assert error.status == status
    assert error.message.startswith("tail: ")
    assert "hunter2" not in error.message


def test_a_handshake_that_proves_nothing_is_503(pool: ThreadPoolExecutor) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 101 Sure\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")

    with ScriptedServer(script) as server:
        _, error = read(pool, server.ws_url)
    assert error is not None
    assert error.status == 503


def test_a_failing_tls_handshake_is_503(pool: ThreadPoolExecutor) -> None:
    def answer_in_plain() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 plain\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_in_plain)
        thread.start()
        _, error = read(pool, f"wss://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join(TIMEOUT)
    assert error is not None
    assert error.status == 503
    assert "TLS" in error.message


def test_a_refused_connection_is_503(pool: ThreadPoolExecutor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    _, error = read(pool, f"ws://127.0.0.1:{port}/")
    assert error is not None
    assert error.status == 503
    assert "refused" in error.message.lower()


def test_a_silent_handshake_is_408(pool: ThreadPoolExecutor) -> None:
    with ScriptedServer(lambda peer: peer.wait_until_gone() and None) as server:
        _, error = read(pool, server.ws_url, timeout=(0.1, TIMEOUT))
        assert server.gone.wait(TIMEOUT)
    assert error is not None
    assert error.status == 408


def test_a_handshake_that_trickles_in_is_408_at_the_connect_timeout(
    pool: ThreadPoolExecutor,
) -> None:
    over = threading.Event()

    def script(peer: Peer) -> None:
        while not over.wait(0.05):
            peer.send(b"H")

    with ScriptedServer(script) as server:
        _, error = read(pool, server.ws_url, timeout=(0.2, TIMEOUT))
        over.set()
    assert error is not None
    assert error.status == 408


def test_silence_in_mid_stream_is_408_after_the_complete_lines(pool: ThreadPoolExecutor) -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(b"a\nhal"))
        peer.wait_until_gone()

    with ScriptedServer(script) as server:
        lines, error = read(pool, server.ws_url, timeout=(TIMEOUT, 0.1))
        assert server.gone.wait(TIMEOUT)
    assert lines == ["a"]
    assert error is not None
    assert error.status == 408


@pytest.mark.parametrize(
    ("url", "headers", "timeout"),
    [
        ("http://h/", {}, 1),
        ("ws://", {}, 1),
        ("ws://h:99999/", {}, 1),
        ("ws://h/", {"X": "a\r\nY: b"}, 1),
        ("ws://h/", {}, 0),
        ("ws://h/", {}, (1,)),
        ("ws://" + "h" * 70 + ".example/", {}, 1),
    ],
)
def test_invalid_arguments_are_400(
    pool: ThreadPoolExecutor, url: str, headers: dict[str, str], timeout: float
) -> None:
    manager = WebSocketStreamManager(pool, StreamLimits())
    with pytest.raises(ClientError) as caught:
        next(manager.stream_logs(url, headers, timeout, "tail"))
    assert caught.value.status == 400


def forever(peer: Peer) -> None:
    """Send lines as long as anyone takes them."""
    peer.accept()
    block = b"".join(frame(b"x" * 99 + b"\n") for _ in range(100))
    try:
        while True:
            peer.send(block)
    except OSError:
        peer.gone.set()


@pytest.mark.parametrize("script", [forever, None], ids=["it sends on", "it is silent"])
def test_closing_the_generator_closes_the_connection_and_frees_the_thread_at_once(
    pool: ThreadPoolExecutor, script: Callable[[Peer], None] | None
) -> None:
    def silent(peer: Peer) -> None:
        peer.accept()
        peer.send(frame(b"x\n"))
        peer.wait_until_gone()

    with ScriptedServer(script or silent) as server:
        stream = WebSocketStreamManager(pool, StreamLimits()).stream_logs(
            server.ws_url, None, 60, "tail"
        )
        next(stream)
        stream.close()
        assert is_free(pool)
        assert server.gone.wait(TIMEOUT)


def test_a_generator_that_is_dropped_is_closed(pool: ThreadPoolExecutor) -> None:
    with ScriptedServer(forever) as server:
        for _ in WebSocketStreamManager(pool, StreamLimits()).stream_logs(
            server.ws_url, None, 60, "tail"
        ):
            break
        assert server.gone.wait(TIMEOUT)
        assert is_free(pool)


@pytest.mark.parametrize("queue_size", [1, 2, 100])
def test_a_consumer_that_stops_iterating_holds_no_thread_and_can_go_on_later(
    pool: ThreadPoolExecutor, queue_size: int
) -> None:
    total = 2000
    script = playing(*(frame(b"line %d\n" % n) for n in range(total)), DONE)
    with ScriptedServer(script) as server:
        stream = WebSocketStreamManager(pool, StreamLimits(queue_size=queue_size)).stream_logs(
            server.ws_url, None, TIMEOUT, "tail"
        )
        lines = [next(stream)]
        assert is_free(pool)
        lines += stream
    assert lines == [f"line {n}" for n in range(total)]


def test_more_streams_than_threads_all_get_their_turns() -> None:
    script = playing(*(frame(b"%d\n" % n) for n in range(50)), DONE)
    with ThreadPoolExecutor(1) as pool, ScriptedServer(script) as server:
        manager = WebSocketStreamManager(pool, StreamLimits(queue_size=2))
        streams = [manager.stream_logs(server.ws_url, None, TIMEOUT, "tail") for _ in range(3)]
        read_in_turns = list(zip(*streams, strict=True))
    assert read_in_turns == [(str(n),) * 3 for n in range(50)]


def test_a_pool_without_a_free_thread_is_503_at_the_connect_timeout() -> None:
    over = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(over.wait, TIMEOUT)
        _, error = read(pool, "ws://127.0.0.1:1/", timeout=(0.1, TIMEOUT))
        over.set()
    assert error is not None
    assert error.status == 503
    assert "thread" in error.message


def test_a_pool_that_is_shut_down_is_503() -> None:
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    _, error = read(pool, "ws://127.0.0.1:1/")
    assert error is not None
    assert error.status == 503


def test_a_pool_shut_down_while_the_stream_waits_for_a_thread_is_503() -> None:
    over = threading.Event()
    pool = ThreadPoolExecutor(1)
    pool.submit(over.wait, TIMEOUT)
    caught: list[ClientError | None] = []
    waiting = threading.Thread(
        target=lambda: caught.append(read(pool, "ws://127.0.0.1:1/", timeout=60)[1])
    )
    waiting.start()
    wait_until(lambda: pool._work_queue.qsize() == 1)
    pool.shutdown(wait=False, cancel_futures=True)
    over.set()
    waiting.join(TIMEOUT)
    assert caught[0] is not None
    assert caught[0].status == 503


def test_a_hundred_streams_leave_no_thread_and_no_socket_behind() -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    script = playing(frame(b"a\nb\n"), DONE)
    with ThreadPoolExecutor(2) as pool:
        both = threading.Barrier(2)  # a pool starts its second thread when it happens to need it
        list(pool.map(lambda _: both.wait(TIMEOUT), range(2)))
        with ScriptedServer(script) as server:
            read(pool, server.ws_url)
        files, threads = open_files(), threading.active_count()
        with ScriptedServer(script) as server:
            manager = WebSocketStreamManager(pool, StreamLimits())
            for n in range(100):
                stream = manager.stream_logs(server.ws_url, None, TIMEOUT, "tail")
                assert next(stream) == "a"
                if n % 2:
                    assert list(stream) == ["b"]
                stream.close()
        wait_until(lambda: threading.active_count() <= threads)
        wait_until(lambda: open_files() <= files)
