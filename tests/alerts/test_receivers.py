"""What each kind of receiver is sent, over a real connection."""

from __future__ import annotations

import importlib.util
import json
import logging
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from broker.errors import ConfigError
from subscribers.alerts.delivery.receivers import slack
from subscribers.alerts.delivery.receivers.alertmanager import posted
from subscribers.alerts.delivery.receivers.apprise import AppriseSender
from subscribers.alerts.delivery.receivers.senders import make_sender
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.delivery.receivers.webhook import WebhookSender, group_key
from subscribers.alerts.delivery.signature import verify
from subscribers.alerts.notifications.notification import NotSent, Sender, rfc3339
from tests.support.alerting import alert, notification, over, receiver
from tests.support.forward_proxy import ForwardProxy
from tests.support.missing import missing
from tests.support.ports import free_port
from tests.support.receiver import Answer, Receiver
from tests.support.tls_server import make_certificate

ONE = alert()
NO_END = "0001-01-01T00:00:00Z"
# It imports modules of Python's that are going, and leaves a connection open.
APPRISE = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def sender(url: str, kind: str = "webhook", secret: bytes = b"", **fields: Any) -> Sender:
    return make_sender(receiver("a", kind, **fields), Target(url, secret), "http://dash:8271")


def test_a_webhook_is_alertmanagers_version_4_with_all_its_fields() -> None:
    with Receiver() as web:
        sender(f"{web.url}/hook?channel=1").send([notification(ONE)])
        (post,) = web.posts
    assert post.path == "/hook?channel=1"
    assert post.headers["content-type"] == "application/json"
    assert "x-raytap-signature" not in post.headers
    assert post.json == {
        "version": "4",
        "groupKey": '{}:{alertname="oom", cluster="ray", job="train-1", severity="critical"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "a",
        "groupLabels": ONE.labels,
        "commonLabels": ONE.labels,
        "commonAnnotations": {"summary": "oom happened"},
        "externalURL": "http://dash:8271",
        "alerts": [
            {
                "status": "firing",
                "labels": ONE.labels,
                "annotations": {"summary": "oom happened"},
                "startsAt": "1970-01-01T00:16:40.000Z",
                "endsAt": NO_END,
                "generatorURL": ONE.url,
                "fingerprint": ONE.fingerprint,
            }
        ],
    }


def test_a_webhook_says_when_an_alert_was_over() -> None:
    with Receiver() as web:
        sender(web.url).send([notification(over(ONE, 1060.5), state="resolved")])
        body = web.posts[0].json
    assert (body["status"], body["alerts"][0]["status"]) == ("resolved", "resolved")
    assert body["alerts"][0]["endsAt"] == "1970-01-01T00:17:40.500Z"


def test_a_webhook_with_a_secret_is_signed_and_each_attempt_has_its_own_timestamp() -> None:
    now = [1_763_700_000.0]
    with Receiver() as web:
        one = WebhookSender(receiver(), Target(web.url, b"s3cret"), "", lambda: now[0])
        one.send([notification(ONE)])
        now[0] += 60
        one.send([notification(ONE)])
        first, second = web.posts
    for post, at in ((first, 1_763_700_000), (second, 1_763_700_060)):
        headers = post.headers
        timestamp, signature = headers["x-raytap-timestamp"], headers["x-raytap-signature"]
        assert timestamp == str(at)
        assert verify(b"s3cret", timestamp, signature, post.body, at)
        assert not verify(b"other", timestamp, signature, post.body, at)
    assert first.key == second.key != ""
    assert first.body == second.body


def test_the_key_is_of_receiver_alert_start_state_and_repeat() -> None:
    keys = {
        notification(ONE).key,
        notification(ONE, "b").key,
        notification(alert("other")).key,
        notification(alert(starts_at=1000.5)).key,
        notification(ONE, state="resolved").key,
        notification(ONE, repeat=1).key,
    }
    assert len(keys) == 6
    assert notification(alert(line=7)).key == notification(ONE).key


def test_a_group_key_quotes_what_labels_hold() -> None:
    assert group_key({"b": 'say "hi"\n', "a": "x"}) == '{}:{a="x", b="say \\"hi\\"\\n"}'


def test_a_password_in_the_url_is_sent_as_basic_authentication() -> None:
    with Receiver() as web:
        sender(web.url.replace("//", "//user:p%40ss@")).send([notification()])
        assert web.posts[0].headers["authorization"] == "Basic dXNlcjpwQHNz"
        assert web.posts[0].path == "/"


