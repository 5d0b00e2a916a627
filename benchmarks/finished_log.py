"""A finished log (1.7 M lines) on a real head: raytap to one subscriber, beside Ray's client.

    python -m benchmarks.finished_log [--rounds 3] [--lines 1700000] [--viewers 1] [--json]

raytap: the daemon's first request to Ray → the last frame unpacked by a plain pyzmq subscriber in
a process of its own; redaction and journal on, limits lifted. Ray: `tail_job_logs` from the call to
the last line. websocket-client: the same tail, its UTF-8 check off. Each counts its lines before
its time is believed; rounds alternate. Throughput is of log bytes; CPU is of our processes and of
the head's.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from broker.localray import LocalRay, free_port
from tests.support.fault_proxy import FaultProxy

PRINTER = """
import sys
text = (
    "2026-11-21 09:14:03,118 INFO train.py:212 -- epoch 3 step {n:08d} loss=0.{n:07d} "
    "lr=3.0e-04 tokens/s=48211 grad_norm=0.731 gpu=83%\\n"
)
out = sys.stdout
for start in range(0, LINES, 10000):
    out.write("".join([text.format(n=n) for n in range(start, min(start + 10000, LINES))]))
"""

SUBSCRIBER = """
import sys, time, json, zmq, msgpack
socket = zmq.Context().socket(zmq.SUB)
socket.set(zmq.RCVHWM, 0)
socket.set(zmq.RECONNECT_IVL, 10)
socket.connect(sys.argv[1]); socket.subscribe(b"default/" + sys.argv[2].encode() + b"/")
expected, wanted = 0, int(sys.argv[3])
while expected < wanted:
    if not socket.poll(100_000): sys.exit("nothing came for 100 s")
    frame = msgpack.unpackb(socket.recv_multipart()[1])
    if frame["kind"] == "heartbeat": print("joined", flush=True)
    if frame["kind"] == "log":
        assert frame["first"] == expected and len(frame["lines"]) == frame["next"] - expected
        expected = frame["next"]
print(json.dumps({"done": time.time(), "last": frame["lines"][-1], "cpu": time.process_time()}))
"""


def cpu_of(pids: list[int]) -> float:
    """User and system seconds of processes that run."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_of(pid: int) -> float:
    """Peak resident memory of a process, MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def head_pids(head: LocalRay) -> list[int]:
    """What serves the log: the dashboard with its modules, and the agent."""
    return [
        pid for name in ("dashboard", "JobHead", "StateHead", "agent") for pid in head.pids(name)
    ]


def raytap(head: LocalRay, job: str, lines: int, viewers: int) -> dict[str, float]:
    gate = free_port()
    zeromq, http = f"tcp://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory() as home:
        config = Path(home, "raytap.toml")
        config.write_text(
            f'state_dir = "{home}/state"\n'
            '[limits]\nmax_bytes = "10GiB"\nmax_lines = 100000000\nmax_messages = 1000000\n'
            "queue_size = 20000\n"
            f'[publish.zeromq]\nbind = "{zeromq}"\nhwm = 0\n[http]\nbind = "{http}"\n'
            f'[cluster.default]\nendpoints = ["http://127.0.0.1:{gate}"]\nfollow = "all"\n'
            f'jobs = ["{job}"]\nagent_host = "127.0.0.1"\nbackoff_base = 0.1\nbackoff_cap = 0.1\n'
            "discovery_interval = 0.1\n"
        )
        command = [sys.executable, "-c", "from broker.cli import main; main()"]
        daemon = subprocess.Popen(
            [*command, "serve", "--config", str(config)], stderr=subprocess.DEVNULL
        )
        subscribers = [
            subprocess.Popen(
                [sys.executable, "-c", SUBSCRIBER, zeromq, job, str(lines)], stdout=-1, text=True
            )
            for _ in range(viewers)
        ]
        time.sleep(2.0)  # everyone is connected by then; the gate to Ray is still shut
        assert daemon.poll() is None, "the daemon did not start"
        before = cpu_of(head_pids(head))
        own = cpu_of([daemon.pid])
        host, _, port = head.url.removeprefix("http://").partition(":")
        proxy = FaultProxy(host, int(port))
        proxy.port = gate
        proxy.start()
        deadline = time.time() + 10
        while not proxy.connections and time.time() < deadline:
            time.sleep(0.001)  # the daemon's first request to Ray is where the time begins
        start = time.time()
        try:
            results = [
                json.loads((s.communicate(timeout=110)[0]).splitlines()[-1]) for s in subscribers
            ]
            done = max(result["done"] for result in results)
            return {
                "seconds": done - start,
                "cpu": cpu_of([daemon.pid]) - own + sum(result["cpu"] for result in results),
                "daemon_cpu": cpu_of([daemon.pid]) - own,
                "head_cpu": cpu_of(head_pids(head)) - before,
                "peak_mib": peak_of(daemon.pid),
            }
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(10)
            proxy.stop()


RAY_CLIENT = """
import asyncio, sys, time
from ray.job_submission import JobSubmissionClient
client = JobSubmissionClient(sys.argv[1])
async def main():
    count, start = 0, time.time()
    rest = ""
    async for text in client.tail_job_logs(sys.argv[2]):
        count += text.count("\\n")
        if count >= int(sys.argv[3]): break
    print(time.time() - start, count, time.process_time())
