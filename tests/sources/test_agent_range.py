"""Byte ranges of a log from the agent: what is verified, and what the odd answers mean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.sources.agent_range import AgentRange, after_tail
from broker.sources.http_client import HttpClient, RetryLater
from broker.sources.source import LogMissing, LogReplaced
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.ws_server import Peer, ScriptedServer

LOG = b"".join(b"line %d\n" % n for n in range(1_000))


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(ClusterConfig(connect_timeout=5.0, read_timeout=5.0), None)
    yield made
    made.close()


@pytest.fixture
def source(standin: RayStandIn, client: HttpClient) -> AgentRange:
    standin.add_job("job-1", log=LOG)
    return AgentRange(client, standin.agent_url, "job-1")


def read(source: AgentRange, offset: int = 0, tail: bytes = b"") -> bytes:
    return b"".join(source.read(offset, tail))


def answering(status: str, body: bytes = b"", headers: str = "") -> Callable[[Peer], None]:
    return lambda peer: peer.answer(status, body, headers)


def test_the_whole_log_comes_with_its_size(source: AgentRange) -> None:
    assert read(source) == LOG
    assert source.size == len(LOG)


@pytest.mark.parametrize("offset", [1, 64, 1_000, len(LOG) - 1])
def test_it_goes_on_from_any_offset_behind_the_bytes_it_knows(
    source: AgentRange, offset: int
) -> None:
    assert read(source, offset, LOG[:offset][-64:]) == LOG[offset:]
    assert read(source, offset) == LOG[offset:]


def test_at_the_end_there_is_nothing_and_that_is_no_error(source: AgentRange) -> None:
    assert read(source, len(LOG), LOG[-64:]) == b""
    assert read(source, len(LOG)) == b""
    assert source.size == len(LOG)


def test_an_empty_file_has_nothing_yet(standin: RayStandIn, client: HttpClient) -> None:
    standin.add_job("job-1")
    source = AgentRange(client, standin.agent_url, "job-1")
    assert read(source) == b""
    assert source.size == 0


def test_a_request_is_bounded_and_the_size_tells_that_there_is_more(
    source: AgentRange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.sources.agent_range.RANGE", 100)
    assert read(source, 200, LOG[136:200]) == LOG[200:300]
    assert source.size == len(LOG)


def test_a_file_that_was_truncated_is_noticed(standin: RayStandIn, source: AgentRange) -> None:
    standin.truncate("job-1", 500)
    for tail in (LOG[936:1_000], b""):
        with pytest.raises(LogReplaced, match="the file has 500 bytes, 1000 were read"):
            read(source, 1_000, tail)


def test_a_file_truncated_within_the_overlap_is_noticed(
    standin: RayStandIn, source: AgentRange
) -> None:
    standin.truncate("job-1", 990)
    with pytest.raises(LogReplaced, match="shorter than what was read"):
        read(source, 1_000, LOG[936:1_000])


def test_another_file_is_noticed_though_it_has_grown_beyond(
    standin: RayStandIn, source: AgentRange
) -> None:
    standin.replace("job-1", b"other\n" * 10_000)
    got: list[bytes] = []
    with pytest.raises(LogReplaced, match="are not those that were read"):
        got.extend(source.read(1_000, LOG[936:1_000]))
    assert got == []


def test_a_missing_file_is_told_from_an_error(standin: RayStandIn, client: HttpClient) -> None:
    with pytest.raises(LogMissing) as raised:
        read(AgentRange(client, standin.agent_url, "nobody"))
    assert raised.value.status == 404


def test_an_agent_out_of_reach_is_503(client: HttpClient) -> None:
    with pytest.raises(ClientError) as raised:
        read(AgentRange(client, f"http://127.0.0.1:{free_port()}", "job-1"))
    assert raised.value.status == 503


def test_429_says_how_long_to_wait(standin: RayStandIn, source: AgentRange) -> None:
    standin.fail_next("/logs/", 429, headers={"Retry-After": "3"})
    with pytest.raises(RetryLater) as raised:
        read(source)
    assert raised.value.seconds == 3.0


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (answering("200 OK", LOG), "does not answer byte ranges"),
        (answering("206 Partial Content", LOG), "Content-Range is not one: ''"),
        (
            answering("206 Partial Content", LOG, "Content-Range: bytes 0-7999/*\r\n"),
            "Content-Range is not one: 'bytes 0-7999/",
        ),
        (answering("416 Range Not Satisfiable"), "Content-Range is not one"),
        (answering("500 Internal Server Error", b"oops"), "the server answered 500, oops"),
    ],
)
def test_an_answer_that_is_no_range_is_an_error_and_no_byte_of_it_is_taken(
    client: HttpClient, script: Callable[[Peer], None], message: str
) -> None:
    got: list[bytes] = []
    with ScriptedServer(script) as server:
        source = AgentRange(client, f"http://127.0.0.1:{server.port}", "job-1")
        with pytest.raises(ClientError, match=message) as raised:
            got.extend(source.read(0, b""))
    assert (raised.value.status, got) == (500, [])


def test_a_body_cut_short_is_503_and_what_came_stays_valid(client: HttpClient) -> None:
    def script(peer: Peer) -> None:
        peer.send(
            b"HTTP/1.1 206 Partial Content\r\nContent-Length: 100\r\n"
            b"Content-Range: bytes 0-99/100\r\n\r\n" + LOG[:40]
        )

    got: list[bytes] = []
    with ScriptedServer(script) as server:
        source = AgentRange(client, f"http://127.0.0.1:{server.port}", "job-1")
        with pytest.raises(ClientError) as raised:
            got.extend(source.read(0, b""))
    assert (raised.value.status, b"".join(got), source.size) == (503, LOG[:40], 100)


def test_a_read_that_is_given_up_leaves_the_next_one_whole(source: AgentRange) -> None:
    with closing(source.read(0, b"")) as reading:
        assert LOG.startswith(next(reading))
    assert read(source, 8, LOG[:8]) == LOG[8:]


def test_any_cut_of_the_overlap_into_pieces_is_compared() -> None:
    tail, rest = b"0123456789", b"the rest"
    data = tail + rest
    for size in range(1, len(data) + 1):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert b"".join(after_tail(iter(pieces), tail)) == rest
        wrong = [b"x" + pieces[0][1:], *pieces[1:]]
        with pytest.raises(LogReplaced):
            b"".join(after_tail(iter(wrong), tail))
        with pytest.raises(LogReplaced):
            b"".join(after_tail(iter([data[:9]]), tail))
