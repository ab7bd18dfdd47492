"""Spans of a call, made of what was observed of it once it is over: what happened in what, from when to when. Pure.

call > answer; turn n (the line speaks, the caller answers, what is done about it) > prompt, hearing, recognition,
action > http; hand-over > wait, dial, whisper, talk. No span holds a number, a word or a key: only names of the flows'
and the configuration's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ivr.ports import (
    Accepted,
    Began,
    HttpAnswered,
    HumanWanted,
    Joined,
    Moment,
    Opened,
    Over,
    Parted,
    Played,
    Rang,
    Recognised,
    Unreached,
    Waited,
)
from ivr.record import Entry, Failed, Keyed, Performed, Prompted, Understood
from ivr.trace_context import span_id

Value = str | int | float | bool
Observed = Sequence[tuple[datetime, Moment]]
CALL = "call"


@dataclass(frozen=True, slots=True)
class Span:
    """Times in seconds since the epoch; ``parent`` 0: the call itself. ``kind``: "server" (a caller asks us), "client"
    (we ask somebody), "internal"."""

    name: str
    id: int
    parent: int
    start: float
    end: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    kind: str = "internal"
    failed: bool = False


@dataclass(slots=True)
class _Open:
    """A span that goes on."""

    name: str
    key: str
    start: float
    attributes: dict[str, Value] = field(default_factory=dict)
    answered: bool = False  # of a turn: the caller did


class CallSpans:
    """One call's. ``of`` takes all that was observed, the last of which is its Over."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._made: list[Span] = []
        self._count: dict[str, int] = {}
        self._turn: _Open | None = None
        self._handover: _Open | None = None
        self._asked: list[tuple[float, HttpAnswered]] = []  # of the action under way
        self._call = _Open(CALL, CALL, 0.0, {"ivr.call_id": call_id})

    def of(self, observed: Observed) -> Sequence[Span]:
        """The call's own is the last."""
        for at, what in observed:
            self._take(at.timestamp(), what)
        return self._made

    def _take(self, at: float, what: Moment) -> None:
        call = self._call
        match what:
            case Began():
                call.start = at
                call.attributes |= {"ivr.trunk": what.trunk, "ivr.direction": what.direction}
            case Accepted():
                self._child(CALL, "answer", call.start, at)
            case Opened():
                call.attributes |= {"ivr.entry": what.entry, "ivr.flow_version": what.flow_version}
            case Entry():
                self._entry(at, what)
            case Played():
                self._within(at, "prompt", what.seconds, {"ivr.completed": what.completed})
            case Recognised():
                read = at - what.took_s
                turn = self._turn_at(read - what.spoken_s)
                turn.answered = True
                self._child(turn.key, "hearing", read - what.spoken_s, read)
                self._child(turn.key, "recognition", read, at, {"ivr.cause": what.cause})
            case HttpAnswered():
                self._asked.append((at, what))
            case HumanWanted() | Waited() | Rang() | Joined() | Parted() | Unreached():
                self._towards_a_person(at, what)
            case Over():
                self._over(at, what)

    def _entry(self, at: float, entry: Entry) -> None:
        match entry.what:
            case Prompted():
                if self._turn is None or self._turn.answered:
                    self._next_turn(at)
            case Understood(intent=intent, doubt=doubt):
                turn = self._turn_at(at)
                turn.answered = True
                turn.attributes |= {"ivr.intent": intent, "ivr.doubt": doubt, "ivr.state": entry.state}
            case Keyed():
                self._turn_at(at).answered = True
            case Performed():
                self._action(at, entry.what)
            case Failed(part=part):
                self._call.attributes["ivr.fault"] = part

    def _action(self, at: float, performed: Performed) -> None:
        turn, start = self._turn_at(at), at - (performed.took_s or 0.0)
        told = {"ivr.action": performed.action, "ivr.result": performed.outcome}
        key = self._child(turn.key, "action", start, at, told, failed=bool(performed.error))
        for answered_at, asked in self._asked:
            attributes: dict[str, Value] = {
                "ivr.service": asked.service,
                "http.request.method": asked.method,
                "http.response.status_code": asked.status,
            }
            bad = not 200 <= asked.status < 500
            took = (answered_at - asked.took_s, answered_at)
            self._child(key, "http", *took, attributes, kind="client", failed=bad, own_key=asked.span)
        self._asked.clear()

    def _towards_a_person(self, at: float, what: Moment) -> None:
        if self._handover is None:
            self._end_turn(at)
            self._handover = _Open("hand-over", self._numbered("hand-over"), at)
        handover = self._handover
        match what:
            case HumanWanted():
                handover.attributes |= {"ivr.skill": what.skill, "ivr.reason": what.reason}
            case Waited():
                self._child(handover.key, "wait", at - what.seconds, at)
            case Rang():
                answered = at - what.whisper_s
                told = {"ivr.result": what.result}
                self._child(handover.key, "dial", answered - what.ring_s, answered, told, kind="client")
                if what.whisper_s:
                    self._child(handover.key, "whisper", answered, at)
            case Joined():
                handover.attributes |= {"ivr.result": "connected"}
            case Parted():
                self._child(handover.key, "talk", at - what.talk_s, at, {"ivr.end": what.how})
                self._end_handover(at)
            case Unreached():
                handover.attributes |= {"ivr.result": what.why}
                self._end_handover(at)

    def _over(self, at: float, over: Over) -> None:
        self._end_turn(at)
        self._end_handover(at)
        self._call.attributes |= {
            "ivr.outcome": over.outcome,
            "ivr.ended_by": over.ended_by,
            "ivr.sip_status": over.sip_status,
            "ivr.language": str(over.canonical.get("language") or ""),
        }
        failed = over.outcome == "failed"
        root = span_id(self._call_id, CALL)
        self._made.append(Span(CALL, root, 0, self._call.start, at, self._call.attributes, "server", failed))

    # -- turns and hand-overs ----------------------------------------------------------------------------------------

    def _turn_at(self, at: float) -> _Open:
        return self._turn if self._turn is not None else self._next_turn(at)

    def _next_turn(self, at: float) -> _Open:
        self._end_turn(at)
        self._turn = _Open("turn", self._numbered("turn"), at)
        return self._turn

    def _end_turn(self, at: float) -> None:
        if (turn := self._turn) is not None:
            self._turn = None
            self._close(turn, at)

    def _end_handover(self, at: float) -> None:
        if (handover := self._handover) is not None:
            self._handover = None
            self._close(handover, at)

    def _close(self, span: _Open, at: float) -> None:
        number = span.key.rpartition(" ")[2]
        root = span_id(self._call_id, CALL)
        made = span_id(self._call_id, span.key)
        self._made.append(Span(f"{span.name} {number}", made, root, span.start, max(at, span.start), span.attributes))

    # -- spans -------------------------------------------------------------------------------------------------------

    def _within(self, at: float, name: str, seconds: float, attributes: dict[str, Value]) -> None:
        """Of what goes on: the hand-over, the turn, or between them the call."""
        inside = self._handover or self._turn
        self._child(inside.key if inside is not None else CALL, name, at - seconds, at, attributes)

    def _child(
        self,
        parent: str,
        name: str,
        start: float,
        end: float,
        attributes: Mapping[str, Value] | None = None,
        *,
        kind: str = "internal",
        failed: bool = False,
        own_key: str = "",
    ) -> str:
        key = own_key or self._numbered(f"{parent}/{name}")
        ids = span_id(self._call_id, key), span_id(self._call_id, parent)
        self._made.append(Span(name, *ids, min(start, end), end, attributes or {}, kind, failed))
        return key

    def _numbered(self, name: str) -> str:
        self._count[name] = number = self._count.get(name, 0) + 1
        return f"{name} {number}"


def spans(call_id: str, observed: Observed) -> Sequence[Span]:
    """All of the call's, children before the call itself."""
    return CallSpans(call_id).of(observed)
