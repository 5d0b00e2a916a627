"""Alerts and plots beside the log."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect


def alert(rule: str, line: int | None, **fields: Any) -> dict[str, Any]:
    return {
        "fingerprint": rule, "rule": rule, "severity": "critical", "labels": {}, "muted": False,
        "annotations": {"summary": f"{rule} happened"}, "cluster": "default", "job": "train-1",
        "epoch": "0123456789ab", "line": line, "starts_at": time.time() - 180, "ends_at": None,
        "value": None, "url": "", "state": "firing",
    } | fields  # fmt: skip


def test_an_alert_that_fires_is_seen_and_leads_to_its_line(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", total=5_000, line="train-1 says {}".format)
    page.goto(gateway.url)
    expect(page.locator(".job")).to_have_count(1)
    gateway.set_alerts(firing=[alert("oom", 777)], history=[alert("nan", 5, state="resolved")])
    expect(page.get_by_role("button", name="Alerts: 1 alert firing")).to_be_visible()
    expect(page).to_have_title("(1) raytap")
    expect(page.locator(".alert")).to_contain_text("oom happened")
    expect(page.locator(".alert")).to_contain_text("for 3 min")
    page.get_by_role("link", name="default/train-1 line 777").click()
    expect(page).to_have_url(f"{gateway.url}/jobs/default/train-1#L777")
    expect(page.get_by_role("region", name="Log of train-1")).to_contain_text("train-1 says 777")


def test_the_panel_says_how_to_have_alerts_then_what_fired_is_muted_and_is_not_delivered(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", total=10)
    page.goto(f"{gateway.url}/jobs/default/train-1?panel=alerts")
    panel = page.get_by_role("region", name="Alerts")
    expect(panel).to_contain_text("raytap alerts")
    receiver = {"name": "oncall", "kind": "slack", "queued": 2, "sent": 5, "failed": 3}
    gateway.set_alerts(
        firing=[alert("oom", None, muted=True)],
        history=[alert("nan", 5, state="resolved", starts_at=1_000, ends_at=1_190)],
        mutes=[{"id": "1", "matchers": ['job="x"'], "until": 0, "reason": "planned", "by": "ana"}],
        receivers=[receiver | {"ok": False, "last_error": "timed out"}],
        degraded=["rules.toml is wrong; the rules before it are kept"],
        total={"firing": 1_235, "muted": 1, "history": 1},
    )
    for words in (
        "Firing (0, and 1 muted, and 1,234 more that are not shown)", "rules.toml is wrong",
        "resolved after 3 min", 'job="x"', "planned", "fails",
        "timed out", "oncall: alerts are not delivered there just now",
    ):  # fmt: skip
        expect(panel).to_contain_text(words)


def test_plots_tell_their_values_to_the_eye_the_keys_and_a_screen_reader(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.series = {"lines_per_s": [100.0, None, 300.0, 200.0], "lag_p99_ms": [None, 1500.0]}
    gateway.add_job("train-1", total=10)
    page.goto(f"{gateway.url}/jobs/default/train-1?panel=plots")
    plot = page.get_by_role("img", name="Lines per second, the last 15 minutes")
    expect(plot).to_have_attribute(
        "aria-label", re.compile("now 200, lowest 100, highest 300, mean 200")
    )
    plot.press("ArrowLeft")
    expect(page.locator("#announcer")).to_contain_text("lines/s 300")
    expect(page.locator(".legend").nth(1)).to_contain_text("1.5 s")
    page.get_by_role("button", name="5 min", exact=True).click()
    expect(page.get_by_role("img", name="the last 5 minutes").first).to_be_visible()
    page.get_by_label("Plots of").select_option("default")
    expect(page.get_by_role("img", name="the last 5 minutes").first).to_be_visible()
    assert "GET /v1/stats?cluster=default&minutes=5" in gateway.asked


def test_an_alert_of_a_file_that_was_replaced_marks_no_line(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", total=10)
    gateway.set_alerts(firing=[alert("old", 3, epoch="ffffffffffff"), alert("new", 5)])
    page.goto(gateway.url)  # the alerts are known before the log is
    expect(page.locator(".alert")).to_have_count(2)
    page.get_by_role("link", name="train-1", exact=False).first.click()
    expect(page.get_by_role("img", name="Alert: new (critical)")).to_be_visible()
    expect(page.locator(".log-rows .alarm")).to_have_count(1)


def test_the_rows_over_a_panel_are_painted(page: Page, gateway: FakeGateway) -> None:
    gateway.series = {"lines_per_s": [5.0, 7.0] * 150}
    gateway.add_job("train-1", total=2_000)
    gateway.push("train-1", ["wide " * 60, *(f"line {n}" for n in range(30))])
    gateway.add_job("train-2", total=900)
    page.set_viewport_size({"width": 1400, "height": 860})
    page.goto(f"{gateway.url}/jobs/default/train-1?beside=default/train-2&panel=plots")
    for name in ("train-1", "train-2"):
        rows = page.get_by_role("region", name=f"Log of {name}").locator(".log-scroller")
        expect(rows.locator(".row.line").first).to_be_attached()
    page.wait_for_timeout(300)  # there is no event for what was painted
    for name in ("train-1", "train-2"):
        rows = page.get_by_role("region", name=f"Log of {name}").locator(".log-scroller")
        assert len(rows.screenshot()) > 4_000  # bytes; one colour takes a fifth of that
