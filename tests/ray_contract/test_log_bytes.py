"""What raytap leans on in the agent's ranges and the State API's file, on both clusters."""

from __future__ import annotations

import pytest

from tests.ray_contract.conftest import Ray

LOG = b"one\r\ntwo\rthree \xff\x00 \xe2\x82\xac\nlast without its end"


def test_the_agent_gives_the_raw_bytes(ray: Ray) -> None:
    ray.write(ray.finished, LOG)
    answer = ray.agent(ray.finished)
    assert (answer.status, answer.data) == (200, LOG)
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_head_request_tells_size_and_etag(ray: Ray) -> None:
    ray.write(ray.finished, LOG)
    answer = ray.agent(ray.finished, method="HEAD")
    assert (answer.status, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(LOG))
    assert answer.headers["Etag"].endswith(f'-{len(LOG):x}"')


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [("bytes=4-", 4, len(LOG)), ("bytes=4-9", 4, 10), ("bytes=0-", 0, len(LOG)),
     ("bytes=4-9999", 4, len(LOG)), ("bytes=-5", len(LOG) - 5, len(LOG))],
)  # fmt: skip
def test_a_range_is_a_206_that_says_what_it_holds(
    ray: Ray, span: str, start: int, end: int
) -> None:
    ray.write(ray.finished, LOG)
    answer = ray.agent(ray.finished, span)
    assert (answer.status, answer.data) == (206, LOG[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(LOG)}"


@pytest.mark.parametrize("beyond", [0, 1, 1000])
def test_a_range_at_or_beyond_the_end_is_a_416_that_tells_the_size(ray: Ray, beyond: int) -> None:
    ray.write(ray.finished, LOG)
    answer = ray.agent(ray.finished, f"bytes={len(LOG) + beyond}-")
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(LOG)}"


def test_a_range_of_an_empty_log_is_a_416(ray: Ray) -> None:
    ray.write(ray.finished, b"")
    answer = ray.agent(ray.finished, "bytes=0-")
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */0"


def test_a_log_that_grows_is_seen_by_the_next_range_on_the_same_connection(ray: Ray) -> None:
    ray.write(ray.running, b"one\n")
    assert ray.agent(ray.running, "bytes=4-").status == 416
    ray.append(ray.running, b"two\n")
    assert ray.agent(ray.running, "bytes=4-").data == b"two\n"


def test_the_agent_knows_no_other_file(ray: Ray) -> None:
    assert ray.agent("nope").status == 404


def test_the_state_file_gives_the_raw_bytes(ray: Ray) -> None:
    ray.write(ray.finished, LOG)
    answer = ray.state(submission_id=ray.finished, node_id="x", lines="-1")
    assert (answer.status, answer.data) == (200, LOG)


def test_the_state_file_of_a_running_job_ends(ray: Ray) -> None:
    ray.write(ray.running, LOG)
    answer = ray.state(submission_id=ray.running, node_id="x", lines="-1")
    assert (answer.status, answer.data) == (200, LOG)


def test_the_state_file_ignores_an_offset(ray: Ray) -> None:
    ray.write(ray.finished, LOG)
    answer = ray.state(submission_id=ray.finished, node_id="x", lines="-1", start_offset="4")
    assert answer.data == LOG


def test_the_state_file_gives_the_last_1000_lines_where_none_are_asked_for(ray: Ray) -> None:
    log = b"".join(b"line %d\n" % number for number in range(1500))
    ray.write(ray.finished, log)
    lines = log.splitlines(keepends=True)
    assert ray.state(submission_id=ray.finished, node_id="x").data == b"".join(lines[-1000:])
    some = ray.state(submission_id=ray.finished, node_id="x", lines="3")
    assert some.data == b"".join(lines[-3:])


def test_a_large_state_file_comes_whole(ray: Ray) -> None:
    log = b"".join(b"%0100d\n" % number for number in range(20_000))
    ray.write(ray.finished, log)
    assert ray.state(submission_id=ray.finished, node_id="x", lines="-1").data == log


def test_an_empty_state_file_is_an_empty_200(ray: Ray) -> None:
    ray.write(ray.finished, b"")
    answer = ray.state(submission_id=ray.finished, node_id="x", lines="-1")
    assert (answer.status, answer.data) == (200, b"")


def test_every_error_of_the_state_file_is_a_500(ray: Ray) -> None:
    assert ray.state(submission_id="nope", node_id="x", lines="-1").status == 500
    assert ray.state(submission_id=ray.finished, lines="-1").status == 500
    kept = ray.log_path(ray.finished)
    kept.unlink()
    assert ray.state(submission_id=ray.finished, node_id="x", lines="-1").status == 500
    kept.touch()
