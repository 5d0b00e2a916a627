from __future__ import annotations

import pytest

from broker.access import sessions as module
from broker.access.grant import Grant
from broker.access.sessions import Sessions

GRANT = Grant("a", ("*",), ("*",), frozenset({"read"}))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_opens_what_its_token_did_until_it_is_over() -> None:
    clock = Clock()
    sessions = Sessions(clock=clock)
    value = sessions.create(GRANT, 60)
    assert sessions.grant(value) == GRANT
    clock.now += 60
    assert sessions.grant(value) is None


def test_a_session_ends_with_its_token() -> None:
    clock = Clock()
    sessions = Sessions(clock=clock)
    value = sessions.create(Grant("a", expires=1010.0), 3600)
    clock.now = 1009.0
    assert sessions.grant(value) is not None
    clock.now = 1010.0
    assert sessions.grant(value) is None


def test_signing_out_ends_one_session_and_no_other() -> None:
    sessions = Sessions()
    mine, other = sessions.create(GRANT, 60), sessions.create(GRANT, 60)
    sessions.end(mine)
    sessions.end("unknown")
    assert sessions.grant(mine) is None
    assert sessions.grant(other) == GRANT


def test_values_are_random_fit_for_a_cookie_and_not_kept() -> None:
    sessions = Sessions()
    values = {sessions.create(GRANT, 60) for _ in range(50)}
    assert len(values) == 50
    assert all(len(value) >= 43 and value.replace("-", "").replace("_", "").isalnum()
               for value in values)  # fmt: skip
    assert values.isdisjoint(sessions._grants)
    assert sessions.grant("") is None


def test_sessions_are_bounded_and_the_oldest_is_signed_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)
    sessions = Sessions()
    values = [sessions.create(GRANT, 60) for _ in range(4)]
    assert [sessions.grant(value) is not None for value in values] == [False, True, True, True]
