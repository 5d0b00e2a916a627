"""The page where little things mislead: counts, room, marks, words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from broker.errors import ClientError
from subscribers.dashboard.pattern import Pattern
from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import box, looks, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect


def alert(rule: str, severity: str, job: str, line: int, *, muted: bool = False) -> dict[str, Any]:
    return {
        "fingerprint": rule, "rule": rule, "severity": severity, "labels": {}, "epoch": "",
        "annotations": {"summary": f"{rule} happened"}, "cluster": "default", "job": job,
        "line": line, "starts_at": time.time() - 60, "ends_at": None, "value": None, "url": "",
        "state": "firing", "muted": muted,
    }  # fmt: skip


def test_a_log_that_ended_without_a_word_of_ray_is_ended_and_not_starting(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("done", total=4, state="ended", status="")
    page.goto(gateway.url)
    expect(page.get_by_role("link", name="done")).to_contain_text("ended")
    expect(page.locator('[data-tile="running"] dd')).to_have_text("0")


def test_every_control_of_four_logs_side_by_side_can_be_reached(
    page: Page, gateway: FakeGateway
) -> None:
    for n in range(4):
        gateway.add_job(f"training-{n}", total=10, alerts=2)
    before = page.viewport_size
    page.set_viewport_size({"width": 1400, "height": 900})
    try:
        beside = "&".join(f"beside=default/training-{n}" for n in (1, 2, 3))
        page.goto(f"{gateway.url}/jobs/default/training-0?{beside}")
        for n in range(4):
            pane = page.get_by_role("region", name=f"Log of training-{n}")
            right = box(pane)["x"] + box(pane)["width"]
            for name in ("Next error (e)", "More: go to a line, copy, download"):
                control = box(pane.get_by_role("button", name=name))
                assert control["x"] + control["width"] <= right
            title = pane.locator(".pane-job")
            assert title.evaluate("node => node.offsetWidth <= node.parentElement.clientWidth")
    finally:
        page.set_viewport_size(before or {"width": 1280, "height": 720})


def test_plain_text_without_a_hit_that_looks_like_an_expression_says_so(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=5)
    open_pane(page, gateway, "train")
    row(page, 4).wait_for()
    page.evaluate("pane.openSearch()")
    page.locator(".search-text").fill("line [0-9]")
    expect(page.locator(".search-count")).to_contain_text("try .* (regular expression)")
    page.get_by_role("button", name="Show only hits and").click()
    tip = page.locator('.strip[data-state="tip"]')
    expect(tip).to_contain_text("No line is like that")
    assert page.locator(".position").inner_text() == "0 of 5"
    bar = box(page.locator(".search-bar"))
    assert box(tip)["y"] >= bar["y"] + bar["height"]


def test_what_is_wrong_with_an_expression_is_said_of_what_was_typed() -> None:
    with pytest.raises(ClientError) as caught:
        Pattern("foo(", case=False)
    assert "(?m:" not in caught.value.message


def test_a_parenthesis_too_many_is_wrong_however_it_is_matched() -> None:
    with pytest.raises(ClientError):
        Pattern("a)(b", case=False)


def test_the_badge_counts_what_is_not_muted_and_has_its_worst_severity(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", total=20, alerts=1)
    gateway.set_alerts(
        firing=[
            alert("oom", "critical", "train-1", 5, muted=True),
            alert("slow", "warning", "train-1", 7),
        ]
    )
    page.goto(f"{gateway.url}/jobs/default/train-1")
    bell = page.get_by_role("button", name="Alerts: 1 alert firing, 1 muted")
    expect(bell.locator(".badge")).to_have_attribute("data-severity", "warning")
    expect(page.locator(".pane-head .tag-alert")).to_have_attribute("data-severity", "warning")
    expect(page.get_by_role("img", name="Muted alert: oom")).to_have_attribute("data-muted", "true")


def test_the_alerts_of_the_open_log_stand_first(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train-1", total=20)
    gateway.set_alerts(
        firing=[alert("other", "critical", "train-2", 1), alert("own", "info", "train-1", 7)]
    )
    page.goto(f"{gateway.url}/jobs/default/train-1?panel=alerts")
    expect(page.locator(".panel .alert strong").first).to_have_text("own")


def test_a_line_within_a_traceback_is_opened_and_marked_alone(
    page: Page, gateway: FakeGateway
) -> None:
    log = gateway.add_job("train", total=5)
    log.add(["Traceback:", '  File "x"', "    y", "ValueError: z", "on"], roles="Tttt.")
    open_pane(page, gateway, "train", fragment="#L6", line=6)
    row(page, 6).wait_for()
    assert "picked" in looks(row(page, 6))
    assert "picked" not in looks(row(page, 5))


def test_a_line_beyond_the_end_is_said_and_the_end_shown(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=500)
    open_pane(page, gateway, "train", fragment="#L999999", line=999_999)
    row(page, 499).wait_for()
    wait_until(lambda: "There is no line 999,999 yet" in page.evaluate("said"))


def test_plots_begin_with_the_first_figure(page: Page, gateway: FakeGateway) -> None:
    gateway.series = {"lines_per_s": [5.0] * 40}
    gateway.add_job("train-1", total=10)
    page.goto(f"{gateway.url}/jobs/default/train-1?panel=plots")
    plot = page.get_by_role("img", name="Lines per second")
    expect(page.locator(".legend").first).to_contain_text("5")
    plot.press("Home")
    expect(page.locator("#announcer")).to_contain_text("lines/s 5")


def test_a_telephone_wraps_lines_unless_told_otherwise(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train-1", total=10)
    gateway.push("train-1", ["long " * 100])
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{gateway.url}/jobs/default/train-1")
    long = row(page, 10)
    expect(long).to_be_visible()
    wait_until(lambda: box(long)["height"] > 100)
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("checkbox", name="Wrap long lines").uncheck()
    page.reload()
    expect(long).to_be_visible()
    wait_until(lambda: box(long)["height"] < 50)
