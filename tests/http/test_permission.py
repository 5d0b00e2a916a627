"""The daemon's API with permissions, and the middleware that every server of ours has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import urllib3
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from broker.access.access import Access
from broker.access.attempts import LIMIT, WINDOW_S
from broker.access.sessions import Sessions
from broker.config.config import Action
from broker.http.app import create_app
from broker.jobview import JobView
from broker.metrics import Metrics
from broker.web.permission import Permission, grant_of
from broker.web.server import HttpServer
from tests.http.conftest import Client, FakeStatus, log
from tests.support.permissions import OPEN, TOKEN, access

JOB = "/v1/jobs/default/train-1"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
Serve = Callable[[Access], Client]


@pytest.fixture
def serve(status: FakeStatus) -> Iterator[Serve]:
    """The daemon's API with these permissions."""
    stack: list[tuple[HttpServer, urllib3.HTTPConnectionPool]] = []

    def serve(access: Access, bind: str = "127.0.0.1:0") -> Client:
        server = HttpServer(create_app(status, Metrics("1"), bind, access), bind)
        server.start()
        pool = urllib3.HTTPConnectionPool("127.0.0.1", int(server.address.rpartition(":")[2]))
        stack.append((server, pool))
        return Client(pool, server)

    status.views = [JobView("default", "train-1", "ended"), JobView("default", "eval", "ended")]
    status.journal.append([log(0, "a")])
    yield serve
    for server, pool in stack:
        pool.close()
        server.stop(2)


@pytest.mark.parametrize("path", ["/v1/jobs", JOB, f"{JOB}/log", "/v1/", "/nothing"])
def test_without_a_token_everything_but_health_is_401(serve: Serve, path: str) -> None:
    client = serve(access())
    assert client.error(path)[0] == 401
    assert client.get(path).headers["WWW-Authenticate"] == "Bearer"
    assert client.error(path, Authorization="Bearer x") == (401, "this token is not known here")


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/metrics"])
def test_health_metrics_and_the_index_ask_for_no_token(serve: Serve, path: str) -> None:
    assert serve(access()).get(path).status == 200


def test_a_token_in_the_url_is_no_token(serve: Serve) -> None:
    client = serve(access())
    for path in (f"/v1/jobs?token={TOKEN}", f"/v1/jobs?access_token={TOKEN}"):
        assert client.error(path)[0] == 401


def test_another_job_is_403_whether_it_is_there_or_not(serve: Serve, status: FakeStatus) -> None:
    client = serve(access(["train-*"]))
    for job in ("eval", "nothing"):
        for rest in ("", "/log"):
            code, said = client.error(f"/v1/jobs/default/{job}{rest}", **BEARER)
            assert (code, said) == (403, f"the token 'tester' may not read job default/{job}")
    assert client.get(JOB, **BEARER).status == 200
    assert client.get(f"{JOB}/log", **BEARER).data == b"a\n"
    assert client.error("/v1/jobs/other/train-1", **BEARER)[0] == 404
    assert [stream.job for stream, *_ in status.asked] == ["train-1"]


def test_the_list_holds_only_what_the_token_opens(serve: Serve) -> None:
    client = serve(access(["train-*"]))
    jobs = client.get("/v1/jobs", **BEARER).json()["jobs"]
    assert [job["job"] for job in jobs] == ["train-1"]
    assert client.get("/v1/jobs?job=eval", **BEARER).json()["jobs"] == []


def test_a_token_that_may_only_change_things_reads_nothing(serve: Serve) -> None:
    client = serve(access(actions=["admin"]))
    assert client.error(f"{JOB}/log", **BEARER)[0] == 403
    assert client.get("/v1/jobs", **BEARER).json()["jobs"] == []


@pytest.mark.parametrize(
    ("actions", "jobs", "code"),
    [
        (["read"], ["*"], 403),
        (["admin"], ["eval"], 403),
        (["admin"], ["*"], 200),
        (["read", "admin"], ["train-*"], 200),
    ],
)
def test_removing_needs_admin_for_that_job(
    serve: Serve, status: FakeStatus, actions: Sequence[Action], jobs: list[str], code: int
) -> None:
    client = serve(access(jobs, actions=actions))
    assert client.get(f"{JOB}/log", "DELETE", **BEARER).status == code
    assert bool(status.journal.spans(("default", "train-1"))) is (code == 403)  # type: ignore[arg-type]


