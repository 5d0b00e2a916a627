"""The log pane opens at the end and follows; what is not there is said where it is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import box, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


def state(page: Page) -> dict[str, Any]:
    return dict(page.evaluate("states.at(-1)"))


def scroll_by(page: Page, pixels: int) -> None:
    page.locator(".log-scroller").hover()
    page.mouse.wheel(0, pixels)


def listening(gateway: FakeGateway, job: str = "train") -> None:
    wait_until(lambda: gateway.listeners(f"default/{job}"), message="the pane follows live")


def test_it_opens_at_the_end_and_shows_what_comes(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=5_000)
    open_pane(page, gateway, "train")
    row(page, 4_999).wait_for()
    listening(gateway)
    gateway.push("train", ["one more", "and another"])
    row(page, 5_001).wait_for()
    assert row(page, 5_001).locator(".text").inner_text() == "and another"
    assert box(row(page, 5_001))["y"] < page.evaluate("innerHeight")
    assert state(page)["following"]


def test_scrolling_up_stops_following_and_a_button_counts_what_waits(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=5_000)
    open_pane(page, gateway, "train")
    row(page, 4_999).wait_for()
    listening(gateway)
    scroll_by(page, -600)
    wait_until(lambda: not state(page)["following"])
    before = state(page)["position"]
    gateway.push("train", [f"new {n}" for n in range(1_200)])
    button = page.locator(".follow-button")
    wait_until(lambda: button.inner_text() == "↓ 1,200 new lines")
    assert state(page)["position"] == before
    button.click()
    row(page, 6_199).wait_for()
    wait_until(lambda: state(page)["following"] and state(page)["waiting"] == 0)
    assert button.is_hidden()


def test_scrolling_to_the_end_follows_again(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=5_000)
    open_pane(page, gateway, "train")
    row(page, 4_999).wait_for()
    scroll_by(page, -300)
    wait_until(lambda: not state(page)["following"])
    scroll_by(page, 2_000)
    wait_until(lambda: state(page)["following"])


def test_a_gap_is_a_row_with_its_range_and_its_reason(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=10)
    gateway.push("train", ["before"])
    gateway.say("train", "gap", skip=2_500, reason="limit")
    gateway.push("train", ["after"])
    open_pane(page, gateway, "train")
    gap = page.locator(".row.gap")
    gap.wait_for()
    # What was asked for first began within it; the rest of it comes with the lines before.
    words = "2,500 lines missing (lines 11–2510): dropped by a limit"
    wait_until(lambda: words in gap.inner_text())
    assert page.locator(".row.gap").count() == 1
    assert row(page, 2_511).locator(".text").inner_text() == "after"


def test_lines_this_client_was_too_slow_for_are_fetched_by_themselves(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=100)
    open_pane(page, gateway, "train")
    row(page, 99).wait_for()
    listening(gateway)
    gateway.skipped("train", [f"skipped {n}" for n in range(30)])
    gateway.push("train", ["live again"])
    row(page, 129).wait_for()
    assert row(page, 129).locator(".text").inner_text() == "skipped 29"
    assert row(page, 130).locator(".text").inner_text() == "live again"


def test_a_live_gap_can_be_asked_of_the_journal(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=10)
    open_pane(page, gateway, "train")
    listening(gateway)
    gateway.say("train", "gap", skip=5, reason="source")
    page.locator(".row.gap button").click()
    wait_until(lambda: any("lines?from=10&" in asked for asked in gateway.asked))
    page.locator(".row.gap").wait_for()
    wait_until(lambda: page.locator(".row.gap button").count() == 0)


def test_a_status_and_the_end_are_quiet_rows(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=3)
    open_pane(page, gateway, "train")
    listening(gateway)
    gateway.say("train", "status", status="RUNNING")
    gateway.push("train", ["last words"])
    gateway.say("train", "end", status="FAILED", complete=True)
    page.locator(".row.mark.said-end").wait_for()
    assert "FAILED" in page.locator(".row.mark.said-end").inner_text()
    assert page.locator(".row.mark.said-status").count() == 1
    wait_until(lambda: state(page)["connection"] == "ended")
    assert state(page)["status"] == "FAILED"


def test_another_file_begins_at_line_zero(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=300)
    open_pane(page, gateway, "train")
    row(page, 299).wait_for()
    listening(gateway)
    gateway.say("train", "reset", reason="the file is shorter")
    gateway.push("train", ["a new beginning"])
    wait_until(lambda: row(page, 0).count() and "a new beginning" in row(page, 0).inner_text())
    assert row(page, 299).count() == 0
    assert "the file is shorter" in page.locator(".row.said-reset").inner_text()


def test_a_line_without_an_end_is_replaced_when_it_has_one(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=3)
    gateway.push("train", ["half a li"], partial=True)
    open_pane(page, gateway, "train")
    row(page, 3).locator(".pill").wait_for()
    listening(gateway)
    gateway._logs["default", "train"].next = 3
    gateway.push("train", ["half a line, and more"], amends=True)
    wait_until(lambda: "and more" in row(page, 3).inner_text())
    assert row(page, 3).locator(".pill").count() == 0
    assert row(page, 4).count() == 0


def test_a_pending_job_without_lines_says_what_to_expect(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", status="PENDING")
    open_pane(page, gateway, "train")
    blanket = page.locator(".blanket")
    blanket.wait_for()
    wait_until(lambda: "PENDING" in blanket.inner_text())
    listening(gateway)
    gateway.push("train", ["it runs"])
    row(page, 0).wait_for()
    assert blanket.is_hidden()


def test_a_forbidden_job_says_so(watched: Watched, gateway: FakeGateway) -> None:
    watched.allowed.append("403")
    gateway.add_job("train", total=3)
    gateway.refuse = 403
    open_pane(watched.page, gateway, "train")
    assert "may not read" in watched.page.locator(".blanket").inner_text()
    assert state(watched.page)["connection"] == "forbidden"


def test_a_job_that_is_missing_opens_when_it_is_there(
    watched: Watched, gateway: FakeGateway
) -> None:
    watched.allowed.append("404")
    open_pane(watched.page, gateway, "train")
    assert state(watched.page)["connection"] == "missing"
    gateway.add_job("train", total=3)
    row(watched.page, 2).wait_for()


def test_it_goes_on_without_a_hole_after_the_gateway_restarts(
    watched: Watched, gateway: FakeGateway
) -> None:
    watched.allowed += ["ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY"]
    gateway.add_job("train", total=200)
    open_pane(watched.page, gateway, "train")
    row(watched.page, 199).wait_for()
    listening(gateway)
    gateway.down()
    strip = watched.page.locator(".strip")
    strip.wait_for()
    assert "Disconnected" in strip.inner_text()
    assert state(watched.page)["connection"] == "disconnected"
    gateway.push("train", [f"meanwhile {n}" for n in range(20)])
    gateway.up()
    row(watched.page, 219).wait_for(timeout=10_000)
    assert row(watched.page, 200).locator(".text").inner_text() == "meanwhile 0"
    wait_until(lambda: state(watched.page)["connection"] == "live")
    assert strip.is_hidden()


def test_a_gateway_without_its_broker_says_so(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=20)
    open_pane(page, gateway, "train")
    listening(gateway)
    gateway.set_state(False, "the broker does not answer")
    strip = page.locator(".strip")
    strip.wait_for()
    assert "lost its broker" in strip.inner_text()
    gateway.set_state(True)
    strip.wait_for(state="hidden")


def test_destroying_it_ends_its_stream(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=20)
    open_pane(page, gateway, "train")
    listening(gateway)
    page.evaluate("pane.destroy()")
    gateway.push("train", ["nobody listens"])
    wait_until(lambda: not page.locator(".log-pane").count())
