"""Who follows a log follows it until they act: what only the page's layout moves ends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

_TWO_FRAMES = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
)
# It draws its rows fifty times a second.
_BUSY = """() => {
  const draw = () => pane.setAlerts([]);
  window.busy = setInterval(draw, 20);
}"""


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


def opened(page: Page, gateway: FakeGateway, **options: Any) -> None:
    gateway.add_job("train", total=5_000, line=lambda n: f"step {n} " + "word " * (n % 40))
    open_pane(page, gateway, "train", **options)
    row(page, 4_999).wait_for()
    wait_until(lambda: gateway.listeners("default/train"))


def act(page: Page, script: str) -> None:
    """Run a script on `place`, the pane's element, and `scroller`, and draw what it did."""
    page.evaluate(
        "() => { const place = document.getElementById('pane');"
        f" const scroller = document.querySelector('.log-scroller'); {script} }}"
    )
    page.evaluate(_TWO_FRAMES)


def goes_on(page: Page, gateway: FakeGateway) -> bool:
    """Whether a line that comes now is shown."""
    end = page.evaluate("states.length")
    gateway.push("train", ["and one more"])
    page.locator(".log-rows .text", has_text="and one more").last.wait_for()
    states = page.evaluate(f"states.slice({end} - 1)")
    return all(state["following"] for state in states) and page.evaluate(
        "() => { const s = document.querySelector('.log-scroller');"
        " return s.scrollHeight - s.clientHeight - s.scrollTop < 2 }"
    )


@pytest.mark.parametrize("wrap", [False, True])
def test_a_window_that_grows_while_lines_are_drawn_follows(
    page: Page, gateway: FakeGateway, wrap: bool
) -> None:
    opened(page, gateway, wrap=wrap)
    for height in ("40dvh", "100dvh", "70dvh", "90dvh"):
        act(page, f"pane.setAlerts([]); place.style.height = '{height}'")
    assert goes_on(page, gateway)


def test_a_window_that_grew_and_shrank_before_it_was_drawn_follows(
    page: Page, gateway: FakeGateway
) -> None:
    opened(page, gateway)
    act(page, "place.style.height = '50dvh'")
    act(
        page,
        "place.style.height = '100dvh'; scroller.getBoundingClientRect();"
        " place.style.height = '50dvh'",
    )
    assert goes_on(page, gateway)


def test_a_pane_that_is_put_elsewhere_or_hidden_for_a_while_follows(
    page: Page, gateway: FakeGateway
) -> None:
    opened(page, gateway)
    act(page, "document.body.append(place)")
    assert goes_on(page, gateway)
    act(page, "place.style.display = 'none'; pane.setAlerts([])")
    act(page, "place.style.display = ''; pane.setAlerts([])")
    assert goes_on(page, gateway)


def test_opening_and_closing_what_is_above_the_lines_ends_nothing(
    page: Page, gateway: FakeGateway
) -> None:
    opened(page, gateway)
    for _ in range(3):
        page.evaluate("pane.openSearch()")
        gateway.push("train", ["meanwhile"])
        page.locator(".search-text").press("Escape")
        gateway.push("train", ["meanwhile"])
    gateway.set_state(False, "the broker does not answer")
    page.locator(".strip").wait_for()
    gateway.set_state(True)
    gateway.push("train", ["meanwhile"])
    page.locator(".strip").wait_for(state="hidden")
    assert goes_on(page, gateway)


@contextmanager
def busy(page: Page) -> Iterator[None]:
    page.evaluate(_BUSY)
    try:
        yield
    finally:
        page.evaluate("clearInterval(busy)")


def test_each_way_of_moving_the_window_ends_it_also_while_lines_are_drawn(
    page: Page, gateway: FakeGateway
) -> None:
    opened(page, gateway)
    scroller = page.locator(".log-scroller")

    def drag() -> None:
        page.mouse.down()
        act(page, "scroller.scrollTop -= 300")
        page.mouse.up()

    def throw() -> None:
        scroller.dispatch_event("touchmove")
        act(page, "scroller.scrollTop -= 300")

    with busy(page):
        scroller.hover()
        wheel = partial(page.mouse.wheel, 0, -120)
        keys = [partial(scroller.press, key) for key in ("PageUp", "Home", "ArrowUp", "f")]
        ways: list[Callable[[], None]] = [drag, throw, *keys, *[wheel] * 10]
        for way in ways:
            page.evaluate("pane.focus()")
            page.keyboard.press("G")
            wait_until(lambda: page.evaluate("states.at(-1).following"))
            way()
            wait_until(lambda: not page.evaluate("states.at(-1).following"))


def test_closing_the_first_of_two_logs_leaves_the_other_where_it_is(
    page: Page, gateway: FakeGateway
) -> None:
    for job in ("one", "two"):
        gateway.add_job(job, total=3_000)
    page.goto(f"{gateway.url}/jobs/default/one?beside=default/two")
    two = page.get_by_role("region", name="Log of two")
    two.locator('.row[data-line="2999"]').wait_for()
    two.locator(".log-scroller").hover()
    page.mouse.wheel(0, -20_000)
    position = two.locator(".position")
    wait_until(lambda: "of 3,000" in position.inner_text() and "2,999" not in position.inner_text())
    page.evaluate(_TWO_FRAMES)
    place = two.locator(".log-scroller").evaluate("(scroller) => scroller.scrollTop")
    page.get_by_role("region", name="Log of one").get_by_role("button", name="Close").click()
    wait_until(lambda: page.locator(".pane").count() == 1)
    page.evaluate(_TWO_FRAMES)
    assert two.locator(".log-scroller").evaluate("(scroller) => scroller.scrollTop") == place
