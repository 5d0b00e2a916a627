"""A cluster with a token. (Seen by hand on a real head: a second one takes too long here.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import urllib3

from tests.support.ray_standin import RayStandIn

TOKEN = "a-token-of-this-test"


@pytest.fixture
def cluster() -> Iterator[RayStandIn]:
    with RayStandIn(token=TOKEN) as cluster:
        cluster.add_job("job-1", log=b"one\n")
        yield cluster


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        (TOKEN, 403),
        (f"bearer {TOKEN}", 403),
        ("Bearer x", 403),
        (f"Bearer {TOKEN}", 200),
    ],
)
def test_only_the_exact_bearer_token_is_accepted_everywhere(
    cluster: RayStandIn, authorization: str | None, status: int
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    with urllib3.PoolManager(retries=False) as http:
        for url in (
            f"{cluster.url}/api/version",
            f"{cluster.url}/api/jobs/",
            f"{cluster.url}/api/v0/logs/file?submission_id=job-1&node_id=x",
            f"{cluster.agent_url}/logs/job-driver-job-1.log",
        ):
            assert http.request("GET", url, headers=headers).status == status


def test_the_authentication_mode_needs_no_token(cluster: RayStandIn) -> None:
    with urllib3.PoolManager(retries=False) as http:
        answer = http.request("GET", f"{cluster.url}/api/authentication_mode")
    assert answer.json() == {"authentication_mode": "token"}
