"""The story of a call, as whoever takes it over gets it: the hand-over's context, and the link to it."""

from __future__ import annotations

import asyncio

import structlog

from ivr.call.journal import Recorder
from ivr.dialogue.engine.contract import Connect
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.ports import Desk, HandoffContext, Party

log = structlog.get_logger(__name__)

CONTEXT_TIMEOUT_S = 1.0


class CallStory:
    """``token``: of the link that was made last, "" before."""

    def __init__(self, call_id: str, caller: Party, dialogue: Dialogue, recorder: Recorder, desk: Desk) -> None:
        self._call_id = call_id
        self._caller = caller
        self._dialogue = dialogue
        self._recorder = recorder
        self._desk = desk
        self.token = ""

    def told(self, connect: Connect) -> HandoffContext:
        """As it is now, for the human whom ``connect`` wants."""
        dialogue = self._dialogue
        flow, _, state = (dialogue.left_at or self._recorder.state).partition(".")
        return HandoffContext(
            call_id=self._call_id,
            reason=connect.reason,
            skill=connect.skill,
            priority=connect.priority,
            caller=self._caller,
            language=dialogue.language,
            facts=dict(dialogue.facts),
            transcript=tuple(dialogue.transcript),
            tried=tuple(dialogue.tried),
            flow=flow,
            state=state,
            said=connect.said,
            also=connect.also,
        )

    async def stored(self, context: HandoffContext) -> str:
        """The link to the context, for INVITE or REFER; "" when the desk cannot keep it in time."""
        try:
            async with asyncio.timeout(CONTEXT_TIMEOUT_S):
                url = await self._desk.store_context(context)
                self.token = url.rpartition("/")[2]
                return url
        except (IvrError, TimeoutError, OSError) as error:
            log.error("handoff.context_unstored", error=str(error) or "timeout")
            return ""
