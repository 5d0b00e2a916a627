"""The page on the real gateway: what it shows, a restart, and permission."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from broker.access.access import Access
from broker.frame import Frame
from tests.support.browser import Watched
from tests.support.gateway import GatewayUnderTest
from tests.support.permissions import OPEN, TOKEN, access
from tests.support.served_broker import ServedBroker

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytest.importorskip("playwright")
from playwright.sync_api import expect

EPOCH = "0123456789ab"


@pytest.fixture
def broker() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        for job in ("train-1", "secret"):
            broker.publish(log(job, 0, 3_000))
        yield broker


def log(job: str, first: int, following: int) -> Frame:
    lines = [f"{job} says {line}" for line in range(first, following)]
    return Frame("log", "default", job, first, following, epoch=EPOCH, lines=lines, ts=first + 1)


@pytest.fixture
def access_of_gateway() -> Access:
    return OPEN


@pytest.fixture
def real(broker: ServedBroker, access_of_gateway: Access) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([broker], access_of_gateway) as gateway:
        yield gateway


@pytest.fixture
def watched(browser: Browser, real: GatewayUnderTest) -> Iterator[Watched]:
    watched = Watched(browser, real.url)
    watched.allowed += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED", "ERR_EMPTY_RESPONSE"]
    try:
        yield watched
        watched.check()
    finally:
        watched.close()


def test_a_log_goes_on_without_a_hole_after_the_gateway_has_restarted(
    watched: Watched, real: GatewayUnderTest, broker: ServedBroker
) -> None:
    page = watched.page
    page.goto(f"{real.url}/jobs/default/train-1#L1234")
    pane = page.get_by_role("region", name="Log of train-1")
    expect(pane).to_contain_text("train-1 says 1234")
    expect(page.get_by_role("link", name="train-1")).to_contain_text("running")
    page.keyboard.press("G")
    expect(pane).to_contain_text("train-1 says 2999")
    real.stop()
    expect(page.get_by_text("Disconnected from the gateway")).to_be_visible()
    broker.publish(log("train-1", 3_000, 3_010))
    real.start()
    watched.reconnect()
    expect(pane).to_contain_text("train-1 says 3009")
    broker.publish(log("train-1", 3_010, 3_011))
    expect(pane).to_contain_text("train-1 says 3010")
    for line in range(2_995, 3_011):
        expect(pane.get_by_text(f"train-1 says {line}", exact=True)).to_have_count(1)


class TestPermission:
    @pytest.fixture
    def access_of_gateway(self) -> Access:
        return access(jobs=["train-*"])

    def test_a_token_opens_its_jobs_and_no_other(
        self, watched: Watched, real: GatewayUnderTest
    ) -> None:
        watched.allowed += ["status of 401", "status of 403"]
        page = watched.page
        page.goto(f"{real.url}/jobs/default/train-1")
        page.get_by_label("Token", exact=True).fill("raytap_wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("not known")
        page.get_by_label("Token", exact=True).fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        pane = page.get_by_role("region", name="Log of train-1")
        expect(pane).to_contain_text("train-1 says 2999")
        expect(page.locator(".job-name")).to_have_text(["train-1"])
        page.goto(f"{real.url}/jobs/default/secret")
        expect(page.get_by_role("heading", name="You may not read secret")).to_be_visible()
