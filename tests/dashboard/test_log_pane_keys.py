"""Keys, links, copying and what a screen reader meets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import box, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


@pytest.fixture
def pane(page: Page, gateway: FakeGateway) -> Page:
    """A log of 20,000 lines with an error at 300 and one at 19,990."""
    gateway.add_job("train", total=300)
    gateway.push("train", ["the first error"], levels="4")
    gateway.push("train", [f"line {n}" for n in range(301, 19_990)])
    gateway.push("train", ["the second error"], levels="4")
    gateway.push("train", [f"line {n}" for n in range(19_991, 20_000)])
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_pane(page, gateway, "train")
    row(page, 19_999).wait_for()
    page.evaluate("pane.focus()")
    return page


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


def cursor(page: Page) -> int:
    found = page.locator(".row.cursor")
    return int(found.first.get_attribute("data-line") or -1) if found.count() else -1


def test_j_and_k_move_by_a_line_and_stop_following(pane: Page) -> None:
    pane.keyboard.press("k")
    wait_until(lambda: cursor(pane) == 19_999)
    pane.keyboard.press("k")
    wait_until(lambda: cursor(pane) == 19_998)
    assert not pane.evaluate("states.at(-1).following")
    pane.keyboard.press("j")
    wait_until(lambda: cursor(pane) == 19_999)


def test_pages_the_begin_and_the_end(pane: Page) -> None:
    pane.keyboard.press("g")
    row(pane, 0).wait_for()
    pane.keyboard.press("PageDown")
    wait_until(lambda: pane.evaluate("states.at(-1).position") > 20)
    pane.keyboard.press("PageUp")
    wait_until(lambda: pane.evaluate("states.at(-1).position") == 0)
    pane.keyboard.press("G")
    row(pane, 19_999).wait_for()
    wait_until(lambda: pane.evaluate("states.at(-1).following"))
    pane.keyboard.press("f")
    wait_until(lambda: not pane.evaluate("states.at(-1).following"))


def test_e_goes_from_error_to_error_through_what_is_not_loaded(pane: Page) -> None:
    pane.keyboard.press("E")
    wait_until(lambda: cursor(pane) == 19_990)
    pane.keyboard.press("E")
    row(pane, 300).wait_for()
    wait_until(lambda: cursor(pane) == 300)
    pane.keyboard.press("E")
    wait_until(lambda: "No error above" in pane.evaluate("said"))
    pane.keyboard.press("e")
    row(pane, 19_990).wait_for()


def test_a_line_s_number_picks_it_and_y_copies_its_link(pane: Page) -> None:
    row(pane, 19_980).locator(".number").click()
    wait_until(lambda: pane.locator(".row.picked").count() == 1)
    pane.evaluate("pane.focus()")
    pane.keyboard.press("y")
    wait_until(lambda: clipboard(pane).endswith("/jobs/default/train#L19980"))


def test_shift_picks_a_range_whose_text_and_link_can_be_copied(pane: Page) -> None:
    row(pane, 19_988).locator(".number").click()
    row(pane, 19_991).locator(".number").click(modifiers=["Shift"])
    assert pane.url.endswith("#L19988-L19991")
    pane.get_by_role("button", name="Copy the text of these lines").click()
    wanted = "line 19988\nline 19989\nthe second error\nline 19991"
    wait_until(lambda: clipboard(pane) == wanted)
    pane.get_by_role("button", name="Copy the link to these lines (y)").click()
    wait_until(lambda: clipboard(pane).endswith("#L19988-L19991"))


def test_a_range_beyond_what_is_loaded_is_copied_whole(pane: Page) -> None:
    row(pane, 19_999).locator(".number").click()
    pane.evaluate("pane.focus()")
    pane.keyboard.press("g")
    row(pane, 5).locator(".number").click(modifiers=["Shift"])
    pane.get_by_role("button", name="Copy the text of these lines").click()
    wait_until(lambda: clipboard(pane).startswith("line 5\nline 6\n"))
    assert len(clipboard(pane).split("\n")) == 19_995


def test_selected_text_is_copied_as_it_was_printed(pane: Page) -> None:
    pane.evaluate(
        """() => {
          const text = (line) =>
            document.querySelector(`.row[data-line="${line}"] .text`).firstChild;
          document.getSelection().setBaseAndExtent(text(19992), 5, text(19994), 7);
        }"""
    )
    pane.keyboard.press("Control+c")
    wait_until(lambda: clipboard(pane) == "19992\nline 19993\nline 19")


def test_l_asks_for_a_line(pane: Page) -> None:
    pane.keyboard.press("l")
    pane.keyboard.type("12,345")
    pane.keyboard.press("Enter")
    row(pane, 12_345).wait_for()
    wait_until(lambda: cursor(pane) == 12_345)


def test_the_log_can_be_downloaded(pane: Page) -> None:
    pane.get_by_role("button", name="More: go to a line, copy, download").click()
    text = pane.get_by_role("link", name="Download as text")
    json = pane.get_by_role("link", name="Download as NDJSON, with times")
    assert (text.get_attribute("href") or "").startswith("/v1/jobs/default/train/log")
    assert "ndjson" in (json.get_attribute("href") or "")


def test_a_screen_reader_meets_a_log_with_rows_and_numbers(pane: Page) -> None:
    log = pane.get_by_role("log", name="Log of default/train")
    assert log.get_attribute("aria-live") == "off"
    lines = log.get_by_role("table").get_by_role("row")
    assert lines.count() > 20
    assert lines.last.get_by_role("cell").last.inner_text() == "line 19999"
    assert row(pane, 19_999).get_attribute("aria-rowindex") == "20000"
    unnamed = pane.evaluate(
        "[...document.querySelectorAll('button, select, input')]"
        ".filter((node) => !node.getAttribute('aria-label') && !node.textContent.trim()).length"
    )
    assert unnamed == 0


def test_keys_that_are_not_ours_go_on_to_the_page(pane: Page) -> None:
    pane.evaluate("document.addEventListener('keydown', (event) => (window.heard = event.key))")
    pane.keyboard.press("?")
    assert pane.evaluate("heard") == "?"
    pane.keyboard.press("j")
    assert pane.evaluate("heard") == "?"


def test_it_fits_a_telephone(page: Page, gateway: FakeGateway) -> None:
    page.set_viewport_size({"width": 320, "height": 568})
    gateway.add_job("train", total=500)
    open_pane(page, gateway, "train")
    row(page, 499).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.evaluate("pane.openSearch()")
    assert box(page.locator(".search-text"))["width"] > 200
