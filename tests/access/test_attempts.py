from __future__ import annotations

from broker.access.attempts import LIMIT, WINDOW_S, Attempts


def test_what_is_remembered_is_bounded() -> None:
    attempts = Attempts()
    for n in range(20_000):
        attempts.wrong(f"address-{n}", 0.0)
    assert len(attempts._wrong) == 10_000


def test_an_address_that_goes_on_guessing_is_not_the_one_forgotten() -> None:
    attempts = Attempts()
    for n in range(LIMIT):
        attempts.wrong("bad", 0.0)
        for other in range(9_000 // LIMIT):
            attempts.wrong(f"{n}-{other}", 0.0)
    assert attempts.wrong("bad", 1.0) == (LIMIT + 1, WINDOW_S - 1)


def test_a_new_window_begins_with_the_first_wrong_token_after_the_last() -> None:
    attempts = Attempts()
    for _ in range(LIMIT):
        attempts.wrong("a", 0.0)
    assert attempts.wrong("a", WINDOW_S + 1) == (1, WINDOW_S)
