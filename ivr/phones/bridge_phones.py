"""The phones of a bridge: what the parties' telephones do by themselves: they leave, hold, or ask for a transfer."""

from __future__ import annotations

from typing import Protocol

import structlog

from ivr.errors import CallEnded, IvrError, TransferFailed
from ivr.media.description import held
from ivr.phones.bridge_transfer import BridgeTransfer, Transferable, status_of
from ivr.phones.conference import Party
from ivr.phones.destinations import Destinations
from ivr.phones.placing import Placing
from ivr.phones.tie_line import SILENT
from ivr.ports import BridgeEnd, HangUp, TransferAsked

log = structlog.get_logger(__name__)

# An agent's BYE sooner than this after the join is a dropped call, not the end of a conversation.
CONVERSATION_S = 8.0


class Watching(Transferable, Protocol):
    """The bridge. ``hang_up_means``: what hanging up by the agent's phone does; ``machine``: there is a dialogue to go
    back to; ``age_s``: how long the holder has had the caller."""

    transfers: BridgeTransfer
    hang_up_means: HangUp
    machine: bool

    @property
    def over(self) -> bool: ...
    @property
    def age_s(self) -> float: ...
    async def back_to_machine(self) -> None: ...


class BridgePhones:
    """Implements ``ivr.phones.conversation.Watched`` for one bridge. ``hold``: the agent's phone holds the caller."""

    def __init__(self, bridge: Watching, destinations: Destinations) -> None:
        self._bridge = bridge
        self._destinations = destinations
        self.hold = False

    def taken_up(self, holder: Party) -> None:
        """The holder's is the agent's phone now."""
        leg = holder.participant.leg
        leg.allow_transfers(self._destinations.allows)
        self.hold = leg.remote is not None and held(leg.remote)

    async def left(self, party: Party, ended: CallEnded) -> None:
        """Somebody's line is gone, properly or not."""
        bridge = self._bridge
        async with bridge.turn:
            if bridge.over or party not in bridge.talk.parties:
                return
            if party.role == "consulted":
                await bridge.dropped(f"{party.name} left")
            elif party.role == "supervisor" or bridge.transfers.to:
                await bridge.talk.part(party, "left")
                await bridge.settle()
            elif bridge.consultation.party is not None:
                await bridge.succeeded_by(bridge.consultation.party)
            else:
                await self._agent_left(ended)

    async def _agent_left(self, ended: CallEnded) -> None:
        bridge = self._bridge
        lasted_s, name = bridge.age_s, bridge.holder.name
        tied = bridge.holder.participant.tied
        if ended.by == "agent" and (tied or lasted_s >= CONVERSATION_S):
            returns = bridge.hang_up_means == "returns" and bridge.machine and not tied
            bridge.end(BridgeEnd("machine" if returns else "over", name, ended.by, ended.reason))
            return
        log.warning("handoff.dropped", by=ended.by, why=ended.reason, lasted_s=round(lasted_s, 1))
        if tied and ended.reason == SILENT:
            bridge.placing = Placing(0, None)  # the place is theirs until it is known whether their page comes back
            bridge.end(BridgeEnd("lost", name, ended.by, ended.reason))
            return
        await bridge.placing.broken(name)
        bridge.end(BridgeEnd("dropped", name, ended.by, ended.reason))

    async def phone_holds(self, party: Party, on: bool) -> None:
        """A re-INVITE of the agent's own phone (RFC 3264 section 8.4)."""
        bridge = self._bridge
        async with bridge.turn:
            if party is bridge.holder and on != self.hold:
                self.hold = on
                await bridge.settle()

    async def transfer_asked(self, party: Party, asked: TransferAsked) -> None:
        """A REFER of the agent's own phone, to where it may; they hear by NOTIFY how that goes."""
        bridge = self._bridge
        async with bridge.turn:
            onward = self._destinations.referred(asked.target)
            try:
                if party is not bridge.holder or onward is None:
                    raise TransferFailed(403, "not an allowed destination")
                if onward.kind == "machine":
                    await bridge.back_to_machine()
                    await party.participant.leg.notify(200)
                    return
                await bridge.transfers.begin(onward, asked.replaces, by=party)
            except IvrError as error:
                log.warning("bridge.transfer_failed", why=str(error))
                bridge.talk.spawn(party.participant.leg.notify(status_of(error)), "notify")
