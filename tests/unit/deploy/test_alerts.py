"""Alert rules, dashboard and runbook, held against each other and against what the line really exposes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ivr import deploy
from ivr.__main__ import parser
from ivr.telemetry import line_metrics, process_metrics
from ivr.telemetry.call_metrics import CallMetrics
from ivr.telemetry.families import Families
from ivr.telemetry.labels import Labels
from ivr.telemetry.loop_lag import LoopLag
from tests.promtool import promtool
from tests.unit.telemetry.observed import CONFIG, line_state

FOLDER = Path(deploy.__file__).parent
RULES = FOLDER / "alerts.yaml"
NAME = re.compile(r"\bivr_[a-z0-9_]+")
OF_THE_LINE = frozenset({"ivr_store_duration_seconds"})  # told by the database, wired in ivr.line_telemetry


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return found


def expressions() -> list[str]:
    targets = [target for panel in dashboard()["panels"] for target in panel["targets"]]
    return [target["expr"].replace("$instance", ".*") for target in targets]


def ran(*arguments: str) -> str:
    done = subprocess.run([promtool(), *arguments], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def exposed() -> frozenset[str]:
    """Every name that an exposition can have, with the suffixes of its type."""

    def names() -> Iterator[str]:
        families = Families()
        CallMetrics(families, Labels.of(CONFIG))
        LoopLag(families)
        read = line_metrics.families(line_state(), Labels.of(CONFIG))
        for metric in (*families.registry.collect(), *read, *process_metrics.families({}), *line_metrics.disk({})):
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(metric.type, [""])
            yield from (metric.name + suffix for suffix in suffixes)
        yield from (f"{name}{suffix}" for name in OF_THE_LINE for suffix in ("_bucket", "_sum", "_count"))

    return frozenset(names())


def test_promtool_finds_the_rules_right_and_the_alerts_fire_when_they_should() -> None:
    assert f"{len(rules())} rules found" in ran("check", "rules", str(RULES))
    assert "SUCCESS" in ran("test", "rules", str(Path(__file__).with_name("alerts_test.yaml")))


def test_every_alert_names_what_to_do_about_it_and_everything_there_is_named() -> None:
    text = (FOLDER / "README.md").read_text("utf-8").partition("\n## Alerts\n")[2].partition("\n## ")[0]
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall("^### (.+)$", text, re.M)
    }
    named = {alert["annotations"]["runbook"] for alert in alerts()}
    assert named == {f"README.md#{heading}" for heading in headings}
    assert len(alerts()) >= 15 and all(alert["labels"]["severity"] in ("page", "ticket") for alert in alerts())


def test_every_command_of_the_runbook_is_one() -> None:
    shown = set(
        re.findall(r"`(ivr [a-z][^`]*?)(?: > [^`]*)?`", (FOLDER / "README.md").read_text("utf-8").replace("\n", " "))
    )
    assert len(shown) > 8
    for line in shown - {"ivr deploy NAME"}:
        assert parser().parse_args(line.split()[1:]).handler, line


def test_every_alert_and_panel_asks_for_what_the_line_exposes() -> None:
    asked = {name for text in (*(rule["expr"] for rule in rules()), *expressions()) for name in NAME.findall(text)}
    assert len(asked) > 40 and asked <= exposed(), asked - exposed()


def test_every_alert_is_tested() -> None:
    tested = yaml.safe_load(Path(__file__).with_name("alerts_test.yaml").read_text("utf-8"))["tests"]
    fired = {each["alertname"] for test in tested for each in test["alert_rule_test"] if each["exp_alerts"]}
    assert fired == {alert["alert"] for alert in alerts()}


def test_the_dashboards_expressions_are_right(tmp_path: Path) -> None:
    assert len(dashboard()["panels"]) >= 12
    made = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}), "utf-8")
    assert f"{len(made)} rules found" in ran("check", "rules", str(file))
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in dashboard()["panels"]]
    assert len(set(places)) == len(places)


def test_what_the_runbook_puts_into_prometheus_yml_is_right(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)
    assert shown.count("/etc/prometheus/ivr.token") == 1
    (tmp_path / "ivr.token").write_text("ivr_x_y")
    (tmp_path / "prometheus.yml").write_text(shown.replace("/etc/prometheus", str(tmp_path)))
    (tmp_path / "alerts.yaml").write_text(deploy.text("alerts"))
    said = ran("check", "config", str(tmp_path / "prometheus.yml"))
    assert "is valid prometheus config file syntax" in said and f"{len(rules())} rules found" in said
