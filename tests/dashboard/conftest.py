"""A browser, a page in it, and a gateway for the page to talk to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.browser import Watched, chromium
from tests.support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: while it is open, no asyncio loop can run on the tests' thread."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    """A fake gateway of the test's own."""
    with FakeGateway() as gateway:
        yield gateway


@pytest.fixture
def watched(browser: Browser, gateway: FakeGateway) -> Iterator[Watched]:
    """A page in a fresh profile. The test fails where it logged an error or left its origin."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(5_000)
    try:
        watched = Watched(context, gateway.url)
        yield watched
        watched.check()
    finally:
        context.close()


@pytest.fixture
def page(watched: Watched) -> Page:
    """The page alone."""
    return watched.page
