"""What the dashboard's answers become, and what is said of one that is not Ray's."""

from __future__ import annotations

from contextlib import closing

import pytest

from broker.config.config import ClusterConfig
from broker.errors import ClientError
from broker.sources.endpoints import Endpoints
from broker.sources.http_client import HttpClient
from broker.sources.ray_api import RayApi, RayJob
from tests.support.little_http import LittleHttp, Reply

RAYTAP = Reply(404, {"error": {"status": 404, "message": "there is nothing at this path"}})


def refusals(reply: Reply) -> tuple[list[ClientError], str]:
    """The errors of both questions to a server that answers all with this; its address."""
    with (
        LittleHttp(lambda path, headers: reply) as server,
        closing(HttpClient(ClusterConfig(endpoints=[server.url]), None)) as client,
    ):
        api = RayApi(client, Endpoints([server.url]))
        errors = []
        for ask in (api.session, api.jobs):
            with pytest.raises(ClientError) as refused:
                ask()
            errors.append(refused.value)
    return errors, server.url


def test_what_knows_no_path_of_rays_is_said_to_be_no_dashboard() -> None:
    errors, url = refusals(RAYTAP)
    assert [error.status for error in errors] == [404, 404]
    assert [error.message for error in errors] == [
        f"{url} is no Ray dashboard (it answered 404 to /api/version)",
        f"{url} is no Ray dashboard (it answered 404 to /api/jobs/)",
    ]


def test_an_answer_that_is_no_json_is_said_to_be_no_dashboards() -> None:
    errors, url = refusals(Reply(200, b"<html>hunter2</html>"))
    assert [error.message for error in errors] == [
        f"{url} is no Ray dashboard (its answer to /api/version is no JSON)",
        f"{url} is no Ray dashboard (its answer to /api/jobs/ is no JSON)",
    ]


def test_json_of_another_kind_is_named() -> None:
    errors, _ = refusals(Reply(200, "hunter2"))
    assert all("is not what it should be" in error.message for error in errors)
    assert "hunter2" not in str(errors)


def test_of_a_failed_job_s_message_its_first_words_are_kept_without_its_log() -> None:
    said = "Job entrypoint command failed with exit code 3, last available logs (truncated to 9):\n"
    job = RayJob(status="FAILED", message=said + "password=hunter2\n" * 1000)
    assert job.message == job.why == "Job entrypoint command failed with exit code 3"


def test_what_ray_says_of_a_job_is_shown_without_secrets() -> None:
    job = RayJob(status="FAILED", message="runtime env: https://u:hunter2@host/x failed")
    assert "hunter2" not in job.why
    assert RayJob(status="SUCCEEDED", message="Job finished successfully.").why == ""
