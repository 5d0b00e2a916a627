"""Matchers on labels, as Alertmanager's."""

from __future__ import annotations

import pytest

from broker.errors import ClientError
from subscribers.alerts.rules.matchers import Matchers

LABELS = {"severity": "critical", "job": "train-1"}


@pytest.mark.parametrize(
    ("text", "meets"),
    [
        ('severity="critical"', True),
        ("severity=critical", True),
        ('severity="crit"', False),
        ('severity!="info"', True),
        ('job=~"train-.*"', True),
        ('job=~"train"', False),  # the whole value, as in Alertmanager
        ('job!~"eval-.*"', True),
        ('team=""', True),  # a label that is not there is empty
        ('team!=""', False),
        (' severity = "critical" ', True),
    ],
)
def test_a_matcher_is_met_as_alertmanagers_is(text: str, meets: bool) -> None:
    assert Matchers.parse([text]).match(LABELS) is meets


def test_all_of_several_must_be_met_and_none_are_met_by_everything() -> None:
    assert not Matchers.parse(['severity="critical"', 'job="x"']).match(LABELS)
    assert Matchers.parse([]).match(LABELS)


def test_a_matcher_has_one_way_to_be_written_that_parses_to_itself() -> None:
    texts = Matchers.parse(['a = "say \\"hi\\" \\\\ \\n"', "b=~x|y"]).texts
    assert texts == ['a="say \\"hi\\" \\\\ \\n"', 'b=~"x|y"']
    assert Matchers.parse(texts).texts == texts
    assert Matchers.parse(texts[:1]).match({"a": 'say "hi" \\ \n'})


@pytest.mark.parametrize("text", ["", "severity", 'a="b', 'a=~"("', 'a="b" c', "1a=b", "a" * 2000])
def test_a_wrong_one_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ClientError) as refused:
        Matchers.parse([text])
    assert refused.value.status == 400
    assert len(refused.value.message) < 400
