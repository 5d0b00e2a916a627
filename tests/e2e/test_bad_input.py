"""Bad input: one clear error with its status, no secret in it, and every other job goes on."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import urlsplit

import msgpack
import pytest
import zmq

from broker.errors import FrameError
from broker.frame import decode
from subscribers import Subscription
from tests.e2e.conftest import Serve
from tests.support.daemon_process import ROOT
from tests.support.fault_proxy import FaultProxy
from tests.support.plain_subscribers import ZeromqSubscriber
from tests.support.ports import free_port
from tests.support.ray_standin import RayStandIn
from tests.support.standin_cluster import Fault
from tests.support.wait import wait_until

SECRET = "hunter2-4711"
TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/ray/dashboard/head.py", line 12, in handle\n'
    f"RuntimeError: no luck with password={SECRET}"
)


@pytest.mark.parametrize(
    ("answer", "body", "status"),
    [
        (404, "404: Not Found", 404),
        (500, TRACEBACK, 500),
        (200, f"<html>password={SECRET}</html>", 500),
        (503, TRACEBACK, 503),
        (403, TRACEBACK, 400),
    ],
    ids=["404", "500-with-a-traceback", "no-json", "503", "403"],
)
def test_a_list_of_jobs_that_cannot_be_had_is_said_once_and_jobs_go_on(
    serve: Serve, standin: RayStandIn, answer: int, body: str, status: int
) -> None:
    standin.add_job("job-1")
    daemon = serve()
    with ZeromqSubscriber(daemon.zeromq) as subscriber:
        wait_until(lambda: "job-1" in daemon.jobs(), 5, "the job is followed")
        standin.cluster.fail(Fault("/api/jobs/", answer, times=2, body=body))
        (problem,) = wait_until(lambda: daemon.degraded, 5, "it says so")
        standin.append("job-1", b"one\n")
        subscriber.until_line("job-1", 1)
        wait_until(lambda: daemon.degraded == [], 10, "the list is there again")
    (event,) = daemon.events("cluster_unreachable")
    assert (event["status"], event["cluster"]) == (status, "default")
    assert problem.startswith("cluster default: ")
    assert event["why"] in problem
    assert "/api/jobs/" in problem
    assert is_clean(problem)
    assert is_clean(daemon.output)
    counted = f'raytap_errors_total{{cluster="default",code="{status}"}}'
    assert counted in daemon.text("/metrics")


@pytest.mark.parametrize(
    ("answer", "status"), [(404, 404), (500, 500), (503, 503), (403, 400)], ids=str
)
def test_a_log_that_cannot_be_had_is_an_error_of_that_job_and_all_others_go_on(
    serve: Serve, standin: RayStandIn, answer: int, status: int
) -> None:
    for job in ("job-1", "job-2"):
        standin.add_job(job, log=b"one\n")
    daemon = serve()
    with ZeromqSubscriber(daemon.zeromq) as subscriber:
        wait_until(lambda: {v["next"] for v in daemon.jobs().values()} == {1}, 10, "both are read")
        for path in ("/logs/job-driver-job-1.log", "/api/v0/logs/file"):
            standin.cluster.fail(Fault(path, answer, times=4, body=TRACEBACK))
        standin.append("job-1", b"two\n")
        standin.append("job-2", b"two\n")
        subscriber.until_line("job-2", 2)
        subscriber.until_line("job-1", 2)
        for job in ("job-1", "job-2"):
            standin.finish(job)
            assert subscriber.until(job, "end")["complete"]
        (error,) = subscriber.frames("job-1", "error")
        assert (error["code"], error["first"], error["next"]) == (status, 1, 1)
        assert is_clean(error["message"])
        view = daemon.jobs()["job-1"]
        assert view["errors"][0]["message"] == error["message"]
        assert view["last_error"] == view["errors"][-1]["message"]  # maybe of another source
        assert {told["code"] for told in view["errors"]} == {status}
        assert is_clean(daemon.text("/v1/jobs"))
        assert subscriber.frames("job-2", "error") == []
    (event,) = daemon.events("read_failed")
    assert (event["job"], event["status"]) == ("default/job-1", status)
    assert is_clean(daemon.output)


@pytest.mark.parametrize("source", ["agent", "state-file", "websocket"])
def test_a_body_cut_short_costs_no_line_and_repeats_none(
    serve: Serve, standin: RayStandIn, source: str
) -> None:
    target = urlsplit(standin.agent_url if source == "agent" else standin.url)
    standin.add_job("job-2")
    with FaultProxy(str(target.hostname), int(target.port or 0)) as proxy:
        settings: dict[str, object] = {"cluster.default.protocol": "http"}
        if source == "agent":
            settings["cluster.default.agent_host"] = f"127.0.0.1:{proxy.port}"
        elif source == "state-file":
            settings["cluster.default.agent_host"] = f"127.0.0.1:{free_port()}"
        else:
            settings["cluster.default.protocol"] = "websocket"
        daemon = serve(settings, ray=standin.url if source == "agent" else proxy.url)
        with ZeromqSubscriber(daemon.zeromq) as subscriber:
            standin.append("job-2", b"one\n")
            subscriber.until_line("job-2", 1)
            proxy.cut_after = [400_003] * 3
            proxy.cut_all()  # whatever is read now is read over connections that will be cut
            standin.add_job("job-1", log=b"".join(b"line %d\n" % n for n in range(200_000)))
            subscriber.until_line("job-1", 200_000)
            standin.append("job-2", b"two\n")
            subscriber.until_line("job-2", 2)
            for job in ("job-1", "job-2"):
                standin.finish(job)
                assert subscriber.until(job, "end")["complete"]
            assert subscriber.lines("job-1") == [f"line {n}" for n in range(200_000)]
            codes = {error["code"] for error in subscriber.frames("job-1", "error")}
            assert codes == {503}
            assert subscriber.lines("job-2") == ["one", "two"]


def test_job_ids_that_are_none_are_listed_as_skipped_and_never_asked_for(
    serve: Serve, standin: RayStandIn
) -> None:
    bad = ["a/b", "../../etc/passwd", "two words", "naïve", "x" * 101, "line\n", "a.b", "<script>"]
    for job in bad:
        standin.add_job(job, log=None)
    standin.add_driver("01000000")
    standin.add_job("good", log=b"one\n")
    daemon = serve(flags=["--follow", "all"])
    wait_until(lambda: daemon.jobs()["good"]["next"] == 1, 10, "a line")
    jobs = daemon.jobs()
    for job in bad:
        assert (jobs[job]["state"], jobs[job]["next"]) == ("skipped", 0)
        assert "job id" in jobs[job]["reason"]
    assert jobs["01000000"]["state"] == "skipped"
    assert "interactive driver" in jobs["01000000"]["reason"]
    assert len(daemon.events("job_skipped")) == len(bad) + 1
    assert {name for name in standin.requests if "/" in name} == {"agent/good"}


def test_an_unknown_job_is_a_404_and_exit_status_4(serve: Serve, standin: RayStandIn) -> None:
    daemon = serve()
    for path in ("/v1/jobs/default/nope", "/v1/jobs/default/nope/log"):
        error = daemon.json(path)["error"]
        assert error["status"] == 404
        assert "default/nope" in error["message"]
    status, said = raytap("tail", "nope", "--broker", daemon.url, "--zeromq", daemon.zeromq)
    assert status == 4
    assert said.startswith("raytap: no job 'nope'")
    assert len(said.splitlines()) == 1


def test_a_daemon_that_is_not_there_is_exit_status_3() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (("jobs", "--broker", url), ("tail", "x", "--no-follow", "--broker", url)):
        status, said = raytap(*arguments)
        assert status == 3
        assert url.removeprefix("http://") in said
        assert len(said.splitlines()) == 1


def test_a_frame_of_another_version_is_refused_by_name_and_the_next_one_is_read(
    serve: Serve, standin: RayStandIn
) -> None:
    standin.add_job("job-1", log=b"one\n")
    daemon = serve()
    with ZeromqSubscriber(daemon.zeromq) as subscriber:
        subscriber.until("job-1", "heartbeat")  # as someone who joined: it stands at line 1
        standin.append("job-1", b"two\n")
        subscriber.until_line("job-1", 2)
    (frame,) = subscriber.frames("job-1", "log")[-1:]
    other = msgpack.packb({**frame, "v": 2, "lines": {"of": "another kind"}})
    with pytest.raises(FrameError, match="frame version 2; this raytap reads 1") as refused:
        decode(other)
    assert (refused.value.status, refused.value.payload) == (400, other)

    topic = b"default/job-1/"
    with zmq.Context() as context, context.socket(zmq.XPUB) as bus:
        bus.linger = 0
        port = bus.bind_to_random_port("tcp://127.0.0.1")
        with Subscription(["job-1"], zeromq=f"tcp://127.0.0.1:{port}") as frames:
            assert bus.poll(5_000), "no one joined"
            for payload in (other, msgpack.packb({**frame, "first": 0, "next": 1})):
                bus.send_multipart([topic, payload])
            error, good = next(frames), next(frames)
    assert (error.kind, error.code) == ("error", 400)
    assert "frame version 2" in error.message
    assert (good.kind, good.lines) == ("log", ["two"])


@pytest.mark.parametrize(
    ("settings", "flags", "env", "said"),
    [
        ({"cluster.default.protocoll": "http"}, [], {}, "did you mean cluster.default.protocol?"),
        ({"cluster.default.protocol": "htp"}, [], {}, "cluster.default.protocol"),
        ({"limits.window": "soon"}, [], {}, "limits.window"),
        ({"publish.redis.url": f"http://:{SECRET}@h"}, [], {}, "publish.redis.url"),
        ({}, ["--follow", "some"], {}, "cluster.default.follow (--follow)"),
        ({}, [], {"RAYTAP_LIMITS__ON_LIMIT": "wait"}, "limits.on_limit (RAYTAP_LIMITS__ON_LIMIT)"),
        ({}, [], {"RAYTAP_PUBLISH__ZEROMQ__BIN": "x"}, "did you mean publish.zeromq.bind?"),
        ({"sanitize.rules": ["(unclosed"]}, [], {}, "extra-1"),
    ],
)
def test_a_wrong_setting_ends_it_at_the_start_with_its_name(
    serve: Serve,
    settings: dict[str, object],
    flags: list[str],
    env: dict[str, str],
    said: str,
) -> None:
    daemon = serve(settings, flags=flags, env=env, launch=True)
    assert daemon.wait() == 2
    (line,) = daemon.output.splitlines()
    assert line.startswith("raytap: ")
    assert said in line
    assert SECRET not in line


def is_clean(text: str) -> bool:
    """Whether it shows neither the secret nor a traceback."""
    return SECRET not in text and "Traceback" not in text and "head.py" not in text


def raytap(*arguments: str) -> tuple[int, str]:
    """Run the command; its exit status, and what it said on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", "from broker.cli import main; main()", *arguments],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.returncode, done.stderr
