"""The whole file through the dashboard: raw, from any offset, and never a short one for a whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient, RetryLater
from broker.sources.source import LogReplaced
from broker.sources.state_file import StateFile
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.ws_server import Peer, ScriptedServer

LOG = b"".join(b"line %d \xff\r\n" % n for n in range(20_000))  # more than a chunk of Ray's


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(ClusterConfig(connect_timeout=5.0, read_timeout=5.0), None)
    yield made
    made.close()


@pytest.fixture
def source(standin: RayStandIn, client: HttpClient) -> StateFile:
    standin.add_job("job-1", log=LOG)
    return StateFile(client, Endpoints([standin.url]), "job-1")


def read(source: StateFile, offset: int = 0, tail: bytes = b"") -> bytes:
    return b"".join(source.read(offset, tail))


def test_the_whole_log_comes_raw_and_not_its_last_thousand_lines(source: StateFile) -> None:
    assert source.size is None
    assert read(source) == LOG
    assert source.size == len(LOG)


@pytest.mark.parametrize("offset", [1, 64, 65_535, 65_536, 65_600, 200_000, len(LOG)])
def test_from_any_offset_only_what_is_new_is_given(source: StateFile, offset: int) -> None:
    assert read(source, offset, LOG[:offset][-64:]) == LOG[offset:]
    assert read(source, offset) == LOG[offset:]
    assert source.size == len(LOG)


def test_a_file_that_was_truncated_is_noticed(standin: RayStandIn, source: StateFile) -> None:
    standin.truncate("job-1", 70_000)
    for tail in (LOG[99_936:100_000], b""):
        with pytest.raises(LogReplaced):
            read(source, 100_000, tail)


def test_another_file_is_noticed_though_it_is_longer(
    standin: RayStandIn, source: StateFile
) -> None:
    standin.replace("job-1", b"other\n" * 100_000)
    got: list[bytes] = []
    with pytest.raises(LogReplaced):
        got.extend(source.read(100_000, LOG[99_936:100_000]))
    assert got == []


def test_an_empty_file_is_read_as_one(standin: RayStandIn, client: HttpClient) -> None:
    standin.add_job("job-1")
    source = StateFile(client, Endpoints([standin.url]), "job-1")
    assert read(source) == b""
    assert source.size == 0


@pytest.mark.parametrize("job", ["nobody", "pending"])
def test_what_ray_cannot_give_is_its_500_with_what_it_said(
    standin: RayStandIn, client: HttpClient, job: str
) -> None:
    standin.add_job("pending", "PENDING", log=None)
    with pytest.raises(ClientError, match="the server answered 500, ") as raised:
        read(StateFile(client, Endpoints([standin.url]), job))
    assert raised.value.status == 500


def test_a_failure_of_one_job_s_log_takes_no_endpoint_out_of_use(
    standin: RayStandIn, client: HttpClient
) -> None:
    endpoints = Endpoints([standin.url])
    standin.add_job("job-1", log=LOG)
    standin.fail_next("/api/v0/logs/file", 503)
    source = StateFile(client, endpoints, "job-1")
    with pytest.raises(ClientError):
        read(source)
    assert read(source) == LOG
    assert endpoints.all[0].mean is None


def test_429_says_how_long_to_wait(standin: RayStandIn, source: StateFile) -> None:
    standin.fail_next("/api/v0/logs/file", 429, headers={"Retry-After": "5"})
    with pytest.raises(RetryLater) as raised:
        read(source)
    assert raised.value.seconds == 5.0


def test_a_transfer_cut_short_is_503_and_no_size_is_believed(client: HttpClient) -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nline 0\r\n")

    got: list[bytes] = []
    with ScriptedServer(script) as server:
        source = StateFile(client, Endpoints([f"http://127.0.0.1:{server.port}"]), "job-1")
        with pytest.raises(ClientError) as raised:
            got.extend(source.read(0, b""))
    assert (raised.value.status, b"".join(got), source.size) == (503, b"line 0", None)


def test_the_question_names_job_node_and_all_lines(client: HttpClient) -> None:
    with ScriptedServer(lambda peer: peer.answer("200 OK", b"x\n")) as server:
        read(StateFile(client, Endpoints([f"http://127.0.0.1:{server.port}"]), "job-1"))
        asked = server.heads[0].split(" ")[1]
    path, _, query = asked.partition("?")
    assert path == "/api/v0/logs/file"
    assert set(query.split("&")) == {"submission_id=job-1", "node_id=x", "lines=-1", "timeout=300"}


def test_the_best_endpoint_is_asked(standin: RayStandIn, client: HttpClient) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    endpoints = Endpoints([down, standin.url])
    standin.add_job("job-1", log=LOG)
    endpoints.failed(endpoints.choose(), 0.0, ClientError(503, "it is down"))
    assert read(StateFile(client, endpoints, "job-1")) == LOG
