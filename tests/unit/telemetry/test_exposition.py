"""The exposition: what a scrape finds of the line's parts, in the formats that there are."""

from __future__ import annotations

import asyncio
import os
import subprocess

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ivr.telemetry import process_metrics
from ivr.telemetry.call_metrics import CallMetrics
from ivr.telemetry.families import Families
from ivr.telemetry.labels import Labels
from tests.promtool import promtool
from tests.unit.telemetry.observed import CONFIG, exposed, story, tell

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


async def test_the_lines_parts_are_read_at_the_scrape() -> None:
    text = (await exposed(Families(), Labels.of(CONFIG))).splitlines()
    for wanted in (
        "ivr_ready 1.0",
        'ivr_life{state="serving"} 1.0',
        'ivr_calls_live{phase="waiting"} 1.0',
        'ivr_line_waiting{skill="general"} 2.0',
        'ivr_line_waiting{skill="other"} 1.0',
        'ivr_line_longest_wait_seconds{skill="general"} 60.0',
        'ivr_agents{status="idle"} 1.0',
        "ivr_call_backs_due 1.0",
        'ivr_trunk_registered{trunk="pbx"} 1.0',
        'ivr_part_restarts_total{part="media"} 1.0',
        'ivr_part_restarts_total{part="listen"} 0.0',
        'ivr_calls_refused_total{reason="busy"} 0.0',
        'ivr_lines_lost_total{file="cdr"} 4.0',
        'ivr_file_writable{file="cdr"} 0.0',
        "ivr_calls_taken_over_total 2.0",
        'ivr_media_process_up{process="2"} 0.0',
        'ivr_media_legs{process="1"} 120.0',
        "ivr_media_legs_max 200.0",
        'ivr_media_process_restarts_total{process="2"} 1.0',
        'ivr_media_ticks_total{process="1"} 5000.0',
        'ivr_media_ticks_late_total{process="2"} 60.0',
        'ivr_media_tick_latest_seconds{process="2"} 0.03',
    ):
        assert wanted in text, wanted


def _checked(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([promtool(), "check", "metrics"], input=text, text=True, capture_output=True)


async def test_both_formats_are_what_they_claim_to_be() -> None:
    families, labels = Families(), Labels.of(CONFIG)
    tell(CallMetrics(families, labels), story())
    text = await exposed(families, labels, accept=OPEN_METRICS)
    parsed = list(text_string_to_metric_families(text))  # type: ignore[no-untyped-call]
    assert len({family.name for family in parsed}) == len(parsed) > 60
    plain = await exposed(families, labels)
    checked = await asyncio.to_thread(_checked, plain)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "_created" not in plain


def test_a_process_is_told_with_what_it_forked() -> None:
    used = process_metrics.usage(os.getpid(), forks=False)
    assert used.cpu_s > 0 and used.resident > 10 << 20 and used.descriptors >= 3
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        both = process_metrics.usage(os.getpid(), forks=True)
        child.kill()
    assert both.descriptors > used.descriptors
    assert process_metrics.usage(2**22 + 1, forks=True) == process_metrics.Usage(), "one that is gone uses nothing"
