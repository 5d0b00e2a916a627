from __future__ import annotations

import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from broker.jobview import JobView
from broker.metrics import Metrics
from tests.http.conftest import Client, FakeStatus, log, refuse
from tests.support.wait import wait_until

JOB = "/v1/jobs/default/train-1"


def test_livez_answers_ok_even_before_the_daemon_is_ready(
    client: Client, status: FakeStatus
) -> None:
    status.is_ready = False
    response = client.get("/livez")
    assert (response.status, response.data) == (200, b"ok")


def test_readyz_is_503_until_the_first_discovery(client: Client, status: FakeStatus) -> None:
    status.is_ready = False
    response = client.get("/readyz")
    assert response.status == 503
    assert response.headers["Retry-After"] == "1"
    assert response.json() == {
        "ready": False,
        "degraded": [],
        "error": {"status": 503, "message": "the first discovery is still under way"},
    }


def test_readyz_stays_200_while_degraded_and_says_what_is(
    client: Client, status: FakeStatus
) -> None:
    status.problems = ["journal: disk full (no replay)"]
    response = client.get("/readyz")
    assert response.status == 200
    assert response.json() == {"ready": True, "degraded": ["journal: disk full (no replay)"]}


def test_metrics_are_given_to_prometheus(client: Client, metrics: Metrics) -> None:
    metrics.lines.labels("default").inc(3)
    response = client.get("/metrics")
    assert response.status == 200
    assert response.headers.getlist("Content-Type") == ["text/plain; version=0.0.4; charset=utf-8"]
    names = {family.name for family in parse(response.data.decode())}
    assert {"raytap_lines", "raytap_build_info", "process_cpu_seconds"} <= names


def test_requests_are_counted_by_route_and_status_and_never_by_job(
    client: Client, metrics: Metrics
) -> None:
    client.get(JOB)
    client.get("/nothing/here")
    value = metrics.registry.get_sample_value
    name = "raytap_http_requests_total"
    # Counted once it was sent, so the client may know it first.
    for route in ("/v1/jobs/{cluster}/{job}", "other"):
        wait_until(lambda route=route: value(name, {"route": route, "status": "404"}) == 1)  # type: ignore[misc]


def test_jobs_lists_what_is_followed(client: Client, status: FakeStatus) -> None:
    status.views = [JobView("default", "train-1", "streaming", lines=5)]
    status.problems = ["cluster default: unreachable"]
    body = client.get("/v1/jobs").json()
    assert (body["broker"], body["degraded"]) == ("b1", status.problems)
    assert [(job["job"], job["lines"]) for job in body["jobs"]] == [("train-1", 5)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a/train-1", "a/eval", "b/train-2"]),
        ("?cluster=a", ["a/train-1", "a/eval"]),
        ("?job=train-*", ["a/train-1", "b/train-2"]),
        ("?cluster=b&job=train-*", ["b/train-2"]),
        ("?job=a/*", ["a/train-1", "a/eval"]),
        ("?cluster=c", []),
    ],
)
def test_jobs_are_filtered_by_globs(
    client: Client, status: FakeStatus, query: str, found: list[str]
) -> None:
    status.views = [
        JobView(cluster, job, "waiting")
        for cluster, job in (("a", "train-1"), ("a", "eval"), ("b", "train-2"))
    ]
    jobs = client.get(f"/v1/jobs{query}").json()["jobs"]
    assert [f"{job['cluster']}/{job['job']}" for job in jobs] == found


def test_one_job_is_given_by_its_name(client: Client, status: FakeStatus) -> None:
    status.views = [JobView("default", "train-1", "ended", complete=True)]
    response = client.get(JOB)
    assert response.status == 200
    assert response.json()["complete"] is True


@pytest.mark.parametrize("path", ["/livez/", "/readyz/", "/v1/jobs/", f"{JOB}/", f"{JOB}/log/"])
def test_a_trailing_slash_changes_nothing(client: Client, status: FakeStatus, path: str) -> None:
    status.views = [JobView("default", "train-1", "ended")]
    status.journal.append([log(0, "a")])
    assert client.get(path).status == 200


