"""The HTTP question to a journal, and what its answer is cut into."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
import msgpack
import pytest
from hypothesis import given

from broker.errors import ClientError
from broker.frame import decode, encode
from subscribers.replay import JournalClient, split
from tests.support.journal_records import STREAM, log_frame
from tests.support.little_http import LittleHttp, Reply
from tests.support.ports import free_port


@given(st.lists(st.integers(0, 2000), max_size=20), st.integers(1, 9))
def test_frames_come_out_whole_however_the_body_is_cut(cuts: list[int], count: int) -> None:
    payloads = [encode(log_frame(n, n + 3)) for n in range(count)]
    body = b"".join(payloads)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = (body[begin:end] for begin, end in pairwise(edges) if begin < end)
    assert list(split(chunks)) == payloads


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_are_split_or_refused_with_a_clear_error(chunks: list[bytes]) -> None:
    pieces, status = [], 0
    try:
        pieces = list(split(iter(chunks)))
    except ClientError as error:
        status = error.status
    assert status == 503 or b"".join(pieces) == b"".join(chunks)


def test_a_body_that_ends_inside_a_frame_is_an_error() -> None:
    body = encode(log_frame(0, 3))
    with pytest.raises(ClientError, match="cut short"):
        list(split(iter([body, body[:-1]])))


def test_it_asks_for_what_is_wanted_with_the_token() -> None:
    body = encode(log_frame(5, 8))
    with LittleHttp(lambda path, headers: Reply(200, body)) as server:
        client = JournalClient(server.url + "/", "s3cret")
        ((frame, size),) = client.replay(STREAM, 5, "abc", 10)
        client.close()
        ((path, headers),) = server.asked
    assert (frame, size) == (decode(body), len(body))
    assert path == f"/v1/jobs/{STREAM}/log?from=5&epoch=abc&limit=10"
    assert headers["accept"] == "application/msgpack"
    assert headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("status", "expected"), [(401, 401), (403, 403), (404, 404), (429, 429), (503, 503), (500, 503)]
)
def test_a_refusal_is_an_error_with_what_the_broker_said(status: int, expected: int) -> None:
    body = {"error": {"status": status, "message": "because\nof this"}}
    with LittleHttp(lambda path, headers: Reply(status, body)) as server:
        client = JournalClient(server.url)
        with pytest.raises(ClientError, match=r"because\\nof this") as caught:
            list(client.replay(STREAM, 0))
        client.close()
    assert caught.value.status == expected


def test_nobody_there_is_503() -> None:
    with pytest.raises(ClientError, match="cannot connect") as caught:
        JournalClient(f"http://127.0.0.1:{free_port()}").jobs()
    assert caught.value.status == 503


def test_something_else_at_the_address_is_said_to_be_no_raytap() -> None:
    with LittleHttp(lambda path, headers: Reply(404, b"404: Not Found")) as server:
        client = JournalClient(server.url)
        with pytest.raises(ClientError, match="is no raytap") as caught:
            client.jobs()
        client.close()
    assert caught.value.status == 404


def test_a_frame_of_another_version_is_refused() -> None:
    body = msgpack.packb({"v": 2})
    with LittleHttp(lambda path, headers: Reply(200, body)) as server:
        client = JournalClient(server.url)
        with pytest.raises(ClientError, match="version 2"):
            list(client.replay(STREAM, 0))
        client.close()
