"""Terminal escapes and control bytes out of a chunk of lines. Pure, linear in time."""

from __future__ import annotations

import re
from typing import Final

_ESC: Final = b"\x1b"
_BEL: Final = b"\x07"

# Line ends and tabs stay; ESC and BEL stay until the sequences they belong to are gone.
_CONTROLS: Final = bytes(set(range(0x20)) - set(b"\t\n\x07\x1b")) + b"\x7f"

# U+0080 to U+009F are the 8-bit forms of ESC @ to ESC _: U+009B is a CSI, U+009D an OSC.
_C1: Final = re.compile(rb"\xc2([\x80-\x9f])")

# Possessive, so that nothing is tried twice; a string without its end loses only its introducer.
_SEQUENCE: Final = re.compile(
    rb"\x1b(?:"
    rb"\[[0-?]*+[ -/]*+[@-~]?"  # CSI: colours, cursor moves; cut off at any point
    rb"|\][^\x07\x1b\n]*+(?:\x07|\x1b\\)"  # OSC: titles, links, the clipboard
    rb"|[PX^_][^\x1b\n]*+\x1b\\"  # DCS, SOS, PM, APC
    rb"|[ -/]++[0-~]"  # charsets
    rb"|[0-~]"  # two bytes
    rb")"
)

# Nearly all escapes of a log are colours, on and off. What they colour is the group.
_COLOURED: Final = re.compile(rb"\x1b\[[0-9;]*+m([^\x1b]*+)(?:\x1b\[[0-9;]*+m)?+")


def strip(data: bytes) -> bytes:
    """Escapes and control bytes removed; valid UTF-8 in and out, the number of lines unchanged.

    Tabs stay. Vertical tabs and form feeds are control bytes; U+2028 is text.
    """
    data = data.translate(None, _CONTROLS)
    if b"\xc2" in data:
        data = _C1.sub(_seven_bit, data)
    if _ESC in data:
        data = _SEQUENCE.sub(b"", data)
        if _ESC in data:
            data = data.translate(None, _ESC)
    if _BEL in data:
        data = data.translate(None, _BEL)
    return data


def strip_sequences(data: bytes) -> bytes | None:
    """Escape sequences removed; where no control byte is left, it is what `strip` gives. None
    where an 8-bit control may be part of one: only `strip` knows those."""
    if _ESC not in data:
        return data
    text = b"".join(_COLOURED.split(data))
    if _ESC not in text:  # each began a colour of its own, so none was a part of another sequence
        return text
    if b"\xc2" in data and _C1.search(data):
        return None
    return _SEQUENCE.sub(b"", data)


def _seven_bit(match: re.Match[bytes]) -> bytes:
    return b"\x1b%c" % (match[1][0] - 0x40)