def test_the_index_names_every_route(client: Client) -> None:
    response = client.get("/")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    for path in ("/livez", "/readyz", "/metrics", "/v1/jobs", "/log"):
        assert path in response.data.decode()


@pytest.mark.parametrize("path", ["/", "/livez", "/metrics", "/v1/jobs", f"{JOB}/log", "/nothing"])
def test_every_answer_has_the_security_headers(
    client: Client, status: FakeStatus, path: str
) -> None:
    status.journal.append([log(0, "a")])
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        ("/nothing", 404, "/ lists what there is"),
        ("//livez", 404, "/ lists"),
        ("/v1/jobs/default", 404, "/ lists"),
        (JOB, 404, "job default/train-1 is not known here"),
        (f"{JOB}?x=1", 400, "unknown query name 'x'"),
        ("/v1/jobs?jobs=a", 400, "unknown query name 'jobs'; known: cluster, job"),
        ("/v1/jobs?job=", 400, "job must have 1 to 256 characters"),
        ("/v1/jobs?job=" + "*" * 257, 400, "job must have 1 to 256 characters"),
        ("/v1/jobs?job=a&job=b", 400, "job is given twice"),
        ("/v1/jobs?" + "&".join("abcdefghijklmnopq"), 400, "the query cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_a_json_error(
    client: Client, path: str, code: int, says: str
) -> None:
    status, message = client.error(path)
    assert status == code
    assert says in message


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_only_get_and_head_are_answered(client: Client, method: str) -> None:
    assert client.error("/v1/jobs", method) == (405, "only GET and HEAD are answered here")
    assert client.get("/v1/jobs", method).headers["Allow"] == "GET, HEAD"


def test_head_gives_the_headers_alone(client: Client) -> None:
    response = client.get("/v1/jobs", "HEAD")
    assert (response.status, response.data) == (200, b"")
    assert response.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ("..", 400),
        ("%2e%2e", 400),
        ("..%2fetc", 404),
        ("%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("%252e%252e", 400),
        ("a%00b", 400),
        ("a%0a", 400),
        ("a%5cb", 400),
        ("%EF%BC%8E", 400),
        ("a.b", 400),
        ("a" * 101, 400),
        ("*", 400),
        ("%ff", 400),
    ],
)
@pytest.mark.parametrize("rest", ["", "/log"])
def test_a_tricky_id_never_reaches_the_daemon(
    client: Client, status: FakeStatus, job: str, code: int, rest: str
) -> None:
    status.views = [JobView("default", job, "ended")]
    host, port = client.server.address.split(":")
    with socket.create_connection((host, int(port)), 5) as raw:  # a client would tidy the path
        raw.sendall(
            f"GET /v1/jobs/default/{job}{rest} HTTP/1.1\r\nHost: {host}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = raw.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {code} ".encode())
    assert b'{"error":{' in answer
    assert status.asked == []


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:8270", "127.0.0.1", "127.0.0.1:1", "[::1]:8270", "LOCALHOST"],
)
def test_a_loopback_server_answers_to_its_own_names(client: Client, host: str) -> None:
    assert client.get("/v1/jobs", Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8270", "127.0.0.1.evil.example", "[::2]"]
)
def test_a_loopback_server_refuses_a_rebound_name(client: Client, host: str) -> None:
    assert client.error("/v1/jobs", Host=host) == (
        403,
        "this address serves only its own host name",
    )


def test_an_unexpected_error_says_nothing_of_what_it_was(
    client: Client, status: FakeStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[JobView]:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(status, "jobs", broken)
    assert client.error("/v1/jobs") == (500, "internal error; the log says more")


def test_an_error_of_the_daemon_keeps_its_status_and_words(
    client: Client, status: FakeStatus
) -> None:
    status.answer = refuse(503, "journal: disk full")
    assert client.error(f"{JOB}/log") == (503, "journal: disk full")
    assert client.get(f"{JOB}/log").headers["Retry-After"] == "1"
