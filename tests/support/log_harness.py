"""A page with nothing but the pane of one log, at the fake gateway's origin, under its CSP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.support.fake_gateway import FakeGateway
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

_HTML: Final = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>A log</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/theme.css"><link rel="stylesheet" href="/static/app.css">
<link rel="stylesheet" href="/static/log.css"></head><body><div id="pane"></div></body></html>
"""
_START: Final = """async (options) => {
  const place = document.getElementById("pane");
  Object.assign(place.style, { position: "relative", height: "100dvh" });
  const { createLogPane } = await import("/static/log_pane.js");
  const { api } = await import("/static/api.js");
  Object.assign(window, { states: [], said: [] });
  window.pane = createLogPane(place, {
    ...options, api,
    onState: (state) => window.states.push(state),
    announce: (text) => window.said.push(text),
    onSettings: (settings) => (window.changedSettings = settings),
  });
}"""


def open_pane(
    page: Page,
    gateway: FakeGateway,
    job: str,
    *,
    line: int | None = None,
    fragment: str = "",
    **settings: bool,
) -> None:
    """Open the pane of `default/{job}`. The page has `pane`, `states` and `said` as globals."""
    chosen = {"wrap": False, "numbers": True, "time": False} | settings
    options: dict[str, Any] = {"cluster": "default", "job": job, "settings": chosen, "line": line}
    address = f"{gateway.url}/jobs/default/{job}"
    gateway.index = _HTML
    page.goto(address + fragment)
    page.evaluate(_START, options)
    wait_until(lambda: page.evaluate("states.some((state) => state.connection !== 'loading')"))


def row(page: Page, line: int) -> Locator:
    """The row of a line, or of the block that begins with it, where it is in the window."""
    return page.locator(f'.log-rows .row:is(.line, .fold, .bar)[data-line="{line}"]')


def looks(locator: Locator) -> list[str]:
    """The classes of an element."""
    return (locator.get_attribute("class") or "").split()


def box(locator: Locator) -> FloatRect:
    """Where an element is; it must be drawn."""
    found = locator.bounding_box()
    assert found is not None
    return found
