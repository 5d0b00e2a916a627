"""An alert, and what becomes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

import msgspec


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's word on one set of labels. Times are seconds since 1970, of the lines' own clock.

    It stays as it was when it fired; only `ends_at` is set when it resolves.
    """

    fingerprint: str  # 16 hex digits of the rule's name and the labels
    rule: str
    severity: str
    labels: dict[str, str]  # alertname, severity, cluster, job, and what the rule captured or gives
    annotations: dict[str, str]
    cluster: str = ""  # where the line that fired is; empty where it is about no job
    job: str = ""
    epoch: str = ""
    line: int | None = None  # None where no line did
    starts_at: float
    ends_at: float | None = None
    value: float | None = None  # the count, the rate, the seconds or the number that was too much
    url: str = ""  # the line, or the job, in the dashboard
    episode: int = 0  # of all that ever fired here; 0 where nobody counts


class Transition(msgspec.Struct, frozen=True):
    """An alert began to fire, or has resolved."""

    alert: Alert
    what: Literal["firing", "resolved"]


def fingerprint(rule: str, labels: Mapping[str, str]) -> str:
    """What makes two alerts the same: the rule's name and the labels, whatever their order."""
    said = "\0".join([rule, *(f"{name}\1{value}" for name, value in sorted(labels.items()))])
    return sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
