"""Where a client goes on from: the ids of events."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ClientError
from broker.topic import Stream
from subscribers.dashboard.cluster_id import MOST_PLACES, cluster_id, parse_cluster_id
from subscribers.dashboard.event import frame_id
from subscribers.dashboard.positions import Place
from subscribers.dashboard.resume import Position, wanted
from tests.support.journal_records import EPOCH, log_frame

ids = st.from_regex(r"[A-Za-z0-9_-]{1,100}", fullmatch=True)
places = st.builds(Place, st.builds(Stream, st.just("ray"), ids), ids)


def test_the_id_of_a_frame_is_where_its_job_goes_on() -> None:
    assert wanted(frame_id(log_frame(0, 10)), None) == Position(EPOCH, 10)


def test_the_id_says_that_the_last_line_had_no_end() -> None:
    assert wanted(frame_id(log_frame(0, 10, partial=True)), None) == Position(EPOCH, 10, True)


def test_the_id_goes_before_from() -> None:
    assert wanted(f"{EPOCH}:7", "3") == Position(EPOCH, 7)
    assert wanted("", "-3") == Position("", -3)
    assert wanted("", None) is None


@pytest.mark.parametrize("text", ["x", ":", "e:", "e:-1", "e:1:2", "e:1pp", "é:1", "e:1\n"])
def test_an_id_that_was_never_sent_is_refused(text: str) -> None:
    with pytest.raises(ClientError, match="Last-Event-ID") as refused:
        wanted(text, None)
    assert refused.value.status == 400


@pytest.mark.parametrize("text", ["", "x", "1.5", "--1", "1e3", "٣", "9" * 30])
def test_a_from_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ClientError, match="from is a line number"):
        wanted("", text)


@given(
    st.dictionaries(places, st.tuples(st.integers(0, 2**50), st.booleans()), max_size=20),
    st.integers(0, 2**50),
    st.booleans(),
)
def test_a_clusters_id_holds_every_position(
    lines: dict[Place, tuple[int, bool]], ts: int, full: bool
) -> None:
    made = cluster_id([(place, *line) for place, line in lines.items()], ts, full=full)
    found = parse_cluster_id(made)
    assert {place: found.line(place) for place in lines} == lines
    assert (found.ts, found.full) == (ts, full)
    assert found.line(Place(Stream("ray", "never"), "seen")) is None


def test_a_clusters_id_fits_into_a_header() -> None:
    many = [(Place(Stream("ray", f"job-{n}"), EPOCH), 10**9, False) for n in range(MOST_PLACES)]
    assert len(cluster_id(many, 2**41, full=True)) < 7_500


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.hex()))
def test_anything_else_is_refused_or_read_and_never_an_error_of_ours(text: str) -> None:
    with suppress(ClientError):
        parse_cluster_id(text)
