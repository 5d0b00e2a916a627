"""Error messages that may be shown, logged and sent: one line, no secrets, bounded. Pure."""

from __future__ import annotations

import re
from typing import Final

from broker.text.plain_text import one_line

MAX_CHARACTERS: Final = 200
REDACTED: Final = "[REDACTED]"

# Escapes and control bytes inside a token would hide it from the rules below.
_INVISIBLE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

_NAMES: Final = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|token|secret|key(?!error)|auth(?:orization|entication)?(?!or)"
    r"|credential|cookie|signature|sig\b|jwt)"
)
# Quantifiers are bounded where two of them could share text: time stays linear in the message.
_RULES: Final = (
    (
        re.compile(r"(://)[^/\s?#]*@"),
        rf"\1{REDACTED}@",
    ),  # up to the last @: a password may hold one
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?:(?!-----END )[\s\S])*(?:-----END[A-Z -]*)?"
        ),
        REDACTED,
    ),
    # A quoted value, with an apostrophe inside a word and escaped quotes in it; one whose end is
    # missing goes up to the end. A quote after a letter (can't) opens none, but b'…' is one.
    (
        re.compile(r"(?<![A-Za-z0-9_])([bru]{0,2})'(?:\\[\s\S]|'(?=\w)|[^'\\])*(?:'|\\?\Z)", re.I),
        rf"\1'{REDACTED}'",
    ),
    (re.compile(r'"(?:\\[\s\S]|[^"\\])*(?:"|\\?\Z)'), f'"{REDACTED}"'),
    (re.compile(r"`[^`]*(?:`|\Z)"), f"`{REDACTED}`"),
    # key=value and key: value, in a query too; with a scheme in front of the value.
    (
        re.compile(
            rf"({_NAMES}[\w.-]{{0,40}}\]?\s{{0,8}}[=:]\s{{0,8}})"
            r"(?:(?:bearer|basic|digest|token)\s{1,8})?[^\s&]+",
            re.I,
        ),
        rf"\1{REDACTED}",
    ),
    (re.compile(r"\b(bearer|basic)\s{1,8}(?!tokens?\b|auth)[^\s,;]+", re.I), rf"\1 {REDACTED}"),
    # "token abc123 was refused": a word with a digit in it behind the name of a secret.
    (
        re.compile(
            rf"\b({_NAMES}\w{{0,40}}\s{{1,8}}(?:(?:is|was|of)\s{{1,8}})?)(?=\S{{0,200}}\d)\S{{4,}}",
            re.I,
        ),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(
            r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{12,}|gh[oprsu]_\w{12,}|github_pat_\w{12,}|glpat-[\w-]{12,}"
            r"|xox[a-z]-[\w-]{8,}|hf_\w{12,}|[sr]k[-_][\w-]{12,}|AIza[\w-]{12,}|npm_\w{12,}"
            r"|eyJ[\w-]{8,}(?:\.[\w-]*){0,4})"
        ),
        REDACTED,
    ),
)
_OPAQUE: Final = re.compile(r"[A-Za-z0-9+]{32,}={0,2}")  # letters and digits mixed: a token


def sanitize_error_message(message: object, context: str) -> str:
    """`"{context}: {message}"` without secrets, on one line, at most 200 characters in all.

    The 200 are those of the whole returned string, context included, so that a caller knows what
    it has to store; a longer one ends in `…`. Secrets are replaced by `[REDACTED]` before the cut:
    whatever stands in quotes, tokens of well-known kinds or long opaque ones, bearer and basic
    credentials, a URL's user info and secrets in its query, `key=value` and `key: value` of a
    secret's name. ANSI escapes and control characters are removed first, since they hide a token;
    line ends, tabs and what else would break a line are escaped. An exception without a message is
    named by its class. Never raises.
    """
    text = _redact(_text(message))
    label = _redact(str(context or ""))
    safe = one_line(f"{label}: {text}" if label else text, limit=1 << 62)
    return safe if len(safe) <= MAX_CHARACTERS else safe[: MAX_CHARACTERS - 1] + "…"


def _text(message: object) -> str:
    if isinstance(message, (bytes, bytearray)):
        return bytes(message).decode("utf-8", "replace")
    try:
        return str(message) or type(message).__name__
    except Exception:  # a foreign __str__ may raise anything
        return type(message).__name__


def _redact(text: str) -> str:
    text = _INVISIBLE.sub("", text)
    for rule, replacement in _RULES:
        text = rule.sub(replacement, text)
    return _OPAQUE.sub(_opaque, text)


def _opaque(found: re.Match[str]) -> str:
    word = found[0]
    mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return REDACTED if mixed else word
