"""A recorded message of the caller's own: what they said after a tone, for a company's own action or service."""

from __future__ import annotations

from ivr.actions.registry import ActionSet, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import MESSAGE_TAKE, ActionResult
from ivr.identity import IdentityLevel

_HEARD = (("recording", "text"), ("words", "text"), ("seconds", "number"), ("sureness", "number"))
"""The line's own, once it has recorded. ``recording``: its name; ``words``: what was written down, "" where nothing
could be; ``seconds``: whole ones; ``sureness``: of the words, 0 to 100, 0 where the recogniser doesn't say."""

SIGNATURES = (
    ActionSignature(
        name=MESSAGE_TAKE,
        parameters=tuple(Parameter(name, kind, required=False) for name, kind in _HEARD),
        outcomes=("ok", "empty"),
        returns=dict(_HEARD),
        about="Record what the caller says after a tone, for the action that follows. The line records by itself.",
        needs=IdentityLevel.UNKNOWN,
    ),
)


async def take(invocation: Invocation) -> ActionResult:
    if not invocation.get("recording", ""):
        return ActionResult("empty")
    return ActionResult("ok", {name: invocation.get(name, "" if kind == "text" else 0) for name, kind in _HEARD})


ACTIONS = ActionSet(SIGNATURES, {MESSAGE_TAKE: take})