def test_what_a_receiver_wants_to_see_is_sent_and_never_shown() -> None:
    for kind in ("webhook", "alertmanager"):
        with Receiver(lambda post, _: Answer(403, json.dumps(post.headers).encode())) as web:
            target = Target(web.url, authorization="Bearer T0KENT0KEN")
            with pytest.raises(NotSent) as refused:
                make_sender(receiver("a", kind), target, "").send([notification()])
            assert web.posts[0].headers["authorization"] == "Bearer T0KENT0KEN"
        assert "T0KEN" not in refused.value.message


@pytest.mark.parametrize(
    ("given", "says"), [("", "it wants an authorization_file"), ("Bearer x", "does not take")]
)
def test_a_401_says_what_to_do(given: str, says: str) -> None:
    with Receiver(lambda _post, _number: Answer(401, b"no")) as web:
        one = make_sender(receiver(), Target(web.url, authorization=given), "")
        with pytest.raises(NotSent, match=says):
            one.send([notification()])


def test_basic_authentication_is_not_shown_where_it_is_echoed() -> None:
    with Receiver(lambda post, _: Answer(403, json.dumps(post.headers).encode())) as web:
        with pytest.raises(NotSent) as refused:
            sender(web.url.replace("//", "//user:p%40ss@")).send([notification(ONE)])
        assert "dXNlcjpwQHNz" not in refused.value.message


# Proxies ------------------------------------------------------------------------------------------


def test_a_proxy_forwards_what_is_for_an_http_address() -> None:
    with Receiver() as web, ForwardProxy() as proxy:
        target = Target(f"{web.url}/hook?x=1", proxy=f"http://me:p%40ss@{proxy.address}")
        make_sender(receiver(), target, "").send([notification()])
        ((method, path, headers),) = proxy.asked
        assert (method, path) == ("POST", f"{web.url}/hook?x=1")
        assert headers["host"] == f"127.0.0.1:{web.port}"
        assert headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert len(web.posts) == 1


def test_a_proxy_makes_a_tunnel_to_an_https_address_and_sees_nothing(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with Receiver(certificate=certificate) as web, ForwardProxy() as proxy:
        target = Target(f"{web.url}/hook", b"", "Bearer x", f"http://me:pw@{proxy.address}")
        one = receiver(ca_file=str(certificate.file))
        make_sender(one, target, "").send([notification()])
        ((method, path, headers),) = proxy.asked
        assert (method, path) == ("CONNECT", f"127.0.0.1:{web.port}")
        assert "proxy-authorization" in headers
        assert "authorization" not in headers
        assert web.posts[0].headers["authorization"] == "Bearer x"
        assert "proxy-authorization" not in web.posts[0].headers


def test_a_proxy_that_refuses_is_said_and_tried_again(tmp_path: Path) -> None:
    with ForwardProxy(refuses=407) as proxy:
        target = Target("https://127.0.0.1:9/x", proxy=f"http://me:S3CRET@{proxy.address}")
        with pytest.raises(NotSent, match="through the proxy: it refused: HTTP 407") as failed:
            make_sender(receiver(), target, "").send([notification()])
    assert failed.value.again
    assert "S3CRET" not in failed.value.message


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with Receiver() as web:
        sender(web.url).send([notification()])
        assert len(web.posts) == 1


# Failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "again"),
    [
        (Answer(500), 500, True),
        (Answer(503), 503, True),
        (Answer(429), 429, True),
        (Answer(close=True), 503, True),
        (Answer(400), 400, False),
        (Answer(404), 404, False),
        (Answer(408), 408, False),
        (Answer(302, headers=(("Location", "http://127.0.0.1:1/x"),)), 302, False),
    ],
)
def test_an_answer_says_whether_to_try_again(answer: Answer, status: int, again: bool) -> None:
    with Receiver(lambda _post, _number: answer) as web:
        with pytest.raises(NotSent) as failed:
            sender(f"{web.url}/hook").send([notification()])
        assert (failed.value.status, failed.value.again) == (status, again)
        assert len(web.posts) == 1


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0", 1.0), ("99999", 300.0)])
def test_retry_after_is_read_and_capped(header: str, seconds: float) -> None:
    answer = Answer(429, headers=(("Retry-After", header),))
    with Receiver(lambda _post, _number: answer) as web, pytest.raises(NotSent) as failed:
        sender(web.url).send([notification()])
    assert failed.value.after == seconds


