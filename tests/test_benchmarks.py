"""The benchmarks run and check their work, and the table says what they found."""

from __future__ import annotations

import re
import subprocess
import sys
from array import array
from pathlib import Path

import msgspec
import pytest

from benchmarks import table as runner
from benchmarks.lags import distribution, printed_ns, quantile
from benchmarks.machine import Machine
from benchmarks.markdown import NOT_MEASURED, Measured, filled, table, unknown
from benchmarks.measure import ratios, take_turns
from benchmarks.result import Claim, Result, Work, shown

ROOT = Path(__file__).parents[1]
MACHINE = Machine("a processor", 2, 23.4, "Linux 6", "3.11.2", {"raytap": "0.1.0", "ray": "-"})


def quick(*command: str) -> Result:
    """What a script finds with next to nothing to do."""
    run = subprocess.run(
        [sys.executable, "-m", *command, "--quick", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return msgspec.json.decode(run.stdout.splitlines()[-1], type=Result)


def measured(*claims: Claim) -> Measured:
    work = Work("Reading", {"raytap": {"seconds": [3.0, 1.0, 2.0]}, "other": {"seconds": [5.0]}})
    result = Result(list(claims), [work], MACHINE, "2026-11-21 04:00 UTC")
    return Measured(["python", "-m", "benchmarks.reading"], 0.25, 12.0, result)


@pytest.mark.parametrize("name", ["journal_write", "pipeline", "startup", "zeromq_fanout"])
def test_a_script_runs_checks_its_work_and_gives_a_figure_for_every_round(name: str) -> None:
    result = quick(f"benchmarks.{name}")
    assert all(len(claim.values) == 1 for claim in result.claims)
    assert all(
        values
        for work in result.works
        for each in work.contenders.values()
        for values in each.values()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["redis_publish", "memory", "many_jobs", "dashboard_fanout"])
def test_a_script_with_servers_runs(name: str) -> None:
    assert quick(f"benchmarks.{name}").claims


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    "command",
    [runner.ROWS[row] for row in ("1", "2", "3", "8, the agent", "9")],
    ids=" ".join,
)
def test_a_script_with_a_real_head_runs(command: list[str]) -> None:
    assert quick(*command).claims


def test_every_row_has_a_script_and_every_script_with_a_row_is_run() -> None:
    scripts = {command[0] for command in runner.ROWS.values()}
    for script in scripts:
        assert Path(ROOT, *script.split(".")).with_suffix(".py").is_file(), script
    rows = {row.partition(",")[0] for row in runner.ROWS}
    assert rows == {*map(str, range(1, 11)), "fan-out", "alerts", "recognition"}


def test_a_claim_is_held_to_its_target_by_its_median() -> None:
    least = Claim("1", "speed", "Ray", "×", [9.0, 4.0, 5.0], at_least=5.0)
    most = Claim("3", "lag", "–", "s", [0.1, 0.3, 0.2], at_most=0.1)
    assert (least.value, least.reached, least.target) == (5.0, True, "≥ 5.00 ×")
    assert (most.value, most.reached, most.target) == (0.2, False, "≤ 0.100 s")
    assert Claim("1", "CPU", "Ray", "×", [1.0]).reached is None


def test_the_table_shows_target_and_median_and_marks_what_falls_short() -> None:
    text = table(
        {
            "1": measured(Claim("1", "speed", "Ray", "×", [6.0, 5.5, 7.0], at_least=5.0)),
            "3": measured(Claim("3", "lag", "–", "s", [0.2], at_most=0.1)),
        }
    )
    assert "| 1 | speed | Ray | 6.00 × | 5.50–7.00 | ≥ 5.00 × | reached |" in text
    assert "| 3 | lag | – | 0.200 s | 0.200–0.200 | ≤ 0.100 s | **FALLS SHORT** |" in text
    assert "| raytap | 2.00 |" in text
    assert "a processor, 2 cores, 23 GiB" in text
    assert "raytap 0.1.0, ray -" in text


def test_a_number_without_a_target_is_shown_with_its_row_only() -> None:
    text = table({"1": measured(Claim("1", "CPU of the head", "Ray", "×", [0.5]))})
    assert text.index("### Row 1") < text.index("CPU of the head")


def test_a_document_is_filled_in_between_its_marks_and_again_without_a_trace() -> None:
    document = (
        "before\n<!-- table -->\nold\n<!-- end of table -->\nbetween "
        "<!--= 1; raytap; seconds -->?<!--/--> and <!--= 9; raytap; seconds -->?<!--/-->\n"
    )
    results = {"1": measured(Claim("1", "speed", "Ray", "×", [6.0], at_least=5.0))}
    once = filled(document, results)
    assert once.startswith("before\n<!-- table -->\n\nMeasured ")
    assert "old" not in once
    assert "<!--= 1; raytap; seconds -->2.00<!--/-->" in once
    assert f"<!--= 9; raytap; seconds -->{NOT_MEASURED}<!--/-->" in once
    assert filled(once, results) == once
    assert unknown(once, results) == []


def test_a_figure_that_a_measured_row_does_not_have_is_named() -> None:
    document = "<!--= 1; raytap; second -->?<!--/--> <!--= 2; raytap; seconds -->?<!--/-->"
    assert unknown(document, {"1": measured()}) == ["1; raytap; second"]


@pytest.mark.parametrize("page", ["benchmarks.md", "performance.md"])
def test_the_documents_ask_for_rows_that_there_are(page: str) -> None:
    document = (ROOT / "docs" / page).read_text()
    asked = re.findall(r"<!--= ([^;]+);", document)
    assert set(asked) <= set(runner.ROWS)
    assert len(asked) == document.count("<!--/-->")


def test_contenders_take_turns_forwards_and_backwards() -> None:
    order: list[str] = []
    take_turns({name: lambda name=name: order.append(name) for name in "ab"}, 3)  # type: ignore[misc]
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_ratios_are_of_the_same_round() -> None:
    assert ratios([2.0, 30.0], [1.0, 10.0]) == [2.0, 3.0]


def test_numbers_are_shown_with_three_digits() -> None:
    numbers = (0, 0.00012, 0.0123, 0.5, 5.0, 49.96, 123.4, 2_355_741.3)
    assert [shown(number) for number in numbers] == [
        *("0", "1.2e-04", "0.0123", "0.500", "5.00", "50.0", "123", "2,355,741"),
    ]


def test_the_lag_of_a_line_is_read_from_its_first_word() -> None:
    assert printed_ns("1763683200000000000 17 loss=1") == 1_763_683_200_000_000_000
    assert printed_ns("2026-11-21 04:00:00,1 INFO Ray's own") == 0


def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed() -> None:
    values = [float(number) for number in range(1, 101)]
    assert quantile(values, 0.99) == 99.0
    assert quantile([7.0], 0.99) == 7.0
    assert distribution(array("d", values))["max"] == 100.0


def test_a_run_that_was_interrupted_goes_on_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def run(name: str, options: list[str]) -> Measured | None:
        ran.append(name)
        return None if name == "5" else measured(Claim(name, f"row {name}", "–", "s", [1.0]))

    monkeypatch.setattr(runner, "run", run)
    results = str(tmp_path / "results.json")
    monkeypatch.setattr(sys, "argv", ["table", "--results", results])
    assert runner.main() == 1
    assert ran == list(runner.ROWS)
    ran.clear()
    assert runner.main() == 1
    assert ran == ["5"]
    monkeypatch.setattr(sys, "argv", ["table", "--results", results, "4"])
    assert runner.main() == 0
    assert ran == ["5", "4"]
    assert "row 10" in capsys.readouterr().out
