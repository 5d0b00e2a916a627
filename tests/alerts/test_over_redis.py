"""`raytap alerts` that follows a broker over Redis pub/sub."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import redis

from broker.frame import Frame
from broker.topic import CHANNEL_PREFIX, Stream
from tests.support.alerts_process import AlertsProcess
from tests.support.fake_broker import FakeBroker
from tests.support.receiver import Receiver
from tests.support.wait import wait_until

STREAM = Stream("ray", "train-1")
RULES = """
[[receiver]]
name = "hook"
kind = "webhook"
url = "URL"

[[alert]]
name = "oom"
match = "CUDA out of memory"
after = 0
"""


def line(number: int, text: str) -> Frame:
    return Frame(
        "log", *STREAM, number, number + 1, ts=time.time_ns(), epoch="aaaaaaaaaaaa", lines=[text]
    )


def test_a_line_on_redis_becomes_an_alert(valkey: str, tmp_path: Path) -> None:
    upstream = {"alerts.upstream.zeromq": [], "alerts.upstream.redis": valkey}
    with (
        Receiver() as web,
        FakeBroker() as broker,
        contextlib.closing(redis.Redis.from_url(valkey)) as bus,
        AlertsProcess(tmp_path, "", broker.http, RULES.replace("URL", web.url), upstream),
    ):
        wait_until(lambda: bus.client_list(_type="pubsub"))
        payload = broker.keep(line(0, "RuntimeError: CUDA out of memory"))
        bus.publish(CHANNEL_PREFIX.encode() + STREAM.topic, payload)
        (post,) = web.until(1)
    assert post.json["alerts"][0]["labels"]["alertname"] == "oom"
