"""Rules files: `[[alert]]`, `[[receiver]]` and what stands above them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from broker.config.units import seconds
from broker.errors import ConfigError
from broker.text.plain_text import mask_credentials, one_line
from subscribers.alerts.rules.places import Place, Places
from subscribers.alerts.rules.ready_made import NAMES, ready_made
from subscribers.alerts.rules.receiver_config import REPEAT_S, Receiver, read_receiver
from subscribers.alerts.rules.rule import Rule
from subscribers.alerts.rules.rule_checks import notes_of, problems_of
from subscribers.alerts.rules.tables import Problem, convert, near

MOST_RULES: Final = 2_000
_MOST_BYTES: Final = 8 << 20


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What stands above the tables; where several files give it, that of the last one counts."""

    repeat_interval: Annotated[float, seconds(366 * 86400, at_least=1.0)] = REPEAT_S


class RulesFile(msgspec.Struct, frozen=True, kw_only=True):
    """All rules files together."""

    rules: tuple[Rule, ...] = ()
    receivers: tuple[Receiver, ...] = ()
    settings: Settings = Settings()
    notes: tuple[str, ...] = ()  # `FILE:LINE: …`: allowed, and maybe not meant

    @property
    def jobs(self) -> list[str]:
        """Globs of `[cluster/]job` of all that the rules are about; for `Subscription`."""
        found: dict[str, None] = {}
        for rule in self.rules:
            for job in rule.jobs:
                found |= dict.fromkeys(
                    [job] if "/" in job else [f"{cluster}/{job}" for cluster in rule.clusters]
                )
        return ["*"] if "*/*" in found else list(found)


class RulesError(ConfigError):
    """Rules files are wrong; `problems` are all of it, each `FILE:LINE: setting: what`."""

    def __init__(self, problems: Sequence[str]) -> None:
        count = len(problems) - 1
        more = f" (and {count} more: `raytap alerts check` tells all)" if count else ""
        super().__init__(f"{problems[0]}{more}")
        self.problems = list(problems)


def load(paths: Sequence[Path | str]) -> RulesFile:
    """Read and check files; rules keep their order. Raises `RulesError` (400) with all that is
    wrong; files and variables of receivers are not looked at."""
    reader = _Reader()
    for path in paths:
        reader.read(str(path))
    return reader.finish()


def parse(text: str, name: str = "rules.toml") -> RulesFile:
    """A single file's text, as `load` does."""
    reader = _Reader()
    reader.parse(text, name)
    return reader.finish()


