"""A job's live stream, above all its seam: replayed and live frames that meet while the job prints,
is replaced, ends, and while the gateway or the broker goes away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from broker.errors import ClientError
from broker.frame import Frame, Kind, replace
from broker.topic import Stream
from tests.support.gateway import GatewayUnderTest
from tests.support.journal_records import EPOCH, gap_frame, log_frame, point_frame
from tests.support.journal_records import text as text_of
from tests.support.served_broker import ServedBroker
from tests.support.sse import Event, SseClient, frames, reaches, text
from tests.support.wait import wait_until

NEXT_EPOCH = "bbbbbbbbbbbb"
THIRD_EPOCH = "dddddddddddd"
JOBS = 50  # each test has one of its own


@pytest.fixture(scope="module")
def brokers() -> Iterator[ServedBroker]:
    with ServedBroker() as broker:
        for number in range(JOBS):
            broker.publish(*Job(number).logs(0, 100))
        yield broker


@pytest.fixture(scope="module")
def gateways(brokers: ServedBroker) -> Iterator[GatewayUnderTest]:
    with GatewayUnderTest([brokers]) as gateway:
        Job(0).is_listed(gateway, 100)
        yield gateway


@pytest.fixture
def broker(brokers: ServedBroker) -> Iterator[ServedBroker]:
    brokers.replays.clear()
    yield brokers
    brokers.before_replay = lambda: None


@pytest.fixture
def gateway(gateways: GatewayUnderTest, broker: ServedBroker) -> GatewayUnderTest:
    """Of all tests; it knows line 0 to 99 of the job."""
    return gateways


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(JOBS))


@pytest.fixture
def job(numbers: Iterator[int]) -> Job:
    """Of this test alone."""
    return Job(next(numbers))


class Job:
    """One job, and the frames that are made up for it."""

    def __init__(self, number: int) -> None:
        self.stream = Stream("ray", f"job-{number}")
        self.path = f"/v1/jobs/{self.stream}/stream"

    def frame(self, first: int, following: int, **fields: Any) -> Frame:
        return log_frame(first, following, self.stream, **fields)

    def logs(self, first: int, following: int, size: int = 10, epoch: str = EPOCH) -> list[Frame]:
        return [self.frame(at, at + size, epoch=epoch) for at in range(first, following, size)]

    def gap(self, first: int, following: int) -> Frame:
        return gap_frame(first, following, stream=self.stream)

    def point(self, kind: Kind, at: int, epoch: str = EPOCH) -> Frame:
        return point_frame(kind, at, self.stream, epoch=epoch)

    def another_file(self, upto: int, epoch: str = NEXT_EPOCH) -> list[Frame]:
        """The log was replaced, and the new one has so many lines."""
        return [self.point("reset", 0, epoch), *self.logs(0, upto, epoch=epoch)]

    def is_listed(self, gateway: GatewayUnderTest, line: int) -> None:
        """Waits until the gateway lists it at that line."""
        path = f"/v1/jobs/{self.stream}"
        wait_until(
            lambda: (answer := gateway.get(path)).status == 200 and answer.json()["next"] >= line,
            message="the job is listed",
            interval=0.02,
        )


def lines(events: list[Event], epoch: str = EPOCH) -> list[int]:
    """The numbers of an epoch's lines, checked for repeats and for what they say."""
    found = text(frames(events))
    mine = {line: said for (of, line), said in found.items() if of == epoch}
    assert all(said == text_of(line) for line, said in mine.items())
    return list(mine)


def kinds(events: list[Event], *but: str) -> list[str]:
    return [frame["kind"] for frame in frames(events) if frame["kind"] not in but]


def live(client: SseClient) -> Event:
    """The stream is open, and the client gets what is published from now on."""
    event = client.next()
    assert event.name == "state"
    return event


class Gate:
    """Holds replays up: each says that it has come, and goes on when it is let."""

    def __init__(self, broker: ServedBroker) -> None:
        self.come = threading.Semaphore(0)
        self._let = threading.Semaphore(0)
        broker.before_replay = self._wait

    def _wait(self) -> None:
        self.come.release()
        self._let.acquire(timeout=10.0)

    def wait(self) -> None:
        """Until the next replay has come."""
        assert self.come.acquire(timeout=10.0)

    def let(self, count: int = 1) -> None:
        """Let so many go on."""
        self._let.release(count)


