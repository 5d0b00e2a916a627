"""The log pane's pure modules: what is kept, what is shown where, what is matched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browser import Watched
from tests.support.fake_gateway import FakeGateway

if TYPE_CHECKING:
    from playwright.sync_api import Page

PRELUDE = """
const { Store } = await import("/static/log/store.js");
const { Rows } = await import("/static/log/rows.js");
const { Filter } = await import("/static/log/filter.js");
const { Hits } = await import("/static/log/hits.js");
const { Gaps } = await import("/static/log/gaps.js");
const { Heights } = await import("/static/log/heights.js");
const { Pattern } = await import("/static/log/pattern.js");
const { pieces } = await import("/static/log/pieces.js");
const { progress } = await import("/static/log/progress.js");
const { Scale } = await import("/static/log/scale.js");
const { parseLineHash, lineHash } = await import("/static/log/link.js");
const frame = (first, lines, more) =>
  ({ kind: "log", epoch: "e", first, next: first + lines.length, lines, ts: 1, ...more });
const gap = (first, next, reason) => ({ kind: "gap", epoch: "e", first, next, reason, ts: 1 });
const numbered = (first, next) =>
  Array.from({ length: next - first }, (_, i) => `line ${first + i}`);
const newView = () => ({
  filter: new Filter(), hits: new Hits(), opened: new Set(), closed: new Set(),
  uncut: new Set(), rowHeight: 20, columns: 0, cut: 2000 });
"""


@pytest.fixture(scope="module")
def model(file_page: Watched, file_gateway: FakeGateway) -> Page:
    """A page without a pane: its modules are called one by one."""
    file_page.page.goto(f"{file_gateway.url}/static/theme.css")
    return file_page.page


def run(model: Page, script: str) -> Any:
    return model.evaluate(f"async () => {{ {PRELUDE} {script} }}")


def test_what_is_missing_is_neither_held_nor_a_gap(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        store.take(frame(1500, numbered(1500, 1700)));
        store.take(gap(2100, 2200, "limit"));
        store.take(frame(2200, numbered(2200, 2201)));
        return store.missing(1400, 9999);""",
    ) == [[1400, 1500], [1700, 2100]]


def test_lines_that_come_after_all_cut_a_gap(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        store.take(gap(0, 100, "limit"));
        store.take(frame(40, numbered(40, 50)));
        return store.gaps.list.map(({ first, next }) => [first, next]);""",
    ) == [[0, 40], [50, 100]]


def test_a_gap_never_hides_lines_that_are_here(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        store.take(frame(40, numbered(40, 50)));
        store.take(gap(0, 100, "evicted"));
        return [store.text(45), store.gaps.list.map(({ first, next }) => [first, next])];""",
    ) == ["line 45", [[0, 40], [50, 100]]]


def test_neighbouring_gaps_of_one_reason_are_one(model: Page) -> None:
    assert run(
        model,
        """const gaps = new Gaps();
        gaps.add({ first: 0, next: 10, reason: "limit" });
        gaps.add({ first: 20, next: 30, reason: "limit" });
        gaps.add({ first: 10, next: 20, reason: "limit" });
        gaps.add({ first: 30, next: 40, reason: "source" });
        return gaps.list.map(({ first, next, reason }) => [first, next, reason]);""",
    ) == [[0, 30, "limit"], [30, 40, "source"]]


def test_an_older_file_s_frames_do_not_come_back_after_a_reset(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        store.take(frame(0, ["old"]));
        store.take({ kind: "reset", epoch: "f", first: 0, next: 0, ts: 2, reason: "shorter" });
        const late = store.take(frame(1, ["late"]));
        store.take({ ...frame(0, ["new"]), epoch: "f" });
        return [late, store.epoch, store.text(0), store.end];""",
    ) == [False, "f", "new", 1]


def test_the_newest_word_on_the_status_counts_in_whatever_order_it_comes(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        const say = (kind, first, ts, status) =>
          store.take({ kind, epoch: "e", first, next: first, ts, status });
        say("end", 10, 30, "FAILED");
        say("status", 0, 10, "RUNNING");
        const ended = [store.status, store.ended];
        store.take(frame(10, ["one more"], { ts: 40 }));
        return [ended, store.ended, store.marks.list.map((mark) => mark.status)];""",
    ) == [["FAILED", True], False, ["RUNNING", "FAILED"]]


