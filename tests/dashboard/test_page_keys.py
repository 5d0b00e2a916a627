"""The page without a mouse, and the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect


@pytest.fixture(autouse=True)
def _jobs(gateway: FakeGateway) -> None:
    for job, run in (("train-1", 3), ("train-2", 2), ("etl", 1)):
        gateway.add_job(job, total=50, line=f"{job} says {{}}".format, run=run)


def test_everything_is_reached_by_keys(page: Page, gateway: FakeGateway) -> None:
    page.goto(gateway.url)
    expect(page.locator(".job")).to_have_count(3)
    page.keyboard.press("s")
    page.keyboard.type("train")
    expect(page.locator(".job")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="train-1")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1")
    page.keyboard.press("]")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-2")
    page.keyboard.press("[")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1")
    page.keyboard.press("s")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("b")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1?beside=default/train-2")
    page.keyboard.press("1")
    page.keyboard.press("x")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-2")
    page.keyboard.press("p")
    expect(page.get_by_role("region", name="Plots")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_role("region", name="Alerts")).to_be_visible()
    page.keyboard.press("h")
    expect(page.get_by_role("heading", name="All jobs")).to_be_visible()


def test_the_help_keeps_the_focus_and_gives_it_back(page: Page, gateway: FakeGateway) -> None:
    page.goto(gateway.url)
    link = page.get_by_role("link", name="train-2")
    link.focus()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    expect(help_).to_contain_text("find a job")
    for _ in range(3):
        page.keyboard.press("Tab")
        outside = "document.activeElement.closest('#app') !== null"
        assert not page.evaluate(outside)
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(link).to_be_focused()


def test_the_skip_link_leads_past_the_list(page: Page, gateway: FakeGateway) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1")
    expect(page.locator(".job")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the log")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('.pane') !== null")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1")


def test_a_chosen_theme_is_kept_and_does_not_flash(page: Page, gateway: FakeGateway) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(gateway.url)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.keyboard.press(",")
    page.get_by_label("Dark").check()
    dark = page.evaluate(background)
    assert dark != light
    page.keyboard.press("Escape")
    page.reload()
    assert page.evaluate(background) == dark
    page.evaluate('localStorage.setItem(\'raytap.settings\', \'{"theme": 7, "minutes": "x"}\')')
    page.reload()
    assert page.evaluate(background) == light
