"""A real browser for tests of the page: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tests.support.missing import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

_FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser. While it is open this thread can run no asyncio loop of its own."""
    binary = shutil.which("chromium")
    if binary is None:
        missing("chromium is not installed (apt install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (pip install 'raytap[dev]')")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page that keeps what no page of ours may do: errors, and requests of other origins.

    `allowed`: pieces of console messages that the test expects, such as the browser's own word
    about a 401.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.page: Page = context.new_page()
        self.allowed: list[str] = []
        self.errors: list[str] = []
        self._origin = urlsplit(origin).netloc
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error}"))
        self.page.on("request", self._request)

    def reconnect(self) -> None:
        """What waits to try its connection again tries it now."""
        self.page.evaluate("window.dispatchEvent(new Event('online'))")

    def check(self) -> None:
        """Raises `AssertionError` with what was not allowed; CSP violations are console errors."""
        bad = [text for text in self.errors if not any(piece in text for piece in self.allowed)]
        assert not bad, "\n".join(bad)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc != self._origin:
            self.errors.append(f"asked another origin: {request.url}")
