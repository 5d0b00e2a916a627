"""What raytap leans on, and guards against, in Ray's `/logs/tail`, on both clusters."""

from __future__ import annotations

import time

import websocket

from tests.ray_contract.conftest import Ray, read_to_close


def test_it_replays_from_the_start_translates_newlines_and_closes_1000(ray: Ray) -> None:
    ray.write(ray.finished, b"one\r\ntwo\rthree \x00\xe2\x82\xac\nlast without its end")
    messages, code = ray.tail_to_close(ray.finished)
    assert "".join(messages) == "one\ntwo\nthree \x00€\nlast without its end"
    assert code == 1000


def test_a_message_holds_at_most_ten_lines_or_just_over_20000_characters(ray: Ray) -> None:
    short = [f"line {number}\n" for number in range(25)]
    long = ["x" * 8_000 + "\n" for _ in range(7)]
    ray.write(ray.running, "".join(short + long).encode())
    with ray.tail(ray.running) as client:
        messages = [str(client.recv()) for _ in range(5)]
    assert [message.count("\n") for message in messages] == [10, 10, 8, 3, 1]
    assert "".join(messages) == "".join(short + long)


def test_a_running_jobs_lines_come_live_and_a_partial_line_as_it_stands(ray: Ray) -> None:
    ray.write(ray.running, b"one\n")
    with ray.tail(ray.running) as client:
        assert client.recv() == "one\n"
        ray.append(ray.running, b"two\nthr")
        assert client.recv() == "two\nthr"
        ray.append(ray.running, b"ee\n")
        assert client.recv() == "ee\n"


def test_a_line_end_split_over_two_writes_is_two_live_and_one_on_replay(ray: Ray) -> None:
    ray.write(ray.running, b"one\r")
    with ray.tail(ray.running) as client:
        assert client.recv() == "one\n"
        ray.append(ray.running, b"\ntwo\n")
        assert client.recv() == "\ntwo\n"
    with ray.tail(ray.running) as client:
        assert client.recv() == "one\ntwo\n"


def test_a_byte_that_is_not_utf8_closes_1000_while_the_job_runs_each_time(ray: Ray) -> None:
    ray.write(ray.running, b"good\n\xff bad\ngood\n")
    for _ in range(2):
        assert ray.tail_to_close(ray.running) == ([], 1000)
    assert ray.job(ray.running)["status"] == "RUNNING"


def test_what_stood_well_before_the_bad_byte_is_sent(ray: Ray) -> None:
    good = b"x" * 99 + b"\n"
    ray.write(ray.running, good * 1000 + b"\xff\n")
    messages, code = ray.tail_to_close(ray.running)
    assert code == 1000
    assert 900 < "".join(messages).count("\n") < 1000


def test_a_character_split_over_two_writes_ends_the_live_tail_but_not_the_next(ray: Ray) -> None:
    ray.write(ray.running, b"one\n\xe2\x82")
    with ray.tail(ray.running) as client:
        assert read_to_close(client) == ([], 1000)
    ray.append(ray.running, b"\xac\n")
    with ray.tail(ray.running) as client:
        assert client.recv() == "one\n€\n"


def test_a_line_of_3_mb_passes_and_one_over_4_mib_closes_1000(ray: Ray) -> None:
    passes, blocks = b"x" * 3_000_000 + b"\n", b"x" * (4 << 20) + b"\n"
    ray.write(ray.running, passes + blocks + b"after\n")
    messages, code = ray.tail_to_close(ray.running)
    assert code == 1000
    assert "".join(messages) == passes.decode()
    assert ray.job(ray.running)["status"] == "RUNNING"


def test_a_ping_is_never_answered(ray: Ray) -> None:
    ray.write(ray.running, b"one\n")
    with ray.tail(ray.running) as client:
        client.ping("still there?")
        assert client.recv() == "one\n"
        ray.append(ray.running, b"two\n")
        opcode, frame = client.recv_data_frame(control_frame=True)
        assert (opcode, frame.data) == (websocket.ABNF.OPCODE_TEXT, b"two\n")


def test_it_closes_soon_after_the_job_ended(ray: Ray) -> None:
    job_id = ray.submit("sleep 600", wait_for="RUNNING")
    with ray.tail(job_id) as client:
        client.recv()
        ray.dashboard("POST", f"/api/jobs/{job_id}/stop")
        ray.wait(job_id, "STOPPED")
        stopped = time.monotonic()
        _, code = read_to_close(client)
    assert code == 1000
    assert time.monotonic() - stopped < 8.0
