"""Why an HTTP address did not answer, as people are told."""

from __future__ import annotations

import socket
import threading

import pytest
import urllib3

from broker.errors import ClientError
from broker.web.connection_problem import connection_problem
from tests.support.ports import free_port


def asked(base: str) -> ClientError:
    with pytest.raises(urllib3.exceptions.HTTPError) as caught:
        urllib3.request("GET", base, retries=False, timeout=0.3)
    return connection_problem(caught.value, base)


def test_a_refused_connection_is_told_in_words() -> None:
    base = f"http://127.0.0.1:{free_port()}"
    problem = asked(base)
    said = f"cannot connect to {base}: connection refused"
    assert (problem.status, problem.message) == (503, said)


def test_silence_is_no_answer_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        base = f"http://127.0.0.1:{server.getsockname()[1]}"
        problem = asked(base)
    assert (problem.status, problem.message) == (408, f"{base}: no answer in time")


def test_a_connection_that_is_closed_early_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_nothing, args=(server,))
        thread.start()
        base = f"http://127.0.0.1:{server.getsockname()[1]}"
        problem = asked(base)
        thread.join()
    assert problem.status == 503
    assert problem.message == f"{base}: no whole answer: the connection was closed early"


def _answer_nothing(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)


def test_an_unknown_host_is_told_in_words() -> None:
    unknown = socket.gaierror(-2, "Name or service not known")
    connection = urllib3.connection.HTTPConnection("nowhere")
    error = urllib3.exceptions.NameResolutionError("nowhere", connection, unknown)
    said = connection_problem(error, "http://nowhere").message
    assert said == "cannot connect to http://nowhere: its host name cannot be resolved"
