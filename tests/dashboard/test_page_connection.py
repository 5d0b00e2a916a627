"""What the page says while something is away, and how it goes on afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect


@pytest.fixture
def page(watched: Watched) -> Page:
    watched.allowed += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "status of 503"]
    return watched.page


def test_a_gateway_that_goes_away_is_said_and_what_was_missed_is_caught_up(
    watched: Watched, page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", total=100, line="train-1 says {}".format)
    page.goto(f"{gateway.url}/jobs/default/train-1")
    log = page.get_by_role("region", name="Log of train-1")
    expect(log).to_contain_text("train-1 says 99")
    gateway.down()
    expect(page.locator("#notices")).to_contain_text("Disconnected from the gateway since")
    expect(page.locator(".link-word")).to_have_text("disconnected")
    gateway.push("train-1", ["printed meanwhile"])
    gateway.add_job("train-2")
    gateway.up()
    watched.reconnect()
    expect(page.locator(".link-word")).to_have_text("live")
    expect(page.get_by_text("Disconnected from the gateway")).to_be_hidden()
    expect(page.locator(".job")).to_have_count(2)
    expect(log).to_contain_text("printed meanwhile")
    assert log.get_by_text("printed meanwhile").count() == 1


def test_a_gateway_that_refuses_is_quoted_and_asked_again_on_demand(
    watched: Watched, page: Page, gateway: FakeGateway
) -> None:
    gateway.refuse = 503
    page.goto(gateway.url)
    expect(page.locator("#notices")).to_contain_text("the gateway is asked to refuse")
    asked = gateway.asked.count("GET /v1/events")
    page.get_by_role("button", name="Try now").click()
    wait_until(lambda: gateway.asked.count("GET /v1/events") > asked)
    gateway.refuse = 0
    gateway.add_job("train-1")
    watched.reconnect()
    expect(page.locator(".job")).to_have_count(1)


def test_what_is_degraded_is_said_in_a_banner_that_goes_again(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.degraded = ["journal: disk full (no replay)"]
    gateway.add_job("train-1")
    page.goto(gateway.url)
    expect(page.locator("#notices")).to_contain_text("journal: disk full (no replay)")
    gateway.degraded = []
    gateway.tell_jobs()
    expect(page.get_by_text("Degraded")).to_be_hidden()
