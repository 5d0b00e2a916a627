"""What docs/alerts.md says of receivers is so."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.delivery.receivers.webhook import WebhookSender
from subscribers.alerts.rules.receiver_config import Receiver, parse_receiver
from tests.support.alerting import notification, receiver
from tests.support.missing import missing
from tests.support.receiver import Post
from tests.support.receiver import Receiver as Web

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Receivers\n")[2].partition("\n## ")[0]


def block(language: str, holding: str) -> str:
    (found,) = (
        text
        for text in re.findall(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)
        if holding in text
    )
    return str(found)


def signed_post() -> Post:
    with Web() as web:
        WebhookSender(receiver(), Target(web.url, b"s3cret"), "").send([notification()])
        return web.posts[0]


def test_the_function_in_python_verifies_what_we_send() -> None:
    post = signed_post()
    namespace: dict[str, Any] = {}
    exec(block("python", "is_from_raytap"), namespace)
    verify = namespace["is_from_raytap"]
    headers = {name.title(): value for name, value in post.headers.items()}
    assert verify(headers, post.body, b"s3cret")
    assert not verify(headers, post.body, b"other")
    assert not verify(headers, post.body + b" ", b"s3cret")
    assert not verify({}, post.body, b"s3cret")
    assert not verify(headers, post.body, b"s3cret", tolerance=-1)


def test_the_function_in_the_shell_verifies_what_we_send(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("openssl is not installed (apt install openssl)")
    post = signed_post()
    body = tmp_path / "body"
    body.write_bytes(post.body)
    timestamp, signature = (
        post.headers["x-raytap-timestamp"], post.headers["x-raytap-signature"],
    )  # fmt: skip

    def verify(timestamp: str, secret: str) -> bool:
        script = block("sh", "is_from_raytap") + '\nis_from_raytap "$@"\n'
        command = ["sh", "-c", script, "sh", timestamp, signature, str(body), secret]
        return subprocess.run(command, check=False).returncode == 0

    assert verify(timestamp, "s3cret")
    assert not verify(timestamp, "other")
    assert not verify(str(int(time.time()) - 400), "s3cret")


def test_every_setting_of_a_receiver_is_on_the_page_with_its_default() -> None:
    rows = dict(re.findall(r"^\| (`[a-z_`, ]+`) \| ([^|]*) \|", SECTION, re.MULTILINE))
    told = {name: default for names, default in rows.items() for name in re.findall(r"\w+", names)}
    for field in msgspec.structs.fields(Receiver):
        assert field.name in told
        if isinstance(field.default, float | int) and not isinstance(field.default, bool):
            assert float(told[field.name].strip("` ")) == field.default


def test_the_example_is_right() -> None:
    tables = tomllib.loads(block("toml", "[[receiver]]"))
    names = [parse_receiver(table).name for table in tables["receiver"]]
    assert names == ["oncall", "team-chat", "alertmanager"]


def test_every_metric_on_the_page_is_there() -> None:
    from subscribers.alerts.service.metrics import Metrics

    metrics = Metrics("test")
    metrics.watch(lambda: [], lambda: [])
    page = metrics.exposition()[0].decode()
    for name in set(re.findall(r"`(raytap_alerts_\w+?)(?:_total)?[`{]", SECTION)):
        assert name in page, name
