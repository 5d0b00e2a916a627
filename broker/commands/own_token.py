"""The token by which the dashboard and the alerts of `raytap serve` read from their own daemon."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final, Literal

from msgspec.structs import replace

from broker.access.token import OWN_NAME, hash_token, new_token
from broker.config.config import AccessConfig, Config, TokenConfig

VARIABLE: Final = "RAYTAP_OWN_TOKEN"


def with_own_token(config: Config, environ: MutableMapping[str, str]) -> Config:
    """The configuration with a token for the programs beside the daemon, where one is needed: new
    with each start, for reading, and nowhere but in `environ`, which they inherit.

    A program whose upstream names other brokers or a token of its own keeps to those.
    """
    changed = config
    sections: tuple[Literal["dashboard", "alerts"], ...] = ("dashboard", "alerts")
    for section in sections:
        program = getattr(config, section)
        upstream = program.upstream
        if program.enabled and not (upstream.brokers or upstream.token_file or upstream.token_env):
            upstream = replace(upstream, token_env=VARIABLE)
            changed = replace(changed, **{section: replace(program, upstream=upstream)})
    if changed is config or not config.access.required:
        return config
    token = new_token()
    environ[VARIABLE] = token
    own = TokenConfig(hash=hash_token(token))
    return replace(changed, access=_with(config.access, own))


def with_same_token(access: AccessConfig, before: AccessConfig) -> AccessConfig:
    """Permissions that were read again, with the token that `before` has for those programs. Where
    they ask for no token any more they are left so."""
    own = before.token.get(OWN_NAME)
    return _with(access, own) if own is not None and access.required else access


def _with(access: AccessConfig, own: TokenConfig) -> AccessConfig:
    return replace(access, token={**access.token, OWN_NAME: own})
