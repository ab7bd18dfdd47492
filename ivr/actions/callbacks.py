"""Callback requests: the promise that a human calls back, which any company can make."""

from __future__ import annotations

from ivr.actions.registry import ActionSet, Invocation
from ivr.dialogue.flows.signature import CALLBACK, ActionSignature, Parameter
from ivr.events import CALLBACK_REQUEST, CALLER_ID, CALLER_NAME, HANDOFF_SKILL, ActionResult
from ivr.identity import IdentityLevel
from ivr.ports import Callbacks

FEWEST_DIGITS = 7

SIGNATURES = (
    ActionSignature(
        name=CALLBACK_REQUEST,
        parameters=(
            Parameter("number", "digits", required=False),
            Parameter("when", "text", required=False),
            Parameter("skill", "text", required=False),
        ),
        outcomes=("ok", "no_number"),
        returns={"number": "digits"},
        risk="reversible",
        about="Have a human call back, on the number they called from when none is given.",
        promises=CALLBACK,
        needs=IdentityLevel.UNKNOWN,
    ),
)


class CallbackActions:
    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    @property
    def actions(self) -> ActionSet:
        return ActionSet(SIGNATURES, {CALLBACK_REQUEST: self.request})

    async def request(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        number = str(invocation.get("number") or call.facts.get("call.caller") or "")
        if sum(c.isdigit() for c in number) < FEWEST_DIGITS:
            return ActionResult("no_number", {"number": ""})
        await self._callbacks.request(
            number,
            name=str(call.facts.get(CALLER_NAME) or ""),
            caller_id=str(call.facts.get(CALLER_ID) or ""),
            skill=str(invocation.get("skill") or call.facts.get(HANDOFF_SKILL) or "general"),
            wanted=invocation.get("when", ""),
            key=call.key,
            call_id=call.call_id,
        )
        return ActionResult("ok", {"number": "".join(c for c in number if c.isdigit())})
