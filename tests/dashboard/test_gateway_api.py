"""Lists, parts of logs, searches, health and files, as the gateway answers them."""

from __future__ import annotations

import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest

from broker.errors import ClientError
from broker.frame import replace
from broker.topic import Stream
from subscribers.dashboard.pattern import Pattern
from subscribers.dashboard.static_files import PAGE
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import EPOCH, gap_frame, log_frame, point_frame, text
from tests.support.little_http import LittleHttp, Reply
from tests.support.permissions import TOKEN, access
from tests.support.ports import free_port
from tests.support.served_broker import ServedBroker
from tests.support.sse import Event
from tests.support.wait import wait_until

STREAM, DONE, BUSY = Stream("ray", "job-1"), Stream("ray", "job-2"), Stream("ray", "busy")
JOB = f"/v1/jobs/{STREAM}"
ALERT = {"fingerprint": "f", "rule": "oom", "severity": "critical", "state": "firing"}


@pytest.fixture(scope="module")
def brokers() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        said = ["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no"]
        broker.publish(
            log_frame(0, 100, STREAM),
            replace(log_frame(100, 103, STREAM), lines=said),
            gap_frame(103, 110, stream=STREAM),
            log_frame(110, 120, STREAM),
            log_frame(0, 5, DONE),
            point_frame("end", 5, DONE),
        )
        yield broker


@pytest.fixture(scope="module")
def gateway(brokers: ServedBroker) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([brokers]) as gateway:
        wait_until(lambda: gateway.json("/v1/jobs")["jobs"], message="the jobs are listed")
        yield gateway


@pytest.fixture
def broker(brokers: ServedBroker) -> Iterator[ServedBroker]:
    yield brokers
    brokers.problems = []
    brokers.before_replay = lambda: None


# Jobs ----------------------------------------------------------------------------------------


def test_a_row_is_the_brokers_view_and_what_the_gateway_saw(gateway: GatewayUnderTest) -> None:
    body = gateway.json("/v1/jobs")
    assert (body["broker"], body["degraded"]) == ("a", [])
    row = next(row for row in body["jobs"] if row["job"] == "job-1")
    assert (row["state"], row["epoch"], row["next"], row["alerts"]) == ("streaming", EPOCH, 120, 0)
    assert set(row["stats"]) == {
        *("lines_per_s", "bytes_per_s", "frames_per_s", "lag_p50_ms", "lag_p95_ms", "lag_p99_ms"),
        *("source_lag_bytes", "reconnects", "errors"),
    }
    assert gateway.json(JOB) == next(
        row for row in gateway.json("/v1/jobs?job=job-1")["jobs"] if row["cluster"] == "ray"
    )


def test_jobs_are_filtered_by_globs(gateway: GatewayUnderTest) -> None:
    assert [row["job"] for row in gateway.json("/v1/jobs?job=*-2")["jobs"]] == ["job-2"]
    assert gateway.json("/v1/jobs?cluster=nowhere")["jobs"] == []


def test_lines_and_errors_are_counted_as_they_come_live(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    with gateway.stream("/v1/clusters/ray/stream") as client:
        client.next()
        said = ["ERROR: one", "fine", "CRITICAL: two"]
        broker.publish(replace(log_frame(0, 3, BUSY), lines=said))
        client.until(lambda event: event.name == "frames")
    wait_until(lambda: gateway.get(f"/v1/jobs/{BUSY}").status == 200, message="it is listed")
    row = gateway.json(f"/v1/jobs/{BUSY}")
    assert row["errors_seen"] == 2
    assert row["stats"]["lines_per_s"] > 0
    series = gateway.json("/v1/stats?cluster=ray&job=busy&minutes=1")
    assert (series["step_s"], len(series["series"]["lines_per_s"])) == (2, 30)
    assert set(series["series"]) == {
        *("lines_per_s", "bytes_per_s", "frames_per_s", "lag_p50_ms", "lag_p95_ms", "lag_p99_ms"),
        "reconnects",
    }


def test_an_unknown_job_is_404_everywhere(gateway: GatewayUnderTest) -> None:
    for what in ("", "/lines", "/log", "/search?q=x", "/stream"):
        assert gateway.error(f"/v1/jobs/ray/nobody{what}")[0] == 404, what


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/jobs?x=1", "/v1/jobs/ray/a%20b", f"{JOB}/lines?from=x", f"{JOB}/lines?limit=0"),
        *(f"{JOB}/search", f"{JOB}/search?q=(", f"{JOB}/search?q=x&case=2", f"{JOB}/log?from=-1"),
        *("/v1/stats", "/v1/stats?cluster=ray&minutes=99", "/v1/stats?cluster=a%2Fb"),
        f"{JOB}/lines?epoch=%0a",
    ],
)
def test_what_is_wrong_is_400_with_what_would_be_right(
    gateway: GatewayUnderTest, path: str
) -> None:
    status, message = gateway.error(path)
    assert status == 400
    assert len(message) > 10


