"""Real calls and what is measured of them: metrics, detail records and spans say the same as the calls' own records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.errors import DialFailed
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from ivr.telemetry.call_detail import COLUMNS
from ivr.trace_context import trace_id
from tests.otlp import attributes, collecting
from tests.wire.line.reloading import reloaded
from tests.wire.line.watching import call_of, logged, mark, until, until_idle, with_human

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

JUNE, WALTER = "5035550103", "5035550102"
SAMPLE = re.compile(r"^(\w+(?:\{.*\})?) (\S+)$", re.M)


def records(*files: Path) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from (json.loads(line) for line in file.read_text().splitlines())


async def metrics(line: RunningLine) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{line.http}/metrics") as answer:
        assert answer.status == 200
        return {name: float(value) for name, value in SAMPLE.findall(await answer.text())}


async def talked(line: RunningLine, joe: CallerVoice, desk: Softphone) -> str:
    """June asks for something, is understood, presses zero and talks with a person; the call's id."""
    await joe.speak_soon("what's next")
    since = mark(line)
    async with Softphone.open() as phone, Caller.calling(phone, line.uri, joe, from_number=JUNE) as caller:
        await caller.prompt_begin()
        call = str((await call_of(line, JUNE))["call_id"])
        await caller.say("what's next")
        await logged(line, "turn.answered", since=since, call_id=call)
        await phone.press("0")
        await with_human(line, [desk], call, since=since)
        async with Softphone.open() as another:
            await another.call(line.uri, from_number=WALTER)
            with pytest.raises(DialFailed, match="486"):
                await another.wait_answered()
    await until_idle(line)
    return call


async def hung_up_on(line: RunningLine) -> str:
    async with Softphone.open() as phone:
        await phone.call(line.uri, from_number=WALTER)
        await phone.wait_answered()
        call = str((await call_of(line, WALTER))["call_id"])
        await phone.hangup()
    await until_idle(line)
    return call


async def test_metrics_records_and_spans_agree_with_the_calls(joe: CallerVoice, tmp_path: Path) -> None:
    cdr, rotated = tmp_path / "cdr.jsonl", tmp_path / "cdr.1"
    async with collecting() as collector, Softphone.open() as desk:
        await desk.set_incoming("answer", after_s=0.2)
        extra = f'[cdr]\npath = "{cdr}"\n[traces]\nendpoint = "{collector.url}"'
        setup = LineSetup(tmp_path / "line", agents=[AgentPhone(desk.uri)], max_calls=1, extra=extra)
        async with RunningLine.running(setup) as line:
            with_agent = await talked(line, joe, desk)
            await until(lambda: _told(cdr, with_agent))
            cdr.rename(rotated)
            await reloaded(line)
            abandoned = await hung_up_on(line)
            await until(lambda: _told(cdr, abandoned))
            told = await metrics(line)
            calls = {call: await line.get(f"/api/calls/{call}") for call in (with_agent, abandoned)}
    refused, first = records(rotated)
    (second,) = records(cdr)

    # The records say what the calls' own do.
    for record, call in ((first, with_agent), (second, abandoned)):
        kept = calls[call]["canonical"]
        assert tuple(record) == COLUMNS and record["call_id"] == call
        for name in ("outcome", "ended_by", "end_reason", "language", "codec", "handoff_reason"):
            assert record[name] == kept[name], name
        assert abs(record["seconds"] - kept["seconds"]) < 0.5
        assert (record["lost"], record["jitter_ms"]) == (kept["packets_lost"], kept["jitter_ms"])
        assert record["sip_call_id"] == calls[call]["sip_call_id"] and record["sip_status"] == 200
        assert record["billable_s"] >= record["seconds"] - 1 and record["final"] and not record["tls"]
    assert (first["outcome"], first["agent"], second["outcome"]) == ("handed over", "desk", "abandoned")
    assert (
        first["talk_s"] > 0 and first["agent_sip_call_id"] and abs(first["wait_s"] - kept_wait(calls[with_agent])) < 0.2
    )
    assert (refused["outcome"], refused["end_reason"], refused["sip_status"]) == ("refused", "busy", 486)
    assert refused["caller"].endswith(WALTER)

    # So do the metrics.
    ended = 'ivr_calls_ended_total{entry="main",outcome="%s",trunk="loopback"}'
    assert told['ivr_calls_started_total{direction="inbound",trunk="loopback"}'] == 2
    assert told[ended % "handed over"] == told[ended % "abandoned"] == 1
    assert told['ivr_calls_refused_total{reason="busy"}'] == 1
    assert told['ivr_handovers_total{result="connected",skill="general"}'] == 1
    assert told["ivr_response_delay_seconds_count"] >= 1 and told["ivr_recognition_duration_seconds_count"] >= 1
    received = sum(call["canonical"]["packets_received"] for call in calls.values())
    assert told['ivr_rtp_packets_received_total{trunk="loopback"}'] == received
    assert told['ivr_calls_live{phase="agent"}'] == told['ivr_calls_live{phase="dialogue"}'] == 0
    assert told["ivr_observers_failed_total"] == told["ivr_spans_dropped_total"] == told["ivr_journal_lost_total"] == 0
    assert told["ivr_ready"] == told["ivr_config_ok"] == told["ivr_store_up"] == 1
    assert sum(told[f'ivr_process_cpu_seconds_total{{part="{part}"}}'] for part in ("line", "media", "listen")) > 0
    assert len(told) < 2000

    # And the spans, which came once the calls were over.
    tree = collector.tree(trace_id(with_agent))
    assert [name for depth, name in tree if depth == 0] == ["call"]
    assert {"answer", "turn 1", "hand-over 1"} <= {name for depth, name in tree if depth == 1}
    assert {"prompt", "hearing", "recognition", "action", "wait", "dial", "talk"} <= {n for d, n in tree if d == 2}
    assert (0, "call") in collector.tree(trace_id(abandoned))
    roots = {str(attributes(span)["ivr.call_id"]): span for span in collector.spans if span.name == "call"}
    for record, call in ((first, with_agent), (second, abandoned)):
        span = roots[call]
        assert attributes(span)["ivr.outcome"] == record["outcome"]
        lasted_s = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        assert abs(lasted_s - record["seconds"]) < 0.05
    told_of_spans = repr([(span.name, attributes(span)) for span in collector.spans])
    assert JUNE not in told_of_spans and WALTER not in told_of_spans and "what's" not in told_of_spans


def kept_wait(call: dict[str, Any]) -> float:
    return float(call["canonical"]["waited_s"])


async def _told(file: Path, call: str) -> bool:
    with suppress(OSError):
        return call in file.read_text()
    return False
