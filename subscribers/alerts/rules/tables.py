"""From a TOML table to a struct, with every error at its setting. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, NamedTuple, TypeVar, get_args, get_origin

import msgspec

from broker.text.plain_text import one_line

_STRUCT = TypeVar("_STRUCT", bound=msgspec.Struct)
_RIGHT: Final = {bool: "true or false", str: '"…"', list: '["…", "…"]', dict: '{NAME = "…"}'}


class Problem(NamedTuple):
    """What is wrong with a setting; `key` with dots for inner ones, empty for the table itself."""

    key: str
    message: str


def convert(
    kind: type[_STRUCT], table: Mapping[str, object], needed: tuple[str, ...]
) -> tuple[_STRUCT | None, list[Problem]]:
    """The struct, of what is right, and all that is wrong; None where something needed is."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in table.items():
        if key not in fields:
            problems.append(Problem(key, f"no such setting; {near(key, list(fields))}"))
            continue
        try:
            values[fields[key].name] = _value(fields[key].type, key, value)
        except _Wrong as wrong:
            problems += wrong.problems
    problems += [Problem(key, "is missing") for key in needed if key not in table]
    whole = all(fields[key].name in values for key in needed)
    return (kind(**values) if whole else None), problems


def near(name: str, known: list[str]) -> str:
    """What the name may have meant, else all that there is."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean {by_lower[found[0]]}?" if found else f"known are {', '.join(known)}"


class _Wrong(Exception):
    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems


def _value(kind: Any, key: str, value: object) -> object:
    types = list(_types(kind))
    listed = next((one for one in types if get_origin(one) is list), None)
    if listed is not None:
        (inner,) = get_args(listed)
        if _is_struct(inner):
            return _structs(inner, key, value)
        if isinstance(value, str):
            value = [value]  # a single one need not be a list
    parse = _parser(kind)
    try:
        if parse is not None and isinstance(value, str):
            value = parse(value)
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _Wrong([Problem(key, _explained(types, value, str(error)))]) from None
    except ValueError as error:
        raise _Wrong([Problem(key, str(error))]) from None


def _structs(kind: type[msgspec.Struct], key: str, value: object) -> list[msgspec.Struct]:
    found: list[msgspec.Struct] = []
    problems: list[Problem] = []
    for table in value if isinstance(value, list) else [value]:
        if not isinstance(table, dict):
            problems.append(Problem(key, 'is a table, such as {field = "loss", above = 10}'))
            continue
        required = tuple(f.encode_name for f in msgspec.structs.fields(kind) if f.required)
        one, wrong = convert(kind, table, required)
        found += [] if one is None or wrong else [one]
        problems += [Problem(f"{key}.{inner}", message) for inner, message in wrong]
    if problems:
        raise _Wrong(problems)
    return found


def _explained(types: list[Any], value: object, error: str) -> str:
    for kind in types:
        if get_origin(kind) is Literal:
            words = [str(word) for word in get_args(kind) if word]
            found = get_close_matches(str(value).lower(), words, n=1)
            hint = f"; did you mean {found[0]!r}?" if found else ""
            return f"{one_line(repr(value), 60)} is none of {', '.join(words)}{hint}"
    text = error.replace("`", "").replace("Expected", "expected").replace(" | null", "")
    text = text.replace("array", "list").replace("object", "table")
    right = next((_RIGHT[base] for base in map(_base, types) if base in _RIGHT), "")
    return f"{text}; right is {right}" if right else text


def _base(kind: Any) -> Any:
    return get_origin(kind) or kind


def _types(kind: Any) -> Iterator[Any]:
    """The members of a union, without None; else the type itself."""
    if isinstance(kind, type) or get_origin(kind) in (list, dict, Literal):
        yield kind
        return
    for one in get_args(kind) or (kind,):
        if one is not type(None) and not isinstance(one, msgspec.Meta):
            yield one if not hasattr(one, "__metadata__") else get_args(one)[0]


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _parser(kind: Any) -> Any:
    """What makes a number of a text with a unit, where the type has one."""
    for one in (kind, *get_args(kind)):
        for meta in getattr(one, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.extra:
                return meta.extra.get("parse")
    return None
