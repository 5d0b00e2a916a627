"""Signing in, being signed out, and what a token may not read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytest.importorskip("playwright")
from playwright.sync_api import expect

TOKEN = "rt_a-token-of-the-test"


@pytest.fixture(autouse=True)
def _protected(gateway: FakeGateway) -> None:
    gateway.require(TOKEN, "ana", jobs=["train-*"])
    gateway.add_job("train-1", total=2_000, line="train-1 says {}".format)
    gateway.add_job("secret", total=10)


@pytest.fixture
def page(watched: Watched) -> Page:
    watched.allowed += ["status of 401", "status of 403"]  # the browser's own words
    return watched.page


def sign_in(page: Page, token: str = TOKEN) -> None:
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_without_a_session_the_page_asks_for_a_token_and_shows_nothing_else(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1")
    expect(page.get_by_role("heading", name="Sign in to read logs")).to_be_visible()
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    expect(page.get_by_label("Token", exact=True)).to_have_attribute("type", "password")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Sign in to read logs")).to_be_visible()
    page.get_by_text("I have no token").click()
    expect(page.get_by_text("raytap token new")).to_be_visible()
    assert page.locator(".job").count() == 0


def test_a_wrong_token_is_said_and_the_right_one_opens_the_address(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1#L1000")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("not known, or it has expired")
    sign_in(page)
    expect(page.get_by_role("region", name="Log of train-1")).to_contain_text("train-1 says 1000")
    expect(page.locator(".job-name")).to_have_text(["train-1"])
    page.reload()
    expect(page.get_by_role("region", name="Log of train-1")).to_contain_text("train-1 says 1000")
    assert not any(TOKEN in asked for asked in gateway.asked)
    assert page.evaluate("document.cookie + JSON.stringify({...localStorage})").find(TOKEN) < 0


def test_a_session_that_expires_asks_again_and_goes_on_in_the_same_place(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1")
    sign_in(page)
    log = page.get_by_role("region", name="Log of train-1")
    expect(log).to_contain_text("train-1 says 1999")
    gateway.expire()
    expect(page.get_by_role("heading", name="Your session is over")).to_be_visible()
    gateway.push("train-1", ["printed while nobody was signed in"])
    sign_in(page)
    expect(log).to_contain_text("printed while nobody was signed in")
    expect(page.locator(".link-word")).to_have_text("live")


def test_a_job_that_the_token_may_not_read_says_whom_to_ask(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(f"{gateway.url}/jobs/default/secret")
    sign_in(page)
    expect(page.get_by_role("heading", name="You may not read secret")).to_be_visible()
    expect(page.get_by_role("region", name="Log of secret")).to_contain_text("Signed in as ana")
    expect(page.get_by_role("region", name="Log of secret")).to_contain_text("Ask whoever runs")
    expect(page.get_by_text("You may not read this log")).to_be_hidden()
    page.get_by_role("button", name="Show all jobs").click()
    expect(page).to_have_url(f"{gateway.url}/")


def test_signing_out_leaves_nothing_in_the_page(page: Page, gateway: FakeGateway) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1")
    sign_in(page)
    expect(page.locator(".job")).to_have_count(1)
    page.get_by_role("button", name="Signed in as ana").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to read logs")).to_be_visible()
    assert page.locator(".job").count() == 0
    assert "DELETE /v1/session" in gateway.asked


def test_an_old_refusal_that_arrives_after_signing_in_asks_for_nothing(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(f"{gateway.url}/jobs/default/train-1")
    sign_in(page)
    expect(page.get_by_role("region", name="Log of train-1")).to_contain_text("says 1999")
    wait_until(lambda: gateway.listeners("default/train-1"))
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/stream*", hold)
    gateway.expire()
    over = page.get_by_role("heading", name="Your session is over")
    expect(over).to_be_visible()
    while not held:
        page.wait_for_timeout(20)
    sign_in(page)
    expect(over).to_be_hidden()
    refusal = '{"error": {"status": 401, "message": "no token"}}'
    held[0].fulfill(status=401, content_type="application/json", body=refusal)
    page.unroute("**/stream*", hold)
    wait_until(lambda: gateway.listeners("default/train-1"))
    expect(over).to_be_hidden()
