"""The address is the state: jobs, lines, several logs, history."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytest.importorskip("playwright")
from playwright.sync_api import expect


def log_of(page: Page, job: str) -> Locator:
    return page.get_by_role("region", name=f"Log of {job}")


@pytest.fixture(autouse=True)
def _jobs(gateway: FakeGateway) -> None:
    for job, run in (("train-1", 3), ("train-2", 2), ("etl", 1)):
        gateway.add_job(job, total=5_000, line=f"{job} says {{}}".format, run=run)


def test_a_click_on_a_job_opens_its_log_under_its_own_address(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(gateway.url)
    page.get_by_role("link", name="train-1").click()
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1")
    expect(page).to_have_title("train-1 · raytap")
    expect(log_of(page, "train-1")).to_contain_text("train-1 says 4999")
    expect(page.get_by_role("link", name="train-1")).to_have_attribute("aria-current", "page")


def test_an_address_with_a_line_opens_there_after_a_reload_and_after_going_back_too(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1#L1234")
    expect(log_of(page, "train-1")).to_contain_text("train-1 says 1234")
    page.reload()
    expect(log_of(page, "train-1")).to_contain_text("train-1 says 1234")
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1#L1234")
    page.evaluate("location.hash = '#L3000'")
    expect(log_of(page, "train-1")).to_contain_text("train-1 says 3000")
    page.go_back()
    expect(log_of(page, "train-1")).to_contain_text("train-1 says 1234")


def test_jobs_stand_side_by_side_and_are_closed_again(page: Page, gateway: FakeGateway) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1")
    page.get_by_role("link", name="train-2").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile(r"/jobs/default/train-1\?beside=default/train-2$"))
    page.get_by_role("link", name="etl").hover()
    page.get_by_role("button", name="Open etl beside").click()
    for job in ("train-1", "train-2", "etl"):
        expect(log_of(page, job)).to_contain_text(f"{job} says 4999")
    page.reload()
    expect(page.locator(".pane")).to_have_count(3)
    page.get_by_role("button", name="Close train-1").click()
    expect(page).to_have_url(re.compile(r"/jobs/default/train-2\?beside=default/etl$"))
    page.go_back()
    expect(log_of(page, "train-1")).to_contain_text("train-1 says 4999")


def test_on_a_telephone_one_log_is_seen_at_a_time(page: Page, gateway: FakeGateway) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{gateway.url}/jobs/default/train-1?beside=default/etl")
    expect(log_of(page, "train-1")).to_be_visible()
    expect(log_of(page, "etl")).to_be_hidden()
    page.get_by_role("group", name="Open logs").get_by_role("button", name="etl").click()
    expect(log_of(page, "etl")).to_be_visible()
    expect(log_of(page, "train-1")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    log_of(page, "etl").get_by_role("button", name="Back to the list of jobs").click()
    expect(page.get_by_role("link", name="train-2")).to_be_visible()


def test_a_job_that_is_not_there_opens_by_itself_when_it_starts(
    watched: Watched, gateway: FakeGateway
) -> None:
    watched.allowed.append("status of 404")
    page = watched.page
    page.goto(f"{gateway.url}/jobs/default/later")
    expect(page.get_by_role("heading", name="No job later here")).to_be_visible()
    gateway.add_job("later", total=3, line="later says {}".format)
    expect(log_of(page, "later")).to_contain_text("later says 2")
