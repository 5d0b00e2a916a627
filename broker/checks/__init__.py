"""What `raytap doctor` finds out: each check says how it stands and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from broker.exit_status import ExitStatus


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finding. `unreachable`: a failure that is another host's silence, not a mistake here."""

    level: Literal["ok", "warn", "fail"]
    name: str
    message: str
    advice: str = ""
    unreachable: bool = False


def verdict(checks: Sequence[Check]) -> ExitStatus:
    """0: nothing failed (warnings may be there); 3: all that failed is out of reach; else 1."""
    failed = [check for check in checks if check.level == "fail"]
    if not failed:
        return ExitStatus.OK
    if all(check.unreachable for check in failed):
        return ExitStatus.UNREACHABLE
    return ExitStatus.CHECK_FAILED
