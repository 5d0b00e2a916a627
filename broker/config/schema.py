"""From values with an origin to the sections of `broker.config.config`. Pure.

A layer (the file, the environment, the flags) is a flat map from a setting's path to its value
and where that was written, so that a wrong one can be said with both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NoReturn,
    TypeAlias,
    get_args,
    get_origin,
)

import msgspec

from broker.config.config import Config
from broker.errors import ConfigError
from broker.text.plain_text import mask_credentials, one_line

Path: TypeAlias = tuple[str, ...]


class Setting(NamedTuple):
    """One value as it was written; `origin` is such as `raytap.toml line 12` or `--redis`."""

    value: object
    origin: str


Layer: TypeAlias = dict[Path, Setting]


def refuse(path: Path, origin: str, message: str) -> NoReturn:
    """Raise the `ConfigError` of one setting: one line, without credentials."""
    where = f" ({origin})" if origin else ""
    text = f"{'.'.join(path)}{where}: {message}"
    raise ConfigError(one_line(mask_credentials(text), 1000))


def flatten(table: Mapping[str, object], origin: Callable[[Path], str]) -> Layer:
    """A parsed file as a layer. Raises `ConfigError` for unknown names and misplaced tables."""
    return dict(_walk(Config, (), table, origin))


def _walk(
    kind: Any, path: Path, table: Mapping[str, object], origin: Callable[[Path], str]
) -> Iterator[tuple[Path, Setting]]:
    for key, value in table.items():
        here = (*path, key)
        inner = _member(kind, here, origin(here))
        if not is_table(inner):
            yield here, Setting(value, origin(here))
        elif isinstance(value, dict):
            yield from _walk(inner, here, value, origin)
        else:
            refuse(here, origin(here), f"is a table: write it as [{'.'.join(here)}]")


def is_table(kind: Any) -> bool:
    """Whether the type is a section, or the table of clusters."""
    return _is_struct(kind) or (get_origin(kind) is dict and _is_struct(get_args(kind)[1]))


def type_of(path: Path, origin: str) -> Any:
    """The type of a setting; `ConfigError` with the nearest known name where there is none."""
    kind: Any = Config
    for depth in range(1, len(path) + 1):
        if not is_table(kind):
            refuse(path, origin, f"{'.'.join(path[: depth - 1])} is a setting, not a section")
        kind = _member(kind, path[:depth], origin)
    return kind


def _member(kind: Any, path: Path, origin: str) -> Any:
    if not _is_struct(kind):
        return get_args(kind)[1]
    members = {field.name: field.type for field in msgspec.structs.fields(kind)}
    found = members.get(path[-1])
    if found is None:
        shown = (*path[:-1], one_line(path[-1], 60))
        near = get_close_matches(path[-1].lower(), members, n=1, cutoff=0.6)
        hint = (
            f"did you mean {'.'.join((*path[:-1], near[0]))}?"
            if near
            else f"known here: {', '.join(members)}"
        )
        refuse(shown, origin, f"no such setting; {hint}")
    return found


def from_text(kind: Any, text: str) -> object:
    """What a text (of an environment variable) means for a setting of that type.

    Texts are taken as they stand, lists are comma separated or TOML, all else is a TOML value;
    what is none stays text, and is refused by its type.
    """
    listed = get_origin(kind) is list
    if kind is str or get_origin(kind) is Literal:
        return text
    if listed and not text.lstrip().startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        values = tomllib.loads(f"value = {text.strip()}")
    except tomllib.TOMLDecodeError:
        return text
    return values["value"] if len(values) == 1 else text


def build(layer: Layer, clusters: Iterator[str] | list[str]) -> Config:
    """The configuration. Raises `ConfigError` for the first value of a wrong type or range."""
    tree: dict[str, Any] = {"cluster": {name: {} for name in clusters}}
    for path, setting in layer.items():
        place = tree
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = _converted(path, setting)
    return msgspec.convert(tree, Config)


def _converted(path: Path, setting: Setting) -> object:
    kind = type_of(path, setting.origin)
    if is_table(kind):
        refuse(path, setting.origin, "is a section, not a setting")
    value = setting.value
    parse = _parser(kind)
    try:
        if parse is not None and isinstance(value, str):
            value = parse(value)
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, ValueError) as error:
        refuse(path, setting.origin, _explained(kind, value, error))


def _explained(kind: Any, value: object, error: Exception) -> str:
    if get_origin(kind) is Literal:
        words = [str(word) for word in get_args(kind)]
        near = get_close_matches(str(value).lower(), words, n=1)
        shown = one_line(mask_credentials(repr(value)), 60)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{shown} is none of {', '.join(words)}{hint}"
    if isinstance(error, msgspec.ValidationError):
        text = str(error).replace("`", "").replace("Expected", "expected")
        text = text.replace("array", "list").replace("object", "table")
        return text + _right(kind)
    return str(error)


def _right(kind: Any) -> str:
    if get_origin(kind) is Annotated:
        meta = kind.__metadata__[0]
        return f" (from {meta.ge:,} to {meta.le:,})"
    examples = {bool: "true or false", list: '["…", "…"]', dict: '{NAME = "…"}', str: '"…"'}
    example = examples.get(get_origin(kind) or kind)
    return f"; right is {example}" if example else ""


def _parser(kind: Any) -> Callable[[str], object] | None:
    if get_origin(kind) is not Annotated:
        return None
    extra = kind.__metadata__[0].extra or {}
    return extra.get("parse")


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