# Parts of logs -------------------------------------------------------------------------------


def test_lines_come_from_somewhere_on_with_what_is_recognised(gateway: GatewayUnderTest) -> None:
    body = gateway.json(f"{JOB}/lines?from=98&limit=10")
    assert (body["epoch"], body["first"], body["next"], body["complete"]) == (
        EPOCH, 98, 108, False,
    )  # fmt: skip
    kinds = [(frame["kind"], frame["first"], frame["next"]) for frame in body["frames"]]
    assert kinds == [("log", 98, 100), ("log", 100, 103), ("gap", 103, 108)]
    assert body["frames"][1]["roles"] == "Ttt"
    assert body["frames"][1]["levels"] == "444"


def test_the_last_lines_can_be_asked_for(gateway: GatewayUnderTest) -> None:
    body = gateway.json(f"{JOB}/lines?from=-5")
    assert (body["first"], body["next"]) == (115, 120)
    assert gateway.json(f"{JOB}/lines?from=-999")["first"] == 0
    assert gateway.json(f"/v1/jobs/{DONE}/lines")["complete"] is True


def test_no_more_lines_than_a_page_come_at_once(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    long = Stream("ray", "long")
    broker.publish(log_frame(0, 7000, long))
    body = gateway.json(f"/v1/jobs/{long}/lines?limit=100000")
    assert (body["first"], body["next"]) == (0, 5000)
    assert gateway.json(f"/v1/jobs/{long}/lines")["next"] == 1000


def test_a_search_finds_lines_and_says_where_to_go_on(gateway: GatewayUnderTest) -> None:
    body = gateway.json(f"{JOB}/search?q=LINE.*[05]$&limit=3")
    assert [hit["line"] for hit in body["hits"]] == [0, 5, 10]
    assert body["hits"][1]["text"] == text(5)
    assert (body["next"], body["epoch"]) == (15, EPOCH)
    rest = gateway.json(f"{JOB}/search?q=line.*[05]$&from=15&limit=1000")
    assert [hit["line"] for hit in rest["hits"]] == [*range(15, 100, 5), 110, 115]
    assert rest["next"] is None


def test_a_search_minds_the_case_where_it_is_told_to(gateway: GatewayUnderTest) -> None:
    assert gateway.json(f"{JOB}/search?q=LINE&case=1")["hits"] == []


def test_a_search_is_bounded_in_time(
    broker: ServedBroker, gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Stream("ray", "search")
    broker.publish(log_frame(0, 7000, long), log_frame(7000, 14_000, long))
    monkeypatch.setattr("subscribers.dashboard.line_routes.SEARCH_S", -1.0)
    body = gateway.json(f"/v1/jobs/{long}/search?q=nothing")
    assert body == {"hits": [], "next": 5_000, "epoch": EPOCH}


def test_a_log_is_passed_on_as_the_broker_sends_it(
    brokers: ServedBroker, gateway: GatewayUnderTest
) -> None:
    for accept in ("text/plain", "application/x-ndjson", "application/msgpack"):
        answer = gateway.get(f"{JOB}/log?from=90&limit=50", Accept=accept)
        assert answer.headers["Content-Type"].startswith(accept)
        assert answer.headers["Raytap-Epoch"] == EPOCH
        assert (answer.headers["Raytap-First"], answer.headers["Raytap-Next"]) == ("90", "120")
        assert "Raytap-Complete" in answer.headers
    frames = list(msgpack.Unpacker(io.BytesIO(answer.data)))
    assert [frame["first"] for frame in frames] == [90, 100, 103, 110]
    assert gateway.get(f"{JOB}/log", "HEAD").headers["Raytap-Next"] == "120"
    assert gateway.get(f"{JOB}/log", Accept="image/png").status == 406
    packed = gateway.get(f"{JOB}/log", Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"


def test_no_more_logs_are_sent_at_once_than_the_broker_can_bear(
    broker: ServedBroker, gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.dashboard.log_proxy.MAX_DOWNLOADS", 0)
    answer = gateway.get(f"{JOB}/log")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


def test_no_more_questions_wait_for_the_journal_than_allowed(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscribers.dashboard.journals.MAX_WAITING", 0)
    answer = gateway.get(f"{JOB}/stream?from=0")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


@pytest.mark.parametrize(
    ("pattern", "case", "found"),
    [
        ("b", False, [1, 2]),
        ("b", True, [1]),
        ("^$", True, [3]),
        ("a$", True, [0, 1]),
        (r"a\sb", True, []),
        ("", True, [0, 1, 2, 3, 4]),
        ("z", True, [4]),
        ("ü", True, [4]),
    ],
)
def test_a_pattern_is_found_line_by_line(pattern: str, case: bool, found: list[int]) -> None:
    assert Pattern(pattern, case=case).find(["a", "abba", "B", "", "ü€ z z"]) == found


def test_a_pattern_that_is_none_is_refused_with_the_reason() -> None:
    with pytest.raises(ClientError, match=r"q is no pattern of RE2: .*\(") as refused:
        Pattern("(", case=True)
    assert refused.value.status == 400


# The page's events ---------------------------------------------------------------------------


def test_the_jobs_are_told_when_they_change(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    new = Stream("ray", "brand-new")
    with gateway.stream("/v1/events") as client:
        first = client.next()
        assert first.name == "jobs"
        assert client.next() == Event(
            "alerts",
            {
                **{key: [] for key in ("firing", "history", "mutes", "receivers", "degraded")},
                "configured": False,
                "total": {},
            },
            "",
        )
        broker.publish(log_frame(0, 1, new))

        def has_new(event: Event) -> bool:
            return event.name == "jobs" and any(
                row["job"] == "brand-new" for row in event.data["jobs"]
            )

        assert not has_new(first)
        client.until(has_new)


def test_the_alerts_are_passed_on_as_far_as_the_token_goes(broker: ServedBroker) -> None:
    firing = [{**ALERT, "cluster": "ray", "job": job} for job in ("job-1", "job-2")]
    said = {
        "configured": True, "firing": firing, "history": firing, "receivers": [],
        "mutes": [{"id": "m", "matchers": ['job="job-2"'], "until": 1, "reason": "", "by": ""}],
        "degraded": ["rules: the file is wrong"], "total": {"firing": 9, "muted": 0, "history": 2},
    }  # fmt: skip
    with (
        LittleHttp(lambda path, headers: Reply(200, said)) as alerts,
        GatewayUnderTest([broker], access(jobs=["job-1"]), alerts=alerts.url) as gateway,
    ):
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        wait_until(lambda: gateway.get("/v1/alerts", **bearer).status == 200)
        body = gateway.json("/v1/alerts", **bearer)
        assert [alert["job"] for alert in body["firing"]] == ["job-1"]
        assert (len(body["history"]), body["mutes"]) == (1, [])
        assert (body["degraded"], body["total"]) == ([], {})
        assert gateway.json(JOB, **bearer)["alerts"] == 1


def test_alerts_that_do_not_answer_are_503_and_said(broker: ServedBroker) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with GatewayUnderTest([broker], alerts=away) as gateway:
        wait_until(lambda: any("alerts" in one for one in gateway.json("/readyz")["degraded"]))
        assert gateway.error("/v1/alerts")[0] == 503
        with gateway.stream("/v1/events") as client:
            event = client.until(lambda event: event.name == "alerts")[-1]
            assert event.data["configured"] is True
            assert event.data["problem"]


# Health --------------------------------------------------------------------------------------


def test_what_the_broker_says_is_degraded_is_passed_on(
    broker: ServedBroker, gateway: GatewayUnderTest
) -> None:
    broker.problems = ["journal: disk full (no replay)"]
    wait_until(lambda: "journal: disk full" in str(gateway.json("/readyz")["degraded"]))
    assert gateway.json("/readyz")["ready"] is True
    assert gateway.json("/v1/jobs")["degraded"] == ["journal: disk full (no replay)"]


def test_a_broker_that_is_away_is_said_and_its_last_list_stays() -> None:
    with ServedBroker() as broker:
        broker.publish(log_frame(0, 10, STREAM))
        with GatewayUnderTest([broker]) as gateway:
            wait_until(lambda: gateway.json("/v1/jobs")["jobs"], message="the job is listed")
            broker.http_stop()
            wait_until(lambda: broker.http in str(gateway.json("/readyz")["degraded"]))
            assert len(gateway.json("/v1/jobs")["jobs"]) == 1
            broker.http_up()
            wait_until(lambda: gateway.json("/readyz")["degraded"] == [], 15)


def test_no_redis_for_the_statistics_is_said(broker: ServedBroker) -> None:
    nowhere = f"redis://127.0.0.1:{free_port()}"
    with GatewayUnderTest([broker], stats_redis=nowhere) as gateway:
        wait_until(lambda: "Redis" in str(gateway.json("/readyz")["degraded"]))


def test_lines_that_could_not_be_had_are_said(broker: ServedBroker) -> None:
    lossy = Stream("ray", "lossy")
    broker.publish(log_frame(0, 10, lossy))
    with GatewayUnderTest([broker]) as gateway:
        with gateway.stream(f"/v1/jobs/{lossy}/stream") as client:
            client.next()
            broker.publish(log_frame(10, 20, lossy))
            client.until(lambda event: event.name == "frame")
            gap = gap_frame(20, 30, "unreachable", lossy)
            broker.publish(gap, log_frame(30, 40, lossy))
            client.until(lambda event: event.name == "frame" and event.data["next"] == 40)
        assert "gap: 10 lines could not be had" in str(gateway.json("/readyz")["degraded"])


def test_the_metrics_count_clients_and_what_is_sent(gateway: GatewayUnderTest) -> None:
    with gateway.stream(f"{JOB}/stream?from=0") as client:
        client.until(lambda event: event.name == "frame" and event.data["next"] == 120)
        page = gateway.get("/metrics").data.decode()
    values = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#")
    assert float(values["raytap_gateway_clients"]) >= 1
    assert float(values["raytap_gateway_sent_bytes_total"]) > 1000
    assert float(values['raytap_gateway_frames_total{cluster="ray"}']) >= 0
    assert float(values["raytap_gateway_replays"]) >= 0
    key = 'raytap_http_requests_total{route="/v1/jobs",status="200"}'
    assert float(values[key]) > 0


# Files ---------------------------------------------------------------------------------------


def test_the_page_is_served_at_its_root_and_at_a_jobs_address(gateway: GatewayUnderTest) -> None:
    page = (PAGE / "index.html").read_bytes()
    for path in ("/", f"/jobs/{STREAM}", f"/jobs/{STREAM}?beside=ray/job-2"):
        answer = gateway.get(path)
        assert (answer.data, answer.headers["Content-Type"]) == (page, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", sorted(PAGE.rglob("*.*")), ids=lambda path: path.name)
def test_every_file_of_the_page_has_its_type(gateway: GatewayUnderTest, path: Path) -> None:
    answer = gateway.get(f"/static/{path.relative_to(PAGE)}")
    assert answer.status == 200
    kind = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
    assert answer.headers["Content-Type"].startswith(kind.get(path.suffix, "image/"))


def test_a_file_that_has_not_changed_is_not_sent_again(gateway: GatewayUnderTest) -> None:
    first = gateway.get("/static/app.js")
    assert first.headers["Cache-Control"] == "no-cache"
    again = gateway.get("/static/app.js", If_None_Match=f'"x", {first.headers["ETag"]}')
    assert (again.status, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize(
    "path",
    [
        *("../gateway.py", "..%2fgateway.py", "%2e%2e/gateway.py", ".hidden.js", "log/../app.js"),
        *("nothing.js", "app.py", "log", "", "app.js%00", "/etc/passwd", "a" * 300 + ".js"),
    ],
)
def test_nothing_else_is_a_file(gateway: GatewayUnderTest, path: str) -> None:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=10)
    connection.request("GET", f"/static/{path}")  # as it is: other clients tidy the path up
    answer = connection.getresponse()
    assert answer.status == 404
    assert json.loads(answer.read())["error"]["status"] == 404
    connection.close()


def test_another_method_is_405_with_those_there_are(gateway: GatewayUnderTest) -> None:
    answer = gateway.get("/v1/session", "PUT")
    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, POST")
    assert gateway.get("/v1/jobs", "POST").headers["Allow"] == "GET, HEAD"
