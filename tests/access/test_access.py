from __future__ import annotations

import logging
import re

import pytest

from broker.access.access import Access, TooManyWrong
from broker.access.attempts import LIMIT, WINDOW_S
from broker.access.grant import ANYONE
from broker.access.token import HASH, hash_token, new_token
from broker.config.config import AccessConfig, JwtConfig, TokenConfig
from broker.errors import ClientError, ConfigError
from tests.support.permissions import OPEN, TOKEN, access
from tests.support.permissions import config as permissions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(access: Access, token: str, address: str = "10.0.0.1") -> ClientError:
    with pytest.raises(ClientError) as caught:
        access.authenticate(token, address)
    return caught.value


def test_a_token_is_random_recognisable_and_one_word() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(re.fullmatch(r"raytap_[A-Za-z0-9]{43}", token) for token in tokens)


def test_a_hash_is_of_the_form_that_the_configuration_takes() -> None:
    assert HASH.fullmatch(hash_token(TOKEN))
    assert HASH.fullmatch(hash_token("\udcff"))


def test_a_token_opens_what_its_section_says() -> None:
    grant = access(["train-*"], ["prod"], ["read", "admin"]).authenticate(TOKEN)
    assert (grant.name, grant.clusters, grant.jobs) == ("tester", ("prod",), ("train-*",))
    assert grant.actions == {"read", "admin"}
    assert grant.expires is None


def test_each_of_several_tokens_is_itself() -> None:
    tokens = {name: new_token() for name in ("a", "b", "c")}
    sections = {name: TokenConfig(hash=hash_token(token)) for name, token in tokens.items()}
    several = Access.of(AccessConfig(token=sections))
    assert [several.authenticate(token).name for token in tokens.values()] == list(tokens)


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), hash_token(TOKEN), "a.b.c", "\xff"]
)
def test_any_other_token_is_refused_without_a_word_on_why(token: str) -> None:
    error = refused(access(), token)
    assert (error.status, error.message) == (401, "this token is not known here")


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_header_is_read_whatever_the_case_of_its_scheme(scheme: str) -> None:
    assert access().of_headers({"authorization": scheme + TOKEN}).name == "tester"


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN])
def test_a_header_without_a_bearer_token_is_asked_for_one(value: str) -> None:
    with pytest.raises(ClientError, match="401: a token is needed"):
        access().of_headers({"authorization": value})


def test_where_nothing_is_configured_no_token_is_asked_for() -> None:
    assert not OPEN.required
    assert OPEN.of_headers({}) is ANYONE
    assert Access.of(AccessConfig()).of_headers({"authorization": "Bearer x"}) is ANYONE


def test_many_wrong_tokens_are_told_to_wait_and_those_of_other_addresses_are_not() -> None:
    clock = Clock()
    door = access(clock=clock)
    assert {refused(door, f"guess-{n}").status for n in range(LIMIT)} == {401}
    clock.now += 9.5
    error = refused(door, "guess")
    assert (error.status, error.message) == (
        429,
        "too many wrong tokens from this address; ask again in 51 s",
    )
    assert isinstance(error, TooManyWrong)
    assert error.retry_after == 51
    assert refused(door, "guess", "10.0.0.2").status == 401
    clock.now += WINDOW_S
    assert refused(door, "guess").status == 401


def test_a_right_token_is_let_in_however_often_others_at_its_address_were_wrong() -> None:
    door = access()
    for n in range(2 * LIMIT):
        refused(door, f"guess-{n}")
    assert door.authenticate(TOKEN, "10.0.0.1").name == "tester"


def test_wrong_tokens_now_and_then_shut_nothing() -> None:
    clock = Clock()
    door = access(clock=clock)
    for n in range(3 * LIMIT):
        clock.now += WINDOW_S / (LIMIT - 1)
        assert refused(door, f"guess-{n}").status == 401


def test_a_wrong_token_is_logged_with_its_address_and_never_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = access()
    with caplog.at_level(logging.DEBUG):
        for n in range(LIMIT + 5):
            refused(door, f"raytap_wrong{n}")
        door.authenticate(TOKEN, "10.0.0.2")
    assert [record.getMessage() for record in caplog.records] == ["token_refused"] * 2
    shown = "".join(str(record.__dict__) for record in caplog.records)
    assert "10.0.0.1" in shown
    assert "raytap_wrong" not in shown
    assert TOKEN not in shown


# Read again ----------------------------------------------------------------------------------


def test_a_token_that_was_taken_back_is_refused_at_once_and_its_grant_is_not_held() -> None:
    door = access()
    grant = door.authenticate(TOKEN)
    assert door.holds(grant)
    other = new_token()
    door.reload(AccessConfig(token={"tester": TokenConfig(hash=hash_token(other))}))
    assert refused(door, TOKEN).status == 401
    assert not door.holds(grant)  # though the new one has its name
    assert door.holds(door.authenticate(other))


def test_a_grant_that_opens_something_else_now_is_not_held() -> None:
    door = access(jobs=["train-*"])
    grant = door.authenticate(TOKEN)
    door.reload(permissions(jobs=["eval-*"]))
    assert not door.holds(grant)
    assert door.holds(door.authenticate(TOKEN))


def test_a_token_that_stays_is_held() -> None:
    door = access()
    grant = door.authenticate(TOKEN)
    more = permissions().token | {"new": TokenConfig(hash=hash_token(new_token()))}
    door.reload(AccessConfig(token=more))
    assert door.holds(grant)


def test_permissions_are_not_switched_on_or_off_by_reading_again() -> None:
    door = access()
    with pytest.raises(ConfigError, match="only a start opens all to all"):
        door.reload(AccessConfig())
    assert door.authenticate(TOKEN).name == "tester"
    open_to_all = Access.of(AccessConfig())
    with pytest.raises(ConfigError, match="only a start"):
        open_to_all.reload(permissions())
    assert open_to_all.of_headers({}) is ANYONE
    assert open_to_all.holds(ANYONE)


def test_a_key_file_that_is_wrong_changes_nothing() -> None:
    door = access()
    with pytest.raises(ConfigError, match="cannot be read"):
        door.reload(AccessConfig(jwt=JwtConfig(key_file="/nowhere/key.pem")))
    assert door.authenticate(TOKEN).name == "tester"
