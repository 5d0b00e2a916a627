"""docs/protocol.md and docs/vectors against our own decoder, and against real servers."""

from __future__ import annotations

import json
import re
import runpy
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import msgpack
import pytest

from broker.errors import FrameError
from broker.frame import Frame, Kind, decode, encode
from broker.topic import CHANNEL_PREFIX, Stream

DOCS = Path(__file__).parent.parent / "docs"
VECTORS = DOCS / "vectors"
PAIRED = [path for path in sorted(VECTORS.glob("*.msgpack")) if path.stem != "replay"]
VALID = [path for path in PAIRED if not path.stem.startswith("bad-")]
INVALID = [path for path in PAIRED if path.stem.startswith("bad-")]
ERRORS = {
    "malformed": "^not msgpack",
    "not-a-map": "^a frame is a map",
    "version": "^frame version",
    "field": "^bad frame: (?!lines|\\d)",
    "span": r"^bad frame: (lines \[|\d+ lines)",
}


def described(vector: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(vector.with_suffix(".json").read_text())
    return found


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """The names that the page's Python blocks define."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "protocol.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "protocol.md", "exec"), names)
    return names


def test_the_vectors_are_what_their_script_makes() -> None:
    made: dict[str, bytes] = runpy.run_path(str(VECTORS / "make.py"))["files"]()
    on_disk = {path.name: path.read_bytes() for path in VECTORS.iterdir() if path.is_file()}
    del on_disk["make.py"]
    assert on_disk == made


@pytest.mark.parametrize("vector", VALID, ids=lambda path: path.stem)
def test_a_valid_frame_decodes_to_its_description(vector: Path) -> None:
    frame = decode(vector.read_bytes())
    fields = described(vector)["frame"]
    known = {name: value for name, value in fields.items() if name in Frame.__struct_fields__}
    assert {name: getattr(frame, name) for name in known} == known
    left_out = set(Frame.__struct_fields__) - set(known)
    plain = Frame(frame.kind, frame.cluster, frame.job, frame.first, frame.next)
    assert all(getattr(frame, name) == getattr(plain, name) for name in left_out)


@pytest.mark.parametrize("vector", VALID, ids=lambda path: path.stem)
def test_a_valid_frame_survives_our_encoder(vector: Path) -> None:
    frame = decode(vector.read_bytes())
    assert decode(encode(frame)) == frame


@pytest.mark.parametrize("vector", VALID, ids=lambda path: path.stem)
def test_a_frames_topic_is_that_of_its_cluster_and_job(vector: Path) -> None:
    frame = decode(vector.read_bytes())
    assert Stream(frame.cluster, frame.job).topic.decode() == described(vector)["topic"]


@pytest.mark.parametrize("vector", INVALID, ids=lambda path: path.stem)
def test_an_invalid_frame_is_refused_for_the_reason_given(vector: Path) -> None:
    with pytest.raises(FrameError) as refused:
        decode(vector.read_bytes())
    assert re.search(ERRORS[described(vector)["error"]], refused.value.message)
    assert refused.value.payload == vector.read_bytes()


def test_every_kind_and_every_key_of_a_frame_is_in_a_vector() -> None:
    frames = [described(vector)["frame"] for vector in VALID]
    assert {frame["kind"] for frame in frames} == set(get_args(Kind))
    assert {key for frame in frames for key in frame} >= set(Frame.__struct_fields__)


def test_every_key_of_a_frame_is_in_the_page() -> None:
    page = (DOCS / "protocol.md").read_text()
    assert [key for key in Frame.__struct_fields__ if f"`{key}`" not in page] == []


def test_the_pages_positions_tell_loss_and_repeats_as_the_vector_says(
    examples: dict[str, Any],
) -> None:
    positions = examples["Positions"]()
    for step in json.loads((VECTORS / "sequence.json").read_text())["steps"]:
        lost, new = positions.take(step["frame"])
        assert (lost and list(lost), new and list(new)) == (step["lost"], step["new"]), step


def test_the_pages_zeromq_subscriber_receives_the_vectors(examples: dict[str, Any]) -> None:
    import zmq

    with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
        publisher.linger = 0
        port = publisher.bind_to_random_port("tcp://127.0.0.1")
        received: list[Any] = []
        frames = examples["zeromq_frames"](f"tcp://127.0.0.1:{port}", b"default/train-1/")
        reader = threading.Thread(target=lambda: received.extend(islice(frames, len(VALID))))
        reader.start()
        assert publisher.poll(5000)
        assert publisher.recv() == b"\x01default/train-1/"
        publisher.send_multipart([b"default/train-12/", b"\x80"])
        for vector in VALID:
            publisher.send_multipart([b"default/train-1/", vector.read_bytes()])
        reader.join(5)
        frames.close()
    assert received == [described(vector)["frame"] for vector in VALID]


def test_the_pages_redis_subscriber_receives_the_vectors(
    examples: dict[str, Any], valkey: str
) -> None:
    import redis

    received: list[Any] = []
    frames = examples["redis_frames"](valkey, "raytap/default/*")
    reader = threading.Thread(target=lambda: received.extend(islice(frames, len(VALID))))
    reader.start()
    with redis.Redis.from_url(valkey) as client:
        channel = CHANNEL_PREFIX + "default/train-1/"
        # Published to nobody until the subscription is there.
        while not client.publish(channel, VALID[0].read_bytes()):
            reader.join(0.01)
        for vector in VALID[1:]:
            client.publish(channel, vector.read_bytes())
    reader.join(5)
    frames.close()
    assert received == [described(vector)["frame"] for vector in VALID]


@pytest.fixture
def replay_server() -> Iterator[str]:
    """Answers everything with the replay vector."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers["Accept"] == "application/msgpack" else 406)
            self.end_headers()
            self.wfile.write((VECTORS / "replay.msgpack").read_bytes())

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_pages_replay_reads_a_body_of_frames(
    examples: dict[str, Any], replay_server: str
) -> None:
    expected = json.loads((VECTORS / "replay.json").read_text())["frames"]
    assert list(examples["replay"](replay_server, "default", "train-1")) == expected
    packed = [msgpack.packb(frame) for frame in expected]
    assert (VECTORS / "replay.msgpack").read_bytes() == b"".join(packed)
