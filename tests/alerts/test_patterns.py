"""Many regexes in one pass find what each of them finds alone."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from subscribers.alerts.rules.patterns import FILTER, PIECE, Patterns, without_literal
from subscribers.alerts.rules.regexes import compile_block, compile_line

WORDS = ["cuda", "oom", "Loss", "nan", "ä", "ſ", "K"]
ATOM = st.sampled_from(
    [*WORDS, "a", "b", " ", r"\d", r"\w+", ".", ".*", "[^x]", r"\s", "(?i:loss)", "(?i)k", "x?"]
)
PATTERN = st.builds(
    lambda start, parts, end, other: f"{start}{''.join(parts)}{end}{other}",
    st.sampled_from(["", "^", r"\b"]),
    st.lists(ATOM, min_size=1, max_size=5),
    st.sampled_from(["", "$", "+"]),
    st.sampled_from(["", "|oom", "|(?P<n>b+)"]),
)
LINE = st.lists(st.sampled_from([*WORDS, "1", "a", "b", " ", "x", "LOSS", "k", "\t"]), max_size=8)


def usable(pattern: str) -> bool:
    try:
        compile_line(pattern)
    except ValueError:
        return False
    return True


def alone(patterns: list[str], lines: list[str]) -> list[tuple[int, int]]:
    """Each regex on each line."""
    options = re2.Options()
    options.log_errors = False
    compiled = [re2.compile(pattern.encode(), options) for pattern in patterns]
    return [
        (number, index)
        for number, line in enumerate(lines)
        for index, one in enumerate(compiled)
        if one.search(line.encode()) is not None
    ]


@pytest.mark.parametrize("hyperscan", [False, True])
@settings(max_examples=50, deadline=None)
@given(
    patterns=st.lists(PATTERN.filter(usable), max_size=6),
    lines=st.lists(LINE.map("".join), min_size=1, max_size=60),
    repeat=st.sampled_from([1, 40]),
)
def test_every_match_of_each_regex_alone_is_found_and_nothing_else(
    hyperscan: bool, patterns: list[str], lines: list[str], repeat: int
) -> None:
    lines = lines * repeat
    found = Patterns(patterns, hyperscan=hyperscan).find("\n".join(lines).encode())
    assert [(hit.line, hit.pattern) for hit in found] == alone(patterns, lines)


def test_lines_longer_than_a_piece_are_whole() -> None:
    lines = ["x" * (2 * PIECE) + "oom", "y" * PIECE, "oom", "z" * (PIECE - 1), "oom"]
    found = Patterns([r"x+oom$", "^oom"], hyperscan=False).find("\n".join(lines).encode())
    assert [(hit.line, hit.pattern) for hit in found] == [(0, 0), (2, 1), (4, 1)]


def test_no_regex_crosses_a_line() -> None:
    patterns = [r"a[^x]*b", r"a\s+b", r"(?s)a.b"]
    assert Patterns(patterns, hyperscan=False).find(b"a\nb\n") == []
    assert [hit.pattern for hit in Patterns(patterns, hyperscan=False).find(b"a b\n")] == [0, 1, 2]


def test_a_match_gives_its_groups() -> None:
    (hit,) = Patterns([r"on (?P<host>\w+)"], hyperscan=False).find(b"one\ntwo on h1 on h2\n")
    assert hit.match.group(1) == b"h1"


def test_without_hyperscan_and_without_patterns_there_is_nothing_to_do() -> None:
    assert Patterns([]).find(b"line\n") == []
    assert not Patterns(["x"], hyperscan=False).fast


def test_patterns_that_mean_another_thing_to_hyperscan_are_not_given_to_it() -> None:
    assert not Patterns([r"\pL+x"]).fast
    assert not Patterns(["ä"]).fast


def test_regexes_that_hold_no_text_are_told() -> None:
    assert without_literal([r"\d+", "oom", r"[ab]c"]) == [0, 2]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("foo(?!bar)", "at character 4; re2 has no lookahead; `unless`"),
        ("(?<=a)b", "re2 has no lookbehind"),
        (r"(a)\1", "re2 has no backreferences"),
        ("a(b", r"missing \)"),
        (r"a\Z", "at character 2; use \\$"),
        (r"x\Ay", r"\\A at character 2: use \^"),
        (r"y\z", "use \\$"),
        ("(?i-m)x", r"\^ and \$ are always a line's"),
        ("x*", "matches the empty text"),
        ("x" * 3000, "more than 2,000 characters"),
        ("\\", "trailing"),
    ],
)
def test_a_regex_that_is_none_is_refused_with_what_is_wrong_and_where(
    pattern: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        compile_line(pattern)


def test_a_tracebacks_regex_may_cross_lines() -> None:
    assert compile_block(r"(?s)^a.*^b").search(b"a\nx\nb") is not None
    assert compile_block(r"a\nb").search(b"a\nb") is not None
    assert compile_block(r"a.b").search(b"a\nb") is None


def test_more_regexes_than_one_filter_takes_are_all_looked_for() -> None:
    patterns = [f"(?i){'abcdefghij' * (n % 150)} number{n}z" for n in range(300)]
    assert sum(map(len, patterns)) > 10 * FILTER
    lines = [pattern[4:].upper() for pattern in reversed(patterns)]
    found = Patterns(patterns, hyperscan=False).find("\n".join(lines).encode())
    assert [hit.pattern for hit in found] == list(reversed(range(300)))


def test_rules_with_the_same_frequent_words_stay_quick() -> None:
    """One automaton of them all would crawl: it is looked through 100 times over in a second."""
    patterns = [f"w{n % 40} .*rare{n}x" for n in range(500)]
    text = "\n".join(" ".join(f"w{(n * k) % 40} " for k in range(12)) for n in range(5000))
    assert Patterns(patterns, hyperscan=False).find(text.encode()) == []
