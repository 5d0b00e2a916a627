from __future__ import annotations

import json
import logging
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import ClientError
from subscribers.recognition.levels import Level, levels, parse_level

NONE, DEBUG, INFO, WARNING, ERROR, CRITICAL = Level

LINES = {
    # Python's logging, as its formats are found in the wild
    "2026-11-21 09:14:03,118 INFO train.py:212 -- epoch 3": INFO,
    "2026-11-21 09:14:03,118\tWARNING worker.py:1917 -- Connecting to existing cluster": WARNING,
    "INFO:root:started": INFO,
    "CRITICAL:app.main:out of disk": CRITICAL,
    "WARNING worker.py:1917 -- slow": WARNING,
    "[INFO] ready": INFO,
    "[2026-11-21 09:14:03,118][trainer][ERROR] - loss is NaN": ERROR,
    "[2026-11-21 09:14:03,118] [DEBUG] [real_accelerator.py:123:get_accelerator] cuda": DEBUG,
    "11/21/2026 09:14:03 - INFO - __main__ - Num examples = 5": INFO,
    "2026-11-21 09:14:03,118 - root.sub - WARNING - careful": WARNING,
    "2026-11-21 09:14:03.118 | ERROR    | __main__:main:12 - failed": ERROR,
    "[INFO|trainer.py:1234] 2026-11-21 09:14:03,118 >> ***** Running training *****": INFO,
    "INFO 11-21 09:14:03 [engine.py:12] Initializing": INFO,
    "INFO:     127.0.0.1:1234 - GET / HTTP/1.1 200": INFO,
    "[09:14:03] WARNING  slow step                                     train.py:12": WARNING,
    "           INFO     the next line of the same second": INFO,
    "2026-11-21 09:14:03 [info     ] request                      path=/": INFO,
    "[2026-11-21 09:14:03,118: ERROR/ForkPoolWorker-1] Task failed": ERROR,
    "2026-11-21T09:14:03.118Z\tERROR\tcontroller\tfailed": ERROR,
    "26/11/21 09:14:03 WARN NativeCodeLoader: Unable to load": WARNING,
    "2026/11/21 09:14:03 [error] 12#0: *1 open() failed": ERROR,
    "FATAL: could not open file": CRITICAL,
    "Error: no such command": ERROR,
    "error: the following arguments are required: x": ERROR,
    "warning: unused variable": WARNING,
    "train.py:12: error: Incompatible types": ERROR,
    "src/a.cc:3:14: warning: unused": WARNING,
    # Ray's prefixes in front
    "(train pid=12, ip=10.0.0.1) 2026-11-21 09:14:03,118 ERROR train.py:1 -- x": ERROR,
    "(MapBatches(f) pid=12) WARNING:root:x": WARNING,
    "(pid=12) INFO:root:x": INFO,
    "(raylet) [2026-11-21 09:14:03,118 E 123 456] (raylet) node_manager.cc:3065: killed": ERROR,
    "[2026-11-21 09:14:03,118 W 123 456] (gcs_server) gcs.cc:1: slow": WARNING,
    "[2026-11-21 09:14:03,118 C 123 456] (raylet) main.cc:1: Check failed": CRITICAL,
    "(raylet) WARNING: 4 PYTHON worker processes have been started": WARNING,
    "(autoscaler +12s) Warning: The following resource request cannot be scheduled": WARNING,
    "(autoscaler +1m12s) Error: No available node types can fulfill": ERROR,
    "[rank0]: Traceback (most recent call last):": ERROR,
    "(T pid=1) [rank3]:[W1121 09:14:03.123 ProcessGroupNCCL.cpp:1250] Warning: slow": WARNING,
    # One letter
    "E1121 09:14:03.123456 140 service.cc:12] failed": ERROR,
    "I1121 09:14:03.123456 140 service.cc:12] fine": INFO,
    "F20261121 09:14:03.123456 140 service.cc:12] Check failed": CRITICAL,
    "2026-11-21 09:14:03.118123: W tensorflow/core/framework/op.cc:12] hm": WARNING,
    "2026-11-21 09:14:03.118123: I tensorflow/core/platform/cpu.cc:12] fine": INFO,
    # By name
    'time="2026-11-21T09:14:03Z" level=warning msg="a walrus appears"': WARNING,
    "level=info msg=hello": INFO,
    "ts=2026-11-21T09:14:03Z caller=main.go:12 level=error err=x": ERROR,
    '{"time": "2026-11-21", "level": "error", "msg": "x"}': ERROR,
    '{"levelname":"WARNING","message":"x"}': WARNING,
    '{"severity": "CRITICAL"}': CRITICAL,
    '{"@timestamp":"2026","log.level":"info"}': INFO,
    # NCCL
    "gpu-1:1234:5678 [3] misc/socket.cc:50 NCCL WARN socketProgress: Connection closed": WARNING,
    "gpu-1:1234:5678 [3] NCCL INFO Bootstrap : Using eth0": INFO,
    "[2026-11-21 09:14:03] gpu-1:1234:5678 [3] misc/socket.cc:50 NCCL WARN closed": WARNING,
    "(T pid=1, ip=10.0.0.1) gpu-1:12:56 [0] init.cc:50 NCCL WARN closed": WARNING,
    # Python's errors and warnings
    "Traceback (most recent call last):": ERROR,
    "ValueError: boom": ERROR,
    "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB": ERROR,
    "ray.exceptions.RayTaskError(ValueError): ray::f() (pid=12, ip=10.0.0.1)": ERROR,
    "Exception: plain": ERROR,
    "AssertionError": ERROR,
    "/opt/x/y.py:12: UserWarning: mind this": WARNING,
    "<frozen importlib>:12: DeprecationWarning: old": WARNING,
    "FutureWarning: soon": WARNING,
    # None of it
    "": NONE,
    "   ": NONE,
    "no error": NONE,
    "no errors found": NONE,
    "0 errors, 0 warnings": NONE,
    "error_rate=0.1": NONE,
    "ERROR_COUNT=3": NONE,
    "ERROR=3": NONE,
    "epoch 3 error: 0.12": NONE,
    "error: 0.12": NONE,
    "Error: 1.5e-3": NONE,
    "RMSError: 0.12": NONE,
    "INFORMATION about us": NONE,
    "warnings.warn(": NONE,
    "step=3 loss=0.1 error=0.2": NONE,
    "{'loss': 0.1, 'level': 'error'}": NONE,
    '{"msg": "the level was error"}': NONE,
    "[5/100] error rate falls": NONE,
    "An ERROR was expected here": NONE,
    "Errors are handled": NONE,
    "levels: info": NONE,
    "(see the ERROR above)": NONE,
    "  0%|          | 0/100 [00:00<?, ?it/s]": NONE,
    "E-mail sent": NONE,
    "I am fine": NONE,
    "W 1121": NONE,
    "2026-11-21 09:14:03 all is well, no ERROR": NONE,
    "KeyError is raised when a key lacks": NONE,
    "NCCL version 2.20.5+cuda12.4": NONE,
}


