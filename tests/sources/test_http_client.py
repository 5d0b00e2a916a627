"""HTTP to a cluster: which error means what, and what is sent to whom."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.sources.http_client import PIECE, HttpClient, RetryLater, pieces
from tests.support.fault_proxy import FaultProxy
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.tls_server import TlsServer, make_certificate
from tests.support.wait import wait_until
from tests.support.ws_server import Peer, ScriptedServer

TOKEN = "tok-3fa85f6457174562"


@contextmanager
def client(token: str | None = None, **config: Any) -> Iterator[HttpClient]:
    made = HttpClient(ClusterConfig(**({"connect_timeout": 5.0} | config)), token)
    try:
        yield made
    finally:
        made.close()


def fails(of: HttpClient, url: str) -> ClientError:
    """How a GET of it fails."""
    with pytest.raises(ClientError) as raised:
        of.get(url)
    return raised.value


def raw(data: bytes) -> Callable[[Peer], None]:
    """A server that sends these bytes and closes."""
    return lambda peer: peer.send(data)


def hang(peer: Peer) -> None:
    """It answers nothing."""
    peer.wait_until_gone()


# What the answers mean ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        *((400, 400), (401, 400), (403, 400), (404, 404), (408, 408), (410, 404), (429, 429)),
        *((500, 500), (502, 503), (503, 503), (504, 503), (302, 503), (204, 503)),
    ],
)
def test_each_answer_has_its_status(answer: int, status: int) -> None:
    with LittleHttp(lambda *_: Reply(answer)) as server, client() as http:
        error = fails(http, server.url + "/api/jobs/")
        assert error.status == status
        assert f"Ray, /api/jobs/: the server answered {answer}" in error.message


def test_of_a_traceback_the_last_line_is_told() -> None:
    body = b"Traceback (most recent call last):\n  File x, line 1\nRuntimeError: no such job\n"
    with LittleHttp(lambda *_: Reply(500, body)) as server, client() as http:
        assert fails(http, server.url).message.endswith("answered 500, RuntimeError: no such job")


@pytest.mark.parametrize(("header", "seconds"), [("Retry-After: 7\r\n", 7.0), ("", 30.0)])
def test_429_says_how_long_to_wait(header: str, seconds: float) -> None:
    with (
        ScriptedServer(lambda peer: peer.answer("429 Too Many Requests", b"", header)) as server,
        client() as http,
    ):
        error = fails(http, server.http_url)
        assert isinstance(error, RetryLater)
        assert (error.status, error.seconds) == (429, seconds)


def test_a_refused_connection_is_503() -> None:
    port = free_port()
    with client() as http:
        error = fails(http, f"http://127.0.0.1:{port}/x")
        assert (error.status, error.message) == (503, f"127.0.0.1:{port} cannot be reached")


def test_a_name_that_is_nobodys_is_503() -> None:
    with client() as http:
        error = fails(http, "http://nobody.invalid:1/x")
        assert (error.status, error.message) == (503, "nobody.invalid:1 cannot be reached")


def test_no_answer_in_time_is_408() -> None:
    with ScriptedServer(hang) as server, client(read_timeout=0.1) as http:
        error = fails(http, server.http_url)
        assert error.status == 408
        assert error.message == f"127.0.0.1:{server.port} did not answer in time"


def test_a_body_that_stalls_is_408() -> None:
    def script(peer: Peer) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        peer.wait_until_gone()

    with ScriptedServer(script) as server, client(read_timeout=0.1) as http:
        assert fails(http, server.http_url).status == 408


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConten",
        b"HTTP/1.1 200 OK\r\n\r\nof any length",
        b"HTTP/1.1 20",
        b"",
    ],
)
def test_an_answer_cut_anywhere_is_503_and_never_a_short_success(data: bytes) -> None:
    with ScriptedServer(raw(data)) as server, client() as http:
        error = fails(http, server.http_url)
        assert error.status == 503
        assert error.message == f"127.0.0.1:{server.port} closed the connection early"


def test_what_came_before_a_cut_was_given() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with ScriptedServer(raw(head + b"so far")) as server, client() as http:
        got: list[bytes] = []
        with pytest.raises(ClientError), http.open(server.http_url) as response:
            got.extend(pieces(response))
        assert b"".join(got) == b"so far"


def test_a_server_that_speaks_something_else_is_503() -> None:
    with ScriptedServer(raw(b"SSH-2.0-OpenSSH_9\r\n")) as server, client() as http:
        assert fails(http, server.http_url).status == 503


def test_a_body_over_the_bound_is_refused() -> None:
    with LittleHttp(lambda *_: Reply(200, b"x" * 11)) as server, client() as http:
        with pytest.raises(ClientError, match="is over 10 bytes"):
            http.get(server.url + "/x", max_bytes=10)
        assert http.get(server.url + "/x", max_bytes=11) == b"x" * 11


def test_a_body_comes_in_pieces_of_a_mib_at_most(standin: RayStandIn) -> None:
    standin.add_job("job-1", log=b"x" * (3 * PIECE + 5))
    with client() as http, http.open(f"{standin.agent_url}/logs/job-driver-job-1.log") as response:
        sizes = [len(piece) for piece in pieces(response)]
    assert sum(sizes) == 3 * PIECE + 5
    assert max(sizes) <= PIECE


# Connections --------------------------------------------------------------------------------------


def test_a_connection_is_used_again_once_its_answer_was_read(standin: RayStandIn) -> None:
    proxy = FaultProxy("127.0.0.1", standin.dashboard.port)
    with proxy, client() as http:
        for _ in range(5):
            http.get(proxy.url + "/api/version")
        assert proxy.connections == 1
        with http.open(proxy.url + "/api/version"):
            pass  # left unread: it can't be used for another answer
        http.get(proxy.url + "/api/version")
        assert proxy.connections == 2


def test_an_idle_connection_that_the_server_closed_costs_no_request() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"  # and closes, without saying so
    with ScriptedServer(raw(answer)) as server, client() as http:
        assert [http.get(server.http_url) for _ in range(3)] == [b"ok"] * 3


def test_a_server_that_always_closes_is_asked_twice_and_no_more() -> None:
    with ScriptedServer(lambda _: None) as server, client() as http:
        fails(http, server.http_url)
        assert len(server.heads) == 2


def test_close_leaves_no_connection_open(standin: RayStandIn) -> None:
    proxy = FaultProxy("127.0.0.1", standin.dashboard.port)
    with proxy:
        with client() as http:
            http.get(proxy.url + "/api/version")
            assert proxy.open_connections == 1
        wait_until(lambda: proxy.open_connections == 0, 5, "the connection is closed")


# What is sent, and to whom ------------------------------------------------------------------------


def test_the_token_and_further_headers_go_with_each_request() -> None:
    headers = {"X-Team": "ml", "Accept-Language": "de"}
    with LittleHttp(lambda *_: Reply(200, b"ok")) as server, client(TOKEN, headers=headers) as http:
        http.get(server.url)
        with http.open(server.url, {"Range": "bytes=0-0"}) as response:
            response.read()
        for _, sent in server.asked:
            assert sent["authorization"] == f"Bearer {TOKEN}"
            assert (sent["x-team"], sent["accept-language"]) == ("ml", "de")
            assert sent["accept-encoding"] == "identity"
        assert server.asked[1][1]["range"] == "bytes=0-0"


def test_without_a_token_none_is_sent() -> None:
    with LittleHttp(lambda *_: Reply(200, b"ok")) as server, client() as http:
        http.get(server.url)
        assert "authorization" not in server.asked[0][1]


@pytest.mark.parametrize("answer", [400, 401, 403, 500, 503])
def test_a_token_that_the_server_repeats_is_never_shown(answer: int) -> None:
    body = f"Traceback\nValueError: Authorization: Bearer {TOKEN} was refused".encode()
    with LittleHttp(lambda *_: Reply(answer, body)) as server, client(TOKEN) as http:
        error = fails(http, server.url + f"/x?token={TOKEN}")
        assert TOKEN not in str(error) + repr(error)
        if answer in (401, 403):
            assert "(see token_file or token_env of the cluster)" in error.message


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_said_and_not_followed(status: int) -> None:
    with (
        LittleHttp(lambda *_: Reply(200, b"stolen")) as other,
        ScriptedServer(
            lambda peer: peer.answer(f"{status} Moved", b"", f"Location: {other.url}/\r\n")
        ) as server,
        client(TOKEN) as http,
    ):
        error = fails(http, server.http_url)
        assert error.status == 503
        assert "it redirects; give the address it redirects to" in error.message
        assert other.asked == []


# Through a proxy ----------------------------------------------------------------------------------


def forward(peer: Peer) -> None:
    """A proxy's part for a plain request: `GET http://HOST:PORT/path`."""
    method, url, _ = peer.head.split(" ", 2)
    host, _, path = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), 5) as target:
        lines = peer.head.partition("\r\n")[2]
        target.sendall(f"{method} /{path} HTTP/1.1\r\n{lines}".encode())
        target.shutdown(socket.SHUT_WR)
        while data := target.recv(65_536):
            peer.send(data)


