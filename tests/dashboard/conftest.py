"""A browser, a page in it, and a gateway for the page to talk to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched, chromium
from tests.support.fake_gateway import FakeGateway
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: while it is open, no asyncio loop can run on the tests' thread."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def file_gateway() -> Iterator[FakeGateway]:
    """One for each file, so that its pages come from the browser's cache after the first."""
    with FakeGateway() as gateway:
        yield gateway


@pytest.fixture
def gateway(file_gateway: FakeGateway) -> FakeGateway:
    """A fake gateway that knows nothing of other tests."""
    file_gateway.forget()
    return file_gateway


@pytest.fixture(scope="module")
def file_page(browser: Browser, file_gateway: FakeGateway) -> Iterator[Watched]:
    """One for each file: to make a page takes longer than most tests do."""
    watched = Watched(browser, file_gateway.url)
    yield watched
    watched.close()


@pytest.fixture
def watched(file_page: Watched, gateway: FakeGateway) -> Iterator[Watched]:
    """An empty page. The test fails where it logged an error or left its origin."""
    try:
        yield file_page
        file_page.check()
    finally:
        file_page.leave()
        wait_until(lambda: not gateway.listeners("*"), message="the page's streams have ended")


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page alone."""
    return watched.page
