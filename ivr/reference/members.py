"""Who is calling, and what a call knows about them: facts and word lists."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ivr.actions.registry import Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.events import CALLER_ID, CALLER_NAME, ActionResult
from ivr.reference.backend import Backend, MemberProfile
from ivr.reference.titles import terms

MEMBER_FACTS = (
    CALLER_ID, CALLER_NAME, "member.number", "member.name", "member.first_name", "member.plan", "member.since_year",
    "member.language", "member.damaged_reports", "member.credit", "member.discs_out", "member.notes",
    "member.hold_until", "queue.size", "queue.next", "queue.next_id",
)  # fmt: skip
VOCABULARIES = ("queue", "discs")

of_member = partial(ActionSignature, facts=MEMBER_FACTS, vocabularies=VOCABULARIES)
"""The signature of an action that reads the member anew."""

SIGNATURES = (
    of_member(
        "member.identify_by_caller",
        parameters=(Parameter("caller", "text", required=False),),
        outcomes=("found", "unknown", "ambiguous"),
        about="Find the member who calls from this phone number (the call's own when none is given).",
    ),
    of_member(
        "member.identify_by_number",
        parameters=(Parameter("number", "digits"),),
        outcomes=("found", "unknown"),
        about="Find the member with this membership number.",
    ),
    of_member("member.refresh", about="Read the member again, for instance when a dropped call is resumed."),
)


def facts_of(profile: MemberProfile) -> dict[str, object]:
    """Everything a flow may say or decide on. Money is in cents, dates are ISO 8601, "" means none."""
    queue = terms(profile.queue)
    return {
        CALLER_ID: profile.number,
        CALLER_NAME: profile.name,
        "member.number": profile.number,
        "member.name": profile.name,
        "member.first_name": profile.first_name,
        "member.plan": profile.plan,
        "member.since_year": profile.since.year,
        "member.language": profile.language,
        "member.damaged_reports": profile.damaged_reports,
        "member.credit": profile.credit_cents,
        "member.discs_out": len(profile.discs),
        "member.notes": profile.notes,
        "member.hold_until": profile.hold_until.isoformat() if profile.hold_until else "",
        "queue.size": len(queue),
        "queue.next": queue[0].label if queue else "",
        "queue.next_id": queue[0].id if queue else "",
    }


def result_for(profile: MemberProfile, outcome: str, values: Mapping[str, object] | None = None) -> ActionResult:
    """An outcome together with the member as they are now."""
    vocabularies = {"queue": terms(profile.queue), "discs": terms(profile.discs)}
    return ActionResult(outcome, dict(values or {}), facts_of(profile), vocabularies)


async def refreshed(
    backend: Backend, member: str, outcome: str, values: Mapping[str, object] | None = None
) -> ActionResult:
    """As ``result_for``, reading the member afresh. Raises ActionError when they are gone."""
    profile = await backend.profile(member)
    if profile is None:
        raise ActionError("the member does not exist any more", remedy="identify the caller again")
    return result_for(profile, outcome, values)


class MemberActions:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "member.identify_by_caller": self.identify_by_caller,
            "member.identify_by_number": self.identify_by_number,
            "member.refresh": self.refresh,
        }

    async def identify_by_caller(self, invocation: Invocation) -> ActionResult:
        caller = str(invocation.get("caller") or invocation.call.facts.get("call.caller") or "")
        numbers = await self._backend.numbers_by_phone(caller) if caller else ()
        if len(numbers) > 1:
            return ActionResult("ambiguous")
        return await self._found(numbers[0]) if numbers else ActionResult("unknown")

    async def identify_by_number(self, invocation: Invocation) -> ActionResult:
        return await self._found(invocation["number"])

    async def refresh(self, invocation: Invocation) -> ActionResult:
        return await refreshed(self._backend, invocation.caller_id, "ok")

    async def _found(self, number: str) -> ActionResult:
        profile = await self._backend.profile(number)
        return ActionResult("unknown") if profile is None else result_for(profile, "found")
