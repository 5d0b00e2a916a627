"""Slack by an incoming webhook: a few blocks, within Slack's limits."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from subscribers.alerts.delivery.receivers.post import Post
from subscribers.alerts.delivery.receivers.target import Target
from subscribers.alerts.notifications.notification import Notification
from subscribers.alerts.rules.receiver_config import Receiver

MOST_BLOCKS: Final = 50
MOST_TEXT: Final = 3_000  # characters of one text, escapes counted
MOST_HEADER: Final = 150
MOST_FIELDS: Final = 10
_MOST_FIELD: Final = 2_000
_FENCE: Final = "```"
_TITLES: Final = ("summary", "title")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class SlackSender:
    """The receiver's URL is the incoming webhook's."""

    batch = 1

    def __init__(self, receiver: Receiver, target: Target) -> None:
        self._post = Post(receiver, target)

    def send(self, notifications: list[Notification]) -> None:
        (notification,) = notifications
        self._post.send(msgspec.json.encode(message(notification)), {})

    def abort(self) -> None:
        self._post.abort()


def message(notification: Notification) -> dict[str, Any]:
    """The body. `text` is what a phone's notification shows."""
    alert = notification.alert
    over = notification.state == "resolved"
    word = "Resolved" if over else "Firing"
    title = f"{word}: {alert.rule} ({alert.severity})"
    summary = next((alert.annotations[key] for key in _TITLES if key in alert.annotations), "")
    where = f"{alert.cluster}/{alert.job}" if alert.job else alert.cluster
    line = "" if alert.line is None else f", line {alert.line}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "emoji": False,
                                    "text": _cut(title, MOST_HEADER)}},
    ]  # fmt: skip
    if summary:
        blocks.append(_section(escaped(summary, MOST_TEXT)))
    blocks.append({"type": "section", "fields": _fields(alert.labels)})
    for name, text in alert.annotations.items():
        if name not in _TITLES and len(blocks) < MOST_BLOCKS - 2:
            blocks.append(_section(_annotation(name, text)))
    if alert.url.startswith(("http://", "https://")) and len(alert.url) < MOST_TEXT // 2:
        link = alert.url.translate(_ESCAPES).replace("|", "%7C")
        blocks.append(_section(f"<{link}|{escaped(f'Open {where}{line}', 500)}>"))
    stamp = int(alert.ends_at or alert.starts_at) if over else int(alert.starts_at)
    since = f"{word} since <!date^{stamp}^{{date_short_pretty}} {{time_secs}}|{stamp}>"
    repeated = f", told {notification.repeat + 1} times" if notification.repeat else ""
    blocks.append(
        {"type": "context", "elements": [_mrkdwn(f"{since}{repeated} · {alert.fingerprint}")]}
    )
    text = f"{title}: {summary}" if summary else f"{title}: {where}"
    return {"text": escaped(text, MOST_TEXT), "blocks": blocks}


def escaped(text: str, most: int) -> str:
    """Text that is only text to Slack, in at most `most` characters with its escapes."""
    whole = text.translate(_ESCAPES)
    if len(whole) <= most:
        return whole
    kept, size = [], 1
    for sign in text:
        size += len(sign.translate(_ESCAPES))
        if size > most:
            break
        kept.append(sign)
    return "".join(kept).translate(_ESCAPES) + "…"


def _annotation(name: str, text: str) -> str:
    head = f"*{escaped(name, 200)}*\n"
    if "\n" not in text:
        return head + escaped(text, MOST_TEXT - len(head))
    room = MOST_TEXT - len(head) - 2 * len(_FENCE) - 2
    inside = escaped(text.replace(_FENCE, "'''"), room)
    return f"{head}{_FENCE}\n{inside}\n{_FENCE}"


def _fields(labels: dict[str, str]) -> list[dict[str, Any]]:
    shown = sorted(labels.items())
    fields = [
        _mrkdwn(f"*{escaped(name, 200)}*\n{escaped(text, _MOST_FIELD - 300)}")
        for name, text in shown[:MOST_FIELDS]
    ]
    if len(shown) > MOST_FIELDS:
        fields[-1] = _mrkdwn(f"and {len(shown) - MOST_FIELDS + 1} more labels")
    return fields or [_mrkdwn("no labels")]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text)}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
