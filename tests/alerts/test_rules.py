"""Rules files: what is taken, what is refused, and where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.topic import Stream
from subscribers.alerts.rules.rule import Rule, parse_rate
from subscribers.alerts.rules.rules_file import RulesError, load, parse
from subscribers.alerts.rules.templates import MOST_CHARACTERS
from subscribers.alerts.rules.templates import parse as parse_template


def problems(text: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        parse(text, "r.toml")
    return caught.value.problems


def test_the_smallest_rule_has_a_default_for_everything_else() -> None:
    (rule,) = parse('[[alert]]\nname = "oom"\nmatch = "CUDA"\nseverity = "critical"').rules
    assert rule == Rule(name="oom", match="CUDA", severity="critical")
    assert (rule.kind, rule.needed, rule.span, rule.resolves) == ("lines", 1, 300.0, 600.0)


def test_every_setting_is_taken() -> None:
    text = """
    repeat_interval = "1h"
    ready_made = ["disk-full"]
    [[alert]]
    name = "all"
    severity = "info"
    jobs = "train-*"
    clusters = ["prod-*"]
    match = '''step (?P<step>\\d+)'''
    unless = "dry"
    level = "warn"
    json = [{field = "a.b", above = 1, below = 2.5}, {field = "c", equals = "x"}]
    source = "workers"
    threshold = 3
    window = "2m"
    by = ["job", "step"]
    for = "10s"
    resolve_after = "0s"
    resolve_at_end = false
    before = 1
    after = 2
    labels = {team = "ml"}
    [alert.annotations]
    text = "{line} {labels.step}"
    """
    file = parse(text)
    assert [rule.name for rule in file.rules] == ["disk-full", "all"]
    assert file.settings.repeat_interval == 3600
    rule = file.rules[1]
    assert (rule.window, rule.for_, rule.resolves, rule.needed) == (120.0, 10.0, 0.0, 3)
    assert rule.json[0].below == 2.5
    assert rule.json[1].equals == "x"
    assert rule.about(Stream("prod-1", "train-7"))
    assert not rule.about(Stream("lab", "train-7"))
    assert not rule.about(Stream("prod-1", "eval-7"))


def test_rates_are_matches_a_second_and_may_have_a_unit() -> None:
    assert [parse_rate(text) for text in ("10/s", "3 / m", "36/h", "0.5")] == [10, 0.05, 0.01, 0.5]
    assert parse('[[alert]]\nname = "x"\nrate_above = "60/m"').rules[0].needed == 301
    assert problems('[[alert]]\nname = "x"\nrate_above = "fast"') == [
        'r.toml:3: rate_above: \'fast\' is no rate, such as "10/s", "3/m" or 0.5 (a second)'
    ]


def test_all_that_is_wrong_is_said_at_once_with_its_line_and_what_may_be_meant() -> None:
    text = '''ready_made = ["cuda-oom", "nan-los"]
repeat_intervall = "4h"
[[alert]]
name = "a b"
match = "foo(?=x)"
severty = "critical"

[[alert]]
name = "oom"
match = """
x [[alert]]
name = 3"""
threshold = "five"
window = "5 parsecs"
[alert.annotations]
summary = "{lien}"
other = "{"
[alert.labels]
job = "x"

[[alert]]
name = "oom"
status = "FAILLED"

[[receiver]]
name = "r"
kind = "webhok"
'''
    assert problems(text) == [
        "r.toml:1: ready_made: no rule 'nan-los'; did you mean nan-loss?",
        "r.toml:2: repeat_intervall: no such setting; did you mean repeat_interval?",
        "r.toml:4: name: 1 to 100 letters, digits, - and _",
        "r.toml:5: match: no regex (re2): invalid perl operator: (?=, at character 4; "
        "re2 has no lookahead",
        "r.toml:6: severty: no such setting; did you mean severity?",
        "r.toml:13: threshold: expected int, got str",
        "r.toml:14: window: '5 parsecs' is not a duration in seconds, such as 30 or \"5m\"",
        "r.toml:16: annotations.summary: {lien}: no such name; did you mean {line}?",
        "r.toml:17: annotations.other: a { stands alone at character 1; {{ is a brace",
        "r.toml:19: labels.job: no name for a label: is raytap's own",
        "r.toml:22: name: 'oom' is taken by r.toml:9",
        "r.toml:23: status: 'FAILLED' is no status of a job; did you mean FAILED?",
        "r.toml:27: kind: 'webhok' is none of webhook, alertmanager, slack, apprise; did you mean "
        "'webhook'?",
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", ":1: [[alert]] x: it says nothing that can happen"),
        ('status = "FAILED"\nmatch = "x"', ":4: match: the rule is about status"),
        ('status = "FAILED"\nbroker = "lag"', ":4: broker: status is given too"),
        ('match = "x"\nthreshold = 3\nabsent = "1m"', ":5: absent: threshold is given too"),
        ('absent = "1m"\nwindow = "1m"', ":4: window: absent is the window itself"),
        ('absent = "1m"\nby = ["job"]', ":4: by: is fixed here"),
        ('match = "(?P<a>x)"\nby = ["b"]', ":4: by: 'b' is no label of this rule"),
        ('match = "(?P<job>x)"', ":3: match: the group 'job' would be a label"),
        ('match = "x"\nlevel = "loud"', ":4: level: 'loud' is no level"),
        ('match = "x"\njobs = ["a b"]', ":4: jobs: 'a b' is no job pattern"),
        ('match = "x"\nclusters = ["a/b"]', ":4: clusters: clusters alone"),
        ('match = "x"\nabove = 3', ":4: above: seconds, of broker"),
        ('on = "traceback"\nlevel = "error"', ":4: level: is of lines"),
        ('status = "FAILED"\nthreshold = 2', ":4: threshold: there is nothing to count here"),
        ('match = "x"\nseverity = "very bad"', ":4: severity: a word, such as critical"),
        ('match = "x"\nresolve_at_end = "yes"', ":4: resolve_at_end: expected bool, got str"),
        ('json = {fild = "x"}', ":3: json.fild: no such setting; did you mean field?"),
        ('json = {field = "x", match = "("}', ":3: json.match: no regex (re2)"),
        ("json = 3", ':3: json: is a table, such as {field = "loss", above = 10}'),
        ('on = "lines"', ":3: on: 'lines' is none of line, traceback; did you mean 'line'?"),
        ('match = "x"\n[alert.labels]\n"a b" = "x"', ":5: labels.a b: no name for a label"),
    ],
)
def test_what_makes_no_sense_is_said_at_its_place(body: str, said: str) -> None:
    assert any(said in one for one in problems(f'[[alert]]\nname = "x"\n{body}'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "r.toml:1: Invalid value"),
        ("[[alert]]\nname = 'x\n", "r.toml:3: Expected"),
        ("alert = 3", "r.toml:1: [[alert]]: is a list of tables: write each as [[alert]]"),
        ("[alert]\nname = 'x'", "r.toml:1: [[alert]]: is a list of tables"),
        ("\n[alerts]\nx = 3", "r.toml:2: alerts: no such setting; did you mean alert?"),
        ("ready_made = 3", "r.toml:1: ready_made: is a list of names"),
        ("ready_made = '*'\n[[alert]]\nname = 'disk-full'\nmatch='x'", "is taken by r.toml:1"),
    ],
)
def test_a_file_that_is_none_is_said(text: str, said: str) -> None:
    assert any(said in one for one in problems(text))


def test_several_files_are_one_and_a_name_is_only_once_there(tmp_path: Path) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('[[alert]]\nname = "x"\nmatch = "x"\njobs = ["a", "p/b"]\nclusters = ["c"]')
    two.write_text('repeat_interval = 60\n[[alert]]\nname = "y"\nstatus = "FAILED"\njobs = "z"')
    file = load([one, two])
    assert [rule.name for rule in file.rules] == ["x", "y"]
    assert file.jobs == ["c/a", "p/b", "*/z"]
    assert file.settings.repeat_interval == 60
    with pytest.raises(RulesError, match=f"{one}:2: name: 'x' is taken by {one}:2"):
        load([one, one])


def test_a_file_that_cannot_be_read_is_said_beside_what_else_is_wrong(tmp_path: Path) -> None:
    bad, nothing = tmp_path / "bad.toml", tmp_path / "none.toml"
    bad.write_bytes(b'x = "a"\ny = "\xff"\n')
    with pytest.raises(RulesError) as caught:
        load([bad, nothing])
    assert caught.value.problems == [
        f"{bad}:2: a byte that is no UTF-8",
        f"{nothing}: cannot be read: No such file or directory",
    ]


def test_what_is_maybe_not_meant_is_a_note() -> None:
    text = '[[alert]]\nname = "x"\nmatch = "[0-9]+%"\nseverity = "critcal"'
    assert [note.split(": ")[0] for note in parse(text, "r.toml").notes] == ["r.toml:4", "r.toml:3"]
    assert parse('[[alert]]\nname = "x"\nmatch = "x12"\nseverity = "page"').notes == ()


def test_all_jobs_are_one_pattern() -> None:
    assert parse('ready_made = "*"').jobs == ["*"]


@pytest.mark.parametrize("text", ["{line.__class__}", "{0}", "{line!r}", "{line:>9}", "{x[0]}"])
def test_a_template_holds_names_alone_and_reaches_nothing_behind_them(text: str) -> None:
    with pytest.raises(ValueError, match="no such name"):
        parse_template(text)


def test_a_template_is_rendered_with_braces_and_without_what_is_not_there() -> None:
    template = parse_template("{{{line}}} {labels.a}{labels.b}!")
    assert template.render({"line": "{job}", "labels.a": "x"}) == "{{job}} x!"
    assert len(template.render({"line": "y" * 100_000})) == MOST_CHARACTERS
