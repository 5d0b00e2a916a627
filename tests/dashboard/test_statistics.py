from __future__ import annotations

import threading
from typing import Any

import pytest

from broker.frame import Frame
from broker.jobview import ErrorView, JobView
from broker.topic import Stream
from subscribers.dashboard.figures import Figures
from subscribers.dashboard.meter import STEP_S
from subscribers.dashboard.statistics import MAX_CLUSTERS, MAX_JOBS, Statistics

READ_NS = 1_700_000_000_000_000_000


def log(job: str = "a", lines: int = 10, cluster: str = "c") -> Frame:
    return Frame("log", cluster, job, 0, lines, ts=READ_NS, lines=["x"] * lines)


def view(job: str = "a", **fields: Any) -> JobView:
    return JobView("c", job, **{"state": "streaming", "status": "RUNNING"} | fields)


@pytest.fixture
def statistics() -> Statistics:
    return Statistics()


def see(statistics: Statistics, frame: Frame, now: float = 100.0, lag_ms: int = 5) -> None:
    statistics.saw(frame, 1_000, 0, now, READ_NS + lag_ms * 1_000_000)


def test_a_frame_counts_for_its_job_and_its_cluster(statistics: Statistics) -> None:
    see(statistics, log("a", 10))
    see(statistics, log("b", 30))
    assert statistics.of("c", "a", 100.0).lines == 10
    assert statistics.of("c", "b", 100.0).bytes == 1_000
    whole = statistics.of("c", None, 100.0)
    assert (whole.lines, whole.bytes, whole.frames) == (40, 2_000, 2)
    assert whole.lines_per_s == 40.0
    assert whole.lag_p50_ms == pytest.approx(5, rel=0.01)


def test_what_is_unknown_has_figures_of_nothing(statistics: Statistics) -> None:
    assert statistics.of("c", "a", 100.0) == Figures()
    assert statistics.of("c", None, 100.0) == Figures()
    assert statistics.series("c", "a", 1, 100.0).series["lines_per_s"] == [None] * 30


def test_a_row_has_the_fields_that_the_page_reads(statistics: Statistics) -> None:
    assert set(statistics.of("c", "a", 1.0).row()) == {
        *("lines_per_s", "bytes_per_s", "frames_per_s", "lag_p50_ms", "lag_p95_ms", "lag_p99_ms"),
        *("source_lag_bytes", "reconnects", "errors"),
    }


def test_frames_without_lines_have_no_lag(statistics: Statistics) -> None:
    see(statistics, Frame("status", "c", "a", 0, 0, ts=READ_NS, status="RUNNING"))
    figures = statistics.of("c", "a", 100.0)
    assert (figures.frames, figures.lag_p50_ms, figures.status) == (1, None, "RUNNING")


def test_a_broker_whose_clock_is_ahead_has_no_negative_lag(statistics: Statistics) -> None:
    see(statistics, log(), lag_ms=-5_000)
    assert statistics.of("c", "a", 100.0).lag_p99_ms == pytest.approx(0.01, rel=0.1)


def test_lines_of_errors_and_of_gaps_are_counted(statistics: Statistics) -> None:
    statistics.saw(log(), 1_000, 4, 100.0, READ_NS)
    see(statistics, Frame("gap", "c", "a", 10, 25, reason="limit"))
    see(statistics, Frame("gap", "c", "a", 30, 31, reason="a stranger's word"))
    for figures in (statistics.of("c", "a", 100.0), statistics.of("c", None, 100.0)):
        assert figures.errors_seen == 4
        assert figures.gap_lines == {"limit": 15, "other": 1}


def test_reconnects_before_the_first_list_are_in_the_total_and_not_in_the_course(
    statistics: Statistics,
) -> None:
    see(statistics, log(), 100.0)
    statistics.told([view(reconnects=7)], 100.0)
    statistics.told([view(reconnects=9)], 101.0)
    statistics.told([view(reconnects=9)], 102.0)
    for job in ("a", None):
        assert statistics.of("c", job, 102.0).reconnects == 9
        told = statistics.series("c", job, 1, 102.0).series["reconnects"]
        assert told[-1] == 2.0


def test_a_broker_that_is_away_for_a_while_makes_no_reconnects(statistics: Statistics) -> None:
    both = [view(reconnects=7), view(reconnects=2)]
    for views in (both, both[:1], both):
        statistics.told(views, 100.0)
    assert statistics.of("c", "a", 100.0).reconnects == 9


