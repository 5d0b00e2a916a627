"""Whatever a job prints, the engine goes on, and what it keeps is bounded."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.frame import Frame
from subscribers.alerts.engine.book import MOST_SERIES
from subscribers.alerts.engine.windows import MOST_ENTRIES
from subscribers.alerts.rules.blocks import MOST_CHARACTERS, MOST_LINES, MOST_OPEN
from tests.support.alert_world import START, World

EVERYTHING = """
ready_made = "*"
[[alert]]
name = "json"
json = [{field = "a", above = 1, match = "x", equals = nan}, {field = "b.c", below = 3}]
[[alert]]
name = "group"
match = '(?P<all>.+)'
threshold = 2
before = 20
after = 20
annotations = {text = "{before}{line}{after}{traceback}"}
[[alert]]
name = "level"
level = "debug"
rate_above = 1
"""
PIECES = st.sampled_from(
    [
        "Traceback (most recent call last):", '  File "x", line 1, in f', "ValueError",
        '{"a": ', "NaN", "1e999", "[" * 2000, '{"a": {"a": ' * 300, "9" * 5000, "\x00",
        "\u2028", "[repeated 999999999x across cluster]", "loss=nan", "INFO", " ", "\n", "ä",
        "(f pid=1) ",
    ]
)  # fmt: skip
LINES = st.lists(st.lists(PIECES, max_size=6).map("".join), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=6), st.booleans())
def test_no_line_breaks_the_engine_nor_its_dump(frames: list[list[str]], partial: bool) -> None:
    world = World(EVERYTHING)
    world.status("RUNNING")
    for lines in frames:
        world.lines(*lines, partial=partial)
        world.now += 1
        world.restart()
    world.end("FAILED")
    world.wait(30)


def test_an_endless_traceback_is_bounded_and_told_as_it_stands() -> None:
    world = World('[[alert]]\nname = "x"\non = "traceback"')
    world.lines("Traceback (most recent call last):")
    seen: list[str] = []
    for _ in range(40):
        world.now += 1
        seen += world.lines(*[f'  File "x.py", line 1, in f{"y" * 5000}'] * 50)
        seen += world.tick()
    assert seen == ["x firing"]
    assert len(world.engine.dump()) < MOST_LINES * (MOST_CHARACTERS + 100)


def test_tracebacks_of_many_workers_at_once_are_bounded() -> None:
    world = World('[[alert]]\nname = "x"\non = "traceback"')
    for n in range(MOST_OPEN * 3):
        world.lines(f"(f pid={n}) Traceback (most recent call last):")
    assert len(world.engine.dump()) < 200 * MOST_OPEN


def test_more_jobs_than_a_rule_keeps_are_counted() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"')
    frames = [
        Frame(kind="log", cluster="c", job=f"j{n}", epoch="e", first=0, next=1, lines=["bad"])
        for n in range(MOST_SERIES + 7)
    ]
    assert len(world.engine.feed_all(frames, START)) == MOST_SERIES
    assert world.engine.dropped == {"x": 7}


def test_a_flood_of_matches_is_kept_in_few_bytes() -> None:
    world = World('[[alert]]\nname = "x"\nmatch = "bad"\nthreshold = 1000000\nwindow = "1h"')
    for _ in range(2000):
        world.now += 0.1
        world.lines(*["bad"] * 50)
    assert len(world.engine.dump()) < 20 * MOST_ENTRIES
