"""The token that the programs beside `raytap serve` read from their daemon with."""

from __future__ import annotations

from typing import Any

import pytest

from broker.access.access import Access
from broker.commands.own_token import VARIABLE, with_own_token
from broker.config.config import AlertsConfig, Config, DashboardConfig, UpstreamConfig
from tests.support.permissions import config as permissions

ON = DashboardConfig(enabled=True)


def test_where_tokens_are_asked_for_the_children_get_one_for_reading() -> None:
    environ: dict[str, str] = {}
    config = with_own_token(Config(access=permissions(), dashboard=ON), environ)
    grant = Access.of(config.access).authenticate(environ[VARIABLE])
    assert (grant.clusters, grant.jobs) == (("*",), ("*",))
    assert grant.actions == {"read"}
    assert config.dashboard.upstream.token_env == VARIABLE
    assert config.alerts.upstream.token_env == ""
    assert "tester" in config.access.token


def test_each_start_has_another_token() -> None:
    tokens = set()
    for _ in range(2):
        environ: dict[str, str] = {}
        with_own_token(Config(access=permissions(), dashboard=ON), environ)
        tokens.add(environ[VARIABLE])
    assert len(tokens) == 2


@pytest.mark.parametrize(
    "sections",
    [
        {"dashboard": ON},
        {"access": permissions()},
        {
            "access": permissions(),
            "alerts": AlertsConfig(enabled=True, upstream=UpstreamConfig(token_file="f")),
        },
        {
            "access": permissions(),
            "dashboard": DashboardConfig(
                enabled=True, upstream=UpstreamConfig(brokers=["http://other:8270"])
            ),
        },
    ],
)
def test_where_none_is_needed_none_is_made(sections: dict[str, Any]) -> None:
    environ: dict[str, str] = {}
    config = Config(**sections)
    assert with_own_token(config, environ) is config
    assert environ == {}