asyncio.run(main())
"""

WEBSOCKET = """
import sys, time, websocket
start, count = time.time(), 0
url = sys.argv[1].replace("http", "ws") + f"/api/jobs/{sys.argv[2]}/logs/tail"
ws = websocket.create_connection(url, skip_utf8_validation=True)
while count < int(sys.argv[3]):
    count += ws.recv_data_frame()[1].data.count(b"\\n")
print(time.time() - start, count, time.process_time())
"""


def tail(code: str) -> Callable[[LocalRay, str, int, int], dict[str, float]]:
    def run(head: LocalRay, job: str, lines: int, viewers: int) -> dict[str, float]:
        before = cpu_of(head_pids(head))
        command = [sys.executable, "-c", code, head.url, job, str(lines)]
        readers = [subprocess.Popen(command, stdout=-1, text=True) for _ in range(viewers)]
        seconds, cpu = 0.0, 0.0
        for reader in readers:
            took, count, spent = reader.communicate(timeout=600)[0].split()
            assert int(count) == lines, f"{count} lines instead of {lines}"
            seconds, cpu = max(seconds, float(took)), cpu + float(spent)
        head_cpu = cpu_of(head_pids(head)) - before
        return {"seconds": seconds, "cpu": cpu, "head_cpu": head_cpu}

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lines", type=int, default=1_700_000)
    parser.add_argument("--viewers", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--only", help="one of the ways alone, for profiling")
    options = parser.parse_args()
    with LocalRay() as head, tempfile.TemporaryDirectory() as home:
        script = Path(home, "printer.py")
        script.write_text(PRINTER.replace("LINES", str(options.lines)))
        job = head.submit(f"{sys.executable} {script}", "finished-log")
        head.wait(job, {"SUCCEEDED"}, 120)
        log = head.log_path(job).read_bytes()
        lines = log.count(b"\n")  # Ray's own lines are in it too
        ways = {
            "raytap": raytap,
            "Ray's tail_job_logs": tail(RAY_CLIENT),
            "websocket-client": tail(WEBSOCKET),
        }
        if options.viewers > 1:
            ways.pop("websocket-client")
        if options.only:
            ways = {options.only: ways[options.only]}
        rows: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                rows[name].append(way(head, job, lines, options.viewers))
    medians = {
        name: {key: statistics.median(row[key] for row in taken) for key in taken[0]}
        for name, taken in rows.items()
    }
    if options.json:
        print(json.dumps({"lines": lines, "bytes": len(log), "medians": medians, "rounds": rows}))
        return
    print(f"{len(log) / 1e6:.0f} MB, {lines:,} lines, {options.viewers} viewer(s)")
    ours = next(iter(medians.values()))["seconds"]
    for name, median in medians.items():
        figures = "  ".join(f"{key} {value:.2f}" for key, value in median.items())
        print(f"{name:22} {figures}   ×{median['seconds'] / ours:.1f}")


if __name__ == "__main__":
    main()
