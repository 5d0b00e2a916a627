"""Which dashboard is asked: on a clock of the test's, with answers that take as long as it says."""

from __future__ import annotations

from collections import Counter

import pytest

from broker.errors import ClientError
from broker.sources.endpoints import ERROR_PENALTY, RETRY_DOWN, Endpoint, Endpoints
from broker.sources.source import LogReplaced

A, B, C = "http://a:1", "http://b:1", "http://c:1"


class Cluster:
    """Dashboards that take `seconds` each to answer, or fail with `errors`."""

    def __init__(self, **seconds: float) -> None:
        self.now = 1_000.0
        self.seconds = {f"http://{name}:1": value for name, value in seconds.items()}
        self.errors: dict[str, ClientError] = {}
        self.endpoints = Endpoints([url + "/" for url in self.seconds], lambda: self.now)

    def __getitem__(self, url: str) -> Endpoint:
        return next(endpoint for endpoint in self.endpoints.all if endpoint.url == url)

    def ask(self, sample: bool = True) -> str:
        """One request; who was asked."""
        with self.endpoints.use(sample) as url:
            self.now += self.seconds[url]
            if error := self.errors.get(url):
                raise error
        return url

    def run(self, seconds: float, every: float = 0.1) -> Counter[str]:
        """Ask for so long; who was asked how often, failures included."""
        asked: Counter[str] = Counter()
        until = self.now + seconds
        while self.now < until:
            try:
                asked[self.ask()] += 1
            except ClientError:
                asked["failed"] += 1
            self.now += every
        return asked


def error(status: int) -> ClientError:
    return ClientError(status, f"it says {status}")


def test_the_first_sample_is_the_mean() -> None:
    endpoint = Endpoint(A)
    endpoint.record(0.25, 5.0)
    assert endpoint.mean == 0.25


def test_where_all_answers_are_alike_the_mean_is_that_answer() -> None:
    endpoint = Endpoint(A)
    for tick in range(200):
        endpoint.record(0.04, tick / 10)
        assert endpoint.mean == pytest.approx(0.04)


def test_an_old_sample_weighs_half_after_the_half_life_however_many_came_between() -> None:
    often, seldom = Endpoint(A), Endpoint(B)
    for endpoint in (often, seldom):
        endpoint.record(1.0, 0.0)
    for tick in range(1, 31):
        often.record(0.0, tick / 10)
    seldom.record(0.0, 3.0)
    assert often.mean == pytest.approx(0.5)
    assert seldom.mean == pytest.approx(0.5)


def test_where_all_requests_fail_the_mean_is_the_penalty() -> None:
    cluster = Cluster(a=0.01)
    cluster.errors[A] = error(500)
    cluster.run(30.0)
    assert cluster[A].mean == pytest.approx(ERROR_PENALTY)


def test_an_error_after_a_long_wait_counts_as_that_wait() -> None:
    cluster = Cluster(a=8.0)
    cluster.errors[A] = error(500)
    with pytest.raises(ClientError):
        cluster.ask()
    assert cluster[A].mean == 8.0


def test_each_one_is_asked_once_and_then_the_quickest() -> None:
    cluster = Cluster(a=0.2, b=0.01, c=0.1)
    assert {cluster.ask() for _ in range(3)} == {A, B, C}
    assert cluster.run(5.0).keys() == {B}


def test_the_one_that_fails_at_once_is_not_taken_for_the_quickest() -> None:
    cluster = Cluster(a=0.001, b=0.3)
    cluster.errors[A] = error(500)
    asked = cluster.run(14.0)
    assert asked["failed"] == 1
    assert asked[B] > 20


@pytest.mark.parametrize("status", [400, 404])
def test_an_answer_that_there_is_no_such_thing_is_no_failure(status: int) -> None:
    cluster = Cluster(a=0.01)
    cluster.errors[A] = error(status)
    with pytest.raises(ClientError):
        cluster.ask()
    assert cluster[A].mean == pytest.approx(0.01)