def test_a_proxy_is_where_requests_go(standin: RayStandIn) -> None:
    with ScriptedServer(forward) as proxy:
        with client(TOKEN, proxy=f"http://127.0.0.1:{proxy.port}") as http:
            assert b"session_name" in http.get(standin.url + "/api/version")
        assert proxy.heads[0].startswith(f"GET {standin.url}/api/version HTTP/1.1")
        assert f"Bearer {TOKEN}" in proxy.heads[0]
        assert "Proxy-Authorization" not in proxy.heads[0]


def test_a_proxy_s_user_and_password_are_sent_to_it(standin: RayStandIn) -> None:
    with ScriptedServer(forward) as proxy:
        with client(proxy=f"http://me:s%40cret@127.0.0.1:{proxy.port}") as http:
            http.get(standin.url + "/api/version")
        (sent,) = [line for line in proxy.heads[0].splitlines() if "roxy-" in line]
        name, _, value = sent.partition(": ")
        assert name.lower() == "proxy-authorization"
        assert value == "Basic " + base64.b64encode(b"me:s@cret").decode()


def test_a_proxy_out_of_reach_is_503_without_its_password() -> None:
    with client(proxy=f"http://me:s3cret@127.0.0.1:{free_port()}") as http:
        error = fails(http, "http://127.0.0.1:1/x")
        assert error.status == 503
        assert "proxy" in error.message
        assert "s3cret" not in str(error)


def test_the_environment_s_proxy_is_not_used(
    standin: RayStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with client() as http:
        assert http.get(standin.url + "/api/version")


# Over TLS -----------------------------------------------------------------------------------------


def ok(peer: Peer) -> None:
    peer.answer("200 OK", b"secret")


def test_a_private_authority_is_trusted_where_it_is_given(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with TlsServer(ok, certificate) as server:
        with client(TOKEN, ca_file=str(certificate.file)) as http:
            assert http.get(server.https_url) == b"secret"
        assert f"Bearer {TOKEN}" in server.heads[0]


@pytest.mark.parametrize("ca", ["", "other"])
def test_a_server_that_is_not_trusted_gets_no_request(tmp_path: Path, ca: str) -> None:
    ca_file = str(make_certificate(tmp_path, ca).file) if ca else ""
    with TlsServer(ok, make_certificate(tmp_path, "server")) as server:
        with client(TOKEN, ca_file=ca_file) as http:
            error = fails(http, server.https_url)
            assert error.status == 503
            assert error.message.startswith(f"TLS to 127.0.0.1:{server.port}: ")
        assert server.heads == []