def test_retry_after_may_be_a_date() -> None:
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 60))
    answer = Answer(503, headers=(("Retry-After", date),))
    with Receiver(lambda _post, _number: answer) as web, pytest.raises(NotSent) as failed:
        sender(web.url).send([notification()])
    assert failed.value.after is not None
    assert 55 < failed.value.after <= 60


def test_a_hung_receiver_is_left_after_the_read_timeout() -> None:
    with Receiver(lambda _post, _number: Answer(hang=True)) as web:
        began = time.monotonic()
        with pytest.raises(NotSent, match="no answer in time") as failed:
            sender(web.url, read_timeout=0.2).send([notification()])
        assert time.monotonic() - began < 2.0
        assert failed.value.again


def test_one_that_drips_is_left_after_the_timeout_for_the_whole() -> None:
    with Receiver(lambda _post, _number: Answer(drip=0.05)) as web:
        began = time.monotonic()
        with pytest.raises(NotSent, match=r"within 0\.4 s") as failed:
            sender(web.url, timeout=0.4).send([notification()])
        assert time.monotonic() - began < 2.0
        assert failed.value.again


def test_an_answer_that_breaks_off_after_its_200_is_taken_for_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")

        thread = threading.Thread(target=serve)
        thread.start()
        sender(f"http://127.0.0.1:{server.getsockname()[1]}/").send([notification()])
        thread.join()


def test_nobody_there_is_said_without_the_address() -> None:
    port = free_port()
    with pytest.raises(NotSent) as failed:
        sender(f"http://user:pw@127.0.0.1:{port}/T0KENT0KEN").send([notification()])
    assert failed.value.message == "no connection: Connection refused"
    assert failed.value.again


def test_a_name_that_does_not_resolve_is_said_without_it() -> None:
    with pytest.raises(NotSent, match="cannot be resolved") as failed:
        sender("http://no-such-host.invalid/T0KENT0KEN").send([notification()])
    assert "invalid" not in failed.value.message


def test_an_answer_never_gives_a_part_of_the_url_away() -> None:
    said = b"Cannot POST /services/T00/B00/XsecretX for user:pw (XsecretX)"
    with Receiver(lambda _post, _number: Answer(404, said)) as web:
        url = web.url.replace("//", "//user:longpassword@") + "/services/T00/B00/XsecretX?k=vvv"
        with pytest.raises(NotSent) as failed:
            sender(url).send([notification()])
    assert "XsecretX" not in failed.value.message
    assert "Cannot POST" in failed.value.message


def test_abort_ends_a_request_at_once() -> None:
    with Receiver(lambda _post, _number: Answer(hang=True)) as web:
        one = sender(web.url)
        failed: list[NotSent] = []

        def send() -> None:
            try:
                one.send([notification()])
            except NotSent as error:
                failed.append(error)

        thread = threading.Thread(target=send)
        thread.start()
        web.until(1)
        one.abort()
        thread.join(2.0)
        assert not thread.is_alive()
        assert failed[0].again


