"""`raytap doctor`: each finding says how it stands and what to do."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker import cli
from broker.checks import Check, verdict
from broker.checks.machine import check_packages, check_ports, check_state_dir
from broker.checks.ray import check_cluster
from broker.checks.redis_server import check_redis
from broker.config.config import ClusterConfig, HttpConfig, RedisConfig, ZeromqConfig
from broker.exit_status import ExitStatus
from broker.processes.state_dir import StateDir
from tests.support.little_http import Answer, LittleHttp, Reply
from tests.support.little_redis import LittleRedis
from tests.support.ports import free_port

SILENT = Check("fail", "a", "", unreachable=True)
VERSION = {"version": "4", "ray_version": "2.60.0", "session_name": "session_x"}


def ray(jobs: object, *, agent: Callable[[dict[str, str]], Reply] | None = None) -> Answer:
    """A dashboard and, where one is given, an agent at the same address."""

    def answer(path: str, headers: dict[str, str]) -> Reply:
        if path == "/api/version":
            return Reply(200, VERSION)
        if path == "/api/jobs/":
            return Reply(200, jobs)
        if path.startswith("/logs/") and agent is not None:
            return agent(headers)
        return Reply(404)

    return answer


def job(identity: str | None, agent: str | None = None, status: str = "RUNNING") -> object:
    return {
        "type": "SUBMISSION" if identity else "DRIVER",
        "submission_id": identity,
        "status": status,
        "start_time": 1,
        "driver_agent_http_address": agent,
        "runtime_env": {"env_vars": {"KEY": "hunter2"}},
    }


def one_byte(headers: dict[str, str]) -> Reply:
    return Reply(206 if headers.get("range") == "bytes=0-0" else 200, b"x")


def checks(cluster: ClusterConfig, **environ: str) -> dict[str, Check]:
    return {check.name: check for check in check_cluster("c", cluster, environ)}


def livez(path: str, headers: dict[str, str]) -> Reply:
    """What a raytap that runs answers."""
    return Reply(200, b"ok") if path == "/livez" else Reply(404)


@pytest.fixture
def dead() -> str:
    return f"http://127.0.0.1:{free_port()}"


def test_a_dashboard_out_of_reach_fails_and_says_what_to_do(dead: str) -> None:
    found = checks(ClusterConfig(endpoints=[dead]))
    assert list(found) == ["ray c"]
    assert (found["ray c"].level, found["ray c"].unreachable) == ("fail", True)
    assert "--ray URL" in found["ray c"].advice


def test_with_a_reachable_agent_everything_is_ok() -> None:
    jobs: list[object] = []
    with LittleHttp(ray(jobs, agent=one_byte)) as server:
        jobs += [job("a", server.url), job("b", server.url, "SUCCEEDED"), job(None)]
        found = checks(ClusterConfig(endpoints=[server.url]))
    assert {check.level for check in found.values()} == {"ok"}
    assert found["ray c"].message == f"Ray 2.60.0 at {server.url}"
    assert found["jobs c"].message == "2 submitted (1 RUNNING, 1 SUCCEEDED), 2 match"
    assert "byte ranges" in found["source c"].message
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("protocol", "said"), [("auto", "by websocket"), ("http", "polled whole from the state file")]
)
def test_an_agent_out_of_reach_is_a_warning_that_says_what_follows(
    dead: str, protocol: str, said: str
) -> None:
    with LittleHttp(ray([job("a", dead)])) as server:
        found = checks(ClusterConfig(endpoints=[server.url], protocol=protocol))  # type: ignore[arg-type]
    assert (found["agent c"].level, found["source c"].level) == ("warn", "warn")
    assert said in found["source c"].message
    assert "agent_host" in found["source c"].advice


def test_agent_host_is_where_the_agent_is_asked() -> None:
    jobs = [job("a", "http://192.0.2.1:52365")]
    with LittleHttp(ray(jobs, agent=one_byte)) as server:
        cluster = ClusterConfig(endpoints=[server.url], agent_host=f"127.0.0.1:{server.port}")
        assert checks(cluster)["agent c"].level == "ok"


@pytest.mark.parametrize(
    ("status", "level"), [(206, "ok"), (416, "ok"), (200, "warn"), (404, "warn"), (401, "warn")]
)
def test_an_agent_is_judged_by_its_answer_to_a_byte_range(status: int, level: str) -> None:
    jobs: list[object] = []
    with LittleHttp(ray(jobs, agent=lambda _: Reply(status, b"x"))) as server:
        jobs.append(job("a", server.url))
        assert checks(ClusterConfig(endpoints=[server.url]))["agent c"].level == level


def test_with_protocol_websocket_no_agent_is_asked(dead: str) -> None:
    with LittleHttp(ray([job("a", dead)])) as server:
        found = checks(ClusterConfig(endpoints=[server.url], protocol="websocket"))
    assert "agent c" not in found
    assert found["source c"].level == "ok"


def test_without_a_job_it_says_that_agents_are_not_known_yet() -> None:
    with LittleHttp(ray([])) as server:
        found = checks(ClusterConfig(endpoints=[server.url]))
    assert (found["source c"].level, found["jobs c"].message) == ("ok", "0 submitted, 0 match")
    assert "when a job has started" in found["source c"].advice


def test_no_token_and_a_wrong_token_are_told_apart() -> None:
    def answer(path: str, headers: dict[str, str]) -> Reply:
        sent = headers.get("authorization")
        return (
            Reply(200, VERSION if "version" in path else [])
            if sent == "Bearer right"
            else (Reply(403) if sent else Reply(401))
        )

    with LittleHttp(answer) as server:
        without = checks(ClusterConfig(endpoints=[server.url]))["ray c"]
        cluster = ClusterConfig(endpoints=[server.url], token_env="T")
        wrong = checks(cluster, T="hunter2")["ray c"]
        right = checks(cluster, T="right")["ray c"]
    assert (without.level, wrong.level, right.level) == ("fail", "fail", "ok")
    assert not without.unreachable
    assert "set token_file or token_env in [cluster.c]" in without.advice
    assert "answers 403: the token was refused" in wrong.message
    assert "hunter2" not in str(wrong)


def test_a_token_that_cannot_be_read_is_said_and_nothing_is_asked() -> None:
    with LittleHttp(ray([])) as server:
        found = checks(ClusterConfig(endpoints=[server.url], token_env="T"))
        assert server.asked == []
    assert list(found) == ["token c"]
    assert "T is not set" in found["token c"].message


@pytest.mark.parametrize("reply", [Reply(200, b"<html>"), Reply(404), Reply(200, [])])
def test_a_server_that_is_no_dashboard_is_recognised(reply: Reply) -> None:
    with LittleHttp(lambda path, headers: reply) as server:
        found = checks(ClusterConfig(endpoints=[server.url]))
    assert list(found) == ["ray c"]
    said = f"{server.url} is no Ray dashboard (it answered {reply.status} to /api/version"
    assert found["ray c"].message.startswith(said)


def test_a_server_without_the_jobs_api_is_no_dashboard() -> None:
    def answer(path: str, headers: dict[str, str]) -> Reply:
        return Reply(200, VERSION) if path == "/api/version" else Reply(404)

    with LittleHttp(answer) as server:
        found = checks(ClusterConfig(endpoints=[server.url]))
    said = f"{server.url} is no Ray dashboard (it answered 404 to /api/jobs/)"
    assert found["jobs c"].message == said


def test_a_list_of_jobs_that_cannot_be_read_fails() -> None:
    with LittleHttp(ray({"detail": "hunter2"})) as server:
        found = checks(ClusterConfig(endpoints=[server.url]))
    assert found["jobs c"].level == "fail"
    assert "hunter2" not in str(found)


def test_job_ids_that_are_skipped_and_patterns_that_match_nothing_are_warnings() -> None:
    with LittleHttp(ray([job("a/../b"), job("c")])) as server:
        found = checks(ClusterConfig(endpoints=[server.url]))
        assert "1 have an id that is not" in found["jobs c"].message
        assert found["jobs c"].level == "warn"
    with LittleHttp(ray([job("c")])) as server:
        found = checks(ClusterConfig(endpoints=[server.url], jobs=["train-*"]))
        assert (found["jobs c"].level, "--job" in found["jobs c"].advice) == ("warn", True)


def test_redis_that_answers_is_ok() -> None:
    with LittleRedis() as server:
        found = check_redis(RedisConfig(url=f"redis://:hunter2@{server.address}/0"))
    assert found.level == "ok"
    assert "hunter2" not in str(found)


def test_redis_that_refuses_the_password_fails_and_is_not_out_of_reach() -> None:
    with LittleRedis(auth=b"-WRONGPASS invalid username-password pair") as server:
        found = check_redis(RedisConfig(url=f"redis://:hunter2@{server.address}/0"))
    assert (found.level, found.unreachable) == ("fail", False)
    assert "refuses the password" in found.message
    assert "hunter2" not in str(found)


def test_redis_that_wants_a_password_says_so() -> None:
    with LittleRedis(ping=b"-NOAUTH Authentication required.") as server:
        found = check_redis(RedisConfig(url=f"redis://{server.address}/0"))
    assert found.level == "fail"
    assert "wants one" in found.message


def test_redis_out_of_reach_and_redis_off_are_told_apart() -> None:
    down = check_redis(RedisConfig(url=f"redis://127.0.0.1:{free_port()}"))
    assert (down.level, down.unreachable) == ("fail", True)
    assert check_redis(RedisConfig()).level == "ok"


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_in_use_fails_and_a_free_one_is_ok(taken: int) -> None:
    with LittleHttp(lambda path, headers: Reply(404)) as other:
        http = HttpConfig(bind=f"127.0.0.1:{other.port}")
        zeromq = ZeromqConfig(bind=f"tcp://127.0.0.1:{taken}")
        first, second = check_ports(http, zeromq)
    assert (first.level, second.level) == ("fail", "fail")
    assert "another program" in first.message
    free = check_ports(HttpConfig(bind="127.0.0.1:0"), ZeromqConfig(bind="tcp://127.0.0.1:*"))
    assert [check.level for check in free] == ["ok", "ok"]


def test_a_raytap_that_runs_already_is_recognised_by_its_livez(taken: int) -> None:
    with LittleHttp(livez) as server:
        http = HttpConfig(bind=f"127.0.0.1:{server.port}")
        found = list(check_ports(http, ZeromqConfig(bind=f"tcp://127.0.0.1:{taken}")))
    assert [check.level for check in found] == ["ok", "ok"]
    assert all("a raytap answers here already" in check.message for check in found[:1])


def test_an_address_this_machine_does_not_have_fails() -> None:
    http = HttpConfig(bind="192.0.2.1:8270", insecure=True)
    (found,) = list(check_ports(http, ZeromqConfig(enabled=False)))[:1]
    assert found.level == "fail"
    assert "cannot be bound" in found.message


def test_a_local_socket_needs_a_directory(tmp_path: Path) -> None:
    off = HttpConfig(enabled=False)
    good = list(check_ports(off, ZeromqConfig(bind=f"ipc://{tmp_path}/s")))
    bad = list(check_ports(off, ZeromqConfig(bind=f"ipc://{tmp_path}/none/s")))
    assert [check.level for check in good + bad] == ["ok", "ok", "ok", "fail"]


NO_HTTP = HttpConfig(enabled=False)


def test_the_state_directory_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "a" / "s"
    assert check_state_dir(str(place), NO_HTTP).level == "ok"
    assert list(tmp_path.iterdir()) == []
    place.mkdir(parents=True, mode=0o700)
    assert check_state_dir(str(place), NO_HTTP).level == "ok"
    assert list(place.iterdir()) == []
    place.chmod(0o755)
    found = check_state_dir(str(place), NO_HTTP)
    assert found.level == "fail"
    assert "chmod 700" in found.advice


def test_a_state_directory_in_use_is_a_warning_with_the_pid(tmp_path: Path) -> None:
    with StateDir(tmp_path / "s"):
        found = check_state_dir(str(tmp_path / "s"), HttpConfig(bind=f"127.0.0.1:{free_port()}"))
    assert found.level == "warn"
    assert "pid" in found.message


def test_the_state_directory_of_the_raytap_that_answers_is_ok(tmp_path: Path) -> None:
    with StateDir(tmp_path / "s"), LittleHttp(livez) as server:
        found = check_state_dir(str(tmp_path / "s"), HttpConfig(bind=f"127.0.0.1:{server.port}"))
    assert (found.level, found.advice) == ("ok", "")
    assert f"in use by the raytap that runs (pid {os.getpid()})" in found.message


def test_a_package_of_the_same_name_from_elsewhere_fails(tmp_path: Path) -> None:
    assert check_packages().level == "ok"
    found = check_packages(home=tmp_path)
    assert found.level == "fail"
    assert "`import broker` finds" in found.message


@pytest.mark.parametrize(
    ("found", "status"),
    [
        ([], ExitStatus.OK),
        ([Check("warn", "a", "")], ExitStatus.OK),
        ([SILENT], ExitStatus.UNREACHABLE),
        ([SILENT, Check("fail", "b", "")], ExitStatus.CHECK_FAILED),
    ],
)
def test_the_exit_status_tells_what_is_out_of_reach_from_other_failures(
    found: list[Check], status: ExitStatus
) -> None:
    assert verdict(found) == status


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ports and directories of the test's own, and no settings from around it."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("RAY_", "RAYTAP_"))]:
        monkeypatch.delenv(name)
    here = ["--state-dir", str(tmp_path / "s"), "--http", "127.0.0.1:0"]
    return ["doctor", *here, "--zeromq", "tcp://127.0.0.1:0"]


def test_the_command_prints_a_line_for_each_check(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with LittleHttp(ray([])) as server:
        assert cli.run([*arguments, "--ray", server.url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert all(line.startswith("ok    ") for line in lines)


def test_the_command_exits_3_where_only_reach_is_missing(
    arguments: list[str], dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*arguments, "--ray", dead]) == 3
    assert f"FAIL  ray default      {dead}" in capsys.readouterr().out


def test_the_command_gives_json_where_asked(
    arguments: list[str], dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run([*arguments, "--ray", dead, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert {"level", "name", "message"} <= set(report["checks"][0])


def test_the_command_refuses_a_wrong_setting_before_any_check(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([*arguments, "--protocol", "grpc"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("raytap: cluster.default.protocol (--protocol): 'grpc' is none of")


def test_a_note_about_rays_variable_is_a_warning(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    cli.run(arguments)
    assert "warn  settings         RAY_ADDRESS=ray://head:10001" in capsys.readouterr().out


def test_what_serve_would_run_beside_itself_is_checked_too(
    arguments: list[str],
    dead: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for section in ("DASHBOARD", "ALERTS"):
        monkeypatch.setenv(f"RAYTAP_{section}__ENABLED", "true")
        monkeypatch.setenv(f"RAYTAP_{section}__BIND", f"127.0.0.1:{free_port()}")
    rules = tmp_path / "rules.toml"
    monkeypatch.setenv("RAYTAP_ALERTS__RULES", str(rules))
    cli.run([*arguments, "--ray", dead])
    assert "FAIL  rules" in capsys.readouterr().out
    rules.write_text('[[alert]]\nname = "oom"\nmatch = "CUDA out of memory"\n')
    cli.run([*arguments, "--ray", dead])
    said = capsys.readouterr().out
    assert "ok    rules            1 rule(s), 0 receiver(s)" in said
    assert "ok    dashboard" in said
    assert "ok    alerts" in said


def test_serve_refuses_rules_that_are_wrong_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RAYTAP_ALERTS__ENABLED", "true")
    monkeypatch.setenv("RAYTAP_ALERTS__RULES", str(tmp_path / "missing.toml"))
    assert cli.run(["serve", "--state-dir", str(tmp_path / "state")]) == ExitStatus.USAGE
    assert "missing.toml" in capsys.readouterr().err
