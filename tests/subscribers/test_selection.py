"""Patterns, and what the transports are asked for."""

from __future__ import annotations

import pytest

from broker.errors import ClientError
from broker.topic import Stream
from subscribers.selection import Selection


@pytest.mark.parametrize(
    ("pattern", "prefix", "channels", "globs"),
    [
        ("ray/job-1", b"ray/job-1/", ["raytap/ray/job-1/"], []),
        ("job-1", b"", [], ["raytap/*/job-1/"]),
        ("ray/job-*", b"ray/job-", [], ["raytap/ray/job-*/"]),
        ("ray/*", b"ray/", [], ["raytap/ray/*/"]),
        ("*", b"", [], ["raytap/*/*/"]),
        ("r?y/j[!1]", b"r", [], ["raytap/r?y/j[^1]/"]),
    ],
)
def test_a_pattern_is_what_each_transport_understands(
    pattern: str, prefix: bytes, channels: list[str], globs: list[str]
) -> None:
    selection = Selection(pattern)
    assert selection.prefixes() == [prefix]
    assert selection.channels() == channels
    assert selection.channel_patterns() == globs


def test_a_pattern_without_a_cluster_names_the_job_on_each() -> None:
    selection = Selection(["job-1", "b/*"])
    assert Stream("a", "job-1") in selection
    assert Stream("a", "job-12") not in selection
    assert Stream("b", "job-12") in selection


@pytest.mark.parametrize("pattern", ["", "a/b/c", "a/", "/b", "a b", "job\n", "ä"])
def test_what_can_name_no_job_is_refused(pattern: str) -> None:
    with pytest.raises(ClientError, match="no job pattern"):
        Selection(pattern)
