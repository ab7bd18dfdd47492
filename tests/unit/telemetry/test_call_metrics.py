"""What is counted and timed of calls, and how many series that can ever be, whatever callers and peers come up with."""

from __future__ import annotations

import random
import re

from ivr.ports import (
    Began,
    HttpAnswered,
    HumanWanted,
    Joined,
    LegStats,
    Moment,
    Opened,
    Over,
    Parted,
    Rang,
    RefusedCall,
    Unreached,
)
from ivr.record import Decided, Failed, Keyed, Performed, Understood
from ivr.telemetry.call_metrics import CallMetrics
from ivr.telemetry.families import CEILING, Families
from ivr.telemetry.labels import Labels
from tests.unit.telemetry.observed import CONFIG, START, entry, exposed, line_state, story, tell


def made() -> tuple[Families, Labels, CallMetrics]:
    families, labels = Families(), Labels.of(CONFIG)
    labels.actions = frozenset({"http.call"})
    return families, labels, CallMetrics(families, labels)


async def test_a_call_is_counted_and_timed_in_all_that_happened_on_it() -> None:
    families, labels, metrics = made()
    tell(metrics, story())
    text = await exposed(families, labels)
    for wanted in (
        'ivr_calls_started_total{direction="inbound",trunk="pbx"} 1.0',
        'ivr_calls_ended_total{entry="main",outcome="handed over",trunk="pbx"} 1.0',
        'ivr_call_duration_seconds_sum{entry="main"} 49.1',
        "ivr_response_delay_seconds_sum 0.8",
        "ivr_recognition_duration_seconds_sum 0.2",
        'ivr_utterances_total{language="en-US",result="understood"} 1.0',
        'ivr_humans_wanted_total{reason="asked",skill="general"} 1.0',
        'ivr_handovers_total{result="connected",skill="general"} 1.0',
        'ivr_human_wait_seconds_sum{skill="general"} 10.0',
        "ivr_line_wait_seconds_sum 10.0",
        'ivr_agent_rings_total{result="no_answer"} 1.0',
        'ivr_agent_rings_total{result="answered"} 1.0',
        'ivr_conversations_total{end="over"} 1.0',
        'ivr_actions_total{action="http.call",result="done"} 1.0',
        'ivr_http_services_total{service="deliveries",status="2xx"} 1.0',
        'ivr_rtp_packets_lost_total{trunk="pbx"} 20.0',
        "ivr_journal_lost_total 2.0",
    ):
        assert wanted in text.splitlines(), wanted
    queued = re.search(r"^ivr_recognition_queue_seconds_sum (\S+)$", text, re.M)
    assert queued is not None and abs(float(queued[1]) - 0.1) < 1e-9


async def test_what_alerts_look_at_is_there_before_it_happens() -> None:
    families, labels, metrics = made()
    metrics.prepare()
    text = (await exposed(families, labels)).splitlines()
    assert 'ivr_calls_ended_total{entry="discs",outcome="failed",trunk="pbx"} 0.0' in text
    assert 'ivr_handovers_total{result="failed",skill="general"} 0.0' in text
    assert 'ivr_rtp_packets_lost_total{trunk="pbx"} 0.0' in text


async def test_calls_in_progress_are_counted_by_what_the_caller_does() -> None:
    _, _, metrics = made()
    moments = story()
    seen = []
    for at, what in moments:
        tell(metrics, [(at, what)])
        seen.append(next((phase for phase, count in metrics.live.items() if count), ""))
    assert list(dict.fromkeys(seen)) == ["dialogue", "waiting", "agent", ""]
    assert seen[-2] == "dialogue" and set(metrics.live.values()) == {0}


async def test_call_backs_are_counted_by_how_they_came_out() -> None:
    families, labels, metrics = made()
    tell(metrics, [(0.0, Began("", "+1503", "line", "pbx", "outbound"))])
    tell(metrics, [(9.0, Over("unanswered", "network", 480, {}, LegStats()))])
    assert 'ivr_call_backs_total{outcome="unanswered"} 1.0' in (await exposed(families, labels)).splitlines()


async def test_whatever_callers_peers_and_flows_come_up_with_the_series_stay_below_the_ceiling() -> None:
    """Made-up trunks, entries, outcomes, skills, reasons, actions, services, languages, methods and results."""
    families, labels, metrics = made()
    made_up, state = random.Random(7), line_state()

    def word() -> str:
        return "".join(made_up.choice('ab"\n{}=é\x00') for _ in range(9)) + str(made_up.random())

    for number in range(3000):
        call_id, at = word(), float(number)
        tell(metrics, [(at, Began(word(), word(), word(), word()))], call_id)
        happened = (
            Understood(word(), word(), "", {}, 0.5),
            Keyed(word()),
            Performed(word(), word(), made_up.random()),
            Failed(word(), word()),
            Decided("language", word()),
        )
        observed: tuple[Moment, ...] = (
            Opened(word(), word(), word()),
            *(entry(at, what) for what in happened),
            HumanWanted(word(), word()),
            Rang(word(), word(), 1.0),
            Joined(word(), word(), word(), 1.0),
            Parted(word(), word(), word(), 1.0),
            Unreached(word(), word()),
            HttpAnswered(word(), word(), made_up.randrange(-5, 100000), 1.0),
            Over(word(), word(), 200, {}, LegStats(received := word(), 1, 1, 1)),
        )
        tell(metrics, [(at, what) for what in observed], call_id)
        metrics.refused(START, RefusedCall(word(), word(), word(), word(), 486, word()))
        state.traffic.requested(word())
        state.traffic.sent(f"{received} sip:x SIP/2.0\r\n".encode())
        state.traffic.answered(made_up.randrange(-5, 5000))
        state.traffic.gave_up(word())
    text = await exposed(families, labels, state)
    series = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(series) < 600, "what nobody named is one child each"
    assert "0." not in "".join(re.findall(r'="([^"]*)"', re.sub(r'le="[^"]*"', "", text))), (
        "no made-up value is a label"
    )


async def test_a_configuration_of_any_size_stays_below_the_ceiling_too() -> None:
    families, labels, metrics = made()
    labels.trunks = frozenset(f"trunk {number}" for number in range(400))
    labels.entries = frozenset(f"entry {number}" for number in range(50))
    made_up = random.Random(7)
    for number in range(20_000):
        trunk, call_entry = f"trunk {made_up.randrange(400)}", f"entry {made_up.randrange(50)}"
        moments: list[tuple[float, Moment]] = [(0.0, Began("", "", "", trunk)), (0.0, Opened(call_entry, "", ""))]
        tell(metrics, [*moments, (1.0, Over("resolved", "caller", 200, {}, LegStats("", 1, 1, 1)))], str(number))
    text = await exposed(families, labels)
    series = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert 3000 < len(series) <= CEILING
    counted = sum(float(line.split()[-1]) for line in series if line.startswith("ivr_calls_ended_total"))
    assert counted == 20_000, "what has no series of its own counts as other"
