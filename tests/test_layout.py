"""Who may import whom, what is pure, and what lies where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("broker", "publishers", "subscribers")

# No sockets, clocks, threads or files, and nothing of ours that has them.
PURE = {
    f"broker.{name}"
    for name in (
        *("addresses", "checkpoint", "error_message", "errors", "frame", "jobview", "journal"),
        *("limits", "publisher", "topic", "validate", "web.query", "web.render"),
        *("bus.frame_queue", "bus.hold_back", "config.config", "config.units"),
        *("text.ansi", "text.lines", "text.pipeline", "text.plain_text", "text.private_key"),
        *("text.redact", "text.rules", "text.screen"),
        *("ingest.cursor", "ingest.framer", "ingest.rate", "ingest.valve"),
        *("journal.eviction", "journal.ledger", "journal.payload", "journal.replay"),
        *("access.grant", "access.attempts"),
    )
} | {
    f"subscribers.{name}"
    for name in (
        *("lane", "selection", "sequencer", "stats", "survey_clock"),
        *("recognition.prefix", "recognition.text", "recognition.levels", "recognition.workers"),
        *("recognition.tracebacks", "recognition.recogniser"),
        *("dashboard.sketch", "dashboard.meter", "dashboard.figures"),
        *("dashboard.page_frame", "dashboard.event", "dashboard.live_frame", "dashboard.pattern"),
        *("dashboard.positions", "dashboard.backlog", "dashboard.resume", "dashboard.cluster_id"),
        *("tail.lens", "tail.patterns", "tail.place"),
        *("alerts.delivery.signature", "alerts.delivery.views", "alerts.delivery.waiting"),
        *("alerts.engine.alert", "alerts.engine.book", "alerts.engine.broker_list"),
        *("alerts.engine.counting", "alerts.engine.engine", "alerts.engine.job_rules"),
        *("alerts.engine.known", "alerts.engine.line_rules", "alerts.engine.links"),
        *("alerts.engine.log_times", "alerts.engine.selection", "alerts.engine.series"),
        *("alerts.engine.state", "alerts.engine.streams", "alerts.engine.trial"),
        *("alerts.engine.windows",),
        *("alerts.notifications.mutes", "alerts.notifications.notification"),
        *("alerts.notifications.planner",),
        *("alerts.rules.blocks", "alerts.rules.json_lines", "alerts.rules.matchers"),
        *("alerts.rules.patterns", "alerts.rules.places", "alerts.rules.program"),
        *("alerts.rules.ready_made", "alerts.rules.receiver_config", "alerts.rules.regexes"),
        *("alerts.rules.rule", "alerts.rules.rule_checks", "alerts.rules.tables"),
        *("alerts.rules.templates",),
        *("alerts.store.backlog", "alerts.store.eras", "alerts.store.progress"),
    )
}
# Draws random numbers and, for an HTTP date, takes a clock as a default: both can be injected.
HANDED_OUT = PURE | {"broker.backoff"}
# What every process of ours is made of, whether it is a broker or a subscriber: it knows neither.
SHARED = ("broker.web", "broker.access", "broker.events")
PROCESSES = ("broker.cli", "broker.commands", "broker.demo.run_serve")  # begin in these
IMPURE = {
    *("asyncio", "concurrent", "http", "multiprocessing", "os", "pathlib", "select", "selectors"),
    *("shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading"),
    *("time", "urllib3", "requests", "redis", "websocket", "zmq"),
}
HEAVY = (
    *("redis", "starlette", "uvicorn", "requests", "urllib3", "sqlite3", "prometheus_client"),
    *("rich", "zmq", "websocket", "zstandard", "broker.daemon", "broker.journal.sqlite"),
)


class Import(NamedTuple):
    """One module imports another: at its top level, or inside a function."""

    importer: str
    imported: str
    at_top: bool


@cache
def modules() -> dict[str, Path]:
    """Our modules by name."""
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> list[Import]:
    """Every import that our modules run; what is only for type checkers is none."""
    return [
        Import(name, imported, at_top)
        for name, path in modules().items()
        for imported, at_top in _imports(ast.parse(path.read_text(encoding="utf-8")).body, True)
    ]


def _imports(body: list[ast.stmt], at_top: bool) -> Iterator[tuple[str, bool]]:
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from _imports(node.orelse, at_top)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, at_top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "imports are absolute"
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield (submodule if submodule in modules() else node.module), at_top
        else:
            inner = at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for field in ("body", "orelse", "finalbody"):
                yield from _imports(getattr(node, field, None) or [], inner)
            for handler in getattr(node, "handlers", []):
                yield from _imports(handler.body, inner)


def top(module: str) -> str:
    return module.partition(".")[0]


def test_publishers_and_subscribers_import_nothing_of_the_broker_but_what_is_handed_out() -> None:
    wrong = [
        (importer, imported)
        for importer, imported, _ in imports()
        if top(importer) != "broker"
        and top(imported) == "broker"
        and imported not in HANDED_OUT
        and not imported.startswith(SHARED)
    ]
    assert wrong == []


def test_what_all_processes_share_knows_neither_the_daemon_nor_a_subscriber() -> None:
    wrong = [
        (importer, imported)
        for importer, imported, _ in imports()
        if importer.startswith(SHARED)
        and top(imported) in PACKAGES
        and imported not in HANDED_OUT
        and not imported.startswith(SHARED)
    ]
    assert wrong == []


def test_publishers_and_subscribers_never_import_each_other() -> None:
    pair = {"publishers", "subscribers"}
    wrong = [(a, b) for a, b, _ in imports() if {top(a), top(b)} == pair]
    assert wrong == []


def test_the_broker_imports_the_others_only_where_commands_put_things_together() -> None:
    wrong = [
        (importer, imported)
        for importer, imported, _ in imports()
        if top(importer) == "broker"
        and top(imported) in ("publishers", "subscribers")
        and not importer.startswith("broker.commands.")
    ]
    assert wrong == []


def test_nobody_imports_a_command_line_but_where_a_process_begins() -> None:
    wrong = [
        (importer, imported)
        for importer, imported, _ in imports()
        if (imported == "broker.cli" or imported.startswith("broker.commands"))
        and not importer.startswith(PROCESSES)
    ]
    assert wrong == []


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for importer, imported, at_top in imports():
        if at_top and imported in graph and imported != importer:
            graph[importer].add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_imports_no_sockets_clocks_threads_or_files(module: str) -> None:
    imported = {imported for importer, imported, _ in imports() if importer == module}
    assert {name for name in imported if top(name) in IMPURE} == set()
    ours = {name for name in imported if top(name) in PACKAGES}
    assert ours <= PURE


@pytest.mark.parametrize("package", ["subscribers", "publishers", "broker.network"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, {package}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_the_repository_has_its_folders_and_each_package_is_typed() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."}
    assert {*PACKAGES, "tests", "benchmarks", "docs"} <= folders
    assert all((ROOT / package / "py.typed").is_file() for package in PACKAGES)
    assert (ROOT / "broker" / "__init__.py").read_text() == ""


def test_no_file_names_the_machine_it_was_written_on() -> None:
    places = [str(path) for path in (ROOT, Path.home(), Path(sys.prefix)) if len(path.parts) > 2]
    machine = re.compile(
        "|".join([*map(re.escape, places), r"/home/(?!user\b)[a-z]", r"/Users/[A-Z]"])
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _files()
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if machine.search(line)
    ]
    assert found == []


def _files() -> Iterator[Path]:
    """What belongs to the repository: of its own folders, and beside them."""
    for place in (*PACKAGES, "tests", "benchmarks", "deploy", "docs", ".ci"):
        for path in (ROOT / place).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path
    yield from (path for path in ROOT.iterdir() if path.is_file())
