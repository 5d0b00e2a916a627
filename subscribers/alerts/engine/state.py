"""What an engine keeps over a restart, as bytes. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from broker.errors import ClientError
from subscribers.alerts.engine.alert import Alert
from subscribers.alerts.engine.series import Series
from subscribers.alerts.engine.streams import StreamState

VERSION: Final = 1
_MOST_BYTES: Final = 1 << 30


class RuleState(msgspec.Struct, array_like=True):
    """One rule's series; of no use to a rule with another digest."""

    digest: str
    series: list[Series]
    folded: int = 0
    dropped: int = 0


class State(msgspec.Struct, array_like=True, tag_field="v", tag=VERSION):
    """All of it."""

    streams: dict[str, StreamState]  # by cluster/job
    rules: dict[str, RuleState]  # by name
    orphans: list[Alert] = []  # of rules that went; they resolve at the next moment
    surveyed: bool = False


def encode(state: State) -> bytes:
    """The state's bytes."""
    return msgspec.msgpack.encode(state)


def decode(data: bytes) -> State:
    """The state. Raises `ClientError` 400 for bytes of another version, or that are none."""
    if len(data) > _MOST_BYTES:
        raise ClientError(400, f"the alerts' state is larger than {_MOST_BYTES} bytes")
    try:
        return msgspec.msgpack.decode(data, type=State)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ClientError(400, f"this is no state of this version's alerts: {error}") from None