def test_with_an_admin_token_it_removes_on_any_address(
    serve: Callable[..., Client], status: FakeStatus
) -> None:
    client = serve(access(actions=["admin"]), "0.0.0.0:0")
    assert client.get(f"{JOB}/log", "DELETE", **BEARER).status == 200


def test_without_permissions_it_removes_nothing_for_other_machines(
    serve: Callable[..., Client],
) -> None:
    client = serve(OPEN, "0.0.0.0:0")
    code, said = client.error(f"{JOB}/log", "DELETE")
    assert code == 403
    assert "without a token" in said


def test_many_wrong_tokens_are_429_and_the_right_one_is_let_in(serve: Serve) -> None:
    client = serve(access())
    codes = [client.error("/v1/jobs", Authorization=f"Bearer {n}")[0] for n in range(LIMIT + 1)]
    assert codes == [401] * LIMIT + [429]
    refused = client.get("/v1/jobs", Authorization="Bearer x")
    assert 0 < int(refused.headers["Retry-After"]) <= WINDOW_S
    assert client.get("/v1/jobs", **BEARER).status == 200
    assert client.get("/livez").status == 200


# The middleware alone ----------------------------------------------------------------------------


@pytest.fixture
def sessions() -> Sessions:
    return Sessions()


@pytest.fixture
def page(sessions: Sessions) -> Iterator[Client]:
    """A server with cookies, whose every route answers with the token's name."""

    async def who(request: Request) -> Response:
        return PlainTextResponse(grant_of(request).name)

    async def anyone(request: Request) -> Response:
        return PlainTextResponse("public")

    app = Starlette(
        routes=[
            Route("/static/{file}", anyone),
            Route("/{rest:path}", who, methods=["GET", "POST", "DELETE"]),
        ],
        middleware=[
            Middleware(
                Permission,
                access=access(),
                public=["/static/*"],
                cookie="raytap_session",
                session=sessions.grant,
                origins=["https://friend.example"],
            )
        ],
    )
    server = HttpServer(app, "127.0.0.1:0")
    server.start()
    host, port = server.address.split(":")
    pool = urllib3.HTTPConnectionPool(host, int(port))
    yield Client(pool, server)
    pool.close()
    server.stop(2)


def test_a_prefix_that_is_public_needs_no_token(page: Client) -> None:
    assert page.get("/static/app.js").data == b"public"
    assert page.get("/static").status == 401
    assert page.get("/staticx/app.js").status == 401


def test_a_cookie_opens_what_its_token_did(page: Client, sessions: Sessions) -> None:
    value = sessions.create(access().authenticate(TOKEN), 60)
    assert page.get("/v1", Cookie=f"other=1; raytap_session={value}").data == b"tester"
    assert page.get("/v1", Cookie="raytap_session=wrong").status == 401
    assert page.get("/v1", Cookie=f"other={value}").status == 401
    sessions.end(value)
    assert page.get("/v1", Cookie=f"raytap_session={value}").status == 401


def test_a_wrong_token_is_not_made_good_by_a_cookie(page: Client, sessions: Sessions) -> None:
    cookie = f"raytap_session={sessions.create(access().authenticate(TOKEN), 60)}"
    assert page.get("/v1", Cookie=cookie, Authorization="Bearer x").status == 401


def test_wrong_cookies_shut_no_address(page: Client) -> None:
    for n in range(LIMIT + 1):
        assert page.get("/v1", Cookie=f"raytap_session={n}").status == 401
    assert page.get("/v1", **BEARER).status == 200


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://127.0.0.1:1", 403),
        ("https://friend.example", 200),
        ("http://{own}", 200),
        ("https://{own}", 200),  # behind a proxy that speaks TLS
    ],
)
def test_another_origin_may_not_change_anything(
    page: Client, method: str, origin: str, code: int
) -> None:
    origin = origin.format(own=page.server.address)
    assert page.get("/v1", method, Origin=origin, **BEARER).status == code
    assert page.get("/v1", Origin=origin, **BEARER).status == 200


def test_a_program_that_sends_no_origin_may_change_things(page: Client) -> None:
    assert page.get("/v1", "POST", **BEARER).status == 200
