"""Whatever was stored, a replay says each line of its range once, in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.frame import Frame
from broker.journal.memory import MemoryJournal
from broker.journal.replay import replay
from tests.support.journal_records import (
    STREAM,
    gap_frame,
    log_frame,
    log_records,
    point_frame,
    record,
    text,
)

LINES = st.integers(0, 40)


@st.composite
def stored_frames(draw: st.DrawFn) -> Frame:
    first = draw(LINES)
    following = first + draw(st.integers(1, 20))
    kind = draw(st.sampled_from(["log", "log", "gap", "status"]))
    if kind == "gap":
        return gap_frame(first, following)
    return point_frame("status", first) if kind == "status" else log_frame(first, following)


@given(st.lists(stored_frames(), min_size=1, max_size=12), LINES, st.none() | LINES)
def test_each_line_is_had_or_named_exactly_once_and_none_that_is_stored_is_missing(
    frames: list[Frame], start: int, limit: int | None
) -> None:
    journal = MemoryJournal(1 << 40, 1 << 40, 1e9)
    journal.append([record(frame) for frame in frames])
    found = replay(journal, STREAM, start=start, limit=limit)
    line = found.first
    lines: dict[int, str] = {}
    for frame in found.frames:
        if frame.next > frame.first:
            assert frame.first == line
            line = frame.next
            lines.update(enumerate(frame.lines, frame.first))
    assert line == found.next
    had = {n for frame in frames if frame.kind == "log" for n in range(frame.first, frame.next)}
    wanted = had & set(range(found.first, found.next))
    assert lines == {n: text(n) for n in wanted}


@given(st.integers(1, 120), st.integers(0, 130))
def test_requests_one_after_the_other_give_what_one_request_gives(limit: int, start: int) -> None:
    journal = MemoryJournal(1 << 40, 1 << 40, 1e9)
    journal.append([*log_records(12), record(point_frame("end", 120))])
    whole = [line for frame in replay(journal, STREAM, start=start).frames for line in frame.lines]
    kinds: list[str] = []
    pieces: list[str] = []
    line, following = -1, min(start, 120)
    while following != line:
        line = following
        found = replay(journal, STREAM, start=line, limit=limit)
        for frame in found.frames:
            pieces += frame.lines
            kinds += [frame.kind] if frame.kind == "end" and found.next > line else []
        following = found.next
    assert pieces == whole
    assert len(kinds) <= 1