# Where it begins -----------------------------------------------------------------------------


def test_without_a_beginning_it_is_live(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as client:
        assert live(client).data == {"connected": True, "problem": ""}
        broker.publish(*job.logs(100, 200))
        assert lines(client.until(reaches(200))) == list(range(100, 200))


def test_from_a_line_it_is_replayed_and_goes_on(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(f"{job.path}?from=37") as client:
        events = client.until(reaches(100))
        broker.publish(*job.logs(100, 200))
        events += client.until(reaches(200))
    assert lines(events) == list(range(37, 200))


def test_from_minus_n_it_begins_with_the_last_lines(gateway: GatewayUnderTest, job: Job) -> None:
    with gateway.stream(f"{job.path}?from=-12") as client:
        assert lines(client.until(reaches(100))) == list(range(88, 100))
    with gateway.stream(f"{job.path}?from=-1000") as client:
        assert lines(client.until(reaches(100))) == list(range(100))


def test_from_beyond_the_end_it_waits_for_that_line(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(f"{job.path}?from=150") as client:
        live(client)
        broker.publish(*job.logs(100, 200))
        assert lines(client.until(reaches(200))) == list(range(150, 200))


def test_a_long_log_comes_in_pages(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    broker.publish(*job.logs(100, 12_100, 100))
    with gateway.stream(f"{job.path}?from=0") as client:
        assert lines(client.until(reaches(12_100))) == list(range(12_100))
    assert len([1 for _, _, start in broker.replays if start]) >= 2


def test_lines_come_with_what_was_recognised_in_them(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    said = ["2026-11-21 09:14:03,118 ERROR train.py:1 -- x", "(train pid=12) plain", "nothing"]
    broker.publish(replace(job.frame(100, 103), lines=said))
    with gateway.stream(f"{job.path}?from=100") as client:
        (frame,) = frames(client.until(reaches(103)))
        assert frame["levels"] == "400"
        assert frame["worker_names"] == ["train pid=12"]
        assert frame["workers"] == [[1, 0, 15]]
        assert frame["ts"] == 1000.0
        assert "roles" not in frame


def test_an_unknown_job_is_404(gateway: GatewayUnderTest) -> None:
    assert gateway.error("/v1/jobs/ray/nobody/stream")[0] == 404


@pytest.mark.parametrize("query", ["?from=x", "?from=1&from=2", "?form=1", "?from="])
def test_a_query_that_is_wrong_is_400(gateway: GatewayUnderTest, query: str, job: Job) -> None:
    assert gateway.error(job.path + query)[0] == 400


def test_an_answer_to_head_has_no_body(gateway: GatewayUnderTest, job: Job) -> None:
    answer = gateway.get(job.path, "HEAD")
    assert (answer.status, answer.data) == (200, b"")
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"


# Going on ------------------------------------------------------------------------------------


def test_a_client_that_comes_back_goes_on_where_it_was(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(f"{job.path}?from=0") as client:
        events = client.until(reaches(50))
    broker.publish(*job.logs(100, 200))
    with gateway.stream(f"{job.path}?from=0", client.last_id) as again:
        events += again.until(reaches(200))
    assert lines(events) == list(range(200))


def test_a_client_of_a_silent_job_that_comes_back_misses_nothing(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as client:
        live(client)
    broker.publish(*job.logs(100, 200))
    job.is_listed(gateway, 200)
    with gateway.stream(job.path, client.last_id) as again:
        assert lines(again.until(reaches(200))) == list(range(100, 200))


def test_frames_that_come_during_the_replay_are_neither_lost_nor_repeated(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    gate = Gate(broker)
    with gateway.stream(job.path, f"{EPOCH}:20") as client, gateway.stream(job.path) as witness:
        gate.wait()
        live(witness)
        broker.publish(*job.logs(100, 200))
        witness.until(reaches(200))  # the gateway has had them, while the replay is under way
        gate.let(100)
        events = client.until(reaches(200))
        broker.publish(*job.logs(200, 300))
        events += client.until(reaches(300))
    assert lines(events) == list(range(20, 300))


def test_a_replay_that_was_read_before_the_live_frames_leaves_no_hole(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    """The journal is read, and before its answer is used the job goes on, unseen by this client
    but for its queue."""
    with gateway.stream(job.path) as witness:
        live(witness)
        for first in range(100, 1100, 100):
            with gateway.stream(job.path, f"{EPOCH}:{first - 50}") as client:
                writer = threading.Thread(target=broker.publish, args=job.logs(first, first + 100))
                writer.start()
                events = client.until(reaches(first + 100))
                writer.join()
                assert lines(events) == list(range(first - 50, first + 100))


def test_many_clients_at_once_at_any_line_while_the_job_prints(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    found: dict[int, list[int]] = {}

    def follow(start: int) -> None:
        with gateway.stream(job.path, f"{EPOCH}:{start}") as client:
            found[start] = lines(client.until(reaches(3000)))

    readers = [threading.Thread(target=follow, args=(start,)) for start in range(0, 100, 5)]
    for reader in readers:
        reader.start()
    broker.publish(*job.logs(100, 3000))
    for reader in readers:
        reader.join(20)
    assert found == {start: list(range(start, 3000)) for start in range(0, 100, 5)}


def test_the_journal_may_be_ahead_of_what_is_live(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    """A frame is journaled first: the replay has it, and it comes live afterwards."""
    ahead = job.logs(100, 200)
    for frame in ahead:
        broker.keep(frame)
    with gateway.stream(job.path, f"{EPOCH}:50") as client:
        events = client.until(reaches(200))
        broker.publish(*ahead, journaled=False)
        broker.publish(*job.logs(200, 250))
        events += client.until(reaches(250))
    assert lines(events) == list(range(50, 250))


def test_more_than_fits_during_a_replay_comes_from_the_journal_and_nothing_is_skipped(
    broker: ServedBroker, job: Job
) -> None:
    with GatewayUnderTest([broker], client_buffer=64 << 10) as gateway:
        job.is_listed(gateway, 100)
        gate = Gate(broker)
        with gateway.stream(job.path, f"{EPOCH}:0") as client, gateway.stream(job.path) as witness:
            gate.wait()
            live(witness)
            broker.publish(*job.logs(100, 20_100, 100))
            witness.until(reaches(20_100))
            gate.let(1000)
            events = client.until(reaches(20_100))
        assert lines(events) == list(range(20_100))
        assert "skipped" not in {event.name for event in events}


# Lines that grow, gaps, ends -----------------------------------------------------------------


def test_a_line_that_grew_while_the_client_was_away_replaces_its_part(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    broker.publish(job.frame(100, 110, partial=True))
    with gateway.stream(f"{job.path}?from=100") as client:
        events = client.until(reaches(110))
    assert frames(events)[-1]["partial"] is True
    broker.publish(job.frame(109, 115, amends=True))
    with gateway.stream(job.path, client.last_id) as again:
        amended = again.until(reaches(115))
    assert [frames(amended)[0][key] for key in ("first", "amends")] == [109, True]
    assert lines([*events, *amended]) == list(range(100, 115))


def test_a_line_that_grows_during_the_replay_comes_whole(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    broker.publish(job.frame(100, 110, partial=True))
    gate = Gate(broker)
    with gateway.stream(job.path, f"{EPOCH}:90") as client, gateway.stream(job.path) as witness:
        gate.wait()
        live(witness)
        broker.publish(job.frame(109, 120, amends=True))
        witness.until(reaches(120))
        gate.let(100)
        assert lines(client.until(reaches(120))) == list(range(90, 120))


def test_a_line_that_grew_is_live_for_who_came_after_its_first_part(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as witness:
        live(witness)
        broker.publish(job.frame(100, 110, partial=True))
        witness.until(reaches(110))
    with gateway.stream(job.path) as client:
        live(client)
        broker.publish(job.frame(109, 112, amends=True))
        assert lines(client.until(reaches(112))) == [109, 110, 111]


def test_a_gap_is_told_with_its_reason_live_and_replayed(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as client:
        live(client)
        broker.publish(job.gap(100, 150), *job.logs(150, 200))
        first = frames(client.until(reaches(200)))[0]
    with gateway.stream(f"{job.path}?from=120") as again:
        second = frames(again.until(reaches(200)))[0]
    told = [(frame["kind"], frame["first"], frame["next"], frame["reason"]) for frame in
            (first, second)]  # fmt: skip
    assert told == [("gap", 100, 150, "limit"), ("gap", 120, 150, "limit")]


def test_lines_that_no_journal_has_are_told_as_a_gap(
    broker: ServedBroker, gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch, job: Job
) -> None:
    monkeypatch.setattr("subscribers.dashboard.catch_up._PATIENCE_S", 0.2)
    with gateway.stream(job.path) as witness, gateway.stream(job.path, f"{EPOCH}:90") as client:
        live(witness)
        client.until(reaches(100))
        broker.publish(*job.logs(100, 150), journaled=False)
        client.until(reaches(150))
    with gateway.stream(job.path, client.last_id) as again:
        live(again)
    with gateway.stream(job.path, f"{EPOCH}:120") as behind:
        live(behind)
        broker.publish(*job.logs(150, 160))
        events = behind.until(reaches(160))
    (gap,) = [frame for frame in frames(events) if frame["kind"] == "gap"]
    assert gap["first"] == 120
    assert gap["reason"] in ("unreachable", "evicted")
    assert lines(events)[-1] == 159


def test_an_end_during_the_replay_comes_once(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    gate = Gate(broker)
    with gateway.stream(job.path, f"{EPOCH}:50") as client, gateway.stream(job.path) as witness:
        gate.wait()
        live(witness)
        broker.publish(*job.logs(100, 120), job.point("end", 120))
        witness.until(lambda event: event.data.get("kind") == "end")
        gate.let(100)
        events = client.until(lambda event: event.data and event.data.get("kind") == "end")
        broker.publish(*job.logs(120, 130))  # lines after an end are legal
        events += client.until(reaches(130))
    assert lines(events) == list(range(50, 130))
    assert kinds(events, "log") == ["end"]


def test_a_job_that_is_over_is_replayed_with_its_end(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    broker.publish(job.point("end", 100))
    with gateway.stream(f"{job.path}?from=95") as client:
        events = client.until(lambda event: event.data and event.data.get("kind") == "end")
    assert (lines(events), kinds(events, "log")) == ([95, 96, 97, 98, 99], ["end"])
    assert frames(events)[-1]["complete"] is True


# Another file --------------------------------------------------------------------------------


def test_a_log_that_is_replaced_goes_on_live(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as client:
        live(client)
        broker.publish(*job.logs(100, 110))
        broker.publish(*job.another_file(50))
        events = client.until(reaches(50, NEXT_EPOCH))
    assert lines(events) == list(range(100, 110))
    assert lines(events, NEXT_EPOCH) == list(range(50))
    assert "reset" in kinds(events)
    assert client.last_id == f"{NEXT_EPOCH}:50"


def test_a_client_that_was_away_gets_the_rest_of_the_old_file_and_then_the_new(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as witness:
        live(witness)
        broker.publish(*job.logs(100, 200))
        broker.publish(*job.another_file(50))
        witness.until(reaches(50, NEXT_EPOCH))
    with gateway.stream(job.path, f"{EPOCH}:150") as client:
        events = client.until(reaches(50, NEXT_EPOCH))
        broker.publish(*job.logs(50, 80, epoch=NEXT_EPOCH))
        events += client.until(reaches(80, NEXT_EPOCH))
    assert lines(events) == list(range(150, 200))
    assert lines(events, NEXT_EPOCH) == list(range(80))


def test_a_log_that_is_replaced_during_the_replay(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    gate = Gate(broker)
    with gateway.stream(job.path, f"{EPOCH}:50") as client, gateway.stream(job.path) as witness:
        gate.wait()
        live(witness)
        broker.publish(*job.logs(100, 150))
        broker.publish(*job.another_file(70))
        witness.until(reaches(70, NEXT_EPOCH))
        gate.let(100)
        events = client.until(reaches(70, NEXT_EPOCH))
    assert lines(events) == list(range(50, 150))
    assert lines(events, NEXT_EPOCH) == list(range(70))


def test_a_gateway_that_was_away_knows_the_new_file_from_the_broker(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    gateway.stop()
    broker.publish(*job.logs(100, 200))
    broker.publish(*job.another_file(50))
    gateway.start()
    job.is_listed(gateway, 50)
    with gateway.stream(job.path, f"{EPOCH}:150") as client:
        events = client.until(reaches(50, NEXT_EPOCH))
    assert lines(events) == list(range(150, 200))
    assert lines(events, NEXT_EPOCH) == list(range(50))


def test_a_file_that_came_and_went_while_the_gateway_was_away_is_delivered(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    gateway.stop()
    broker.publish(*job.logs(100, 200))
    broker.publish(*job.another_file(50))
    broker.publish(*job.another_file(30, THIRD_EPOCH))
    gateway.start()
    job.is_listed(gateway, 30)
    with gateway.stream(job.path, f"{EPOCH}:150") as client:
        events = client.until(reaches(30, THIRD_EPOCH))
    assert lines(events) == list(range(150, 200))
    assert lines(events, NEXT_EPOCH) == list(range(50))
    assert lines(events, THIRD_EPOCH) == list(range(30))
    assert kinds(events, "log") == ["reset", "reset"]


def test_a_file_that_no_journal_has_any_more_is_told_before_what_came_after_it(
    gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path, "cccccccccccc:12") as client:
        events = client.until(reaches(100, EPOCH))
    error = frames(events)[0]
    assert (error["kind"], error["code"], error["epoch"]) == ("error", 404, "cccccccccccc")
    assert (error["first"], error["next"]) == (12, 12)
    assert "how many" in error["message"]
    assert lines(events) == list(range(100))


# Others go away ------------------------------------------------------------------------------


def test_a_gateway_that_was_started_anew_goes_on_without_a_hole(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(f"{job.path}?from=0") as client:
        events = client.until(reaches(100))
        gateway.stop()
        with pytest.raises(EOFError):
            client.next()
    broker.publish(*job.logs(100, 200))
    gateway.start()
    with gateway.stream(f"{job.path}?from=0", client.last_id) as again:
        events += again.until(reaches(200))
        broker.publish(*job.logs(200, 300))
        events += again.until(reaches(300))
    assert lines(events) == list(range(300))


def test_a_broker_that_was_away_is_told_and_its_lines_come(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(job.path) as client:
        live(client)
        broker.publish(*job.logs(100, 110))
        events = client.until(reaches(110))
        broker.crash()
        away = client.until(lambda event: event.name == "state")[-1].data
        assert away["connected"] is False
        assert "no broker at" in away["problem"]
        broker.publish(*job.logs(110, 150), live=False)
        broker.restart()
        events += client.until(lambda event: event.name == "state" and event.data["connected"])
        broker.publish(*job.logs(150, 200))
        events += client.until(reaches(200))
    assert lines(events) == list(range(100, 200))


def test_a_journal_that_is_away_is_503_and_the_client_comes_back(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    broker.http_stop()
    answer = gateway.get(job.path, Last_Event_ID=f"{EPOCH}:50")
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    broker.http_up()
    with gateway.stream(job.path, f"{EPOCH}:50") as client:
        assert lines(client.until(reaches(100))) == list(range(50, 100))


def test_a_journal_that_is_busy_is_asked_again(
    broker: ServedBroker, gateway: GatewayUnderTest, job: Job
) -> None:
    left = [3]

    def busy() -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ClientError(503, "8 replays are being sent; ask again")

    broker.before_replay = busy
    with gateway.stream(f"{job.path}?from=0") as client:
        assert lines(client.until(reaches(100))) == list(range(100))


def test_what_one_journal_lacks_comes_from_the_other(job: Job) -> None:
    with ServedBroker("a") as one, ServedBroker("b") as other:
        one.publish(*job.logs(0, 50), job.gap(50, 70), *job.logs(70, 100))
        other.publish(*job.logs(0, 100))
        with GatewayUnderTest([one, other]) as gateway:
            job.is_listed(gateway, 100)
            with gateway.stream(f"{job.path}?from=0") as client:
                events = client.until(reaches(100))
    assert lines(events) == list(range(100))


def test_the_link_is_told_in_ids_that_a_silent_client_goes_on_from(
    gateway: GatewayUnderTest, job: Job
) -> None:
    with gateway.stream(f"{job.path}?from=40") as client:
        assert live(client).id == f"{EPOCH}:40"
    with gateway.stream(job.path) as client:
        assert live(client).id == f"{EPOCH}:100"
