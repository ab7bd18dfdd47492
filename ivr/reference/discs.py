"""Discs at a member's home: reporting one as damaged or missing, and getting another."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.actions.invocation import Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.events import ActionResult
from ivr.reference.backend import Membership, Services
from ivr.reference.members import MEMBER_FACTS, VOCABULARIES, refreshed

TOO_OFTEN = 3  # the third damaged disc is a matter for a human
DISC_KINDS = ("damaged", "missing")

SIGNATURES = (
    ActionSignature(
        name="disc.report",
        parameters=(Parameter("title", "title"), Parameter("kind", "choice")),
        outcomes=("ok", "third_time", "not_out"),
        returns={"title": "text", "reports": "number"},
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        risk="irreversible",
        about="A disc at home is damaged or missing: ship another. third_time does too, and needs a human.",
    ),
)


class DiscActions:
    def __init__(self, membership: Membership, services: Services) -> None:
        self._membership = membership
        self._services = services

    def handlers(self) -> Mapping[str, Handler]:
        return {"disc.report": self.report}

    async def report(self, invocation: Invocation) -> ActionResult:
        call, title, kind = invocation.call, invocation["title"], invocation["kind"]
        if kind not in DISC_KINDS:
            raise ActionError(
                f"disc.report: kind must be one of {', '.join(DISC_KINDS)}", remedy="mend the flow's action"
            )
        report = await self._services.report_disc(invocation.caller_id, title, kind, key=call.key, call_id=call.call_id)
        outcome = report.outcome
        if outcome == "ok" and kind == "damaged" and report.damaged_reports >= TOO_OFTEN:
            outcome = "third_time"
        result = await refreshed(self._membership, invocation.caller_id, outcome)
        label = next((term.label for term in result.vocabularies["discs"] if term.id == str(title)), "")
        values = {"title": label, "reports": report.damaged_reports}
        return ActionResult(outcome, values, result.facts, result.vocabularies)
