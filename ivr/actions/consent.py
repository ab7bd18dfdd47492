"""Recording consent: the caller agrees that the conversation with a person is recorded, or says no; either is kept."""

from __future__ import annotations

from ivr.actions.registry import ActionSet, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import RECORDING_AGREED, ActionResult
from ivr.identity import IdentityLevel

CONSENT = "recording.consent"

SIGNATURES = (
    ActionSignature(
        name=CONSENT,
        parameters=(Parameter("agreed", "boolean"),),
        facts=(RECORDING_AGREED,),
        about="Note that the caller agreed to the recording of what they say to a person, or took that back.",
        needs=IdentityLevel.UNKNOWN,
    ),
)


async def consent(invocation: Invocation) -> ActionResult:
    return ActionResult("ok", facts={RECORDING_AGREED: invocation["agreed"]})


ACTIONS = ActionSet(SIGNATURES, {CONSENT: consent})
