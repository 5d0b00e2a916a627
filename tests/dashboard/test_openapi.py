"""`/v1/openapi.json` is true: what is served is what it says, tried out by a fuzzer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from broker.topic import Stream
from subscribers.dashboard.openapi import document
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import log_frame
from tests.support.permissions import TOKEN, access
from tests.support.served_broker import ServedBroker
from tests.support.wait import wait_until

STREAM = Stream("ray", "job-1")
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = [
    (path, method)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
    if method in ("get", "post", "delete")
    and "text/event-stream" not in operation["responses"].get("200", {}).get("content", {})
]
STREAMS = [
    path
    for path, operations in document()["paths"].items()
    if "text/event-stream" in operations["get"]["responses"].get("200", {}).get("content", {})
]


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayUnderTest]:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 100, STREAM), log_frame(100, 103, STREAM, partial=True))
        allowed = access(jobs=["job-*"], actions=["read", "admin"])
        with GatewayUnderTest([broker], allowed) as gateway:
            wait_until(lambda: gateway.json("/v1/jobs", **BEARER)["jobs"], message="it is listed")
            yield gateway


@pytest.fixture(scope="module")
def schema(gateway: GatewayUnderTest) -> Any:
    return schemathesis.openapi.from_url(f"{gateway.url}/v1/openapi.json")


@pytest.mark.parametrize(
    ("path", "method", "known"),
    [
        (path, method, known)
        for path, method in OPERATIONS
        for known in ([True, False] if "{job}" in path else [False])
    ],
)
def test_what_is_asked_for_is_answered_as_it_says(
    gateway: GatewayUnderTest, schema: Any, path: str, method: str, known: bool
) -> None:
    """`known`: of the job that is there; else of any."""

    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy())
    def check(case: Any) -> None:
        if known:
            case.path_parameters = {"cluster": STREAM.cluster, "job": STREAM.job}
        case.call_and_validate(base_url=gateway.url, headers=BEARER, checks=CHECKS)

    check()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_needs_a_token_says_so(gateway: GatewayUnderTest, path: str, method: str) -> None:
    told = document()["paths"][path][method]["responses"]
    filled = path.format(cluster=STREAM.cluster, job=STREAM.job)
    status = gateway.get(filled, method.upper()).status
    assert ("401" in told) == (status == 401)


@pytest.mark.parametrize("path", STREAMS)
def test_the_event_streams_are_what_it_says(gateway: GatewayUnderTest, path: str) -> None:
    told = document()["paths"][path]["get"]["responses"]
    filled = path.format(cluster=STREAM.cluster, job=STREAM.job)
    for query, headers in (("", BEARER), ("?x=1", BEARER), ("", {})):
        with gateway.stream(filled + query, **headers) as client:
            content = told[str(client.response.status)]["content"]
            assert client.response.headers["Content-Type"].partition(";")[0] in content


def test_every_route_is_told(gateway: GatewayUnderTest) -> None:
    assert gateway.gateway is not None
    told = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "parameters"
    }
    page = {("GET", "/"), ("GET", "/jobs/{cluster}/{job}"), ("GET", "/static/{path:path}")}
    assert {(route.method, route.path) for route in gateway.gateway.routes} == told | page
