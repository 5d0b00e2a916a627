from __future__ import annotations

import gzip
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
import urllib3

from broker.errors import JournalError
from broker.frame import decode
from broker.http.log_route import MAX_REPLAYS
from broker.journal import Stored
from broker.journal.replay import Part, Replay
from broker.metrics import Metrics
from tests.http.conftest import EPOCH, STREAM, Client, FakeStatus, log, record, refuse
from tests.support.wait import wait_until

LOG = "/v1/jobs/default/train-1/log"
MSGPACK = "application/msgpack"
NDJSON = "application/x-ndjson"
PAYLOAD = 64 << 10


@pytest.fixture
def journal(status: FakeStatus) -> FakeStatus:
    """Six lines, a gap, two lines, the last without its end; ended."""
    status.journal.append(
        [
            record("status", 0, 0, status="RUNNING", run=5),
            log(0, "zero", "", "Größe 例", cr=[0]),
            log(3, "three", "four", "five"),
            record("gap", 6, 10, reason="limit"),
            log(10, "ten", "eleven", partial=True),
            record("end", 12, 12, status="SUCCEEDED", complete=True),
        ]
    )
    return status


class Endless:
    """A replay without an end, that counts what was taken of it and sees that it is closed."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = threading.Event()

    def replay(self) -> Replay:
        return Replay(EPOCH, 0, 1 << 40, False, self._parts())

    def _parts(self) -> Iterator[Part]:
        try:
            while True:
                self.taken += 1
                yield Stored(self.taken, "log", EPOCH, 0, 1, bytes(PAYLOAD))
        finally:
            self.closed.set()


def raytap_headers(response: urllib3.BaseHTTPResponse) -> dict[str, str]:
    return {
        name.lower(): value for name, value in response.headers.items() if name.startswith("raytap")
    }


def test_msgpack_is_the_stored_frames_one_after_another(
    client: Client, journal: FakeStatus
) -> None:
    stored = journal.journal.page(STREAM, EPOCH, 0)
    response = client.get(LOG, Accept=MSGPACK)
    assert response.headers["Content-Type"] == MSGPACK
    assert response.data == b"".join(frame.payload for frame in stored)


def test_msgpack_is_trimmed_to_the_lines_asked_for(client: Client, journal: FakeStatus) -> None:
    response = client.get(f"{LOG}?from=1&limit=4", Accept=MSGPACK)
    frames = [decode(msgpack.packb(frame)) for frame in unpacked(response.data)]
    assert [(frame.first, frame.next, frame.lines) for frame in frames] == [
        (1, 3, ["", "Größe 例"]),
        (3, 5, ["three", "four"]),
    ]


def unpacked(data: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    return list(unpacker)


def test_ndjson_is_an_object_for_each_line_and_gap(client: Client, journal: FakeStatus) -> None:
    response = client.get(f"{LOG}?from=5", Accept=NDJSON)
    where = {"ts": 7, "cluster": "default", "job": "train-1", "epoch": EPOCH}
    objects = [json.loads(line) for line in response.data.splitlines()]
    end = objects.pop()
    assert objects == [
        {"line": 5, "text": "five", **where},
        {"gap": [6, 10], "reason": "limit", **where},
        {"line": 10, "text": "ten", **where},
        {"line": 11, "text": "eleven", **where, "partial": True},
    ]
    assert (end["kind"], end["status"], end["complete"]) == ("end", "SUCCEEDED", True)


def test_ndjson_says_which_line_ended_in_a_lone_cr(client: Client, journal: FakeStatus) -> None:
    first = client.get(f"{LOG}?limit=1", Accept=NDJSON).data.splitlines()[1]
    assert json.loads(first)["cr"] is True


def test_text_is_the_lines_with_their_ends_and_gaps_marked(
    client: Client, journal: FakeStatus
) -> None:
    response = client.get(LOG)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.data.decode() == (
        "zero\r\nGröße 例\nthree\nfour\nfive\n"
        "[raytap: lines 6 to 9 are missing: limit]\n"
        "ten\neleven"
    )


def test_a_gap_behind_a_line_without_its_end_begins_a_line_of_its_own(
    client: Client, status: FakeStatus
) -> None:
    status.journal.append([log(0, "open", partial=True), record("gap", 1, 3, reason="limit")])
    assert client.get(LOG).data == b"open\n[raytap: lines 1 to 2 are missing: limit]\n"


def test_an_amended_line_comes_once(client: Client, status: FakeStatus) -> None:
    status.journal.append([log(0, "Kill", partial=True), log(0, "Killed", "bye", amends=True)])
    assert client.get(LOG).data == b"Killed\nbye\n"


@pytest.mark.parametrize(
    ("query", "first", "following", "complete"),
    [
        ("", "0", "12", "true"),
        ("?from=4", "4", "12", "true"),
        ("?from=4&limit=3", "4", "7", "false"),
        ("?from=99", "12", "12", "true"),
        (f"?epoch={EPOCH}", "0", "12", "true"),
    ],
)
@pytest.mark.parametrize("accept", [MSGPACK, NDJSON, "text/plain"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_headers_say_what_the_body_holds(
    client: Client,
    journal: FakeStatus,
    query: str,
    first: str,
    following: str,
    complete: str,
    accept: str,
    method: str,
) -> None:
    response = client.get(LOG + query, method, Accept=accept)
    assert response.status == 200
    assert raytap_headers(response) == {
        "raytap-epoch": EPOCH,
        "raytap-first": first,
        "raytap-next": following,
        "raytap-complete": complete,
        "raytap-epochs": EPOCH,
    }
    assert method == "GET" or response.data == b""


def test_every_answer_names_the_files_that_came_before_and_after(
    client: Client, journal: FakeStatus
) -> None:
    journal.journal.append([record("reset", 0, 0, epoch="e2"), log(0, "anew", epoch="e2")])
    for query in ("", f"?epoch={EPOCH}", "?from=99&limit=1"):
        assert client.get(LOG + query).headers["Raytap-Epochs"] == f"{EPOCH},e2"


@pytest.mark.parametrize("accept", [MSGPACK, NDJSON, "text/plain"])
def test_gzip_is_the_same_body_compressed(client: Client, status: FakeStatus, accept: str) -> None:
    lines = [f"line {number} of some log" for number in range(5000)]
    status.journal.append([log(at, *lines[at : at + 500]) for at in range(0, 5000, 500)])
    plain = client.get(LOG, Accept=accept)
    packed = client.get(LOG, Accept=accept, Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == "Accept, Accept-Encoding"
    assert len(packed.data) < len(plain.data) / 3
    assert gzip.decompress(packed.data) == plain.data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_replay_of_nothing_is_an_empty_body(
    client: Client, status: FakeStatus, method: str
) -> None:
    status.journal.append([record("end", 0, 0, complete=True)])
    response = client.get(LOG, method)
    assert (response.status, response.data) == (200, b"")


def test_a_frame_of_many_empty_lines_is_sent_in_pieces(client: Client, status: FakeStatus) -> None:
    status.journal.append([log(0, *([""] * 65536))])
    assert client.get(LOG, Accept=NDJSON).data.count(b"\n") == 65536


@pytest.mark.parametrize(
    ("path", "code", "says"),
    [
        (f"{LOG}?from=-1", 400, "from must be a whole number from 0 up, not '-1'"),
        (f"{LOG}?from=nan", 400, "from must be"),
        (f"{LOG}?from=1.5", 400, "from must be"),
        (f"{LOG}?from=", 400, "from must have"),
        (f"{LOG}?limit=0", 400, "limit must be a whole number from 1 up"),
        (f"{LOG}?limit=-5", 400, "limit must be"),
        (f"{LOG}?epoch=../x", 400, "epoch is what the frames hold"),
        (f"{LOG}?form=1", 400, "unknown query name 'form'; known: epoch, from, limit"),
        (f"{LOG}?epoch=ffffffffffff", 404, "has no epoch ffffffffffff"),
        ("/v1/jobs/default/other/log", 404, "nothing is known of job default/other"),
        ("/v1/jobs/default/a.b/log", 400, "job: 1 to 100 of"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(
    client: Client, journal: FakeStatus, path: str, code: int, says: str
) -> None:
    status, message = client.error(path)
    assert status == code
    assert says in message


def test_a_type_that_is_not_there_is_406(client: Client, journal: FakeStatus) -> None:
    status, message = client.error(LOG, Accept="application/json")
    assert status == 406
    assert NDJSON in message


def test_the_daemon_is_asked_for_what_the_query_says(client: Client, journal: FakeStatus) -> None:
    client.get(f"{LOG}?from=3&limit=2&epoch={EPOCH}")
    client.get(LOG)
    assert journal.asked == [(STREAM, EPOCH, 3, 2), (STREAM, None, 0, None)]


def test_a_replay_that_fails_half_way_is_a_broken_body(client: Client, status: FakeStatus) -> None:
    def parts() -> Iterator[Part]:
        yield Stored(1, "log", EPOCH, 0, 1, bytes(PAYLOAD))
        raise JournalError("a stored frame is damaged")

    status.answer = lambda: Replay(EPOCH, 0, 5, False, parts())
    with pytest.raises(urllib3.exceptions.ProtocolError):
        client.get(LOG, Accept=MSGPACK)


def test_the_ninth_replay_is_told_to_come_again(
    client: Client, status: FakeStatus, metrics: Metrics
) -> None:
    endless = [Endless() for _ in range(MAX_REPLAYS)]
    waiting = iter(endless)
    status.answer = lambda: next(waiting).replay()
    open_replays = [client.open(LOG, Accept=MSGPACK) for _ in endless]
    assert [response.status for response in open_replays] == [200] * MAX_REPLAYS
    assert metrics.registry.get_sample_value("raytap_replays_active") == MAX_REPLAYS

    assert client.error(LOG) == (503, "8 replays are being sent; ask again")
    assert client.get(LOG).headers["Retry-After"] == "1"
    assert client.get("/livez").status == 200

    for response in open_replays:
        response.close()
    assert all(replay.closed.wait(5) for replay in endless)


def test_a_client_that_goes_away_frees_its_place(
    client: Client, status: FakeStatus, metrics: Metrics
) -> None:
    for _ in range(MAX_REPLAYS * 2):
        endless = Endless()
        status.answer = endless.replay
        response = client.open(LOG, Accept=MSGPACK)
        assert response.status == 200
        assert response.read(PAYLOAD * 4)
        response.close()
        assert endless.closed.wait(5)
    value = metrics.registry.get_sample_value
    wait_until(lambda: value("raytap_replays_active") == 0)
    assert value("raytap_replays_total", {"outcome": "disconnected"}) == MAX_REPLAYS * 2


def test_an_error_frees_its_place_too(client: Client, status: FakeStatus) -> None:
    status.answer = refuse(404, "nothing is known")
    for _ in range(MAX_REPLAYS * 2):
        assert client.error(LOG)[0] == 404


def test_head_reads_nothing_of_the_log_and_frees_its_place(
    client: Client, status: FakeStatus
) -> None:
    for _ in range(MAX_REPLAYS * 2):
        endless = Endless()
        status.answer = endless.replay
        assert client.get(LOG, "HEAD", Accept=MSGPACK).status == 200
        assert endless.taken == 0


def test_a_client_that_does_not_read_makes_the_journal_wait(
    client: Client, status: FakeStatus
) -> None:
    endless = Endless()
    status.answer = endless.replay
    host, port = client.server.address.split(":")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PAYLOAD)
        slow.connect((host, int(port)))
        slow.sendall(f"GET {LOG} HTTP/1.1\r\nHost: {host}\r\nAccept: {MSGPACK}\r\n\r\n".encode())
        wait_until(lambda: endless.taken > 1)
        taken = -1
        while taken != endless.taken:  # until the sockets are full
            taken = endless.taken
            for _ in range(20):
                assert client.get("/livez").status == 200
        assert taken * PAYLOAD < 16 << 20
    assert endless.closed.wait(5)
