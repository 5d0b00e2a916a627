"""Receivers as they stand in a rules file, and where their secrets come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.errors import ConfigError
from subscribers.alerts.delivery.receivers.senders import check_sender
from subscribers.alerts.delivery.receivers.target import read_target
from subscribers.alerts.rules.receiver_config import parse_receiver

GOOD: dict[str, Any] = {"name": "a", "kind": "webhook", "url": "https://u:pw@example.com/T0KEN"}


def test_the_least_that_a_receiver_needs_has_defaults_for_the_rest() -> None:
    one = parse_receiver(GOOD)
    assert (one.timeout, one.send_resolved, one.repeat_s(), one.match) == (30.0, True, 14_400.0, [])
    assert parse_receiver(GOOD | {"repeat_interval": "30m"}).repeat_s() == 1800.0
    assert parse_receiver(GOOD).repeat_s(default=60.0) == 60.0


def test_alertmanager_is_told_once_a_minute() -> None:
    assert parse_receiver(GOOD | {"kind": "alertmanager"}).repeat_s(default=3600.0) == 60.0


def test_a_receiver_never_shows_its_url() -> None:
    one = parse_receiver(GOOD)
    target = read_target(one, {})
    assert "T0KEN" not in f"{one!r} {one} {target!r} {target}"
    assert "pw@" not in repr(one)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"kind": "exec"}, "kind: .*no commands"),
        ({"kind": "mail"}, "kind: .*webhook, alertmanager, slack, apprise"),
        ({"nmae": "x"}, "nmae: .*did you mean name"),
        ({"name": "two words"}, "name: "),
        ({"url": ""}, "url: give one of"),
        ({"url_file": "/x"}, "url_file: give one of"),
        ({"url": "ftp://example.com/T0KEN"}, "url: "),
        ({"timeout": "soon"}, "timeout: "),
        ({"timeout": "2h"}, "timeout: "),
        ({"timeout": 0}, "timeout: "),
        ({"repeat_interval": 0.1}, "repeat_interval: "),
        ({"queue_size": 0}, "queue_size: "),
        ({"match": ["nonsense"]}, "match: "),
        ({"match": 'severity="x"'}, "match: "),
        ({"secret_file": "/x", "secret_env": "X"}, "secret_env: "),
        ({"kind": "slack", "secret_env": "X"}, "secret_file: only a webhook"),
        ({"kind": "apprise", "url": "nonsense"}, "url: "),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_without_the_url(
    changes: dict[str, Any], names: str
) -> None:
    with pytest.raises(ConfigError, match=names) as refused:
        parse_receiver(GOOD | changes)
    assert "T0KEN" not in refused.value.message


def test_a_url_and_a_secret_come_from_files_and_variables(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("https://example.com/hook\n")
    table = {"name": "a", "kind": "webhook", "url_file": str(file), "secret_env": "SECRET"}
    target = read_target(parse_receiver(table), {"SECRET": "s3cret\n"})
    assert (target.url, target.secret) == ("https://example.com/hook", b"s3cret")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"url_env": "NOWHERE"}, "NOWHERE is not set"),
        ({"url_env": "EMPTY"}, "is empty"),
        ({"url_env": "WRONG"}, "url_env: .*http"),
        ({"url_file": "/nowhere/at/all"}, "cannot be read"),
        ({"url": "http://x", "ca_file": "/nowhere/at/all", "kind": "slack"}, None),
        ({"url": "https://x", "ca_file": "/nowhere/at/all"}, "ca_file: .*cannot be read"),
        ({"url": "https://x", "ca_file": __file__}, "ca_file: .*no certificates"),
    ],
)
def test_what_a_receiver_names_must_be_there(table: dict[str, str], says: str | None) -> None:
    one = parse_receiver({"name": "a", "kind": "webhook"} | table)
    environ = {"EMPTY": " ", "WRONG": "T0KEN"}
    if says is None:
        check_sender(one, environ)
        return
    with pytest.raises(ConfigError, match=says) as refused:
        check_sender(one, environ)
    assert "T0KEN" not in refused.value.message
    assert "receiver a" in refused.value.message
