"""The strip beside the log: where errors, hits, gaps and alerts are, and how to get there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import box, looks, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


def marks(page: Page, kind: str) -> list[int]:
    """The pixels at which something of a kind is marked."""
    shape = page.locator(f".ruler-{kind}").get_attribute("d") or ""
    return [int(piece.split()[1].split("h")[0]) for piece in shape.split("M")[1:]]


def press(page: Page, pixel: int) -> None:
    page.locator(".ruler").click(position={"x": 5, "y": pixel})


def test_errors_gaps_and_alerts_are_marked_and_a_press_goes_there(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=900)
    gateway.push("train", ["an error"], levels="4")
    gateway.say("train", "gap", skip=500, reason="limit")
    gateway.push("train", [f"later {n}" for n in range(900)])
    open_pane(page, gateway, "train")
    row(page, 2_300).wait_for()
    page.evaluate("pane.focus()")
    page.keyboard.press("g")
    row(page, 0).wait_for()
    page.evaluate("pane.setAlerts([{line: 100, rule: 'OutOfMemory', severity: 'critical'}])")
    wait_until(lambda: marks(page, "error") and marks(page, "gap") and marks(page, "alert"))
    middle = box(page.locator(".ruler"))["height"] / 2
    wait_until(lambda: abs(marks(page, "error")[0] - middle) < 5)
    wait_until(lambda: abs(marks(page, "alert")[0] - middle / 9) < 5)
    press(page, marks(page, "error")[0])
    row(page, 900).wait_for()
    assert "cursor" in looks(row(page, 900))
    press(page, marks(page, "alert")[0] + 3)
    row(page, 100).wait_for()
    press(page, round(2 * middle) - 20)
    row(page, 2_255).wait_for()
    wait_until(lambda: not page.evaluate("states.at(-1).following"))


def test_hits_are_marked_in_the_whole_log_and_what_is_not_loaded_is_seen(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=100_000)
    open_pane(page, gateway, "train")
    row(page, 99_999).wait_for()
    wait_until(lambda: "h10V" in (page.locator(".ruler-blank").get_attribute("d") or ""))
    page.evaluate("pane.openSearch()")
    page.keyboard.type("line 50000")
    wait_until(lambda: len(marks(page, "hit")) == 1)
    pixel = marks(page, "hit")[0]
    page.locator(".ruler").hover(position={"x": 5, "y": pixel})
    assert page.locator(".ruler").get_attribute("title") == "A hit: line 50000"
    press(page, pixel)
    row(page, 50_000).wait_for()


def test_a_log_that_fits_is_marked_beside_its_lines(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=5)
    gateway.push("train", ["an error"], levels="4")
    open_pane(page, gateway, "train")
    row(page, 5).wait_for()
    wait_until(lambda: marks(page, "error"))
    top = box(page.locator(".ruler"))["y"] + marks(page, "error")[0]
    assert abs(top - box(row(page, 5))["y"]) <= 2


def test_errors_that_were_read_over_are_marked_where_nothing_is_loaded(
    page: Page, gateway: FakeGateway
) -> None:
    def line(n: int) -> str:
        return f"ERROR {n}" if n in (90_100, 92_900) else f"line {n}"

    gateway.add_job("train", total=100_000, line=line)
    open_pane(page, gateway, "train")
    row(page, 99_999).wait_for()
    page.evaluate("pane.focus()")
    page.keyboard.press("E")
    row(page, 92_900).wait_for()
    wait_until(lambda: len(marks(page, "error")) == 2)
    assert not any("from=90" in asked for asked in gateway.asked)
    press(page, marks(page, "error")[0])
    row(page, 90_100).wait_for()