def test_over_tls_the_certificate_is_checked(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with Receiver(certificate=certificate) as web:
        with pytest.raises(NotSent, match=r"TLS: self.signed certificate") as failed:
            sender(web.url).send([notification()])
        assert failed.value.again
        sender(web.url, ca_file=str(certificate.file)).send([notification()])
        assert len(web.posts) == 1


def test_over_tls_one_that_drips_is_left_too(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    with Receiver(lambda _post, _number: Answer(drip=0.05), certificate) as web:
        began = time.monotonic()
        one = sender(web.url, timeout=0.4, ca_file=str(certificate.file))
        with pytest.raises(NotSent, match=r"within 0\.4 s"):
            one.send([notification()])
        assert time.monotonic() - began < 2.0


# The others ---------------------------------------------------------------------------------------


def test_alertmanager_is_told_an_end_ahead_while_an_alert_fires() -> None:
    with Receiver() as web:
        one = sender(f"{web.url}/am/", "alertmanager", repeat_interval=60)
        began = time.time()
        one.send([notification(ONE), notification(over(ONE, 1060), state="resolved")])
        (post,) = web.posts
    fires, ended = post.json
    assert post.path == "/am/api/v2/alerts"
    assert fires["labels"] == ONE.labels
    assert fires["startsAt"] == rfc3339(1000)
    assert rfc3339(began + 239) < fires["endsAt"] <= rfc3339(time.time() + 240)
    assert ended["endsAt"] == rfc3339(1060)
    assert set(fires) == {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}


def test_labels_that_alertmanager_would_refuse_are_left_out() -> None:
    odd = alert(labels={"a-b": "1", "ok": "2"})
    assert set(posted(notification(odd), 0.0)["labels"]) == {*ONE.labels, "ok"}


def test_slack_gets_blocks_in_which_text_is_only_text() -> None:
    hostile = alert(annotations={"summary": "<!channel> & <https://evil|x>", "lines": "a\n```\nb"})
    with Receiver() as web:
        sender(f"{web.url}/services/T/B/X", "slack").send([notification(hostile, repeat=2)])
        body = web.posts[0].json
    text = json.dumps(body)
    assert "<!channel>" not in text
    assert "&lt;!channel&gt; &amp; &lt;https://evil|x&gt;" in text
    assert body["blocks"][0]["text"] == {
        "type": "plain_text", "emoji": False, "text": "Firing: oom (critical)",
    }  # fmt: skip
    assert any("'''" in block.get("text", {}).get("text", "") for block in body["blocks"])
    assert "told 3 times" in text
    assert ONE.url in text


def test_slack_stays_within_its_limits() -> None:
    big = alert(
        "x" * 300,
        labels={f"label{i}": "&" * 5000 for i in range(40)},
        annotations={"summary": "<" * 9000}
        | {f"note{i}": ("&" * 70 + "\n") * 200 for i in range(80)},
        url="http://dash/" + "y" * 5000,
    )
    body = slack.message(notification(big))
    assert len(body["text"]) <= slack.MOST_TEXT
    assert len(body["blocks"]) <= slack.MOST_BLOCKS
    for block in body["blocks"]:
        if "text" in block:
            most = slack.MOST_HEADER if block["type"] == "header" else slack.MOST_TEXT
            assert 0 < len(block["text"]["text"]) <= most
        for field in block.get("fields", ()):
            assert 0 < len(field["text"]) <= 2000
        assert len(block.get("fields", ())) <= slack.MOST_FIELDS
    assert not body["blocks"][1]["text"]["text"].rstrip("…").endswith(("&l", "&lt", "&am"))


def needs_apprise() -> None:
    if importlib.util.find_spec("apprise") is None:
        missing("Apprise is not installed (pip install 'raytap[alerts]')")


@APPRISE
def test_apprise_sends_by_any_of_its_services() -> None:
    needs_apprise()
    with Receiver() as web:
        url = f"json://127.0.0.1:{web.port}/hook"
        sender(url, "apprise").send([notification(ONE)])
        sender(url, "apprise").send([notification(over(ONE, 1060), state="resolved")])
        first, second = (post.json for post in web.posts)
    assert first["title"] == "Firing: oom (critical) ray/train-1"
    assert "summary: oom happened" in first["message"]
    assert (first["type"], second["type"]) == ("failure", "success")


@APPRISE
def test_what_apprise_does_not_take_is_tried_again_and_its_log_is_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    needs_apprise()
    with caplog.at_level(logging.INFO), Receiver(lambda _post, _number: Answer(500)) as web:
        one = sender(f"json://user:T0KENT0KEN@127.0.0.1:{web.port}/T0KENT0KEN", "apprise")
        with pytest.raises(NotSent) as failed:
            one.send([notification(ONE)])
    assert failed.value.again
    assert "T0KEN" not in failed.value.message + caplog.text


@APPRISE
def test_a_service_that_apprise_does_not_know_is_refused_without_the_url() -> None:
    needs_apprise()
    with pytest.raises(ConfigError, match="receiver a: Apprise knows no such") as refused:
        sender("nosuchservice://T0KENT0KEN", "apprise")
    assert "T0KEN" not in refused.value.message


def test_without_apprise_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ConfigError, match=r"pip install 'raytap\[alerts\]'"):
        AppriseSender(receiver("a", "apprise", url="json://h"), Target("json://h"))


def test_time_that_went_by_before_there_was_a_connection_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = HTTPConnection.connect

    def slow(connection: HTTPConnection) -> None:
        time.sleep(0.3)  # as a resolver may be
        connect(connection)

    monkeypatch.setattr(HTTPConnection, "connect", slow)
    with Receiver() as web, pytest.raises(NotSent, match=r"no whole answer within 0\.1 s"):
        sender(web.url, timeout=0.1).send([notification(ONE)])
