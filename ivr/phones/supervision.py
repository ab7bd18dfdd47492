"""Supervision: somebody listens in, whispers to the agent, or barges in."""

from __future__ import annotations

import asyncio

from ivr.errors import TransferFailed
from ivr.phones.conference import Party
from ivr.phones.conversation import Conversation
from ivr.phones.participant import Participant
from ivr.ports import Floor, Ring, Supervision


class SupervisedTalk:
    """Of one conversation, by any number of supervisors."""

    def __init__(self, talk: Conversation, floor: Floor) -> None:
        self._talk = talk
        self._floor = floor

    async def party(self, supervisor: str, how: Supervision, ring: Ring) -> Party | None:
        """Their part in it: their phone is rung where they have none yet, unless it is to be "off" (None). Raises
        TransferFailed, DialFailed, MediaUnavailable."""
        present = self._talk.named(supervisor)
        if present is not None and present.role != "supervisor":
            raise TransferFailed(409, f"{supervisor} is in this conversation already")
        if present is not None or how == "off":
            return present
        phone = self._floor.phone_of(supervisor)
        if phone is None or not phone.reachable():
            raise TransferFailed(480, f"{supervisor}'s phone is not connected: connect it first")
        leg, media = await phone.ring(ring, wanted=True)
        now = asyncio.get_running_loop().time()
        party = Party("supervisor", supervisor, Participant(leg, media, may_mute=True), now)
        if self._talk.closed:
            await party.participant.let_go("the conversation is over")
            raise TransferFailed(410, "the conversation is over")
        self._talk.admit(party)
        return party

    async def set(self, party: Party, how: Supervision) -> None:
        party.how = how
        if how == "off":
            await self._talk.part(party, "stopped listening")
