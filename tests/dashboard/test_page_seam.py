"""Between the lines that a page asked for and those that come live nothing is lost or repeated,
whatever happens to the log in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from broker.frame import Frame
from tests.support.browser import Watched
from tests.support.gateway import GatewayUnderTest
from tests.support.served_broker import ServedBroker

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

pytest.importorskip("playwright")
from playwright.sync_api import expect

EPOCH = "0123456789ab"
LATER = "0123456789cd"


def log(first: int, lines: list[str], epoch: str = EPOCH, **more: Any) -> Frame:
    return Frame(
        "log", "default", "train", first, first + len(lines),
        epoch=epoch, lines=lines, ts=first + 1, **more,
    )  # fmt: skip


@pytest.fixture
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        broker.publish(log(0, ["one", "two"]))
        yield broker


@pytest.fixture
def real(broker: ServedBroker) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([broker]) as gateway:
        yield gateway


@pytest.fixture
def watched(browser: Browser, real: GatewayUnderTest) -> Iterator[Watched]:
    watched = Watched(browser, real.url)
    watched.allowed += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY_RESPONSE"]
    try:
        yield watched
        watched.check()
    finally:
        watched.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


def between(page: Page, happens: Callable[[], object]) -> None:
    """Let something happen when the page has its first lines, and asks for what is live."""

    def asked(route: Route) -> None:
        happens()
        route.continue_()

    page.route("**/train/stream*", asked, times=1)


def opened(page: Page, real: GatewayUnderTest, fragment: str = "") -> Locator:
    """The rows' texts."""
    page.goto(f"{real.url}/jobs/default/train{fragment}")
    return page.locator(".log-rows .row.line .text")


def test_a_line_that_had_no_end_gets_its_end_live(
    page: Page, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    broker.publish(log(2, ["half a"], partial=True))
    with page.expect_response("**/train/stream*"):
        texts = opened(page, real)
    expect(texts.nth(2)).to_contain_text("half a")
    broker.publish(log(2, ["half a line", "three"], amends=True))
    expect(texts).to_have_text(["one", "two", "half a line", "three"])


def test_a_line_that_had_no_end_when_it_was_asked_for_gets_its_end(
    page: Page, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    broker.publish(log(2, ["half a"], partial=True))
    between(page, lambda: broker.publish(log(2, ["half a line", "three"], amends=True)))
    expect(opened(page, real)).to_have_text(["one", "two", "half a line", "three"])


def test_a_line_that_grew_while_the_gateway_was_away_is_whole(
    watched: Watched, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    broker.publish(log(2, ["half a"], partial=True))
    texts = opened(watched.page, real)
    expect(texts.nth(2)).to_contain_text("half a")
    real.stop()
    expect(watched.page.get_by_text("Disconnected from the gateway")).to_be_visible()
    broker.publish(log(2, ["half a line", "three"], amends=True))
    real.start()
    watched.reconnect()
    expect(texts).to_have_text(["one", "two", "half a line", "three"])


def test_another_file_that_began_in_between_is_shown_from_its_first_line(
    page: Page, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    def begins() -> None:
        broker.publish(log(2, ["three"]), log(0, ["new one"], LATER), log(1, ["new two"], LATER))

    between(page, begins)
    expect(opened(page, real)).to_have_text(["new one", "new two"])


def test_lines_that_came_in_between_come_once(
    page: Page, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    between(page, lambda: broker.publish(log(2, ["three"]), log(3, ["four", "five"])))
    expect(opened(page, real)).to_have_text(["one", "two", "three", "four", "five"])


def test_a_link_opens_at_its_line_also_where_lines_are_long(
    page: Page, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    for first in range(2, 2_002, 100):
        broker.publish(log(first, [f"{line} " + 700 * "x" for line in range(first, first + 100)]))
    opened(page, real, "#L1990")
    expect(page.locator('.row.picked[data-line="1990"]')).to_be_visible()
