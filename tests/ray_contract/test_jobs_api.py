"""What raytap leans on in Ray's Jobs API, on a real head and on the stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import websocket

from broker.processes.localray import TERMINAL, LocalRay
from tests.ray_contract.conftest import Ray, new_id
from tests.support.wait import wait_until

FIELDS = {
    *("type", "job_id", "submission_id", "driver_info", "status", "entrypoint", "message"),
    *("error_type", "start_time", "end_time", "metadata", "runtime_env"),
    *("driver_agent_http_address", "driver_node_id", "driver_exit_code"),
}


def test_the_version_names_the_session(ray: Ray) -> None:
    answer = ray.dashboard("GET", "/api/version")
    assert answer.status == 200
    assert set(answer.json()) == {"version", "ray_version", "ray_commit", "session_name"}
    assert answer.json()["session_name"].startswith("session_")


def test_jobs_are_a_bare_array_of_records_with_these_fields(ray: Ray) -> None:
    answer = ray.dashboard("GET", "/api/jobs/")
    assert answer.status == 200
    jobs = {job["submission_id"]: job for job in answer.json()}
    assert set(jobs[ray.finished]) == FIELDS
    assert jobs[ray.finished] == ray.job(ray.finished)
    assert jobs[ray.running] == ray.job(ray.running)


def test_a_running_job_has_an_agent_and_no_end(ray: Ray) -> None:
    job = ray.job(ray.running)
    assert (job["type"], job["status"], job["end_time"]) == ("SUBMISSION", "RUNNING", None)
    assert job["driver_agent_http_address"].startswith("http://")
    assert isinstance(job["driver_node_id"], str)
    assert job["start_time"] > 1_600_000_000_000  # ms
    assert job["job_id"] is None  # the submission id is the one to go by


def test_a_finished_job_has_its_end_and_exit_code(ray: Ray) -> None:
    job = ray.job(ray.finished)
    assert (job["status"], job["driver_exit_code"]) == ("SUCCEEDED", 0)
    assert job["end_time"] >= job["start_time"]
    failed = ray.job(ray.submit("exit 3", wait_for="FAILED"))
    assert failed["driver_exit_code"] == 3


def test_a_pending_job_has_no_agent_yet_but_a_first_line(ray: Ray) -> None:
    job_id = new_id()
    body = {"entrypoint": "true", "submission_id": job_id, "entrypoint_num_cpus": 1000}
    assert ray.dashboard("POST", "/api/jobs/", body).status == 200
    job = ray.job(job_id)
    assert job["status"] == "PENDING"
    assert job["driver_agent_http_address"] is None
    assert job["driver_node_id"] is None
    assert ray.state(submission_id=job_id, node_id="x", lines="-1").status == 500
    assert ray.agent(job_id).data.endswith(b"Runtime env is setting up.\n")


def test_submitting_answers_with_the_submission_id_twice(ray: Ray) -> None:
    body = {"entrypoint": "true", "submission_id": new_id()}
    answer = ray.dashboard("POST", "/api/jobs/", body)
    assert answer.json() == {"job_id": body["submission_id"]} | {
        "submission_id": body["submission_id"]
    }


def test_a_duplicate_submission_id_is_a_500_with_a_traceback(ray: Ray) -> None:
    body = {"entrypoint": "true", "submission_id": ray.finished}
    answer = ray.dashboard("POST", "/api/jobs/", body)
    assert answer.status == 500
    assert b"Traceback" in answer.data


@pytest.mark.parametrize("what", ["", "/logs", "/logs/tail"])
def test_an_unknown_job_is_a_404_in_plain_text(ray: Ray, what: str) -> None:
    answer = ray.dashboard("GET", f"/api/jobs/nope{what}")
    assert (answer.status, answer.data) == (404, b"Job nope does not exist")


def test_a_websocket_to_an_unknown_job_is_refused_with_404(ray: Ray) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as caught, ray.tail("nope"):
        pass
    assert caught.value.status_code == 404


def test_a_stopped_job_is_stopped(ray: Ray) -> None:
    job_id = ray.submit("sleep 600", wait_for="RUNNING")
    answer = ray.dashboard("POST", f"/api/jobs/{job_id}/stop")
    assert answer.json() == {"stopped": True}
    ray.wait(job_id, "STOPPED")
    assert ray.job(job_id)["end_time"]


def test_a_running_job_cannot_be_deleted(ray: Ray) -> None:
    answer = ray.dashboard("DELETE", f"/api/jobs/{ray.running}")
    assert answer.status == 500
    assert b"Traceback" in answer.data


def test_a_deleted_job_is_unknown_but_its_file_stays_and_a_new_run_appends(ray: Ray) -> None:
    # One that ended a while ago: a job deleted within a second of its end comes back.
    job_id = ray.to_delete
    old = ray.log_path(job_id).read_bytes()
    assert ray.dashboard("DELETE", f"/api/jobs/{job_id}").json() == {"deleted": True}
    assert ray.dashboard("GET", f"/api/jobs/{job_id}").status == 404
    assert ray.agent(job_id).data == old
    assert ray.state(submission_id=job_id, node_id="x", lines="-1").status == 500
    wait_until(lambda: _runs(ray, "echo second run", job_id), 30, "the second run", interval=1.0)
    log = ray.log_path(job_id).read_bytes()
    assert log.startswith(old)
    assert log.endswith(b"second run\n")


def test_the_whole_log_is_text_with_newlines_translated(ray: Ray) -> None:
    ray.write(ray.finished, b"one\r\ntwo\rthree\xe2\x82\xac")
    answer = ray.dashboard("GET", f"/api/jobs/{ray.finished}/logs")
    assert answer.json() == {"logs": "one\ntwo\nthree€"}


def test_the_whole_log_is_a_500_where_it_is_not_utf8(ray: Ray) -> None:
    ray.write(ray.finished, b"one\n\xff\n")
    assert ray.dashboard("GET", f"/api/jobs/{ray.finished}/logs").status == 500


def test_the_dashboard_itself_has_no_log_files(ray: Ray) -> None:
    assert ray.dashboard("GET", f"/logs/job-driver-{ray.finished}.log").status == 404


def test_the_authentication_mode_is_public(ray: Ray) -> None:
    answer = ray.dashboard("GET", "/api/authentication_mode")
    assert answer.json() == {"authentication_mode": "disabled"}


def test_a_driver_job_has_no_submission_id_and_no_log(ray: Ray) -> None:
    driver = _start_driver(ray)
    try:
        (job,) = wait_until(lambda: _drivers(ray), 30, "the driver is listed")
        assert set(job) == FIELDS
        assert job["submission_id"] is None
        assert (job["status"], job["end_time"]) == ("RUNNING", 0)
        assert job["driver_agent_http_address"] is None
        for what in ("/logs", "/logs/tail"):
            answer = ray.dashboard("GET", f"/api/jobs/{job['job_id']}{what}")
            assert answer.status == 400
            assert answer.data == b"Can only get logs of submission type jobs"
    finally:
        if driver is not None:
            driver.kill()
            driver.wait()


def _runs(ray: Ray, entrypoint: str, job_id: str) -> bool:
    """Submit and see; Ray fails a run while the supervisor of the id's last one still ends."""
    body = {"entrypoint": entrypoint, "submission_id": job_id}
    submitted = ray.dashboard("POST", "/api/jobs/", body).status == 200
    if submitted and wait_until(lambda: _terminal(ray, job_id), 20, job_id) == "SUCCEEDED":
        return True
    ray.dashboard("DELETE", f"/api/jobs/{job_id}")
    return False


def _terminal(ray: Ray, job_id: str) -> str | None:
    status = str(ray.job(job_id)["status"])
    return status if status in TERMINAL else None


def _drivers(ray: Ray) -> list[Any]:
    return [job for job in ray.dashboard("GET", "/api/jobs/").json() if job["type"] == "DRIVER"]


def _start_driver(ray: Ray) -> subprocess.Popen[bytes] | None:
    if not isinstance(ray.cluster, LocalRay):
        ray.cluster.add_driver("01000000")
        return None
    (port,) = ray.cluster.session_dir.glob("gcs_server_port_*")
    code = "import ray, time; ray.init(); time.sleep(600)"
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"RAY_ADDRESS": f"127.0.0.2:{port.read_text()}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
