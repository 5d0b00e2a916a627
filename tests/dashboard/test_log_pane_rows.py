"""What the rows of the log pane show: levels, workers, folds, bars, badges, hostile text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.fake_gateway import FakeGateway
from tests.support.log_harness import box, looks, open_pane, row
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/app/train.py", line 12, in step',
    "    loss = model(batch)",
    "ValueError: a needle in the middle",
]


@pytest.fixture(autouse=True)
def _needs_playwright() -> None:
    pytest.importorskip("playwright")


def test_levels_have_their_looks(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    gateway.push("train", list("abcdef"), levels="012345")
    open_pane(page, gateway, "train")
    for line, look in enumerate(["line", "debug", "line", "warning", "error", "critical"]):
        assert look in looks(row(page, line))


def test_only_grave_lines_are_shown_when_asked_for(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=50)
    gateway.push("train", ["fine", "bad", "worse", "fine again"], levels="0450")
    open_pane(page, gateway, "train")
    page.locator(".log-pane select.level").select_option("4")
    wait_until(lambda: page.locator(".log-rows .row").count() == 2)
    assert [row(page, line).count() for line in (50, 51, 52, 53)] == [0, 1, 1, 0]
    page.locator(".log-pane select.level").select_option("0")
    row(page, 53).wait_for()


def test_a_level_is_looked_for_in_lines_that_are_not_here_yet(
    page: Page, gateway: FakeGateway
) -> None:
    log = gateway.add_job("train", total=3_000)
    gateway.push("train", ["the only error"], levels="4")
    gateway.push("train", [f"later {n}" for n in range(40_000)])
    assert log.next == 43_001
    open_pane(page, gateway, "train")
    row(page, 43_000).wait_for()
    page.locator(".log-pane select.level").select_option("4")
    row(page, 3_000).wait_for()
    wait_until(lambda: page.locator(".log-rows .row").count() == 1)


def test_a_worker_s_prefix_has_a_colour_and_its_lines_can_be_shown_alone(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train")
    names = ["f pid=1", "f pid=2"]
    lines = [f"({names[n % 2]}) hello {n}" for n in range(10)]
    gateway.push("train", lines, workers=[[n, n % 2, 10] for n in range(10)], worker_names=names)
    gateway.push("train", ["the driver"])
    open_pane(page, gateway, "train")
    row(page, 10).wait_for()
    first, second = (row(page, n).locator(".worker") for n in (0, 1))
    assert first.inner_text().strip() == "(f pid=1)"
    assert first.get_attribute("class") != second.get_attribute("class")
    page.get_by_role("button", name="Show only the lines of these workers").click()
    page.get_by_label("f pid=2").check()
    wait_until(lambda: page.locator(".log-rows .row").count() == 5)
    assert row(page, 0).count() == 0
    assert row(page, 9).count() == 1


def test_a_traceback_is_one_row_that_says_what_was_raised_and_opens(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=5)
    gateway.push("train", [*TRACEBACK, "on"], roles="Tttt.", levels="44440")
    open_pane(page, gateway, "train")
    fold = page.locator(".row.fold")
    fold.wait_for()
    assert "ValueError: a needle in the middle" in fold.inner_text()
    assert "4 lines" in fold.inner_text()
    assert row(page, 6).count() == 0
    fold.get_by_role("button").click()
    row(page, 8).wait_for()
    assert row(page, 7).locator(".text").inner_text() == "    loss = model(batch)"
    assert fold.get_by_role("button").get_attribute("aria-expanded") == "true"
    page.keyboard.press("Enter")
    wait_until(lambda: row(page, 7).count() == 0)


def test_a_hit_inside_opens_a_traceback(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=5)
    gateway.push("train", TRACEBACK, roles="Tttt", levels="4444")
    open_pane(page, gateway, "train")
    page.locator(".row.fold").wait_for()
    page.evaluate("pane.openSearch()")
    page.keyboard.type("loss = model")
    row(page, 7).locator(".hit").wait_for()


def test_a_traceback_that_is_being_printed_stays_one_row(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=5)
    open_pane(page, gateway, "train")
    wait_until(lambda: gateway.listeners("default/train"))
    for text, role in zip(TRACEBACK, "Tttt", strict=True):
        gateway.push("train", [text], roles=role, levels="4")
    wait_until(lambda: "4 lines" in (page.locator(".row.fold").all_inner_texts() or [""])[0])
    assert page.locator(".log-rows .row").count() == 6


def test_a_progress_bar_is_one_live_row_with_its_raw_lines_within_reach(
    page: Page, gateway: FakeGateway
) -> None:
    gateway.add_job("train", total=3)
    states = [f"epoch 1: {p:3}%|███       | {p}/100 [00:01<00:02, 30it/s]" for p in range(100)]
    gateway.push("train", states[:40], cr=list(range(40)))
    open_pane(page, gateway, "train")
    bar = page.locator(".row.bar")
    bar.wait_for()
    assert bar.locator("progress").get_attribute("value") == "39"
    assert "39/100 [00:01<00:02, 30it/s]" in bar.inner_text()
    wait_until(lambda: gateway.listeners("default/train"))
    gateway.push("train", states[40:80], cr=list(range(40)))
    wait_until(lambda: bar.locator("progress").get_attribute("value") == "79")
    gateway.push("train", [states[80], "epoch 1: 100%|██████████| 100/100 [00:03, 30it/s]"], cr=[0])
    gateway.push("train", ["done"])
    row(page, 85).wait_for()
    assert page.locator(".log-rows .row").count() == 5
    assert bar.locator("progress").get_attribute("value") == "100"
    bar.get_by_role("button").click()
    wait_until(lambda: row(page, 84).count() == 1)
    assert "100/100" in page.locator('.row.line[data-line="84"]').inner_text()


def test_what_is_printed_after_a_bar_is_a_line_of_its_own(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=998)
    lines = [f"{n}%|██  | {n}/100" for n in range(3)]
    gateway.push("train", [*lines, "checkpoint saved"], cr=[0, 1, 2])
    open_pane(page, gateway, "train")
    row(page, 1_001).wait_for()
    assert row(page, 1_001).locator(".text").inner_text() == "checkpoint saved"
    assert page.locator(".row.bar progress").get_attribute("value") == "2"
    assert "3 refreshes" in page.locator(".row.bar").inner_text()


def test_what_a_worker_printed_behind_a_bar_stands_first(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    name = "f pid=7"
    gateway.push("train", [f"({name}) hello"], workers=[[0, 0, 10]], worker_names=[name])
    gateway.push("train", ["", f"epoch 1: 5%|#   | 3/60 [00:00<00:09]({name}) ready"], cr=[0])
    open_pane(page, gateway, "train")
    bar = page.locator(".row.bar")
    bar.wait_for()
    assert bar.locator(".message").inner_text() == "ready"
    worker = row(page, 0).locator(".worker")
    assert bar.locator(".worker").get_attribute("class") == worker.get_attribute("class")
    assert "epoch 1:" in bar.inner_text()
    assert bar.locator("progress").count() == 0  # it has moved on since


def test_a_bar_over_many_pages_is_one_row(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=3)
    for part in range(4):
        lines = [f"{n / 50:.1f}% done" for n in range(part * 1_000, part * 1_000 + 1_000)]
        gateway.push("train", lines, cr=list(range(1_000)))
    gateway.push("train", ["100% done", "next"])
    open_pane(page, gateway, "train")
    row(page, 4_004).wait_for()
    wait_until(lambda: "4,001 refreshes" in (page.locator(".row.bar").all_inner_texts() or [""])[0])
    wait_until(lambda: page.locator(".log-rows .row").count() == 5)


def test_a_refresh_that_warns_is_never_hidden_in_a_bar(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    lines = ["10%", "WARNING: slow", "20%", "ERROR: lost"]
    gateway.push("train", lines, cr=[0, 1, 2], levels="0304")
    open_pane(page, gateway, "train")
    row(page, 3).wait_for()
    assert "WARNING: slow" in row(page, 1).inner_text()
    assert "error" in looks(row(page, 3))


def test_a_repeated_line_has_a_badge(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    gateway.push("train", ["(f pid=1) slow [repeated 7x across cluster]"], repeats=[[0, 7]])
    open_pane(page, gateway, "train")
    assert row(page, 0).locator(".repeated").inner_text() == "[repeated 7x across cluster]"


def test_hostile_text_is_seen_and_not_run(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    hostile = [
        "<img src=x onerror=\"document.title='run'\">",
        "<script>document.title='run'</script>",
        "\u202edesrever\u202c zero\u200bwidth \u2028 end",
        "javascript:alert(1) [link](javascript:alert(1))",
    ]
    gateway.push("train", hostile)
    open_pane(page, gateway, "train")
    row(page, 3).wait_for()
    assert row(page, 0).locator(".text").inner_text() == hostile[0]
    assert row(page, 1).locator(".text").inner_text() == hostile[1]
    assert page.locator(".log-rows img, .log-rows script").count() == 0
    shown = row(page, 2).locator(".control").all_inner_texts()
    assert shown == ["U+202E", "U+202C", "U+200B", "U+2028"]
    assert page.title() == "A log"


def test_a_very_long_line_is_cut_until_asked_for(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train")
    gateway.push("train", ["x" * 10_240, "y" * 3_000 + "needle"])
    open_pane(page, gateway, "train")
    more = row(page, 0).get_by_role("button")
    assert more.inner_text() == "… 8,240 more characters"
    more.click()
    wait_until(lambda: len(row(page, 0).locator(".text").inner_text()) == 10_240)
    page.evaluate("pane.openSearch()")
    page.keyboard.type("needle")
    row(page, 1).locator(".hit").wait_for()


def test_an_alert_marks_its_line(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=20)
    open_pane(page, gateway, "train")
    row(page, 19).wait_for()
    page.evaluate("pane.setAlerts([{line: 7, rule: 'OutOfMemory', severity: 'critical'}])")
    row(page, 7).get_by_label("Alert: OutOfMemory (critical)").wait_for()


def test_wrap_time_and_numbers_can_be_switched(page: Page, gateway: FakeGateway) -> None:
    gateway.add_job("train", total=20)
    gateway.push("train", ["long " * 100])
    open_pane(page, gateway, "train")
    long = row(page, 20)
    long.wait_for()
    flat = box(long)["height"]
    assert long.locator(".time").is_hidden()
    page.evaluate("pane.focus()")
    page.keyboard.press("w")
    wait_until(lambda: box(long)["height"] >= 3 * flat)
    assert page.evaluate("changedSettings") == {"wrap": True}
    page.evaluate("pane.setSettings({wrap: false, numbers: false, time: true})")
    wait_until(lambda: box(long)["height"] == flat)
    assert long.locator(".time").is_visible()
    bottom = box(long)["y"] + flat
    assert bottom <= page.evaluate("innerHeight")
