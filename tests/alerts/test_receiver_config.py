"""Receivers as they stand in a rules file, and where their secrets come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.errors import ConfigError
from subscribers.alerts.delivery.receivers.senders import check_sender
from subscribers.alerts.delivery.receivers.target import read_target, target_problems
from subscribers.alerts.rules.receiver_config import parse_receiver, read_receiver

GOOD: dict[str, Any] = {"name": "a", "kind": "webhook", "url": "https://u:pw@example.com/T0KEN"}


def test_the_least_that_a_receiver_needs_has_defaults_for_the_rest() -> None:
    one = parse_receiver(GOOD)
    assert (one.timeout, one.send_resolved, one.repeat_s(), one.match) == (30.0, True, 14_400.0, [])
    assert parse_receiver(GOOD | {"repeat_interval": "30m"}).repeat_s() == 1800.0
    assert parse_receiver(GOOD).repeat_s(default=60.0) == 60.0


def test_one_matcher_may_stand_alone() -> None:
    assert parse_receiver(GOOD | {"match": 'severity="x"'}).match == ['severity="x"']


def test_all_that_is_wrong_is_told_at_once() -> None:
    table = GOOD | {"timeout": "soon", "matchers": [], "match": ["x", "y"], "proxy": "ftp://x"}
    _, problems = read_receiver(table)
    assert [one.key for one in problems] == ["timeout", "matchers", "proxy", "match", "match"]


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
        ({"match": [1]}, "match: expected str"),
        ({"kind": "webhok"}, "kind: .*did you mean 'webhook'"),
        ({"secret_file": "/x", "secret_env": "X"}, "secret_env: "),
        ({"kind": "slack", "secret_env": "X"}, "secret_env: only a webhook"),
        ({"kind": "apprise", "url": "nonsense"}, "url: "),
        ({"authorization": "T0KEN"}, "authorization: no such setting"),
        ({"authorization_file": "/x", "authorization_env": "X"}, "authorization_env: give one of"),
        ({"kind": "slack", "authorization_env": "X"}, "authorization_env: the URL of slack"),
        ({"proxy": "https://T0KEN@proxy:3128"}, "proxy: .*http://"),
        ({"proxy": "http://u:T0KEN@proxy:3128/path"}, "proxy: .*without a path"),
        ({"proxy": "http://proxy", "proxy_env": "X"}, "proxy_env: give one of"),
        ({"kind": "apprise", "url": "ntfy://x", "proxy": "http://p"}, "proxy: .*HTTPS_PROXY"),
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
    ("given", "sent"),
    [
        ("T0KEN==", "Bearer T0KEN=="),
        ("Bearer T0KEN\n", "Bearer T0KEN"),
        ("GenieKey a-b-c", "GenieKey a-b-c"),
        ('Digest username="x", response="y"', 'Digest username="x", response="y"'),
    ],
)
def test_a_token_alone_is_a_bearers_and_another_scheme_stands_before_it(
    given: str, sent: str
) -> None:
    one = parse_receiver({"name": "a", "kind": "webhook", "url": "http://x",
                          "authorization_env": "TOKEN"})  # fmt: skip
    target = read_target(one, {"TOKEN": given})
    assert target.authorization == sent
    assert "T0KEN" not in f"{one!r} {target!r} {target}"


def test_what_is_missing_is_told_once_each() -> None:
    one = parse_receiver({"name": "a", "kind": "webhook", "url_env": "URL",
                          "authorization_env": "TOKEN"})  # fmt: skip
    assert [said.partition(": ")[2] for said in target_problems(one, {"TOKEN": "x"})] == [
        "url_env: the environment variable URL is not set"
    ]
    assert len(target_problems(one, {})) == 2


def test_the_hash_of_where_a_receiver_is_changes_with_all_of_it(tmp_path: Path) -> None:
    tables: list[dict[str, Any]] = [
        {"url": "http://x/1"},
        {"url": "http://x/2"},
        {"url": "http://x/1", "kind": "slack"},
        {"url": "http://x/1", "secret_env": "ONE"},
        {"url": "http://x/1", "authorization_env": "ONE"},
        {"url": "http://x/1", "authorization_env": "TWO"},
        {"url": "http://x/1", "proxy": "http://proxy"},
    ]
    made = [parse_receiver({"name": "a", "kind": "webhook"} | table) for table in tables]
    environ = {"ONE": "1", "TWO": "2"}
    assert len({read_target(one, environ).digest(one.kind) for one in made}) == len(made)


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
        ({"url": "http://x", "authorization_env": "NOWHERE"}, "authorization_env: .*not set"),
        ({"url": "http://x", "authorization_env": "EMPTY"}, "authorization_env: .*is empty"),
        ({"url": "http://x", "authorization_env": "TWO_LINES"}, "authorization_env holds no"),
        ({"url": "http://u:T0KEN@x", "authorization_env": "WRONG"}, "holds a user already"),
        ({"url": "http://x", "proxy_env": "NO_PROXY_URL"}, "proxy_env: .*http://"),
    ],
)
def test_what_a_receiver_names_must_be_there(table: dict[str, str], says: str | None) -> None:
    one = parse_receiver({"name": "a", "kind": "webhook"} | table)
    environ = {"EMPTY": " ", "WRONG": "T0KEN", "TWO_LINES": "T0KEN\nX: y", "NO_PROXY_URL": "T0KEN"}
    if says is None:
        check_sender(one, environ)
        return
    with pytest.raises(ConfigError, match=says) as refused:
        check_sender(one, environ)
    assert "T0KEN" not in refused.value.message
    assert "receiver a" in refused.value.message
