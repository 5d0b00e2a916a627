from __future__ import annotations

import pytest

from broker.access.grant import ANYONE, Grant
from broker.config.config import Action
from broker.errors import ClientError
from broker.topic import Stream

READ: frozenset[Action] = frozenset({"read"})
ADMIN: frozenset[Action] = frozenset({"admin"})
TRAIN = Stream("prod", "train-1")


@pytest.mark.parametrize(
    ("clusters", "jobs", "opened"),
    [
        (("*",), ("*",), True),
        (("prod",), ("train-*",), True),
        (("lab", "pro?"), ("eval", "prod/train-1"), True),
        (("lab",), ("*",), False),
        (("*",), ("train",), False),
        (("*",), ("lab/*",), False),
        ((), ("*",), False),
        (("*",), (), False),
    ],
)
def test_a_job_is_open_where_its_cluster_and_its_id_both_are(
    clusters: tuple[str, ...], jobs: tuple[str, ...], opened: bool
) -> None:
    assert Grant("a", clusters, jobs, READ).allows(TRAIN) is opened


def test_no_action_holds_another() -> None:
    reader = Grant("a", ("*",), ("*",), READ)
    admin = Grant("a", ("*",), ("*",), ADMIN)
    assert [reader.allows(TRAIN), reader.allows(TRAIN, "admin")] == [True, False]
    assert [admin.allows(TRAIN), admin.allows(TRAIN, "admin")] == [False, True]


@pytest.mark.parametrize(
    ("clusters", "jobs", "opened"),
    [
        (("*",), ("train-*",), True),
        (("*",), ("prod/train-*",), True),
        (("*",), ("lab/*",), False),
        (("lab",), ("*",), False),
    ],
)
def test_a_cluster_is_open_where_any_job_of_it_may_be(
    clusters: tuple[str, ...], jobs: tuple[str, ...], opened: bool
) -> None:
    assert Grant("a", clusters, jobs, READ).allows_cluster("prod") is opened


def test_a_refusal_names_the_token_and_what_it_may_not_do() -> None:
    with pytest.raises(ClientError, match="403: the token 'a' may not change job prod/train-1"):
        Grant("a", ("*",), ("*",), READ).check(TRAIN, "admin")
    with pytest.raises(ClientError, match="403: this token lacks the action admin"):
        Grant("", actions=READ).check_action("admin")


def test_without_permissions_everyone_may_everything() -> None:
    ANYONE.check(TRAIN)
    ANYONE.check(TRAIN, "admin")
    ANYONE.check_action("admin")
    assert ANYONE.allows_cluster("prod")
