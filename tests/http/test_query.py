from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ClientError
from broker.web.query import (
    MSGPACK,
    NDJSON,
    TEXT,
    TYPES,
    accepts_gzip,
    epoch_id,
    line_number,
    media_type,
    query_values,
)


def outcome(check: Callable[[], Any]) -> Any:
    """What the check gives, or the status of its error."""
    try:
        return check()
    except ClientError as error:
        return error.status


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
        ("text/*", TEXT),
        ("application/msgpack", MSGPACK),
        ("Application/MsgPack", MSGPACK),
        ("application/x-ndjson", NDJSON),
        ("application/*", NDJSON),
        ("application/x-ndjson;q=0.5, application/msgpack", MSGPACK),
        ("application/msgpack;q=0.5,application/x-ndjson;q=0.9", NDJSON),
        ("*/*;q=0.1, application/msgpack", MSGPACK),
        ("text/plain;q=0, */*", NDJSON),
        ("text/plain; charset=utf-8", TEXT),
    ],
)
def test_the_type_liked_best_is_chosen(accept: str, chosen: str) -> None:
    assert media_type(accept) == chosen


@pytest.mark.parametrize(
    "accept", ["application/json", "text/html", "text/plain;q=0", "*/*;q=0", "*/*;q=nan", ";"]
)
def test_no_type_in_common_is_406(accept: str) -> None:
    with pytest.raises(ClientError, match="a log is sent as text/plain") as refused:
        media_type(accept)
    assert refused.value.status == 406


@given(st.text())
def test_any_accept_header_gives_a_type_or_406(accept: str) -> None:
    assert outcome(lambda: media_type(accept)) in (*TYPES, 406)


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
    ],
)
def test_gzip_is_sent_only_where_it_is_asked_for(header: str, asked: bool) -> None:
    assert accepts_gzip(header) is asked


@pytest.mark.parametrize("text", ["-1", "+1", "1.0", "1e3", "NaN", "inf", "0x1", "1_0", "１", " 1"])
def test_a_line_number_is_digits_only(text: str) -> None:
    with pytest.raises(ClientError, match="from must be a whole number from 0 up"):
        line_number("from", text)


def test_a_line_number_beyond_64_bits_is_refused() -> None:
    with pytest.raises(ClientError):
        line_number("from", "9" * 19)


def test_a_limit_is_at_least_one() -> None:
    with pytest.raises(ClientError, match="limit must be a whole number from 1 up, not '0'"):
        line_number("limit", "0", least=1)


@pytest.mark.parametrize("text", ["a b", "é", "../x", "x" * 65])
def test_an_epoch_is_a_short_plain_name(text: str) -> None:
    with pytest.raises(ClientError, match="epoch"):
        epoch_id(text)


def test_query_values_are_decoded() -> None:
    assert query_values(b"job=train%2D%2a", ("job",)) == {"job": "train-*"}


@given(st.binary())
def test_any_query_gives_known_names_or_400(raw: bytes) -> None:
    found = outcome(lambda: query_values(raw, ("from", "limit")))
    assert found == 400 or set(found) <= {"from", "limit"}
