"""Earlier calls of a caller, as any company's flows can count them: whether they have called about this before."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ivr.actions.registry import ActionSet, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import CALLER_ID, ActionResult
from ivr.identity import Identity, IdentityLevel
from ivr.ports import PastCalls

EARLIER = "caller.earlier_calls"
CALLS_ON_THIS = "caller.calls_on_this"
WITHIN = timedelta(days=30)
ENOUGH = 2  # before this one: whoever calls a third time gets a person

SIGNATURES = (
    ActionSignature(
        name=EARLIER,
        parameters=(Parameter("about", "text"),),
        outcomes=("ok", "third_call"),
        facts=(CALLS_ON_THIS,),
        returns={"count": "number"},
        about="Whether the caller has called about this (a flow) twice before in the last 30 days.",
        needs=IdentityLevel.UNKNOWN,
    ),
)


class HistoryActions:
    def __init__(self, past: PastCalls | None, now: Callable[[], datetime]) -> None:
        self._past = past
        self._now = now

    @property
    def actions(self) -> ActionSet:
        return ActionSet(SIGNATURES, {EARLIER: self.earlier})

    async def earlier(self, invocation: Invocation) -> ActionResult:
        """By who they are from the level likely on, and by the number that they call from."""
        call, count = invocation.call, 0
        member = str(call.facts.get(CALLER_ID) or "")
        surely = member if Identity.of(call.facts).level >= IdentityLevel.LIKELY else ""
        if self._past is not None:
            count = await self._past.calls_about(
                invocation["about"],
                caller_id=surely,
                number=str(call.facts.get("call.caller") or ""),
                since=self._now() - WITHIN,
                but=call.call_id,
            )
        outcome = "third_call" if count >= ENOUGH else "ok"
        return ActionResult(outcome, {"count": count}, facts={CALLS_ON_THIS: count})
