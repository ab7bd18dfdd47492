"""The record of a call back: what is told of it, its live view, its journal and its last line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from ivr.call.journal import Journal, Recorder
from ivr.call.registry import CallServices
from ivr.errors import CallEnded
from ivr.phones.participant import Participant
from ivr.ports import Accepted, Began, CallOpening, LegStats, Offer, Orphan, Over
from ivr.record import HandedOver, HandoffContext, TakenOver

log = structlog.get_logger(__name__)


class CallBackRecord:
    """``offer``: of the place that is called back, with its story, the ``context``; ``orphan``: the call that another
    process began, from whose beginning all times count."""

    def __init__(
        self,
        call_id: str,
        services: CallServices,
        offer: Offer,
        context: HandoffContext,
        agent: Participant | None,
        orphan: Orphan | None,
    ) -> None:
        leg = "" if agent is None else agent.leg.id
        self._call_id = call_id
        self._journal = Journal(services.records, call_id)
        self.recorder = Recorder(call_id, leg, self._journal, services.registry, services.clock)
        self._clock = services.clock
        self._trunk = services.switchboard.destinations.trunk
        self._offer = offer
        self._context = context
        self._orphan = orphan
        self.number = offer.place.callback_number
        self.own = services.switchboard.caller_id.partition(":")[2].partition("@")[0]
        """The number that they are called from."""
        self.joined_after: float | None = None  # seconds from the beginning, when the member answered
        now = self._clock.now()
        self._started_at = now if orphan is None else orphan.started_at
        self._started = self._clock.monotonic() - (now - self._started_at).total_seconds()

    def begin(self) -> None:
        place, orphan = self._offer.place, self._orphan
        extra = {"direction": "outbound", "place": place.id, "call_back_of": self._context.call_id}
        before = None if orphan is None else self._started_at
        self.recorder.tell(Began("", self.number, self.own, self._trunk, "outbound"), before)
        if orphan is None:
            self._journal.begin(self.number, self.own, self._started_at, extra)
            log.info(
                "call.start", caller=self.number, called=self.own, direction="outbound", attempt=place.attempts + 1
            )
        else:
            self._journal.go_on(CallOpening(self.number, self.own, self._started_at, extra), orphan.entries)

    def answered(self) -> None:
        """The member has answered."""
        self.joined_after = round(self._clock.monotonic() - self._started, 3)

    def joined(self, sip_call_id: str) -> None:
        """Their call is kept, and the agent hears them."""
        self.recorder.tell(Accepted(sip_call_id))
        self.handed_over(self._offer.agent)
        log.info("callback.joined", place=self._offer.place.id, agent=self._offer.agent, after_s=self.joined_after)

    def handed_over(self, agent: str) -> None:
        self.recorder.record(HandedOver(agent, self._context.reason))

    def taken_over(self, orphan: Orphan, gap_s: float) -> None:
        """``gap_s``: how long nobody was there for the member."""
        log.warning("call.taken_over", node=orphan.node, gap_s=gap_s, caller=self.number, called=self.own)
        self.recorder.record(TakenOver(orphan.node, gap_s))

    def taken_away(self) -> None:
        """Another process goes on with it, and ends its record."""
        log.warning("call.taken_away", caller=self.number, called=self.own)

    def view(self, member: Participant | None) -> Mapping[str, Any]:
        """See ``LiveCall.view``."""
        context = self._context
        return {
            "call_id": self._call_id,
            "leg": "" if member is None else member.leg.id,
            "sip_call_id": "" if member is None else member.leg.sip_call_id,
            "transport": "" if member is None else member.leg.transport,
            "caller": self.number,
            "called": self.own,
            "direction": "outbound",
            "started_at": self._started_at.isoformat(),
            "live": True,
            "state": "",
            "listening_for": "",
            "flow": "",
            "flow_version": "",
            "language": context.language,
            "slots": {},
            "facts": dict(context.facts),
            "transcript": [],
            "outcome": "dialling" if self.joined_after is None else "with agent",
            "handoff": context.to_json(),
        }

    async def finish(
        self, outcome: str, ended: CallEnded, stats: LegStats, member: Participant | None, agent: Participant | None
    ) -> None:
        """``stats``: of the member's leg. Returns once all is written, or given up."""
        joined_after = self.joined_after
        canonical = {
            "seconds": round(self._clock.monotonic() - self._started, 2),
            "direction": "outbound",
            "transport": "" if member is None else member.leg.transport,
            "answered": joined_after is not None,
            "outcome": outcome,
            "ended_by": ended.by,
            "end_reason": ended.reason,
            "language": self._context.language,
            "handoff_reason": self._context.reason,
            "seconds_to_human": joined_after,
            "attempt": self._offer.place.attempts + 1,
            "journal_lost": self._journal.lost,
            "codec": stats.codec,
            "encryption": stats.encryption,
            "agent_encryption": "" if agent is None else agent.encryption,
            "packets_sent": stats.packets_sent,
            "packets_received": stats.packets_received,
            "packets_lost": stats.packets_lost,
            "jitter_ms": stats.jitter_ms,
        }
        status = 200 if joined_after is not None else 480
        self.recorder.tell(Over(outcome, ended.by, status, canonical, stats, self._context.facts))
        await self._journal.finish(outcome, self._clock.now(), canonical)
        log.info("call.end", caller=self.number, called=self.own, started_at=self._started_at.isoformat(), **canonical)
