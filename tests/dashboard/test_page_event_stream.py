"""The page's reader of server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")

_PARSE = """async (pieces) => {
    const { EventParser } = await import("/static/event_stream.js");
    const events = [];
    const parser = new EventParser(({ event, data, id }) => events.push([event, data, id ?? ""]));
    for (const piece of pieces) parser.push(piece);
    return events;
}"""
_FOLLOW = """async () => {
    const { api } = await import("/static/api.js");
    window.told = [];
    window.stream = api.stream("default", "train-1", { from: 0 }, {
        frame: ({ lines }) => window.told.push(...lines),
        error: ({ status, final }) => window.told.push(`${status} ${final}`),
    });
}"""


@pytest.fixture
def page(watched: Watched, gateway: FakeGateway) -> Page:
    """A bare page of the gateway's origin."""
    watched.allowed.append("status of 404")  # its favicon.ico, and where a test asks for it
    watched.page.goto(f"{gateway.url}/static/favicon.svg")
    return watched.page


def told(page: Page, count: int) -> list[str]:
    """What the followed stream told, once there is so much of it."""
    wait_until(lambda: page.evaluate("window.told.length") >= count)
    return list(page.evaluate("window.told"))


def test_events_are_read_however_they_are_cut(page: Page) -> None:
    text = ': ping\r\n\r\nid: e:1\r\nevent: frame\r\ndata: {"a":\r\ndata:1}\r\n\r\ndata: b\n\n'
    whole = page.evaluate(_PARSE, [text])
    assert whole == [["frame", '{"a":\n1}', "e:1"], ["message", "b", "e:1"]]
    assert page.evaluate(_PARSE, list(text)) == whole


def test_a_stream_that_is_cut_goes_on_at_the_line_where_it_was(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", total=2)
    page.evaluate(_FOLLOW)
    assert told(page, 2) == ["line 0", "line 1"]
    gateway.cut("default/train-1")
    assert told(page, 3)[2:] == ["0 false"]  # it may be there again in no time at all
    gateway.push("train-1", ["meanwhile"])
    assert told(page, 4) == ["line 0", "line 1", "0 false", "meanwhile"]
    page.evaluate("window.stream.close()")
    wait_until(lambda: gateway.listeners("default/train-1") == 0)


def test_a_stream_that_there_is_not_is_given_up(page: Page) -> None:
    page.evaluate(_FOLLOW)
    assert told(page, 1) == ["404 true"]