class _Reader:
    """Collects what the files hold, and what is wrong with it."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._receivers: list[Receiver] = []
        self._settings: dict[str, Any] = {}
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._names: dict[tuple[str, str], str] = {}  # kind and name: where
        self._file = ""
        self._places = Places("")

    def read(self, path: str) -> None:
        try:
            with open(path, "rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except OSError as error:
            self._problems.append(f"{path}: cannot be read: {error.strerror}")
            return
        if len(data) > _MOST_BYTES:
            self._problems.append(f"{path}: is larger than {_MOST_BYTES >> 20} MiB")
            return
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._problems.append(f"{path}:{line}: a byte that is no UTF-8")
            return
        self.parse(text, path)

    def parse(self, text: str, name: str) -> None:
        self._file, self._places = name, Places(text)
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self._problems.append(_toml_error(name, text, error))
            return
        before = len(self._problems)
        for key, value in tables.items():
            self._top(key, value)
        self._problems[before:] = sorted(self._problems[before:], key=self._line_of)

    def _line_of(self, problem: str) -> int:
        line = problem.removeprefix(f"{self._file}:").partition(":")[0]
        return int(line) if line.isdigit() else 0

    def finish(self) -> RulesFile:
        if len(self._rules) > MOST_RULES:
            self._problems.append(f"{len(self._rules)} rules; {MOST_RULES} at most")
        if self._problems:
            raise RulesError(self._problems)
        return RulesFile(
            rules=tuple(self._rules),
            receivers=tuple(self._receivers),
            settings=Settings(**self._settings),
            notes=tuple(self._notes),
        )

    def _top(self, key: str, value: object) -> None:
        if key in ("alert", "receiver"):
            self._tables(key, value)
        elif key == "ready_made":
            self._ready_made(value)
        elif key in Settings.__struct_fields__:
            settings, problems = convert(Settings, {key: value}, ())
            self._say("", 0, problems)
            if settings is not None and not problems:
                self._settings[key] = getattr(settings, key)
        else:
            known = ["alert", "receiver", "ready_made", *Settings.__struct_fields__]
            self._say("", 0, [Problem(key, f"no such setting; {near(key, known)}")])

    def _tables(self, key: str, value: object) -> None:
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._say(key, 0, [Problem("", f"is a list of tables: write each as [[{key}]]")])
            return
        for index, table in enumerate(value):
            if key == "alert":
                self._alert(index, table)
            else:
                self._receiver(index, table)

    def _alert(self, index: int, table: Mapping[str, object]) -> None:
        rule, problems = convert(Rule, table, ("name",))
        if rule is not None:
            problems += problems_of(rule, set(table))
        if not self._named("alert", index, table, problems) or rule is None:
            return
        self._rules.append(rule)
        self._notes += [self._said("alert", index, note) for note in notes_of(rule)]

    def _receiver(self, index: int, table: Mapping[str, object]) -> None:
        receiver, problems = read_receiver(table)
        if self._named("receiver", index, table, problems) and receiver is not None:
            self._receivers.append(receiver)

    def _ready_made(self, value: object) -> None:
        names = [value] if isinstance(value, str) else value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            known = ", ".join(NAMES)
            self._say("", 0, [Problem("ready_made", f'is a list of names, or ["*"]: {known}')])
            return
        for name in NAMES if "*" in names else dict.fromkeys(names):
            if name not in NAMES:
                hint = near(name, list(NAMES))
                self._say("", 0, [Problem("ready_made", f"no rule {name!r}; {hint}")])
                continue
            rule = ready_made(name)
            where = self._where("", 0, "ready_made")
            if rule not in self._rules and not self._taken("alert", name, where):
                self._rules.append(rule)

    def _named(
        self, table: str, index: int, given: Mapping[str, object], problems: list[Problem]
    ) -> bool:
        """Whether it is right, and its name is its own."""
        self._say(table, index, problems, str(given.get("name", "")))
        name = given.get("name")
        taken = isinstance(name, str) and self._taken(
            table, name, self._where(table, index, "name")
        )
        return not problems and not taken

    def _taken(self, kind: str, name: str, where: str) -> bool:
        first = self._names.get((kind, name))
        if first is None:
            self._names[kind, name] = where
            return False
        self._problems.append(f"{where}: name: {one_line(name, 100)!r} is taken by {first}")
        return True

    def _say(self, table: str, index: int, problems: Sequence[Problem], name: str = "") -> None:
        self._problems += [self._said(table, index, problem, name) for problem in problems]

    def _said(self, table: str, index: int, problem: Problem, name: str = "") -> str:
        of = f"[[{table}]] {name}".rstrip() if table and not problem.key else problem.key
        said = f"{self._where(table, index, problem.key)}: {of}: {problem.message}"
        return one_line(mask_credentials(said), 1000)

    def _where(self, table: str, index: int, key: str) -> str:
        line = self._places.line(Place(table, index, key))
        return f"{self._file}:{line}" if line else self._file


def _toml_error(name: str, text: str, error: tomllib.TOMLDecodeError) -> str:
    said = one_line(str(error), 300)
    what, _, at = said.partition(" (at ")
    if at.startswith("line "):
        line, _, column = at.rstrip(")").partition(", column ")
        return f"{name}:{line.removeprefix('line ')}: column {column}: {what}"
    return (
        f"{name}:{text.count(chr(10)) + 1}: {what}"
        if "end of document" in at
        else f"{name}: {said}"
    )
