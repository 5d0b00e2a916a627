"""What Ray and torch put in front of a worker's line, as regular expressions. Pure."""

from __future__ import annotations

from typing import Final

NAME: Final = (
    r"(?:[^\n]{0,200}?[ ])??pid=[\w-]{1,20}(?:,[ ]ip=[^\s)]{1,50})?"  # a name may have parentheses
    r"|raylet(?:,[ ]ip=[^\s)]{1,50})?"
    r"|autoscaler[ ]\+\w{1,20}"
)
"""What stands in Ray's parentheses; verbose syntax, no groups."""

WORKER: Final = rf"\((?:{NAME})\)(?:[ ]|(?=\n))"
"""`(train pid=12, ip=10.0.0.1) `; nothing follows it on an empty line that was stripped."""

RANK: Final = r"\[rank\d{1,5}\]:[ ]?"
"""`[rank3]: `, torch's mark on what a rank's process dies of."""
