"""A real browser for tests of the page: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tests.support.missing import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, ViewportSize

_PATIENCE_MS: Final = 20_000  # a busy machine may do without the browser for a while
_FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
# It is refused on a page that is not of any origin, such as the browser's own about an error.
_FORGET: Final = "try { localStorage.clear(); } catch (error) { void error; }"


def _window() -> ViewportSize:
    return {"width": 1280, "height": 800}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser. While it is open this thread can run no asyncio loop of its own."""
    binary = shutil.which("chromium")
    if binary is None:
        missing("chromium is not installed (apt install chromium)")
    try:
        from playwright.sync_api import expect, sync_playwright
    except ImportError:
        missing("playwright is not installed (pip install 'raytap[dev]')")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, in a profile of its own, that keeps what no page of ours may do: errors, and
    requests of other origins.

    `allowed`: pieces of console messages that the test expects, such as the browser's own word
    about a 401.
    """

    def __init__(self, browser: Browser, origin: str) -> None:
        self._context = browser.new_context(viewport=_window(), reduced_motion="reduce")
        self._context.set_default_timeout(_PATIENCE_MS)
        self.page: Page = self._context.new_page()
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

    def leave(self) -> None:
        """Nothing of the test is left: its page, what it stored, permitted, resized or allowed.

        What stays is what the browser cached, which makes the next page a fast one.
        """
        self.page.evaluate(_FORGET)
        self.page.goto("about:blank")
        self._context.clear_cookies()
        self._context.clear_permissions()
        self.page.set_viewport_size(_window())
        self.page.emulate_media(color_scheme="null")
        self.allowed.clear()
        self.errors.clear()

    def close(self) -> None:
        """The page and its profile are gone."""
        self._context.close()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc != self._origin:
            self.errors.append(f"asked another origin: {request.url}")
