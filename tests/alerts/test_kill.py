"""`kill -9` at random moments: no alert is lost, and none comes again once it was acknowledged."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from broker.frame import Frame
from tests.support.alerts_process import AlertsProcess
from tests.support.fake_broker import FakeBroker
from tests.support.receiver import Receiver
from tests.support.wait import wait_until

EPOCH = "aaaaaaaaaaaa"
PER_RULE = 150  # a rule takes at most 200 different captured labels
RULES = """
[[receiver]]
name = "hook"
kind = "webhook"
url = "{url}"
"""
RULE = """
[[alert]]
name = "rule-{index}"
match = 'BROKEN-{index} id=(?P<id>\\w+)'
after = 0
resolve_after = "1s"
"""


def frame(first: int, lines: list[str]) -> Frame:
    following, ts = first + len(lines), time.time_ns()
    return Frame("log", "ray", "job", first, following, ts=ts, epoch=EPOCH, lines=lines)


def run(home: Path, seed: int, alerts: int, kills: int) -> None:
    chosen = random.Random(seed)
    rules = [RULE.format(index=index) for index in range(-(-alerts // PER_RULE))]
    with FakeBroker() as broker, Receiver() as web:
        text = RULES.format(url=web.url) + "".join(rules)
        process = AlertsProcess(home, broker.endpoint, broker.http, text)
        with process:
            moments = sorted(chosen.sample(range(1, alerts), kills))
            line = 0
            for number in range(alerts):
                lines = [f"noise {i}" for i in range(chosen.randrange(30))]
                hit = f"BROKEN-{number // PER_RULE} id=x{number}"
                lines.insert(chosen.randrange(len(lines) + 1), hit)
                broker.publish(frame(line, lines))
                line += len(lines)
                if moments and number == moments[0]:
                    moments.pop(0)
                    if chosen.random() < 0.7:  # while it is sending; else while it starts
                        wanted = chosen.randint(len(ids(web)), number + 1)
                        wait_until(partial(came, web, wanted), 20.0)
                    process.kill()
                    process.spawn()
            wait_until(lambda: len(set(web.keys)) == 2 * alerts, 60.0, "all came", 0.02)
            process.until_ready()
            wait_until(lambda: process.json("/v1/alerts")["receivers"][0]["queued"] == 0)
            assert process.json("/v1/alerts")["firing"] == []
            assert process.stop() == 0
        first = {post.key: post.json for post in web.posts}  # in the order in which each came first
        states: dict[str, list[str]] = {}
        for body in first.values():
            states.setdefault(body["alerts"][0]["labels"]["id"], []).append(body["status"])
        assert len(states) == alerts
        assert all(said == ["firing", "resolved"] for said in states.values())
        # Only what was on its way when it was killed may have come twice.
        assert len(web.posts) - 2 * alerts <= kills
        with closing(sqlite3.connect(process.state / "alerts.db")) as store:
            assert store.execute("SELECT count(*) FROM notifications").fetchone() == (0,)
            assert store.execute("SELECT count(*) FROM told").fetchone() == (0,)
            assert store.execute("SELECT count(*) FROM alerts").fetchone() == (alerts,)


def came(web: Receiver, count: int) -> bool:
    return len(ids(web)) >= count


def ids(web: Receiver) -> set[str]:
    return {post.json["alerts"][0]["labels"]["id"] for post in list(web.posts)}


def test_after_kill_9_every_alert_was_sent_and_none_again(tmp_path: Path) -> None:
    run(tmp_path, seed=1, alerts=60, kills=3)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 6))
def test_after_many_kills_every_alert_was_sent_and_none_again(tmp_path: Path, seed: int) -> None:
    run(tmp_path, seed=seed, alerts=600, kills=20)
