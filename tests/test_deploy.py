"""What lies in deploy/: it asks for metrics that are there, and other programs accept it."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

from broker.config.config import AlertsConfig, DashboardConfig, HttpConfig
from broker.exit_status import ExitStatus
from tests.support.daemon_process import DaemonProcess
from tests.support.exposed_metrics import Exposed, of_alerts, of_daemon, of_gateway, parsed
from tests.support.missing import missing
from tests.support.promql import asked
from tests.support.ray_standin import RayStandIn

DEPLOY: Final = Path(__file__).parents[1] / "deploy"
RULES: Final = DEPLOY / "prometheus" / "raytap.rules.yml"
OF_TARGETS: Final = {"job", "instance"}  # Prometheus gives these to every sample
TEMPLATE: Final = re.compile(r"\$labels\.(\w+)|\{\{\s*(\w+)\s*\}\}")


@cache
def metrics() -> Exposed:
    """Of all three programs."""
    together: Exposed = {"up": set()}
    for exposed in (of_daemon(), of_gateway(), of_alerts()):
        for name, labels in exposed.items():
            together.setdefault(name, set()).update(labels)
    return together


def read_yaml(path: Path) -> Any:
    try:
        yaml = importlib.import_module("yaml")  # it comes with Ray
    except ImportError:
        missing("PyYAML is not installed (pip install 'raytap[demo]')")
    return yaml.safe_load(path.read_text())


def rules() -> list[dict[str, Any]]:
    return [rule for group in read_yaml(RULES)["groups"] for rule in group["rules"]]


@cache
def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEPLOY / "grafana" / "raytap.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str, str]]:
    """Where it stands, the expression, and the text that shows its labels."""
    for rule in rules():
        yield rule["alert"], rule["expr"], json.dumps(rule["annotations"])
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def test_every_metric_that_is_asked_for_is_exposed_with_these_labels() -> None:
    wrong = []
    for place, expression, _ in expressions():
        for selector in asked(expression).selectors:
            labels = metrics().get(selector.name)
            if labels is None:
                wrong.append(f"{place}: there is no {selector.name}")
            elif unknown := selector.labels - labels - OF_TARGETS:
                wrong.append(f"{place}: {selector.name} has no label {sorted(unknown)}")
    assert wrong == []


def test_every_label_that_is_grouped_by_or_shown_is_there() -> None:
    wrong = []
    for place, expression, text in expressions():
        question = asked(expression)
        there: set[str] = set().union(
            *(metrics().get(name, set()) for name, _ in question.selectors)
        )
        shown = {one or other for one, other in TEMPLATE.findall(text)}
        if unknown := question.labels - there - OF_TARGETS:
            wrong.append(f"{place}: groups by {sorted(unknown)}")
        kept = set(question.labels) or there | OF_TARGETS
        if lost := shown - (kept - {"le"}):
            wrong.append(f"{place}: shows {sorted(lost)}")
    assert wrong == []


def test_the_metrics_of_a_running_daemon_are_those_that_this_is_checked_against(
    tmp_path: Path, standin: RayStandIn
) -> None:
    with DaemonProcess(tmp_path, standin.url) as daemon:
        told = parsed(daemon.text("/metrics"))
    known = of_daemon()
    assert set(told) <= set(known)
    assert {name: labels for name, labels in told.items() if not labels <= known[name]} == {}
    assert {name for name in told if name.startswith("raytap_publisher_")}


@pytest.mark.parametrize("expression", ["rate(typo_total[5m])", 'sum(increse(up{job="x"}[5m]))'])
def test_a_mistyped_name_would_be_noticed(expression: str) -> None:
    with pytest.raises(ValueError, match=r"typo_total|increse"):
        asked(expression)


def test_every_kind_of_trouble_has_a_rule_with_a_severity_and_words_for_it() -> None:
    assert {rule["labels"]["severity"] for rule in rules()} == {"critical", "warning", "info"}
    for rule in rules():
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
    names = {rule["alert"] for rule in rules()}
    assert len(names) == len(rules())
    assert {
        *("RaytapDown", "RaytapDashboardDown", "RaytapAlertsDown", "RaytapLag", "RaytapLinesLost"),
        *("RaytapUnjournaled", "RaytapSlowClients", "RaytapReceiverFailing"),
    } <= names


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "--lint=all", "--lint-fatal", "raytap.rules.yml"),
        ("check", "config", "--lint-fatal", "prometheus.yml"),
        ("test", "rules", "raytap.rules.test.yml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_accepts_the_rules_and_they_fire_when_they_should(
    arguments: tuple[str, ...],
) -> None:
    promtool = shutil.which("promtool") or missing("promtool (apt install prometheus)")
    done = subprocess.run(
        [promtool, *arguments],
        cwd=RULES.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_rule_is_made_to_fire_by_the_test_file_or_needs_no_test() -> None:
    tested = (RULES.parent / "raytap.rules.test.yml").read_text()
    untested = {rule["alert"] for rule in rules() if rule["alert"] not in tested}
    # Rates of what goes wrong at Ray, and what is as simple as `increase(…) > 0`.
    assert untested <= {
        *("RaytapRestarting", "RaytapFramesDropped", "RaytapJournalSlow", "RaytapReconnecting"),
        *("RaytapStreamsFailed", "RaytapRayErrors", "RaytapPipelineFallback"),
    }


def test_the_scrape_jobs_have_the_names_and_ports_that_the_rules_and_settings_know() -> None:
    config = read_yaml(RULES.parent / "prometheus.yml")
    told = {
        job["job_name"]: job["static_configs"][0]["targets"][0] for job in config["scrape_configs"]
    }
    assert told == {
        "raytap": HttpConfig().bind,
        "raytap-dashboard": DashboardConfig().bind,
        "raytap-alerts": AlertsConfig().bind,
    }
    asked_for = {
        name for _, text, _ in expressions() for name in re.findall(r'job="([^"]+)"', text)
    }
    assert asked_for <= set(told)


def test_panels_have_ids_and_places_of_their_own() -> None:
    every = dashboard()["panels"]
    ids = [panel["id"] for panel in every]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in every:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_panels_use_only_the_variables_that_the_dashboard_has() -> None:
    has = {variable["name"] for variable in dashboard()["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard()["panels"])))
    assert used <= has | {"__rate_interval"}
    assert {panel["datasource"]["uid"] for panel in panels()} == {"${datasource}"}


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze") or missing("systemd-analyze (apt install systemd)")
    unit = (DEPLOY / "systemd" / "raytap.service").read_text()
    program = "/opt/raytap/bin/raytap"
    assert f"ExecStart={program} serve" in unit
    copy = tmp_path / "raytap.service"
    copy.write_text(unit.replace(program, "/bin/true"))  # a program that is there
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_leaves_stopping_its_programs_to_the_daemon_and_no_wrong_setting_is_retried() -> (
    None
):
    unit = (DEPLOY / "systemd" / "raytap.service").read_text().splitlines()
    assert "KillMode=mixed" in unit
    assert f"RestartPreventExitStatus={ExitStatus.USAGE:d}" in unit
    assert "Environment=RAYTAP_STATE_DIR=%S/raytap/state" in unit


def test_the_readme_names_every_file() -> None:
    readme = (DEPLOY / "README.md").read_text()
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.name != "README.md"]
    assert [path.name for path in files if str(path.relative_to(DEPLOY)) not in readme] == []
