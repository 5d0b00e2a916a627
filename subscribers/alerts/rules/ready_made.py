"""The rules that one switches on by their names; they stand in `ready_made.toml` beside this."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final

from subscribers.alerts.rules.rule import Rule
from subscribers.alerts.rules.tables import convert

NAMES: Final = (
    "cuda-oom",
    "host-oom",
    "nccl-timeout",
    "nan-loss",
    "object-store-spilling",
    "actor-died",
    "disk-full",
    "driver-traceback",
    "job-failed",
    "job-silent",
)


def ready_made(name: str) -> Rule:
    """One of `NAMES`."""
    return _rules()[name]


@cache
def _rules() -> dict[str, Rule]:
    text = files("subscribers.alerts.rules").joinpath("ready_made.toml").read_text("utf-8")
    rules = {}
    for table in tomllib.loads(text)["alert"]:
        rule, problems = convert(Rule, table, ("name",))
        assert rule is not None, problems
        assert not problems, problems
        rules[rule.name] = rule
    return rules
