"""Line metrics: what a line's parts know of themselves, read when somebody asks. Reading costs them nothing before."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ivr.log_sink import SinkStatus
from ivr.media.load import MediaLoad
from ivr.ports import LineView
from ivr.readiness import Life, Readiness
from ivr.sip.traffic import SipTraffic
from ivr.telemetry.labels import AGENTS, PARTS, REFUSALS, Labels, one_of

CLASSES = tuple(f"{number}xx" for number in range(1, 7))


@dataclass(frozen=True, slots=True)
class LineState:
    """A line at one moment. ``live``: calls by what the caller does; ``restarts`` by part; ``refused_credentials``:
    wrong passwords and tokens by where; ``certificates``: ends of validity by name; ``spools``: of the files that are
    written beside the calls, by name; ``done_at``: when old data was last deleted; ``taken_over``: calls of processes
    that died."""

    version: str
    at: datetime
    readiness: Readiness
    live: Mapping[str, int]
    max_calls: int
    view: LineView
    traffic: SipTraffic
    restarts: Mapping[str, int]
    config_ok: bool = True
    refused_credentials: Mapping[str, int] = field(default_factory=dict)
    certificates: Mapping[str, datetime] = field(default_factory=dict)
    spools: Mapping[str, SinkStatus] = field(default_factory=dict)
    done_at: datetime | None = None
    taken_over: int = 0
    media_legs_max: int = 0
    observers_failed: int = 0
    spans_dropped: int = 0


class _Gauges:
    """Families of one exposition, in a line each."""

    def __init__(self) -> None:
        self.made: list[Metric] = []

    def one(self, name: str, about: str, value: float) -> None:
        self.made.append(GaugeMetricFamily(name, about, value=value))

    def total(self, name: str, about: str, value: float) -> None:
        self.made.append(CounterMetricFamily(name, about, value=value))

    def by(self, name: str, about: str, label: str, values: Mapping[str, float]) -> None:
        made = GaugeMetricFamily(name, about, labels=[label])
        self._all(made, values)

    def totals(self, name: str, about: str, label: str, values: Mapping[str, float]) -> None:
        made = CounterMetricFamily(name, about, labels=[label])
        self._all(made, values)

    def _all(self, made: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            made.add_metric([name], value)
        self.made.append(made)


def families(state: LineState, labels: Labels) -> Iterable[Metric]:
    """All of it, whether anything happened or not: what isn't there can't be alerted on."""
    out = _Gauges()
    _line(out, state)
    _speech(out, state)
    _waiting(out, state, labels)
    _sip(out, state, labels)
    _kept(out, state)
    return out.made


def _line(out: _Gauges, state: LineState) -> None:
    readiness = state.readiness
    build = GaugeMetricFamily("ivr_build_info", "Version of the program.", labels=["version"])
    build.add_metric([state.version], 1)
    out.made.append(build)
    out.one("ivr_ready", "1 while new calls can be served.", readiness.ready)
    out.by("ivr_life", "1 for where the service is.", "state", {life.value: life is readiness.life for life in Life})
    out.by("ivr_calls_live", "Calls in progress, by what the caller does.", "phase", state.live)
    out.one("ivr_calls_max", "sip.max_calls.", state.max_calls)
    out.one(
        "ivr_vocabularies_stale", "Vocabularies whose service did not answer when asked last.", len(readiness.stale)
    )
    out.one("ivr_media_up", "1 while a media process serves.", readiness.media)
    _media(out, {str(each.number): each for each in readiness.media_processes}, state.media_legs_max)
    out.totals("ivr_part_restarts", "Processes that were replaced.", "part", _all_of(PARTS, state.restarts))
    out.one("ivr_config_ok", "0 after a reload that was refused.", state.config_ok)
    out.totals("ivr_credentials_refused", "Wrong passwords and tokens.", "kind", state.refused_credentials)
    ends = {name: at.timestamp() for name, at in state.certificates.items()}
    out.by("ivr_certificate_expires_timestamp_seconds", "End of validity.", "name", ends)
    out.total("ivr_observers_failed", "Measurements that raised: a fault of ours.", state.observers_failed)
    out.total("ivr_spans_dropped", "Spans that the trace endpoint did not get.", state.spans_dropped)


def _media(out: _Gauges, loads: Mapping[str, MediaLoad], most: int) -> None:
    """Of each process, by its number, of which there are as many as are configured."""
    out.by("ivr_media_process_up", "1 while it serves.", "process", {n: each.up for n, each in loads.items()})
    out.by("ivr_media_legs", "RTP sessions.", "process", {n: each.legs for n, each in loads.items()})
    out.one("ivr_media_legs_max", "media.legs_per_process.", most)
    out.totals("ivr_media_process_restarts", "Its lives.", "process", {n: each.restarts for n, each in loads.items()})
    out.totals("ivr_media_ticks", "Of 20 ms, with legs.", "process", {n: each.ticks for n, each in loads.items()})
    late = {n: each.late for n, each in loads.items()}
    out.totals("ivr_media_ticks_late", "Of these, late by more than 10 ms.", "process", late)
    latest = {n: each.latest_s for n, each in loads.items()}
    out.by("ivr_media_tick_latest_seconds", "How late the latest of the last 5 s was.", "process", latest)


def _speech(out: _Gauges, state: LineState) -> None:
    readiness, load = state.readiness, state.readiness.speech
    out.one("ivr_recognisers_up", "Recognisers that work.", sum(each.healthy for each in readiness.recognisers))
    out.one("ivr_synthesisers_up", "Voices that work.", sum(each.healthy for each in readiness.synthesisers))
    out.by(
        "ivr_endpoint_up", "Speech elsewhere.", "endpoint", {each.name: each.healthy for each in readiness.endpoints}
    )
    out.one("ivr_talkers", "Callers in the dialogue.", load.talkers)
    out.one("ivr_talkers_max", "For how many the recognisers are enough.", load.most)
    out.one("ivr_recognition_slowest_tenth_seconds", "What the slowest tenth waited lately.", load.waited_s)


def _waiting(out: _Gauges, state: LineState, labels: Labels) -> None:
    view, skills = state.view, labels.skills()
    waiting = dict.fromkeys(sorted(skills), 0)
    longest = dict.fromkeys(sorted(skills), 0.0)
    due = late = 0
    for place in view.places:
        if place.state in ("waiting", "offered") and place.arrival.channel == "voice" and not place.callback_number:
            skill = one_of(skills, place.arrival.skill)
            since = place.waits_since or place.entered_at
            waiting[skill] = waiting.get(skill, 0) + 1
            longest[skill] = max(longest.get(skill, 0.0), (state.at - since).total_seconds())
        elif place.state == "callback":
            late += 1
            due += place.due_at is None or place.due_at <= state.at
    out.one("ivr_line_fresh", "0 while the database does not say who waits.", view.fresh)
    out.by("ivr_line_waiting", "Callers in the line.", "skill", waiting)
    out.by("ivr_line_longest_wait_seconds", "Of who waits now.", "skill", longest)
    agents = dict.fromkeys(AGENTS, 0)
    for agent in view.agents:
        agents[agent.state] += 1
    out.by("ivr_agents", "Agents, and slots of their phones.", "status", agents)
    out.one("ivr_call_backs_waiting", "Call backs that were promised.", late)
    out.one("ivr_call_backs_due", "Of these, those whose time has come.", due)


def _sip(out: _Gauges, state: LineState, labels: Labels) -> None:
    traffic, load = state.traffic, state.readiness.sip
    out.totals("ivr_calls_refused", "INVITEs that no session took.", "reason", _all_of(REFUSALS, traffic.refused))
    out.totals("ivr_sip_requests_received", "Repeated ones too.", "method", traffic.requests_in)
    out.totals("ivr_sip_requests_sent", "Repeated ones too.", "method", traffic.requests_out)
    out.totals("ivr_sip_responses_received", "By class.", "class", _all_of(CLASSES, traffic.responses_in))
    out.totals("ivr_sip_responses_sent", "By class.", "class", _all_of(CLASSES, traffic.responses_out))
    out.total("ivr_sip_requests_repeated", "Requests that came again.", traffic.repeated_in)
    out.total("ivr_sip_retransmissions", "Messages of ours that were sent again.", traffic.repeated_out)
    timed_out = _all_of(("INVITE", "other", "ACK"), traffic.timed_out)
    out.totals("ivr_sip_transaction_timeouts", "Nobody answered.", "kind", timed_out)
    out.one("ivr_sip_transactions", "Under way.", load.transactions)
    out.one("ivr_sip_connections", "TCP and TLS.", load.connections)
    out.total("ivr_sip_connections_refused", "Turned away, or closed to make room.", load.connections_refused)
    out.total("ivr_sip_dropped", "Messages over their source's budget.", load.dropped)
    registered = {
        one_of(labels.trunks, each.trunk): each.state == "registered" for each in state.readiness.registrations
    }
    out.by("ivr_trunk_registered", "1 while registered, by whichever line.", "trunk", registered)
    here = {one_of(labels.trunks, each.trunk): not each.by for each in state.readiness.registrations}
    out.by("ivr_trunk_registered_here", "1 where this line registers, of those that share the account.", "trunk", here)


def _kept(out: _Gauges, state: LineState) -> None:
    readiness = state.readiness
    out.total("ivr_calls_taken_over", "Calls of processes that died, which went on here.", state.taken_over)
    out.one("ivr_store_up", "1 while calls can be written down.", readiness.store == "ok")
    out.one("ivr_store_spooled", "Writes that wait for the database.", readiness.spooled)
    out.total("ivr_store_lost", "Writes that neither database nor spool took.", readiness.unkept)
    sinks = {"log": readiness.log, **state.spools}
    out.totals(
        "ivr_lines_lost", "Lines of files that were never written.", "file", {n: s.lost for n, s in sinks.items()}
    )
    out.by("ivr_file_writable", "0 while lines can't be written.", "file", {n: not s.trouble for n, s in sinks.items()})
    if state.done_at is not None:
        out.one("ivr_retention_done_timestamp_seconds", "When old data was last deleted.", state.done_at.timestamp())
    out.one("ivr_scrape_timestamp_seconds", "This line's clock.", time.time())


def _all_of(names: Iterable[str], values: Mapping[str, int]) -> dict[str, int]:
    """``values`` with a 0 for each name that has none: a rate needs a beginning."""
    return {**dict.fromkeys(names, 0), **values}


def disk(folders: Mapping[str, Path]) -> Iterator[Metric]:
    """Room where the line writes, by what it writes there. In a thread."""
    free = GaugeMetricFamily("ivr_disk_free_bytes", "Room for what is written there.", labels=["folder"])
    for name, folder in folders.items():
        there = folder
        while not there.exists() and there != there.parent:
            there = there.parent
        try:
            free.add_metric([name], shutil.disk_usage(there).free)
        except OSError:
            continue
    yield free