@pytest.mark.parametrize("line", LINES)
def test_a_line_has_the_level_that_it_shows(line: str) -> None:
    assert Level(levels([line])[0]) == LINES[line]


def test_a_line_s_level_does_not_hang_on_the_lines_around_it() -> None:
    assert list(levels(list(LINES))) == list(LINES.values())


@pytest.mark.parametrize(
    "form",
    [
        logging.BASIC_FORMAT,
        "%(asctime)s %(levelname)s %(filename)s:%(lineno)d -- %(message)s",
        "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
        "[%(levelname)s] %(message)s",
        "[%(asctime)s] [%(process)d] [%(levelname)s] %(message)s",
        "%(levelname)-8s %(message)s",
        "%(asctime)s | %(levelname)-8s | %(name)s:%(funcName)s - %(message)s",
        "%(levelname).1s%(asctime)s %(process)d %(filename)s:%(lineno)d] %(message)s",
    ],
)
@pytest.mark.parametrize("level", [DEBUG, INFO, WARNING, ERROR, CRITICAL])
def test_what_logging_writes_is_recognised(form: str, level: Level) -> None:
    glog = "%m%d %H:%M:%S.000" if form.startswith("%(levelname).1s") else None
    number = int(level) * 10
    record = logging.LogRecord("app.train", number, "/x/train.py", 3, "an error", None, None, "f")
    line = logging.Formatter(form, datefmt=glog).format(record)
    assert Level(levels([line])[0]) == level


def test_a_warning_that_python_formats_is_recognised() -> None:
    text = warnings.formatwarning("old", DeprecationWarning, "/x/y.py", 3, "    call()\n")
    assert list(levels(text.splitlines())) == [WARNING, NONE]


def test_json_of_a_logger_is_recognised_wherever_its_level_stands() -> None:
    line = json.dumps({"msg": 'he said "level"', "extra": {"a": [1, 2]}, "level": "ERROR"})
    assert list(levels([line])) == [ERROR]


def test_no_lines_have_no_levels() -> None:
    assert levels([]) == b""


@given(st.lists(st.text()))
def test_there_is_one_byte_for_each_line_whatever_it_holds(lines: list[str]) -> None:
    found = levels(lines)
    assert len(found) == len(lines)
    assert set(found) <= set(range(6))


@given(st.lists(st.one_of(st.sampled_from(list(LINES)), st.text(alphabet="[](): -|\t1E\nINFO="))))
def test_each_line_is_judged_by_itself(lines: list[str]) -> None:
    assert levels(lines) == b"".join([levels([line]) for line in lines])


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        "a=" * 50_000,
        "a=1 " * 25_000,
        "a:1: " * 20_000,
        "(" + "x " * 50_000,
        '{"' + '"level": ' * 10_000,
        "a." * 50_000,
        "a - " * 25_000,
        "09:14 " * 15_000,
        "h:1:1 [0]" + " NCCL" * 20_000,
    ],
)
def test_no_line_takes_long(line: str) -> None:
    started = time.process_time()
    levels([line] * 5)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("text", "level"),
    [("warning", WARNING), ("WARN", WARNING), (" Error ", ERROR), ("fatal", CRITICAL)],
)
def test_a_level_is_named_in_any_case(text: str, level: Level) -> None:
    assert parse_level(text) is level


@pytest.mark.parametrize("text", ["", "none", "loud", "3"])
def test_an_unknown_level_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(ClientError, match="debug, info, warning, error, critical") as raised:
        parse_level(text)
    assert raised.value.status == 400
