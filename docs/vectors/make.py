"""Writes the test vectors beside it: `python docs/vectors/make.py`. See docs/protocol.md.

The frames are written down here as plain maps, and packed without any of raytap's code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack

HERE = Path(__file__).parent
TOPIC = "default/train-1/"
AT: dict[str, Any] = {
    "v": 1,
    "cluster": "default",
    "job": "train-1",
    "epoch": "5f2b8c0d91ae",
    "broker": "b-7c41",
    "ts": 1_780_000_000_123_456_789,
}
LOG: dict[str, Any] = {
    **AT,
    "kind": "log",
    "first": 41,
    "next": 43,
    "lines": ["epoch 1", "epoch 2"],
}

VALID: dict[str, tuple[str, dict[str, Any]]] = {
    "log": ("two lines, 41 and 42", {**LOG, "offset": 1337}),
    "log-text": (
        "an empty line, a tab, characters of two to four bytes, U+2028 (which ends no line), "
        "a redacted secret, a truncated line",
        {
            **LOG,
            "next": 46,
            "lines": ["", "\tloss=0.1", "Größe 例 🚀", "a\u2028b",
                      "key [REDACTED] …[truncated 9 bytes]"],
            "redacted": 1,
            "truncated": 1,
        },
    ),
    "log-long": (
        "lengths beyond msgpack's short forms: 20 lines, one of 300 bytes",
        {**LOG, "next": 61, "lines": ["x" * 300, *(f"line {n}" for n in range(42, 61))]},
    ),
    "log-cr": (
        "a progress bar: lines 41 and 42 ended in a lone CR, 43 in LF",
        {**LOG, "next": 44, "lines": ["10%", "50%", "100%"], "cr": [0, 1]},
    ),
    "log-partial": (
        "the last line of a log that does not end in a line end",
        {**LOG, "first": 42, "lines": ["Kill"], "partial": True},
    ),
    "log-amends": (
        "line 42 again, now whole, and a new line",
        {**LOG, "first": 42, "next": 44, "lines": ["Killed by signal 9", "bye"], "amends": True},
    ),
    "log-large-numbers": (
        "numbers beyond 32 bits",
        {**LOG, "first": 1 << 40, "next": (1 << 40) + 1, "lines": ["far"], "offset": 1 << 46},
    ),
    "log-unknown-keys": (
        "keys of a later raytap, to be ignored",
        {**LOG, "later": {"deep": [1, None, True]}, "also": 2.5},
    ),
    "log-defaults": (
        "defaults written out mean the same as keys left out",
        {**LOG, "cr": [], "partial": False, "amends": False, "reason": "", "redacted": 0},
    ),
    "gap-limit": (
        "lines 41 to 99 were dropped by a limit",
        {**AT, "kind": "gap", "first": 41, "next": 100, "reason": "limit"},
    ),
    "gap-evicted": (
        "lines 0 to 40 are no longer in the journal, nor in Ray",
        {**AT, "kind": "gap", "first": 0, "next": 41, "reason": "evicted"},
    ),
    "status": (
        "the job runs; no line is known yet, so there is no epoch",
        {**AT, "kind": "status", "epoch": "", "first": 0, "next": 0, "status": "RUNNING",
         "run": 1_780_000_000_000},
    ),
    "end": (
        "the log is over and complete: 43 lines",
        {**AT, "kind": "end", "first": 43, "next": 43, "status": "SUCCEEDED", "complete": True},
    ),
    "end-incomplete": (
        "the cluster no longer knows the job",
        {**AT, "kind": "end", "first": 43, "next": 43, "status": "LOST", "complete": False},
    ),
    "error": (
        "something a reader should know of; the stream goes on",
        {**AT, "kind": "error", "first": 43, "next": 43, "code": 503,
         "message": "agent: connection refused"},
    ),
    "heartbeat": (
        "nothing new: the next line is 43",
        {**AT, "kind": "heartbeat", "first": 43, "next": 43, "state": "waiting",
         "status": "RUNNING", "http": "http://127.0.0.1:8270"},
    ),
    "reset": (
        "the file was replaced; numbers begin at 0 under a new epoch",
        {**AT, "kind": "reset", "epoch": "0c77d1e2f3a4", "first": 0, "next": 0,
         "reason": "the file is shorter than before"},
    ),
}  # fmt: skip

_WHOLE = msgpack.packb(LOG)
INVALID: dict[str, tuple[str, str, bytes]] = {
    "bad-empty": ("no bytes", "malformed", b""),
    "bad-cut": ("a frame cut short", "malformed", _WHOLE[:-3]),
    "bad-trailing": ("a byte after the frame", "malformed", _WHOLE + b"\x00"),
    "bad-utf8": (
        "a string that is not UTF-8",
        "malformed",
        _WHOLE.replace(b"epoch 1", b"epoch\xff1"),
    ),
    "bad-key": ("a key that is not a string", "malformed", msgpack.packb({**LOG, 7: 7})),
    "bad-array": ("an array, not a map", "not-a-map", msgpack.packb([1, "log"])),
    "bad-version": ("a later version", "version", msgpack.packb({**LOG, "v": 2})),
    "bad-no-version": ("no version", "version", msgpack.packb({**LOG, "v": None})),
    "bad-kind": (
        "a kind that version 1 does not have",
        "field",
        msgpack.packb({**LOG, "kind": "x"}),
    ),
    "bad-lines-type": (
        "a line that is bytes",
        "field",
        msgpack.packb({**LOG, "lines": ["a", b"b"]}),
    ),
    "bad-no-first": (
        "`first` is missing",
        "field",
        msgpack.packb({key: value for key, value in LOG.items() if key != "first"}),
    ),
    "bad-negative": (
        "a negative line number",
        "span",
        msgpack.packb({**LOG, "first": -1, "next": 1}),
    ),
    "bad-backwards": ("`next` before `first`", "span", msgpack.packb({**LOG, "next": 40})),
    "bad-count": ("three numbers, two lines", "span", msgpack.packb({**LOG, "next": 44})),
    "bad-gap-lines": ("a gap with lines", "span", msgpack.packb({**LOG, "kind": "gap"})),
}

# What a plain subscriber got, step by step, and what it makes of it (docs/protocol.md, "Loss").
A, B = {"broker": "a", "epoch": "e1"}, {"broker": "b", "epoch": "e1"}
SEQUENCE: list[dict[str, Any]] = [
    {"frame": {**A, "kind": "log", "first": 10, "next": 13}, "lost": None, "new": [10, 13]},
    {"frame": {**A, "kind": "log", "first": 13, "next": 15}, "lost": None, "new": [13, 15]},
    {"frame": {**A, "kind": "log", "first": 13, "next": 15}, "lost": None, "new": None},
    {"frame": {**A, "kind": "log", "first": 14, "next": 18}, "lost": None, "new": [15, 18]},
    {"frame": {**A, "kind": "log", "first": 20, "next": 21}, "lost": [18, 20], "new": [20, 21]},
    {"frame": {**A, "kind": "gap", "first": 21, "next": 30}, "lost": None, "new": [21, 30]},
    {"frame": {**A, "kind": "heartbeat", "first": 30, "next": 30}, "lost": None, "new": None},
    {"frame": {**A, "kind": "heartbeat", "first": 33, "next": 33}, "lost": [30, 33], "new": None},
    {
        "frame": {**A, "kind": "log", "first": 33, "next": 35, "partial": True},
        "lost": None,
        "new": [33, 35],
    },
    {
        "frame": {**A, "kind": "log", "first": 34, "next": 36, "amends": True},
        "lost": None,
        "new": [34, 36],
    },
    {"frame": {**B, "kind": "log", "first": 5, "next": 9}, "lost": None, "new": [5, 9]},
    {
        "frame": {"broker": "a", "epoch": "e2", "kind": "reset", "first": 0, "next": 0},
        "lost": None,
        "new": None,
    },
    {
        "frame": {"broker": "a", "epoch": "e2", "kind": "log", "first": 0, "next": 2},
        "lost": None,
        "new": [0, 2],
    },
]


def files() -> dict[str, bytes]:
    """Every file's name and bytes."""
    made: dict[str, bytes] = {}
    for name, (about, frame) in VALID.items():
        made[f"{name}.msgpack"] = msgpack.packb(frame)
        made[f"{name}.json"] = _json({"about": about, "topic": TOPIC, "frame": frame})
    for name, (about, error, payload) in INVALID.items():
        made[f"{name}.msgpack"] = payload
        made[f"{name}.json"] = _json({"about": about, "error": error})
    replayed = [VALID[name][1] for name in ("gap-evicted", "log", "end")]
    made["replay.msgpack"] = b"".join(msgpack.packb(frame) for frame in replayed)
    made["replay.json"] = _json({"about": "a replay's body: frames one after another",
                                 "frames": replayed})  # fmt: skip
    made["sequence.json"] = _json({"about": "frames as a subscriber gets them, and what is lost "
                                   "and new with each", "steps": SEQUENCE})  # fmt: skip
    return made


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


if __name__ == "__main__":
    for name, content in files().items():
        (HERE / name).write_bytes(content)
