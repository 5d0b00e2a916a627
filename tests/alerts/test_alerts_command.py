"""`raytap alerts` as one runs it: the process, its signals, `status` and `mute`."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from broker.cli import run
from broker.frame import Frame
from subscribers.alerts.delivery.views import AlertsView, AlertView, Total
from tests.support.alerts_process import AlertsProcess
from tests.support.fake_broker import FakeBroker
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port
from tests.support.receiver import Answer, Receiver
from tests.support.wait import wait_until

RULES = """
[[receiver]]
name = "hook"
kind = "webhook"
url_env = "HOOK_URL"
secret_env = "HOOK_SECRET"

[[alert]]
name = "oom"
match = "CUDA out of memory"
severity = "critical"
after = 0
[alert.annotations]
summary = "{job}: {line}"
"""


@pytest.fixture
def web() -> Iterator[Receiver]:
    with Receiver() as web:
        yield web


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def alerts(tmp_path: Path, broker: FakeBroker, web: Receiver) -> Iterator[AlertsProcess]:
    process = AlertsProcess(tmp_path, broker.endpoint, broker.http, RULES)
    process.spawn({"HOOK_URL": f"{web.url}/T0KENT0KEN", "HOOK_SECRET": "s3cret"})
    process.until_ready()
    yield process
    process.kill()


def line(number: int, text: str, job: str = "train-1") -> Frame:
    return Frame(
        "log", "ray", job, number, number + 1, ts=time.time_ns(), epoch="aaaaaaaaaaaa", lines=[text]
    )


def test_a_line_becomes_a_signed_post_and_a_row_of_status(
    alerts: AlertsProcess, broker: FakeBroker, web: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.publish(line(0, "RuntimeError: CUDA out of memory"))
    (post,) = web.until(1)
    assert post.headers["x-raytap-signature"].startswith("sha256=")
    assert post.json["commonAnnotations"]["summary"].endswith("CUDA out of memory")
    assert post.json["alerts"][0]["generatorURL"].endswith("/jobs/ray/train-1#L0")
    wait_until(lambda: alerts.json("/v1/alerts")["receivers"][0]["sent"])
    assert run(["alerts", "status", "--url", alerts.url]) == 0
    table = capsys.readouterr().out
    assert "oom" in table
    assert "ray/train-1" in table
    assert "hook" in table
    assert run(["alerts", "status", "--url", alerts.url, "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["firing"][0]["rule"] == "oom"
    assert "T0KEN" not in table + json.dumps(told) + alerts.log
    assert "s3cret" not in alerts.log


def test_a_mute_is_made_listed_and_ended(
    alerts: AlertsProcess, broker: FakeBroker, web: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["alerts", "mute", "--url", alerts.url]
    assert run([*asked, 'job=~"train-.*"', "--for", "2h", "--reason", "known"]) == 0
    mute = capsys.readouterr().out.strip()
    assert run([*asked, "--list"]) == 0
    listed = capsys.readouterr().out
    assert mute in listed
    assert "known" in listed
    broker.publish(line(0, "CUDA out of memory"), line(0, "CUDA out of memory", "other"))
    web.until(1)
    wait_until(lambda: len(alerts.json("/v1/alerts")["firing"]) == 2)
    assert len(web.posts) == 1
    assert run([*asked, "--end", mute]) == 0
    web.until(2)
    assert run([*asked, "--end", mute]) == 4
    assert run([*asked, "--list"]) == 0
    assert "nothing is muted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [[], ['a="b"'], ['a="b"', "--for", "soon"], ["--list", "--end", "x"]]
)
def test_wrong_usage_of_mute_is_said(arguments: list[str]) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    assert run(["alerts", "mute", "--url", nowhere, *arguments]) == 2


def test_a_matcher_that_is_none_is_refused_with_what_would_be_right(
    alerts: AlertsProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["alerts", "mute", "--url", alerts.url, "nonsense", "--for", "1h"]) == 2
    assert 'severity="critical"' in capsys.readouterr().err


def test_nobody_there_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert run(["alerts", "status", "--url", url]) == 3
    said = f"raytap: cannot connect to {url}: connection refused; is `raytap alerts` running?"
    assert capsys.readouterr().err.startswith(said)


def test_an_address_of_something_else_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with LittleHttp(lambda _path, _headers: Reply(200, b"<html>")) as other:
        for output in ("table", "json"):
            assert run(["alerts", "status", "--url", other.url, "-o", output]) == 3
            said = f"raytap: {other.url} is no `raytap alerts` (it answers something else)\n"
            assert capsys.readouterr().err == said


def status_of(view: AlertsView, *flags: str) -> int:
    body = msgspec.json.encode(view)
    with LittleHttp(lambda _path, _headers: Reply(200, body)) as api:
        return run(["alerts", "status", "--url", api.url, *flags])


def fires(severity: str, number: int = 1) -> AlertView:
    return AlertView(
        fingerprint="f", rule="r", severity=severity, labels={}, cluster="ray", job="job",
        annotations={"summary": "s" * number}, starts_at=1.0, state="firing", muted=False,
    )  # fmt: skip


def test_status_keeps_the_order_and_has_no_spaces_at_the_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    severities = ["critical", "error", "page-me"]
    firing = [fires(severity, number) for number, severity in enumerate(severities, 1)]
    assert status_of(AlertsView(True, firing, [], [], [])) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[2:5]] == severities
    assert rows == [row.rstrip() for row in rows]


def test_status_says_how_many_more_fire(capsys: pytest.CaptureFixture[str]) -> None:
    view = AlertsView(True, [fires("error")] * 7, [], [], [], total=Total(firing=4321))
    assert status_of(view, "--limit", "5") == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[7] == "4,316 more (--limit N shows N)"
    assert status_of(view, "--limit", "0") == 0
    assert capsys.readouterr().out.startswith("Firing: 4,321 more")


def test_the_token_for_the_broker_comes_from_a_file(tmp_path: Path) -> None:
    rules = '[[alert]]\nname = "x"\nmatch = "boom"\n'
    (tmp_path / "token").write_text("right\n")
    with FakeBroker(token="right") as broker:
        process = AlertsProcess(tmp_path, broker.endpoint, broker.http, rules)
        process.spawn(flags=["--token-file", str(tmp_path / "token")])
        try:
            process.until_ready()
            assert process.json("/readyz")["degraded"] == []
        finally:
            process.kill()


def test_a_broker_that_wants_a_token_is_told_with_the_flag_that_gives_it(tmp_path: Path) -> None:
    rules = '[[alert]]\nname = "x"\nmatch = "boom"\n'

    def said() -> list[str]:
        try:
            return [one for one in process.json("/readyz")["degraded"] if "HTTP 401" in one]
        except OSError:
            return []

    with FakeBroker(token="right") as broker:
        process = AlertsProcess(tmp_path, broker.endpoint, broker.http, rules)
        process.spawn()
        try:
            wait_until(said, 20, "it says what lacks")
            assert "(--token-file or alerts.upstream.token_file)" in said()[0]
            assert process.json("/readyz")["ready"] is False
        finally:
            process.kill()


def test_sighup_takes_new_rules_and_refuses_wrong_ones(
    alerts: AlertsProcess, broker: FakeBroker, web: Receiver
) -> None:
    alerts.rules.write_text(RULES.replace("CUDA out of memory", "("))
    alerts.signal(signal.SIGHUP)
    wait_until(lambda: alerts.json("/readyz")["degraded"], message="refused")
    (said,) = alerts.json("/readyz")["degraded"]
    assert "rules.toml:10" in said
    broker.publish(line(0, "CUDA out of memory"))
    web.until(1)
    alerts.rules.write_text(RULES.replace("CUDA out of memory", "disk full"))
    alerts.signal(signal.SIGHUP)
    wait_until(lambda: not alerts.json("/readyz")["degraded"], message="taken")
    web.until(2)  # the rule that fired is another one: it is over
    assert web.posts[1].json["status"] == "resolved"
    broker.publish(line(1, "disk full"))
    web.until(3)
    assert web.posts[2].json["status"] == "firing"


def test_sigterm_ends_it_within_five_seconds_though_a_receiver_hangs(
    alerts: AlertsProcess, broker: FakeBroker, web: Receiver
) -> None:
    web.answer = lambda _post, _number: Answer(hang=True)
    broker.publish(line(0, "CUDA out of memory"))
    web.until(1)
    began = time.monotonic()
    assert alerts.stop() == 0
    assert time.monotonic() - began < 5.0
    web.answer = lambda _post, _number: Answer()
    web.release()
    alerts.spawn({"HOOK_URL": web.url, "HOOK_SECRET": "s3cret"})
    web.until(2)
    assert web.keys[0] == web.keys[1]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("", "HOOK_URL is not set"),
        ("[[alert]]\nname = 'x'\nmatch = '('\n", "rules.toml:"),
    ],
)
def test_what_is_wrong_at_the_start_is_one_line_and_an_exit_status(
    tmp_path: Path, broker: FakeBroker, rules: str, says: str
) -> None:
    process = AlertsProcess(tmp_path, broker.endpoint, broker.http, rules or RULES)
    process.spawn()
    assert process.wait() == 2
    (said,) = process.log.splitlines()  # above all no `alerts_stopped`: it never started
    assert says in said


def test_an_address_that_others_reach_needs_permissions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "raytap.toml"
    config.write_text("")
    asked = ["alerts", "--config", str(config), "--bind", "0.0.0.0:0"]
    assert run(asked) == 2
    assert "raytap token new" in capsys.readouterr().err


def test_rules_lie_beside_the_configuration_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "raytap.toml"
    config.write_text(f"state_dir = '{tmp_path / 'state'}'\nalerts.rules = ['nowhere.toml']\n")
    assert run(["alerts", "--config", str(config)]) == 2
    assert str(tmp_path / "nowhere.toml") in capsys.readouterr().err


def test_a_second_one_on_the_same_state_is_refused(
    alerts: AlertsProcess, tmp_path: Path, broker: FakeBroker
) -> None:
    second = AlertsProcess(
        tmp_path / "second", broker.endpoint, broker.http, "", {"state_dir": str(alerts.state)}
    )
    second.rules.write_text(RULES)
    second.spawn({"HOOK_URL": "http://127.0.0.1:9/", "HOOK_SECRET": "x"})
    assert second.wait() == 2
    assert "another `raytap alerts`" in second.log
