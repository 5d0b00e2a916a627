"""Whether a rule's settings make sense together. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from broker.errors import ClientError
from broker.validate import RESOURCE_ID
from subscribers.alerts.rules.json_lines import JsonTest
from subscribers.alerts.rules.patterns import without_literal
from subscribers.alerts.rules.program import Program
from subscribers.alerts.rules.regexes import compile_block, compile_line
from subscribers.alerts.rules.rule import SEVERITIES, STATUSES, Rule
from subscribers.alerts.rules.tables import Problem, near
from subscribers.alerts.rules.templates import parse
from subscribers.recognition.levels import parse_level
from subscribers.selection import Selection

RESERVED: Final = ("alertname", "severity", "cluster", "job")
MOST_GROUPS: Final = 10
MOST_TEXTS: Final = 30  # labels, annotations, JSON conditions

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SEVERITY: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_LINES: Final = ("match", "unless", "level", "json", "rate_above", "rate_below", "absent")
_HOW_MANY: Final = ("threshold", "rate_above", "rate_below", "absent")


def problems_of(rule: Rule, given: set[str]) -> Iterator[Problem]:
    """All that is wrong; `given` are the settings that stand in the file."""
    if not RESOURCE_ID.fullmatch(rule.name):
        yield Problem("name", "1 to 100 letters, digits, - and _")
    if not _SEVERITY.fullmatch(rule.severity):
        yield Problem("severity", f"a word, such as {', '.join(SEVERITIES)}")
    yield from _of_kind(rule, given)
    yield from _counting(rule, given)
    yield from _jobs(rule)
    yield from _lines(rule)
    yield from _texts(rule)


def notes_of(rule: Rule) -> Iterator[Problem]:
    """What is allowed, and maybe not meant."""
    if rule.severity not in SEVERITIES and "did you mean" in (
        hint := near(rule.severity, list(SEVERITIES))
    ):
        yield Problem("severity", f"{rule.severity!r} is none of {', '.join(SEVERITIES)}; {hint}")
    screen = Program(rule).screen
    if screen and without_literal([screen]):
        yield Problem(
            "match" if rule.match else "json",
            "it has no text of three characters that must be there, so it is tried on every line: "
            "dozens of such rules are slow",
        )
    if rule.missing and rule.by is None and _groups(rule):
        yield Problem("match", "what is missing has no labels: groups are not captured here")


def _of_kind(rule: Rule, given: set[str]) -> Iterator[Problem]:
    about = [key for key in ("status", "running_longer", "broker") if key in given]
    if len(about) > 1:
        yield Problem(about[1], f"{about[0]} is given too; a rule is about one of them")
    lines = [key for key in _LINES if key in given]
    if about and lines:
        yield Problem(lines[0], f"the rule is about {about[0]}, so it looks at no lines")
    if not about and not lines and rule.on == "line":
        yield Problem(
            "",
            "it says nothing that can happen: give match, level, json, absent, rate_above, "
            "rate_below, status, running_longer or broker",
        )
    for status in rule.status:
        if status not in STATUSES:
            hint = near(status.upper(), [*STATUSES])
            yield Problem("status", f"{status!r} is no status of a job; {hint}")
    if rule.above is not None and rule.broker not in ("lag", "heartbeat"):
        yield Problem("above", 'seconds, of broker = "lag" and broker = "heartbeat"')
    if rule.on == "traceback":
        for key in ("level", "json"):
            if key in given:
                yield Problem(key, 'is of lines; with on = "traceback" the whole is looked at')


def _counting(rule: Rule, given: set[str]) -> Iterator[Problem]:
    ways = [key for key in _HOW_MANY if key in given]
    if len(ways) > 1:
        yield Problem(ways[1], f"{ways[0]} is given too; give one of {', '.join(_HOW_MANY)}")
    counts = rule.kind == "lines" or rule.broker in ("reconnects", "gap")
    if ways and not counts:
        yield Problem(ways[0], "there is nothing to count here")
    if "window" in given and rule.absent is not None:
        yield Problem("window", "absent is the window itself")
    by = rule.by
    if by is None:
        return
    if rule.missing or not counts:
        yield Problem("by", "is fixed here: the cluster and the job")
        return
    known = ["cluster", "job", *_groups(rule)]
    for name in by:
        if name not in known:
            yield Problem("by", f"{name!r} is no label of this rule; {near(name, known)}")


def _jobs(rule: Rule) -> Iterator[Problem]:
    for key, patterns in (("jobs", rule.jobs), ("clusters", rule.clusters)):
        try:
            Selection(patterns)
        except ClientError as error:
            yield Problem(key, error.message)
        if key == "clusters" and any("/" in pattern for pattern in patterns):
            yield Problem(key, "clusters alone; jobs takes CLUSTER/JOB")


def _lines(rule: Rule) -> Iterator[Problem]:
    compiled = compile_block if rule.on == "traceback" else compile_line
    for key, pattern in (("match", rule.match), ("unless", rule.unless)):
        if pattern:
            yield from _tried(key, compiled, pattern)
    if rule.level:
        yield from _tried("level", parse_level, rule.level)
    for condition in rule.json:
        if not condition.field.strip("."):
            yield Problem("json.field", "the name of a field, such as loss or metrics.loss")
        yield from _tried("json.match", lambda one: JsonTest([one]), condition)
    if len(rule.json) > MOST_TEXTS:
        yield Problem("json", f"{MOST_TEXTS} conditions at most")
    groups = _groups(rule)
    if len(groups) > MOST_GROUPS:
        yield Problem("match", f"{len(groups)} named groups; {MOST_GROUPS} at most")
    for name in groups:
        if name in RESERVED or name in rule.labels:
            what = "raytap's own" if name in RESERVED else "one of labels, too"
            yield Problem("match", f"the group {name!r} would be a label, and that is {what}")


def _texts(rule: Rule) -> Iterator[Problem]:
    for name in rule.labels:
        if not _LABEL.fullmatch(name) or name in RESERVED:
            why = "is raytap's own" if name in RESERVED else "letters, digits and _"
            yield Problem(f"labels.{name}", f"no name for a label: {why}")
    for name, text in rule.annotations.items():
        if not _LABEL.fullmatch(name):
            yield Problem(f"annotations.{name}", "no name for an annotation: letters, digits, _")
        yield from _tried(f"annotations.{name}", parse, text)
    for key, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        if len(texts) > MOST_TEXTS:
            yield Problem(key, f"{MOST_TEXTS} at most")


def _groups(rule: Rule) -> list[str]:
    """The named groups of a regex that compiles."""
    try:
        return [*Program(Rule(name="x", match=rule.match, on=rule.on)).captures]
    except ValueError:
        return []


def _tried(key: str, make: Callable[[Any], object], value: object) -> Iterator[Problem]:
    try:
        make(value)
    except ClientError as error:
        yield Problem(key, error.message)
    except ValueError as error:
        yield Problem(key, str(error))
