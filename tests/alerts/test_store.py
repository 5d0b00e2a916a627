"""`alerts.db`: one transaction a step, and what a restart finds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.msgpack import encode as pack

from broker.errors import ConfigError
from subscribers.alerts.notifications.mutes import Mute
from subscribers.alerts.notifications.planner import NEVER, Plan, Told
from subscribers.alerts.service.state_dir import AlertsStateDir
from subscribers.alerts.store import schema
from subscribers.alerts.store.backlog import Behind
from subscribers.alerts.store.eras import Era
from subscribers.alerts.store.progress import Position
from subscribers.alerts.store.schema import StoreError
from subscribers.alerts.store.store import Counts, Store
from tests.support.alerting import alert, notification, over

ONE = alert()
TOLD = Told("a", ONE.fingerprint, ONE.starts_at, 0, 1000.0)
ERA = Era(7, ["train-*"])
BEHIND = {"ray/x": Behind("e", 7)}
EMPTY = Plan([], [], [], [])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def test_a_step_is_found_again_after_a_restart(path: Path, store: Store) -> None:
    at = {"ray/train-1": Position("e", 42, True, said=("x",))}
    (sent,) = store.commit(
        Plan([ONE], [notification(ONE)], [TOLD], []), at, b"engine", [ERA], BEHIND
    )
    store.close()
    again = Store(path)
    kept = again.kept()
    assert (kept.engine, kept.eras, kept.positions) == (b"engine", [ERA], at)
    assert kept.backlog == BEHIND
    assert (kept.alerts, kept.told) == ([ONE], [TOLD])
    assert again.waiting("a") == [sent]
    assert sent.id > 0
    again.close()


def test_a_step_that_fails_leaves_nothing_behind(store: Store) -> None:
    bad = notification(ONE, receiver=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.commit(Plan([ONE], [bad], [TOLD], []), {"ray/x": Position("e", 1)}, b"engine")
    assert store.kept() == (b"", [], {}, {}, [], [], 0, {})


def test_an_acknowledged_notification_is_gone_and_counted(path: Path, store: Store) -> None:
    first, second = store.commit(Plan([], [notification(), notification()], [], []))
    store.done("a", [first.id], Counts(sent=1))
    store.done("a", [], Counts(failed=2, dropped=3))
    store.close()
    again = Store(path)
    assert again.waiting("a") == [second]
    assert again.counts("a") == (1, 2, 3)
    assert again.counts("b") == (0, 0, 0)
    again.close()


def test_ids_are_never_given_twice(store: Store) -> None:
    (first,) = store.commit(Plan([], [notification()], [], []))
    store.done("a", [first.id], Counts(sent=1))
    (second,) = store.commit(Plan([], [notification()], [], []))
    assert second.id > first.id


def test_an_alert_that_is_over_is_history_the_last_one_first(store: Store) -> None:
    alerts = [over(alert(f"r{i}", float(i)), 100.0 + i) for i in range(5)]
    store.commit(Plan([ONE, *alerts], [], [], []))
    store.commit(Plan([over(ONE, 50.0)], [], [], []))
    assert [one.rule for one in store.history(3)[0]] == ["r4", "r3", "r2"]
    assert store.kept().alerts == []
    store.prune(before=102.5, now=0.0)
    assert [one.rule for one in store.history(10)[0]] == ["r4", "r3"]


def test_two_that_began_at_the_same_time_are_two_in_the_history(store: Store) -> None:
    first, second = alert(episode=1), alert(episode=2)
    store.commit(Plan([over(first, 1005.0), over(second, 1010.0)], [], [], []))
    assert [one.episode for one in store.history(10)[0]] == [2, 1]


def test_history_is_counted_for_who_may_see_it(store: Store) -> None:
    ended = [over(alert(f"r{i}", job=f"job-{i % 2}"), 1000.0 + i) for i in range(9)]
    store.commit(Plan(ended, [], [], []))
    alerts, total = store.history(2, lambda stream: stream.job == "job-1")
    assert ([one.rule for one in alerts], total) == (["r7", "r5"], 4)
    assert store.history(0) == ([], 9)


def test_numbers_and_addresses_go_on_after_a_restart(path: Path, store: Store) -> None:
    store.commit(Plan([alert("x", episode=7), alert("y", episode=6)], [], [], []))
    store.replace_told([], {"a": "hash", "b": "other"})
    store.done("a", [], Counts(sent=3))
    store.replace_told([], {"a": "moved"})
    store.prune(before=9e9, now=9e9)
    store.close()
    again = Store(path)
    assert (again.kept().episode, again.kept().addresses) == (7, {"a": "moved"})
    assert again.counts("a") == (3, 0, 0)
    again.close()


def test_what_a_receiver_that_moved_is_to_be_told_again_is_kept(store: Store) -> None:
    told = Told("a", ONE.fingerprint, ONE.starts_at, 3, -NEVER, 8)
    store.replace_told([told], {"a": "hash"})
    assert store.kept().told == [told]


def test_a_file_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    waits = notification(ONE)
    with sqlite3.connect(path) as old:
        old.executescript(schema._TABLES)
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        old.execute("UPDATE state SET patterns = ?", (pack(["train-*", "x"]),))
        fields = {name: getattr(ONE, name) for name in ONE.__struct_fields__ if name != "episode"}
        row = (ONE.fingerprint, ONE.starts_at, None, pack(fields))
        old.execute("INSERT INTO alerts VALUES (?, ?, ?, ?)", row)
        old.execute("INSERT INTO told VALUES ('a', ?, ?, 2, 1000)", row[:2])
        old.execute("INSERT INTO receivers VALUES ('a', 5, 1, 0)")
        old.execute("INSERT INTO notifications VALUES (4, 'a', ?)", (pack(waits),))
    old.close()
    store = Store(path)
    kept = store.kept()
    assert kept.eras == [Era(0, ["train-*", "x"])]
    assert (kept.alerts, kept.told, kept.addresses) == (
        [ONE], [Told("a", ONE.fingerprint, ONE.starts_at, 2, 1000.0)], {"a": ""},
    )  # fmt: skip
    assert [one.key for one in store.waiting("a")] == [waits.key]
    store.done("a", [4], Counts(sent=1))
    assert store.counts("a") == (6, 1, 0)
    store.close()


def test_the_end_of_an_alert_is_kept_while_someone_was_told_that_it_fires(store: Store) -> None:
    store.commit(Plan([ONE], [], [TOLD], []))
    store.commit(Plan([over(ONE, 1005.0)], [], [], []))
    assert store.kept().alerts == [over(ONE, 1005.0)]
    store.commit(Plan([], [], [], [("a", ONE.fingerprint)]))
    assert store.kept().alerts == []


def test_receivers_that_went_take_what_waits_for_them_along(store: Store) -> None:
    other = Told("b", ONE.fingerprint, ONE.starts_at, 0, 1000.0)
    plan = Plan([ONE], [notification(ONE), notification(ONE, "b")], [TOLD, other], [])
    store.commit(plan)
    assert store.replace_told([TOLD], {"a": "hash"}) == 1
    assert store.kept().told == [TOLD]
    assert (len(store.waiting("a")), len(store.waiting("b"))) == (1, 0)


def test_mutes_are_kept_until_they_are_over_or_removed(path: Path, store: Store) -> None:
    one, two = Mute("1", ['a="b"'], 100.0, "why", "who"), Mute("2", ['a="b"'], 200.0)
    store.add_mute(one)
    store.add_mute(two)
    store.close()
    again = Store(path)
    assert again.mutes() == [one, two]
    again.prune(before=0.0, now=150.0)
    assert again.mutes() == [two]
    again.remove_mute("2")
    assert again.mutes() == []
    again.close()


def test_a_damaged_file_is_put_aside_and_a_new_one_begun(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    store = Store(path)
    assert "damaged" in store.problem
    assert store.kept().alerts == []
    (aside,) = path.parent.glob("alerts.db.damaged-*")
    assert aside.read_bytes().startswith(b"this is no")
    store.close()


def test_a_file_with_damaged_pages_is_put_aside(path: Path) -> None:
    store = Store(path)
    store.commit(Plan([alert(f"r{i}", float(i)) for i in range(500)], [], [], []))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 20] = b"\xff" * (4096 * 17)
    path.write_bytes(data)
    store = Store(path)
    assert "damaged" in store.problem
    store.close()


def test_somebody_elses_database_and_a_newer_one_are_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreError, match="something else"):
        Store(path)
    path.unlink()
    Store(path).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="newer raytap"):
        Store(path)
    assert not list(path.parent.glob("*.damaged-*"))


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.commit(EMPTY)


def test_the_files_are_closed_to_others(path: Path, store: Store) -> None:
    store.commit(Plan([ONE], [], [], []))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_one_process_for_each_state_directory(tmp_path: Path) -> None:
    first = AlertsStateDir(tmp_path / "state")
    assert first.path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConfigError, match="another `raytap alerts`"):
        AlertsStateDir(tmp_path / "state")
    first.close()
    first.close()
    AlertsStateDir(tmp_path / "state").close()


def test_a_directory_that_others_can_look_into_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(ConfigError, match="chmod 700"):
        AlertsStateDir(tmp_path / "open")


def test_one_that_fired_again_behind_a_mute_and_is_over_is_found_by_who_was_told(
    path: Path, store: Store
) -> None:
    again = over(alert(starts_at=ONE.starts_at + 100), ONE.starts_at + 200)
    store.commit(Plan([ONE], [], [TOLD], []))
    store.commit(Plan([over(ONE, ONE.starts_at + 50), again], [], [], []))
    kept = store.kept()
    assert (kept.alerts, kept.told) == ([again], [TOLD])
