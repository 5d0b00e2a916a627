"""How long a page's thread has worked, which does not depend on what else the machine does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


@contextmanager
def busy_time(page: Page) -> Iterator[Callable[[], float]]:
    """Tells the milliseconds that the page's thread was running so far."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        found = session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) * 1000 for one in found if one["name"] == "TaskDuration")

    try:
        yield busy
    finally:
        session.detach()
