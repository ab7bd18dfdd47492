"""Holds: nothing is shipped to a member before a date."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from ivr.actions.invocation import Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import ActionResult
from ivr.reference.backend import Membership, Services
from ivr.reference.members import MEMBER_FACTS, VOCABULARIES, refreshed

LONGEST_HOLD = timedelta(days=366)

SIGNATURES = (
    ActionSignature(
        name="hold.deliveries",
        parameters=(Parameter("until", "date"),),
        outcomes=("ok", "in_past", "too_far"),
        returns={"until": "date"},
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        risk="reversible",
        about="Ship nothing before a date, at most a year ahead; a new hold replaces the old one.",
    ),
)


class HoldActions:
    """``today`` is the date where the company is."""

    def __init__(self, membership: Membership, services: Services, today: Callable[[], date]) -> None:
        self._membership = membership
        self._services = services
        self._today = today

    def handlers(self) -> Mapping[str, Handler]:
        return {"hold.deliveries": self.hold}

    async def hold(self, invocation: Invocation) -> ActionResult:
        call, until = invocation.call, invocation["until"]
        values = {"until": until.isoformat()}
        if until <= self._today():
            return ActionResult("in_past", values)
        if until > self._today() + LONGEST_HOLD:
            return ActionResult("too_far", values)
        await self._services.hold_deliveries(invocation.caller_id, until, key=call.key, call_id=call.call_id)
        return await refreshed(self._membership, invocation.caller_id, "ok", values)
