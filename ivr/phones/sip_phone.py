"""An agent's SIP phone: dialled for each call, told by a whisper who is there, proven to be heard before the join."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from ivr.errors import CallEnded, DialFailed
from ivr.phones.switchboard import Switchboard
from ivr.ports import Leg, MediaLeg, Party, Ring

DECLINED, UNAVAILABLE = 603, 480


@dataclass(frozen=True, slots=True)
class SipPhone:
    """Implements ``ivr.ports.AgentPhone``. ``target``: its SIP URI, from the configuration."""

    agent: str
    target: str
    switchboard: Switchboard
    _names: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def reachable(self) -> bool:
        return True

    async def ring(
        self, ring: Ring, on_ringing: Callable[[], None] | None = None, *, wanted: bool = False
    ) -> tuple[Leg, MediaLeg]:
        context = ring.context
        try:
            answered = await self.switchboard.dial(
                f"{self.agent}-{next(self._names)}-{context.call_id}",
                self.target,
                Party(context.caller.number, context.caller.display, self.switchboard.caller_id),
                headers=ring.headers,
                ring_timeout_s=ring.ring_timeout_s,
                on_ringing=on_ringing,
                context=None if wanted else context,
                on_answer=ring.on_answer,
                call=context.call_id,
            )
        except CallEnded as ended:
            status = DECLINED if ended.by == "agent" else UNAVAILABLE
            raise DialFailed(status, f"{ended.reason}, before the caller was there") from ended
        return answered.leg, answered.media
