"""The list of jobs: what is in it, how it is filtered, and what a click opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright")
from playwright.sync_api import expect


def names(page: Page) -> list[str]:
    return page.locator(".job-name").all_text_contents()


def test_an_empty_page_says_how_to_start_a_job_and_jobs_appear_by_themselves(
    page: Page, gateway: FakeGateway
) -> None:
    page.goto(gateway.url)
    expect(page.get_by_role("heading", name="No job yet")).to_be_visible()
    expect(page.locator("#main")).to_contain_text("ray job submit")
    gateway.add_job("train-1")
    expect(page.locator(".job")).to_have_count(1)
    expect(page.get_by_role("heading", name="No job yet")).to_be_hidden()
    gateway.add_job("train-2", cluster="research")
    expect(page.get_by_role("list", name="research").get_by_role("link")).to_contain_text("train-2")
    expect(page.locator("#announcer")).to_have_text("New job: train-2")


def test_a_row_tells_status_rate_errors_and_alerts_in_words(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train-1", lines_per_s=1234.0, errors_seen=3, alerts=2, stats=None)
    page.goto(gateway.url)
    link = page.get_by_role("link", name="train-1")
    for words in ("running", "1.2k lines/s", "3 errors", "2 firing", "10m"):
        expect(link).to_contain_text(words)
    gateway.set_row("train-1", status="FAILED", state="ended", alerts=0)
    expect(link).to_contain_text("failed")
    expect(link).not_to_contain_text("2 firing")


def test_jobs_that_ended_stand_below_those_that_run(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("old", run=1_000, tell=False)
    gateway.add_job("new", run=2_000, tell=False)
    gateway.add_job("over", run=3_000, status="SUCCEEDED", tell=False)
    page.goto(gateway.url)
    expect(page.locator(".job")).to_have_count(3)
    assert names(page) == ["new", "old", "over"]
    gateway.set_row("new", status="FAILED")
    expect(page.locator(".job-name").first).to_have_text("old")


def test_the_list_is_filtered_by_name_and_by_status(page: Page, gateway: FakeGateway) -> None:
    for job in ("train-1", "train-2", "etl"):
        gateway.add_job(job, status="FAILED" if job == "train-2" else "RUNNING")
    page.goto(gateway.url)
    expect(page.locator(".job")).to_have_count(3)
    page.get_by_label("Filter jobs by name or status").fill("train")
    expect(page.locator(".job")).to_have_count(2)
    page.get_by_role("button", name="Failed 1").click()
    expect(page.locator(".job")).to_have_count(1)
    assert names(page) == ["train-2"]
    page.get_by_label("Filter jobs by name or status").fill("nothing has this name")
    expect(page.get_by_text("No job matches the filter.")).to_be_visible()


def test_five_hundred_jobs_are_told_anew_without_a_long_pause(
    page: Page, gateway: FakeGateway
) -> None:
    for number in range(500):
        gateway.add_job(f"job-{number:03}", cluster=f"c{number % 5}", tell=False)
    page.goto(gateway.url)
    expect(page.locator(".job")).to_have_count(500)
    page.evaluate("""() => {
        window.longest = 0;
        new PerformanceObserver((list) => {
            const took = list.getEntries().map(({ duration }) => duration);
            window.longest = Math.max(window.longest, ...took);
        }).observe({ type: "longtask" });
    }""")
    gateway.set_row("job-499", cluster="c4", errors_seen=7)
    expect(page.get_by_role("link", name="job-499")).to_contain_text("7 errors")
    assert page.evaluate("window.longest") < 500  # milliseconds, on a machine that does other work


def test_a_hostile_name_or_message_is_seen_and_not_run(page: Page, gateway: FakeGateway) -> None:
    evil = "<img src=x onerror=window.hacked=1>"
    gateway.degraded = [evil]
    gateway.add_job("train-1", state="failed", reason=evil, status="RUNNING")
    gateway.set_alerts(
        firing=[
            {
                "fingerprint": evil, "rule": evil, "severity": evil, "labels": {}, "muted": False,
                "annotations": {"summary": evil}, "cluster": "default", "job": "train-1",
                "epoch": "", "line": 1, "starts_at": 0, "ends_at": None, "state": "firing",
            }
        ]
    )  # fmt: skip
    page.goto(gateway.url)
    expect(page.locator("#notices")).to_contain_text(evil)
    expect(page.locator(".alert")).to_contain_text(evil)
    assert page.locator("img[src='x']").count() == 0
    assert page.evaluate("window.hacked") is None


def test_a_whole_log_is_downloaded_under_its_jobs_name(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train-1", total=2)
    page.goto(f"{gateway.url}/jobs/default/train-1")
    for choice, name, first in (
        ("Download as text", "train-1.log", "line 0"),
        ("Download as NDJSON", "train-1.ndjson", '{"line": 0, "text": "line 0"}'),
    ):
        page.get_by_role("button", name="More").click()
        with page.expect_download() as download:
            page.get_by_role("link", name=choice).click()
        assert download.value.suggested_filename == name
        assert download.value.path().read_text().splitlines()[0] == first
        page.keyboard.press("Escape")
