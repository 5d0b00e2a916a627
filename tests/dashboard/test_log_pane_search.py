"""Searching a log: hits are marked and counted wherever they are, and lead to their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import looks, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


def search(page: Page, text: str, *switches: str) -> None:
    page.evaluate("pane.openSearch()")
    for switch in switches:
        page.get_by_role("button", name=switch).click()
    page.locator(".search-text").fill(text)


def said(page: Page) -> str:
    return str(page.locator(".search-count").inner_text())


def test_hits_are_marked_and_counted_also_where_nothing_is_loaded(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=30_000, line=lambda n: f"needle {n}" if n % 1000 == 7 else "hay")
    gateway.push("train", ["the last Needle, and another needle"])
    open_pane(page, gateway, "train")
    row(page, 30_000).wait_for()
    search(page, "needle")
    wait_until(lambda: said(page) == "31 hits")
    assert row(page, 30_000).locator(".hit").all_inner_texts() == ["Needle", "needle"]


def test_next_and_previous_go_to_hits_far_away(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=30_000, line=lambda n: f"needle {n}" if n % 9000 == 7 else "hay")
    open_pane(page, gateway, "train")
    row(page, 29_999).wait_for()
    search(page, "needle")
    wait_until(lambda: said(page) == "4 hits")
    page.keyboard.press("Enter")
    row(page, 27_007).locator(".hit").wait_for()
    assert said(page) == "4 of 4"
    assert "current" in looks(row(page, 27_007))
    page.keyboard.press("Shift+Enter")
    row(page, 18_007).locator(".hit").wait_for()
    page.evaluate("pane.focus()")
    page.keyboard.press("N")
    row(page, 9_007).locator(".hit").wait_for()
    page.keyboard.press("n")
    row(page, 18_007).locator(".hit").wait_for()
    assert said(page) == "3 of 4"


def test_case_and_regular_expressions(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    gateway.push("train", ["Loss 1.5", "loss 2.5", "loss nan", "loss (a.b)"])
    open_pane(page, gateway, "train")
    row(page, 3).wait_for()
    search(page, "loss")
    wait_until(lambda: said(page) == "4 hits")
    page.get_by_role("button", name="Match case").click()
    wait_until(lambda: said(page) == "3 hits")
    search(page, "(a.b)")
    wait_until(lambda: said(page) == "1 hit")
    search(page, r"loss \d\.\d", "Regular expression (RE2)")
    wait_until(lambda: said(page) == "1 hit")
    assert row(page, 1).locator(".hit").inner_text() == "loss 2.5"


def test_a_wrong_expression_is_said(watched: Watched, gateway: FakeGateway) -> None:
    watched.allowed.append("400")
    page = watched.page
    gateway.add_job("train", total=5)
    open_pane(page, gateway, "train")
    row(page, 4).wait_for()
    search(page, "line (", "Regular expression (RE2)")
    page.locator(".search-count.wrong").wait_for()


def test_a_line_that_comes_is_searched_too(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=5)
    open_pane(page, gateway, "train")
    row(page, 4).wait_for()
    search(page, "needle")
    wait_until(lambda: said(page) == "no hit")
    gateway.push("train", ["a needle", "hay", "another needle"])
    wait_until(lambda: said(page) == "2 hits")


def test_only_hits_and_the_lines_around_them(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=20_000, line=lambda n: "needle" if n in (5, 9_990) else "hay")
    open_pane(page, gateway, "train")
    row(page, 19_999).wait_for()
    search(page, "needle", "Show only hits and the lines around them")
    page.get_by_label("Lines around each hit").select_option("1")
    row(page, 9_990).wait_for()
    wait_until(lambda: page.locator(".log-rows .row").count() == 6)
    assert [row(page, n).count() for n in (4, 5, 6, 7, 9_989, 9_991)] == [1, 1, 1, 0, 1, 1]
    assert "jump" in looks(row(page, 9_989))
    asked = sum("/lines?" in path for path in gateway.asked)
    assert asked <= 6, "pages without a hit are not fetched"
    page.get_by_role("button", name="Close the search (Esc)").click()
    wait_until(lambda: page.locator(".log-rows .row").count() > 20)


def test_escape_closes_the_search_and_the_log_has_the_focus(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=5)
    open_pane(page, gateway, "train")
    row(page, 4).wait_for()
    page.evaluate("pane.focus()")
    page.keyboard.press("/")
    page.keyboard.type("line 3")
    row(page, 3).locator(".hit").wait_for()
    page.keyboard.press("Escape")
    wait_until(lambda: page.locator(".hit").count() == 0)
    assert page.evaluate("document.activeElement.className") == "log-scroller"


IN_SIGHT = """(line) => {
  const hit = document.querySelector(`.row.current[data-line="${line}"] .hit`);
  const left = hit?.getBoundingClientRect().left ?? -1;
  return left >= 0 && left < innerWidth - 60;
}"""


def test_a_hit_far_out_in_a_long_line_is_brought_into_the_window(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=5)
    gateway.push("train", ["x" * 600 + " needle", "needle"])
    open_pane(page, gateway, "train")
    row(page, 6).wait_for()
    page.evaluate("pane.openSearch()")
    page.keyboard.type("needle")
    for line in (6, 5, 6):
        page.keyboard.press("Enter")
        page.wait_for_function(IN_SIGHT, arg=line)
    assert page.evaluate("document.querySelector('.log-scroller').scrollLeft") == 0
