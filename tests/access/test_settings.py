"""What the configuration says of permissions, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.config.checks import problems
from broker.config.config import (
    AccessConfig,
    AlertsConfig,
    ClusterConfig,
    Config,
    DashboardConfig,
    HttpConfig,
    JwtConfig,
    PublishConfig,
    TokenConfig,
    ZeromqConfig,
)
from broker.config.settings import resolve
from broker.errors import ConfigError

HASH = "sha256:" + "a0" * 32
TOKENS = AccessConfig(token={"a": TokenConfig(hash=HASH)})


def found(**sections: Any) -> dict[str, str]:
    cluster = {"c": ClusterConfig(endpoints=["http://127.0.0.1:8265"])}
    return dict(problems(Config(cluster=cluster, **sections)))


@pytest.mark.parametrize(
    ("section", "kind"),
    [("http", HttpConfig), ("dashboard", DashboardConfig), ("alerts", AlertsConfig)],
)
def test_http_goes_beyond_loopback_with_permissions_or_by_insecure(section: str, kind: Any) -> None:
    exposed = {section: kind(bind="0.0.0.0:1")}
    refused = found(**exposed)
    assert list(refused) == [f"{section}.bind"]
    for said in ("raytap token new NAME", "127.0.0.1:1", f"{section}.insecure = true"):
        assert said in refused[f"{section}.bind"]
    assert found(**exposed, access=TOKENS) == {}
    assert found(**exposed, access=AccessConfig(jwt=JwtConfig(key_file="key.pem"))) == {}
    assert found(**{section: kind(bind="0.0.0.0:1", insecure=True)}) == {}


def test_permissions_do_not_open_zeromq_which_has_none() -> None:
    publish = PublishConfig(zeromq=ZeromqConfig(bind="tcp://0.0.0.0:1"))
    refused = found(publish=publish, access=TOKENS)
    assert list(refused) == ["publish.zeromq.bind"]
    assert "ZeroMQ has no permissions" in refused["publish.zeromq.bind"]


@pytest.mark.parametrize(
    ("token", "setting", "says"),
    [
        ({"hash": ""}, "hash", "is not sha256:"),
        ({"hash": HASH.upper()}, "hash", "is not sha256:"),
        ({"hash": HASH + "0"}, "hash", "is not sha256:"),
        ({"hash": "raytap_" + "a0" * 21}, "hash", "is the token itself"),
        ({"clusters": []}, "clusters", "opens nothing"),
        ({"clusters": ["a/b"]}, "clusters", "'a/b' is not a pattern of a cluster"),
        ({"jobs": []}, "jobs", "opens nothing"),
        ({"jobs": ["a/b/c"]}, "jobs", "'a/b/c' is not a pattern"),
        ({"jobs": [""]}, "jobs", "'' is not a pattern"),
        ({"actions": []}, "actions", "opens nothing"),
    ],
)
def test_a_token_that_is_none_or_opens_nothing_is_refused_and_not_shown(
    token: dict[str, Any], setting: str, says: str
) -> None:
    section = TokenConfig(**{"hash": HASH, **token})
    refused = found(access=AccessConfig(token={"a": section}))
    assert list(refused) == [f"access.token.a.{setting}"]
    assert says in refused[f"access.token.a.{setting}"]
    assert "a0a0" not in str(refused)
    assert "a0a0" not in repr(section)


def test_a_tokens_name_is_a_word_and_no_two_share_a_hash() -> None:
    one = TokenConfig(hash=HASH)
    assert list(found(access=AccessConfig(token={"a b": one}))) == ["access.token.a b"]
    both = found(access=AccessConfig(token={"a": one, "b": one}))
    assert list(both) == ["access.token.b.hash"]


def test_the_name_of_serves_own_token_is_nobody_elses(tmp_path: Path) -> None:
    section = TokenConfig(hash=HASH)
    (refused,) = found(access=AccessConfig(token={"raytap-serve": section})).items()
    assert refused[0] == "access.token.raytap-serve"
    assert "take another" in refused[1]
    (tmp_path / "raytap.toml").write_text(f'[access.token.raytap-serve]\nhash = "{HASH}"\n')
    with pytest.raises(ConfigError, match=r"access\.token\.raytap-serve"):
        resolve({}, {}, tmp_path)


def test_settings_of_jwt_without_a_key_are_refused_since_they_close_nothing() -> None:
    assert list(found(access=AccessConfig(jwt=JwtConfig(issuer="idp")))) == ["access.jwt.key_file"]


def test_insecure_as_a_flag_is_for_every_address(tmp_path: Path) -> None:
    (tmp_path / "raytap.toml").write_text(
        '[dashboard]\nbind = "0.0.0.0:2"\n[alerts]\nbind = "0.0.0.0:3"\n'
    )
    flags = {"http": "0.0.0.0:1", "zeromq": "tcp://0.0.0.0:4"}
    with pytest.raises(ConfigError, match="--insecure"):
        resolve(flags, {}, tmp_path)
    config = resolve({**flags, "insecure": True}, {}, tmp_path).config
    assert config.http.insecure
    assert config.publish.zeromq.insecure
    assert config.dashboard.insecure
    assert config.alerts.insecure


def test_a_token_may_be_given_by_the_environment(tmp_path: Path) -> None:
    environ = {
        "RAYTAP_ACCESS__TOKEN__ONCALL__HASH": HASH,
        "RAYTAP_ACCESS__TOKEN__ONCALL__JOBS": "train-*,eval-*",
        "RAYTAP_TOKEN": "raytap_x",  # of the commands that ask a daemon
    }
    token = resolve({}, environ, tmp_path).config.access.token["oncall"]
    assert token == TokenConfig(hash=HASH, jobs=["train-*", "eval-*"])