def test_each_error_is_counted_once_however_often_it_is_listed(statistics: Statistics) -> None:
    first, second, other = ErrorView(1, 503, "x"), ErrorView(2, 503, "x"), ErrorView(2, 429, "y")
    statistics.told([view(errors=[first])], 100.0)
    statistics.told([view(errors=[first, second, other])], 101.0)
    statistics.told([view(errors=[second, other])], 102.0)
    assert statistics.of("c", "a", 102.0).errors == {"503": 2, "429": 1}
    assert statistics.of("c", None, 102.0).errors == {"503": 2, "429": 1}


def test_statuses_that_there_are_not_are_counted_together(statistics: Statistics) -> None:
    errors = [ErrorView(code, code, "x") for code in range(1_000, 1_010)]
    statistics.told([view(errors=errors)], 100.0)
    assert statistics.of("c", "a", 100.0).errors == {"other": 10}


def test_the_source_lag_is_that_of_the_broker_that_is_ahead(statistics: Statistics) -> None:
    rows = [view(size=100, offset=10), view(size=100, offset=70), view("b", size=5, offset=0)]
    statistics.told([*rows, view("c", size=5), view("d", size=1, offset=9)], 100.0)
    assert statistics.of("c", "a", 100.0).source_lag_bytes == 30
    assert statistics.of("c", None, 100.0).source_lag_bytes == 35


def test_a_cluster_s_status_says_whether_any_job_is_followed(statistics: Statistics) -> None:
    see(statistics, log())
    assert statistics.of("c", None, 100.0).status == "UNKNOWN"
    statistics.told([view()], 100.0)
    assert statistics.of("c", None, 105.0).status == "RUNNING"
    statistics.told([view(state="ended", status="SUCCEEDED")], 106.0)
    assert statistics.of("c", None, 107.0).status == "IDLE"
    assert statistics.of("c", None, 120.0).status == "UNKNOWN"


def test_a_job_lives_while_it_is_followed_and_a_while_after_its_last_frame(
    statistics: Statistics,
) -> None:
    see(statistics, log("printed"), 100.0)
    statistics.told([view("followed"), view("over", state="ended")], 100.0)
    assert statistics.living(101.0) == [Stream("c", "printed"), Stream("c", "followed")]
    assert statistics.living(131.0) == [Stream("c", "followed")]


def test_an_unlisted_job_is_forgotten_after_a_quarter_of_an_hour(statistics: Statistics) -> None:
    see(statistics, log(), 100.0)
    statistics.told([], 900.0)
    assert statistics.of("c", "a", 900.0).lines == 10
    statistics.told([], 1_001.0)
    assert statistics.of("c", "a", 1_001.0) == Figures()
    assert statistics.of("c", None, 1_001.0).lines == 10


def test_jobs_and_clusters_are_bounded_and_those_that_print_stay(statistics: Statistics) -> None:
    statistics.told([view(f"listed-{n}") for n in range(MAX_JOBS)], 1.0)
    for n in range(MAX_JOBS + 10):
        see(statistics, log("busy"), 1.0)
        see(statistics, log(f"job-{n}", cluster=f"c{n}"), 1.0)
    assert statistics.of("c", "busy", 1.0).lines == 10 * (MAX_JOBS + 10)
    assert len(statistics.living(1.0)) == MAX_JOBS
    assert len(statistics.clusters()) <= MAX_CLUSTERS + 1
    assert statistics.of("", None, 1.0).lines > 0


def test_the_course_says_how_long_ago_its_last_step_ended(statistics: Statistics) -> None:
    see(statistics, log(), 100.0)
    series = statistics.series("c", "a", 0.1, 103.5)
    assert (series.step_s, series.ago_s) == (STEP_S, 1.5)
    assert series.series["lines_per_s"] == [None, None, 5.0]
    assert len(statistics.series("c", "a", 1e9, 103.5).series["lines_per_s"]) == 480


def test_it_is_read_while_frames_come(statistics: Statistics) -> None:
    failures: list[Exception] = []
    over = threading.Event()

    def read() -> None:
        now = 100.0
        while not over.is_set():
            now += 0.5
            try:
                statistics.told([view(), view("b")], now)
                for job in statistics.living(now):
                    statistics.of(job.cluster, job.job, now)
                statistics.series("c", None, 15, now)
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(2_000):
        see(statistics, log(f"job-{n % 50}"), 100.0 + n / 10, lag_ms=n)
    over.set()
    reader.join()
    assert failures == []
    assert statistics.of("c", None, 300.0).lines == 20_000
