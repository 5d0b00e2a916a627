"""A log of 500,000 lines: any place is within reach, smoothly, and in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.busy_time import busy_time
from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import box, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

LINES = 500_000
BUDGET = 25.0  # milliseconds of the page's thread for a drawn frame; it takes 2 to 7
# Scroll by some pixels each drawn frame (0: drag the bar over the whole log).
SCROLL = """([pixels, frames]) => new Promise((done) => {
  const scroller = document.querySelector(".log-scroller");
  const reach = scroller.scrollHeight - scroller.clientHeight;
  let drawn = 0;
  const step = () => {
    drawn += 1;
    if (pixels) scroller.scrollTop -= pixels;
    else scroller.scrollTop = reach * Math.abs(Math.sin(drawn / 20));
    if (drawn < frames) return requestAnimationFrame(step);
    done();
  };
  requestAnimationFrame(step);
})"""


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


def big(page: Page, gateway: FakeGateway, **options: Any) -> None:
    gateway.add_job(
        "train",
        total=LINES,
        line=lambda n: f"2026-11-21 02:14:03,118 INFO train.py:212 -- step {n} loss 0.{n % 997}",
    )
    open_pane(page, gateway, "train", **options)


@pytest.mark.parametrize("wrap", [False, True])
def test_scrolling_draws_in_time(page: Page, gateway: FakeGateway, wrap: bool) -> None:
    big(page, gateway, wrap=wrap)
    row(page, LINES - 1).wait_for()
    page.evaluate("pane.focus()")
    page.keyboard.press("f")  # a log that is followed goes back to its end by itself
    with busy_time(page) as busy:
        for pixels in (120, 1_500, 0):
            before, frames = busy(), 30
            page.evaluate(SCROLL, [pixels, frames])
            took = (busy() - before) / frames
            assert took <= BUDGET, f"{took:.1f} ms a frame at {pixels} pixels each"
            assert page.locator(".log-rows .row").count() < 120


def test_any_place_is_within_reach(page: Page, gateway: FakeGateway) -> None:
    big(page, gateway)
    row(page, LINES - 1).wait_for()
    page.evaluate("pane.focus()")
    page.keyboard.press("Home")
    row(page, 0).wait_for()
    page.evaluate(
        "() => { const s = document.querySelector('.log-scroller');"
        " s.scrollTop = (s.scrollHeight - s.clientHeight) / 2 }"
    )
    wait_until(lambda: abs(page.evaluate("states.at(-1).position") - LINES / 2) < 100)
    page.locator(".log-rows .row.line .text").first.wait_for()
    page.evaluate("pane.goTo(123456)")
    row(page, 123_456).wait_for()
    page.keyboard.press("End")
    row(page, LINES - 1).wait_for()
    wait_until(lambda: page.evaluate("states.at(-1).following"))


def test_lines_stay_where_they_are_while_older_ones_are_loaded(
    page: Page, gateway: FakeGateway
) -> None:
    big(page, gateway, line=250_500, wrap=True)
    target = row(page, 250_500)
    target.wait_for()
    wait_until(lambda: sum("/lines?" in path for path in gateway.asked) >= 3)
    first = box(target)["y"]
    page.locator(".log-scroller").hover()
    for _ in range(10):
        page.mouse.wheel(0, -100)
        page.mouse.wheel(0, 100)
    wait_until(lambda: abs(box(target)["y"] - first) <= 1)


def test_pages_that_are_far_away_are_let_go(page: Page, gateway: FakeGateway) -> None:
    big(page, gateway)
    row(page, LINES - 1).wait_for()
    kept = page.evaluate(
        """async () => {
          const { Store } = await import("/static/log/store.js");
          const store = new Store({ mostChars: 100_000, mostPages: 20 });
          for (let first = 0; first < 100_000; first += 1000) {
            const lines = Array.from({ length: 1000 }, (_, i) => `line ${first + i}`);
            store.take({ kind: "log", epoch: "e", first, next: first + 1000, lines, ts: 1 });
            store.shrink((index) => Math.abs(index - 50));
          }
          return [store.chars, store.pages.size, store.end, store.pages.has(50)];
        }"""
    )
    assert kept[0] <= 100_000
    assert kept[1:] == [kept[1], LINES // 5, True]
    assert kept[1] <= 20


def test_a_link_opens_at_its_line_also_within_a_range(page: Page, gateway: FakeGateway) -> None:
    big(page, gateway, fragment="#L123450-L123456")
    row(page, 123_450).wait_for()
    picked = page.locator(".row.picked")
    wait_until(lambda: picked.count() == 7)
    assert not page.evaluate("states.at(-1).following")
