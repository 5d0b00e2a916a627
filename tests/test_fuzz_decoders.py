"""Whatever comes from outside, each decoder gives its value or its one error."""

from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.backoff import RETRY_AFTER_MAX_S, RETRY_AFTER_MIN_S, retry_after
from broker.errors import ClientError, FrameError
from broker.frame import Frame, decode, encode
from broker.sources.ray_api import RayApi
from broker.topic import Stream, parse_topic
from tests.support.journal_records import gap_frame, log_frame, point_frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from([*Frame.__struct_fields__, "v", "unknown"])
FRAMES = [encode(frame) for frame in (log_frame(0, 3), gap_frame(3, 9), point_frame("end", 9))]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_a_frame_error(payload: bytes) -> None:
    with contextlib.suppress(FrameError):
        decode(payload)


@given(st.dictionaries(FIELDS, JSON, max_size=10))
@settings(deadline=None)
def test_any_map_is_a_frame_or_a_frame_error(fields: dict[str, object]) -> None:
    try:
        payload = msgpack.packb({"v": 1} | fields)
    except (OverflowError, ValueError):
        return  # no msgpack can say it
    with contextlib.suppress(FrameError):
        frame = decode(payload)
        assert len(frame.lines) == (frame.next - frame.first if frame.kind == "log" else 0)


@given(st.sampled_from(FRAMES), st.integers(0, 400), st.integers(0, 255))
def test_a_frame_with_one_byte_changed_is_a_frame_or_a_frame_error(
    payload: bytes, at: int, byte: int
) -> None:
    changed = bytearray(payload)
    changed[at % len(payload)] = byte
    with contextlib.suppress(FrameError):
        decode(bytes(changed))


def test_a_frame_that_speaks_of_lines_it_has_not_is_a_frame_error() -> None:
    fields = msgpack.unpackb(encode(log_frame(0, 3))) | {"cr": [3]}
    with pytest.raises(FrameError, match="cr of lines"):
        decode(msgpack.packb(fields))


@given(st.binary(max_size=60))
def test_any_topic_names_a_stream_or_none(topic: bytes) -> None:
    assert isinstance(parse_topic(topic), Stream | None)


@given(st.text(max_size=40))
def test_any_retry_after_is_a_bounded_wait(value: str) -> None:
    wait = retry_after({"Retry-After": value}, default=30.0, now=lambda: 1e9)
    assert RETRY_AFTER_MIN_S <= wait <= RETRY_AFTER_MAX_S


class _Answers:
    """Ray's answers, in place of the pool and the endpoints."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def get(self, url: str) -> bytes:
        return self.body

    @contextlib.contextmanager
    def use(self, sample: bool = True):  # type: ignore[no-untyped-def]
        yield "http://127.0.0.1:1"


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80).map(str.encode)))
def test_any_answer_of_ray_is_read_or_a_client_error(body: bytes) -> None:
    answers = _Answers(body)
    api = RayApi(answers, answers)  # type: ignore[arg-type]
    for ask in (api.session, api.jobs):
        with contextlib.suppress(ClientError):
            ask()
