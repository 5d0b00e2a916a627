"""A frame's lines as one text, which every recognition looks through once. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def joined(lines: Sequence[str]) -> str:
    """The lines, each with its end. One that holds an end itself still counts as one line."""
    text = "\n".join(lines)
    if text.count("\n") >= max(1, len(lines)):
        text = "\n".join([line.replace("\n", " ") for line in lines])
    return text + "\n" if lines else ""