@pytest.mark.parametrize("status", [408, 503])
def test_a_lost_connection_takes_one_out_of_use_and_a_later_request_brings_it_back(
    status: int,
) -> None:
    cluster = Cluster(a=0.01, b=0.5)
    assert {cluster.ask(), cluster.ask()} == {A, B}
    cluster.errors[A] = error(status)
    with pytest.raises(ClientError):
        cluster.ask()
    assert cluster.ask() == B
    cluster.errors.clear()
    cluster.now += 5 * RETRY_DOWN
    assert cluster.run(20.0)[A] > 100


def test_all_down_is_a_503_that_tells_why_and_the_next_try_is_soon() -> None:
    cluster = Cluster(a=0.01, b=0.01)
    cluster.errors = {A: error(503), B: error(408)}
    for _ in range(2):
        with pytest.raises(ClientError):
            cluster.ask()
    with pytest.raises(ClientError) as raised:
        cluster.ask()
    assert raised.value.status == 503
    assert raised.value.message == "no endpoint of the cluster is up: it says 503; it says 408"
    cluster.errors.clear()
    cluster.now += RETRY_DOWN
    assert cluster.ask() in (A, B)


def test_what_one_that_becomes_slow_served_shifts_within_seconds() -> None:
    cluster = Cluster(a=0.01, b=0.05)
    cluster.run(10.0)
    cluster.seconds[A] = 2.0
    assert cluster.run(10.0)[A] == 1


def test_while_one_hangs_the_other_callers_shift_before_it_answered() -> None:
    cluster = Cluster(a=0.01, b=0.05)
    cluster.run(10.0)
    with cluster.endpoints.use() as hanging:
        assert hanging == A
        cluster.now += 0.2
        assert cluster.ask() == B
        assert cluster.ask(sample=False) == B


def test_one_that_was_never_answered_by_holds_up_a_single_caller() -> None:
    cluster = Cluster(a=0.01, b=0.01)
    assert cluster.ask() == A
    with cluster.endpoints.use() as hanging:
        assert hanging == B
        assert [cluster.ask() for _ in range(3)] == [A, A, A]


def test_a_slow_one_that_recovered_is_found_out_and_used_again() -> None:
    cluster = Cluster(a=0.01, b=0.2)
    cluster.run(5.0)
    cluster.seconds[A] = 5.0
    cluster.run(8.0)
    cluster.seconds[A] = 0.01
    cluster.run(16.0)
    assert cluster.run(5.0).keys() == {A}


def test_a_failed_one_that_recovered_is_found_out_and_used_again() -> None:
    cluster = Cluster(a=0.01, b=0.2)
    cluster.run(5.0)
    cluster.errors[A] = error(500)
    cluster.run(5.0)
    cluster.errors.clear()
    cluster.run(16.0)
    assert cluster.run(5.0).keys() == {A}


def test_a_request_that_is_no_sample_changes_nothing() -> None:
    cluster = Cluster(a=60.0)
    assert cluster.ask(sample=False) == A
    cluster.errors[A] = error(503)
    with pytest.raises(ClientError):
        cluster.ask(sample=False)
    assert (cluster[A].mean, cluster[A].down_until) == (None, 0.0)


def test_a_request_that_is_no_sample_is_not_spent_on_finding_out() -> None:
    cluster = Cluster(a=0.01, b=0.05)
    cluster.run(5.0)
    cluster.now += 60.0
    assert [cluster.ask(sample=False) for _ in range(3)] == [A, A, A]


def test_a_log_that_was_replaced_says_nothing_of_its_endpoint() -> None:
    cluster = Cluster(a=0.01)
    with pytest.raises(LogReplaced), cluster.endpoints.use():
        raise LogReplaced("another file")
    assert cluster[A].mean is None
    assert cluster[A].under_way == []
