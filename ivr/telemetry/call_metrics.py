"""Call metrics: what operators count and time of calls, from what is observed of them. Nothing else counts calls."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from ivr.ports import (
    Began,
    HttpAnswered,
    HumanWanted,
    Joined,
    Moment,
    Opened,
    Over,
    Parted,
    Rang,
    Recognised,
    RefusedCall,
    TurnAnswered,
    Unreached,
    Waited,
)
from ivr.record import Decided, Entry, Failed, Keyed, Performed, Understood
from ivr.telemetry import labels as known
from ivr.telemetry.families import LONG, Families
from ivr.telemetry.labels import Labels, one_of
from ivr.telemetry.mos import mos

JITTER = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1)
MOS = (2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2)
ACTION = (0.05, 0.1, 0.2, 0.5, 1, 2, 3, 5, 10)
PHASES = ("dialogue", "waiting", "agent")
PREPARED = 8  # trunks, entries and skills
_FAILURES = {"failed": "failed", "timeout": "timeout", "not_verified": "not_verified"}


@dataclass(slots=True)
class _Live:
    """What the labels of a call in progress are."""

    trunk: str
    direction: str
    entry: str = known.OTHER
    language: str = known.OTHER
    phase: str = "dialogue"


class CallMetrics:
    """Implements ``ivr.ports.CallObserver``. ``live``: calls in progress here, by what the caller does."""

    def __init__(self, families: Families, labels: Labels) -> None:
        self._labels = labels
        self._calls: dict[str, _Live] = {}
        self._phases: Counter[str] = Counter()
        counter, histogram = families.counter, families.histogram
        self._started = counter("ivr_calls_started", "Calls that a session took.", "trunk", "direction")
        self._ended = counter("ivr_calls_ended", "Calls by how they came out.", "trunk", "entry", "outcome")
        self._call_backs = counter("ivr_call_backs", "Call backs made, by how they came out.", "outcome")
        self._seconds = histogram("ivr_call_duration_seconds", "From the INVITE to the end.", "entry", buckets=LONG)
        self._delay = histogram("ivr_response_delay_seconds", "The caller's last sound to our first.")
        self._queued = histogram(
            "ivr_recognition_queue_seconds", "The end of an utterance to its reading, less the recogniser's own time."
        )
        self._recogniser = histogram("ivr_recognition_duration_seconds", "The recogniser's time for an utterance.")
        self._heard = counter("ivr_utterances", "Utterances by what became of them.", "language", "result")
        self._keys = counter("ivr_keys", "Keys that callers pressed.")
        self._wanted = counter("ivr_humans_wanted", "Callers who were to get a person.", "skill", "reason")
        self._handovers = counter("ivr_handovers", "Searches for a person, by their result.", "skill", "result")
        self._to_human = histogram("ivr_human_wait_seconds", "From the wish to the join.", "skill", buckets=LONG)
        self._waited = histogram("ivr_line_wait_seconds", "In the line of waiting callers.", buckets=LONG)
        self._rang = counter("ivr_agent_rings", "Agents' phones that were rung.", "result")
        self._parted = counter("ivr_conversations", "Conversations with agents, by how they ended.", "end")
        self._talk = histogram("ivr_conversation_duration_seconds", "With an agent.", buckets=LONG)
        self._actions = counter("ivr_actions", "What flows do.", "action", "result")
        self._action_s = histogram("ivr_action_duration_seconds", "What flows do.", "action", buckets=ACTION)
        self._http = counter("ivr_http_services", "Calls of companies' services.", "service", "status")
        self._http_s = histogram("ivr_http_service_duration_seconds", "Their answers.", "service", buckets=ACTION)
        self._broken = counter("ivr_faults", "Parts that failed a call.", "part")
        self._received = counter("ivr_rtp_packets_received", "Of ended calls.", "trunk")
        self._lost = counter("ivr_rtp_packets_lost", "That never came.", "trunk")
        self._jitter = histogram("ivr_rtp_jitter_seconds", "At a call's end.", "trunk", buckets=JITTER)
        self._mos = histogram("ivr_rtp_mos", "Estimated quality of what came in (G.107).", "trunk", buckets=MOS)
        self._protected = counter("ivr_calls_media", "Ended calls, by whether their audio was encrypted.", "srtp")
        self._unwritten = counter("ivr_journal_lost", "Entries of calls' records that were never kept.")

    def prepare(self) -> None:
        """What alerts look at is there, with a 0, before it happens for the first time: a rate needs a beginning."""
        for trunk in sorted(self._labels.trunks)[:PREPARED]:
            self._received.add(trunk, amount=0)
            self._lost.add(trunk, amount=0)
            for entry in sorted(self._labels.entries)[:PREPARED]:
                for outcome in ("resolved", "abandoned", "handed over", "failed"):
                    self._ended.add(trunk, entry, outcome, amount=0)
        for skill in sorted(self._labels.skills())[:PREPARED]:
            for result in known.HANDOVERS:
                self._handovers.add(skill, result, amount=0)

    @property
    def live(self) -> dict[str, int]:
        return {phase: self._phases[phase] for phase in PHASES}

    def refused(self, at: datetime, call: RefusedCall) -> None:
        """Counted with all other refusals by SIP itself."""

    def observe(self, call_id: str, at: datetime, what: Moment) -> None:
        if isinstance(what, Began):
            trunk = one_of(self._labels.trunks, what.trunk)
            self._calls[call_id] = _Live(trunk, what.direction)
            self._phases["dialogue"] += 1
            self._started.add(trunk, what.direction)
            return
        if isinstance(what, HttpAnswered):
            service = one_of(self._labels.services, what.service)
            self._http.add(service, f"{what.status // 100}xx" if 100 <= what.status < 600 else "none")
            self._http_s.add(what.took_s, service)
            return
        call = self._calls.get(call_id)
        if call is None:
            return
        match what:
            case Entry():
                self._entry(call, what)
            case Opened():
                call.entry = one_of(self._labels.entries, what.entry)
                call.language = self._labels.language(what.language)
            case TurnAnswered():
                self._delay.add(what.answer_s)
                waited = what.steps.get("recognition_s", 0.0) - what.steps.get("recogniser_s", 0.0)
                self._queued.add(max(0.0, waited))
            case Recognised():
                self._recogniser.add(what.took_s)
            case HumanWanted():
                reasons = known.REASONS | self._labels.reasons()
                self._wanted.add(self._skill(what.skill), one_of(reasons, what.reason))
                self._enter(call, "waiting")
            case Waited():
                self._waited.add(what.seconds)
            case Rang():
                self._rang.add(one_of(known.RINGS, what.result))
            case Joined():
                self._enter(call, "agent")
                skill = self._skill(what.skill)
                self._handovers.add(skill, "connected")
                if what.after_s is not None:
                    self._to_human.add(what.after_s, skill)
            case Parted():
                self._enter(call, "dialogue")
                self._parted.add(one_of(known.ENDS, what.how))
                self._talk.add(what.talk_s)
            case Unreached():
                self._enter(call, "dialogue")
                self._handovers.add(self._skill(what.skill), one_of(known.HANDOVERS, what.why))
            case Over():
                self._over(call_id, call, what)

    def _entry(self, call: _Live, entry: Entry) -> None:
        match entry.what:
            case Understood(cause=cause, intent=intent, slots=slots, doubt=doubt):
                understood = "doubt" if doubt else "understood"
                result = understood if intent or slots else one_of(known.CAUSES, cause)
                self._heard.add(call.language, result)
            case Keyed():
                self._keys.add()
            case Performed(action=action, outcome=outcome, took_s=took_s, error=error):
                action = one_of(self._labels.actions, action)
                self._actions.add(action, _FAILURES.get(outcome, "failed" if error else "done"))
                if took_s is not None:
                    self._action_s.add(took_s, action)
            case Failed(part=part):
                self._broken.add(one_of(known.FAULTY, part))
            case Decided("language", str(language)):
                call.language = self._labels.language(language)

    def _over(self, call_id: str, call: _Live, over: Over) -> None:
        del self._calls[call_id]
        self._phases[call.phase] -= 1
        outcome = one_of(known.OUTCOMES, over.outcome)
        if call.direction == "outbound":
            self._call_backs.add(outcome)
        self._ended.add(call.trunk, call.entry, outcome)
        self._seconds.add(float(over.canonical.get("seconds") or 0.0), call.entry)
        if lost := int(over.canonical.get("journal_lost") or 0):
            self._unwritten.add(amount=lost)
        stats = over.stats
        if not stats.packets_received and not stats.packets_lost:
            return
        self._received.add(call.trunk, amount=stats.packets_received)
        self._lost.add(call.trunk, amount=max(0, stats.packets_lost))
        self._jitter.add(stats.jitter_ms / 1000, call.trunk)
        if (quality := mos(stats.packets_received, stats.packets_lost, stats.jitter_ms)) is not None:
            self._mos.add(quality, call.trunk)
        self._protected.add("plain" if not stats.srtp else "in part" if stats.srtp == "in part" else "encrypted")

    def _skill(self, skill: str) -> str:
        return one_of(self._labels.skills(), skill)

    def _enter(self, call: _Live, phase: str) -> None:
        self._phases[call.phase] -= 1
        call.phase = phase
        self._phases[phase] += 1