def test_marks_said_again_are_listed_once_and_errors_counted(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        const say = (kind, ts) => store.take(
          { kind, epoch: "e", first: 5, next: 5, ts, code: 503, message: "away" });
        for (const ts of [1, 2, 2, 3, 1]) say("error", ts);
        say("status", 1); say("status", 1);
        return store.marks.list.map(({ kind, times }) => [kind, times]);""",
    ) == [["error", 3], ["status", 1]]


def test_every_line_is_shown_once_however_the_log_was_put_together(model: Page) -> None:
    problems = run(
        model,
        """
        const problems = [];
        for (let seed = 1; seed <= 25; seed += 1) {
          let state = seed * 7919;
          const random = (n) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % 65536 % n;
          // A log of runs: plain lines, tracebacks, bars, gaps; some longer than a page.
          const frames = [];
          let at = 0;
          while (at < 6500) {
            const length = 1 + random(random(6) ? 40 : 1800);
            const kind = ["plain", "fold", "bar", "gap"][random(4)];
            const next = at + length;
            if (kind === "gap") frames.push(gap(at, next, "limit"));
            else for (let from = at; from < next; from += 700) {
              const lines = numbered(from, Math.min(next, from + 700));
              const more = {};
              if (kind === "fold") {
                more.roles = lines.map((_, i) => (from + i === at ? "T" : "t")).join("");
                more.levels = "4".repeat(lines.length);
              }
              if (kind === "bar") {
                more.cr = lines.map((_, i) => i).filter((i) => from + i < next - 1);
              }
              frames.push(frame(from, lines, more));
            }
            at = next;
          }
          const end = at;
          for (let i = frames.length - 1; i > 0; i -= 1) {
            const j = random(i + 1);
            [frames[i], frames[j]] = [frames[j], frames[i]];
          }
          const store = new Store();
          const view = newView();
          const rows = new Rows(store, view);
          const check = (when) => {
            const all = rows.slice(0, rows.height);
            let expected = 0;
            let top = 0;
            for (const item of all) {
              const { row } = item;
              if (item.top !== top) problems.push([seed, when, "top", item.top, top]);
              top += item.height;
              if (row.kind === "mark") continue;
              if (row.line !== expected) {
                problems.push([seed, when, row.kind, row.line, expected]);
                break;
              }
              const head = row.open ? (row.kind === "fold" ? row.line + 1 : row.line) : row.next;
              expected = head;
            }
            if (expected !== store.end) problems.push([seed, when, "end", expected, store.end]);
            if (top !== rows.height) problems.push([seed, when, "height", top, rows.height]);
            for (let i = 0; i < 40; i += 1) {
              const line = random(store.end);
              const { row } = rows.find(line);
              const shows = row.line <= line && line < row.next;
              if (!shows) problems.push([seed, when, "find", line, row.line]);
            }
          };
          for (const [i, one] of frames.entries()) {
            store.take(one);
            rows.refresh(store.touched);
            store.touched.clear();
            if (i % 11 === 0) check(`frame ${i}`);
          }
          check("all");
          if (store.missing(0, end).length) problems.push([seed, "missing"]);
          for (const { row } of rows.slice(0, rows.height)) {
            if (row.open !== false || random(3)) continue;
            view.opened.add(row.line);
            const pages = [];
            const first = Math.floor(row.line / 1000);
            for (let page = first; page * 1000 < row.next; page += 1) pages.push(page);
            rows.refresh(pages);
          }
          check("opened");
          view.columns = 3;
          rows.rebuild();
          check("wrapped");
        }
        return problems.slice(0, 5);""",
    )
    assert problems == []


def test_folding_never_hides_a_hit(model: Page) -> None:
    assert run(
        model,
        """const store = new Store();
        const roles = ["T", ..."t".repeat(2499)].join("");
        store.take(frame(0, numbered(0, 2500), { roles, levels: "4".repeat(2500) }));
        const view = newView();
        const rows = new Rows(store, view);
        const closed = rows.slice(0, rows.height).length;
        view.hits.active = true;
        view.hits.add([2400]);
        rows.rebuild();
        return [closed, rows.find(2400).row.kind, rows.slice(0, rows.height).length];""",
    ) == [1, "line", 2500]


def test_the_height_of_a_page_that_was_let_go_is_kept(model: Page) -> None:
    assert run(
        model,
        """const store = new Store({ mostPages: 2 });
        for (let at = 0; at < 5000; at += 1000) store.take(frame(at, numbered(at, at + 1000)));
        const rows = new Rows(store, newView());
        const before = rows.height;
        rows.forget(store.shrink((index) => index));
        const { row, top } = rows.find(4321);
        return [before === rows.height, store.pages.size, row.kind, top];""",
    ) == [True, 2, "blank", 4321 * 20]


def test_the_height_at_an_offset_is_found_among_many(model: Page) -> None:
    assert run(
        model,
        """const heights = new Heights();
        for (let i = 0; i < 1000; i += 1) heights.set(i, i % 3 ? 10 : 0);
        const wrong = [];
        for (let i = 0; i < 1000; i += 1) {
          if (i % 3 && heights.at(heights.before(i)) !== i) wrong.push(i);
        }
        return [wrong, heights.total, heights.at(1e9)];""",
    ) == [[], 6660, 998]


def test_hits_are_kept_in_order_and_once(model: Page) -> None:
    assert run(
        model,
        """const hits = new Hits();
        hits.add([50, 60]); hits.add([10, 50, 55, 70]); hits.add([]); hits.add([5]);
        return [hits.lines, hits.next(55, 1), hits.next(55, -1), hits.next(70, 1), hits.next(5, -1),
                hits.any(56, 60), hits.countIn(50, 60)];""",
    ) == [[5, 10, 50, 55, 60, 70], 60, 50, 5, 70, False, 2]


def test_typed_text_is_no_expression_unless_it_is_said_to_be_one(model: Page) -> None:
    assert run(
        model,
        """const text = new Pattern("a.b(c)");
        const regex = new Pattern("a.b", { regex: true });
        const dangerous = new Pattern("(a+)+$", { regex: true });
        return [text.source, text.test("xA.B(C)"), text.ranges("a.b(c) a.b(c)"), regex.test("aXb"),
                dangerous.matcher, new Pattern("x", { exact: true }).test("X")];""",
    ) == [r"a\.b\(c\)", True, [[0, 6], [7, 13]], True, None, False]


def test_pieces_of_a_line_are_together_its_text(model: Page) -> None:
    shown = run(
        model,
        """const text = "(f pid=1) a\\u202eneedle [repeated 7x across cluster]"
          + " (Ray deduplicates logs by default. x";
        return pieces(text, { prefix: 10, colour: 3, repeated: true, ranges: [[12, 18]] })
          .map(({ text, class: look, shown }) => [text, look, shown ?? null]);""",
    )
    assert shown == [
        ["(f pid=1) ", "worker w3", None],
        ["a", "", None],
        ["\u202e", "control", "U+202E"],
        ["needle", "hit", None],
        [" ", "", None],
        ["[repeated 7x across cluster]", "repeated", None],
        [" (Ray deduplicates logs by default. x", "aside", None],
    ]


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("epoch 1:  37%|███▋      | 37/100 [00:01<00:02, 29.9it/s]", 37),
        ("Downloading 12.5 %", 12.5),
        (" 40/160 batches", 25),
        ("[####      ] 40% done", 40),
        ("Sampling ━━━━━━━━ 60% 0:00:03", 60),
        ("120% of the plan", None),
        ("2026/11/21 nothing", None),
        ("waiting …", None),
    ],
)
def test_a_bar_s_percentage_is_found(model: Page, text: str, percent: float | None) -> None:
    found = model.evaluate(
        "async (text) => (await import('/static/log/progress.js')).progress(text).percent", text
    )
    assert found == percent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch 1: 0%|   | 0/60 [00:00, 24.1it/s](f pid=7) ready", "(f pid=7) ready"),
        ("epoch 1: 0%|   | 0/60 [00:00, 24.1it/s]saved to [x] now", "saved to [x] now"),
        ("epoch 1: 0%|   | 0/60 [00:00, 24.1it/s]", ""),
        ("epoch 1: 0%|   | 0/60 [00:00, 24.1it/s, x=[1, 2]]", ""),
        ("[####  ] 40% done", ""),
    ],
)
def test_what_was_printed_behind_a_bar_is_told_from_it(
    model: Page, text: str, message: str
) -> None:
    found = model.evaluate(
        "async (text) => (await import('/static/log/progress.js')).progress(text).message", text
    )
    assert found == message


@pytest.mark.parametrize(
    ("before", "after", "kin"),
    [
        ("epoch 1: 99%|███| 99/100", "epoch 1: 100%|███| 100/100 [00:03]", True),
        ("map a.txt: 99%|███| 99/100", "map b.txt: 100%|███| 100/100", True),
        ("step 99", "step 100", True),
        ("step 100", "", True),
        ("63%|███   | 63/100", "checkpoint saved to s3://models/step_2100.pt", False),
        ("63%|███   | 63/100", "2026-11-21 05:47:28 INFO saved", False),
        ("step 99", "done", False),
    ],
)
def test_only_a_line_like_a_bar_s_states_is_its_last_one(
    model: Page, before: str, after: str, kin: bool
) -> None:
    found = model.evaluate(
        "async (both) => (await import('/static/log/progress.js')).isKin(...both)", [before, after]
    )
    assert found is kin


def test_a_log_longer_than_a_browser_scrolls_has_no_place_out_of_reach(model: Page) -> None:
    far = run(
        model,
        """const scale = new Scale(10_000);
        scale.fit(1_000_000, 500);
        const seen = [];
        for (const top of [0, 20, 1000, 500_000, 999_000, scale.most]) {
          const at = scale.scroll(top);
          seen.push([at >= 0 && at <= 9_500, scale.moved(top, at, at + (top ? -10 : 10))]);
        }
        return [seen, scale.moved(0, 0, 9_500), scale.moved(7, 3_000, 0)];""",
    )
    assert far == [
        [[True, 10], [True, 10], [True, 990], [True, 499_990], [True, 998_990], [True, 999_490]],
        999_500,
        0,
    ]


def test_the_address_of_lines_reads_back(model: Page) -> None:
    assert run(
        model,
        """return [lineHash({ first: 5, next: 6 }), lineHash({ first: 10, next: 21 }),
          ...["#L12", "#L20-L10", "#L3-9", "#x", ""].map(parseLineHash)];""",
    ) == [
        "#L5",
        "#L10-L20",
        {"first": 12, "next": 13},
        {"first": 10, "next": 21},
        {"first": 3, "next": 10},
        None,
        None,
    ]
