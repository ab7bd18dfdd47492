"""Discs, notes, callbacks and holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta

from ivr.actions.backend import Membership, Services
from ivr.actions.invocation import Handler, Invocation
from ivr.actions.members import MEMBER_FACTS, VOCABULARIES, refreshed
from ivr.dialogue.flows.signature import CALLBACK, ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.events import ActionResult

TOO_OFTEN = 3  # the third damaged disc is a matter for a human
LONGEST_HOLD = timedelta(days=366)
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
    ActionSignature(
        name="notes.read",
        outcomes=("ok", "none"),
        returns={"text": "text", "count": "number"},
        about="The notes kept about the member, oldest first.",
    ),
    ActionSignature(
        name="notes.add",
        parameters=(Parameter("text", "text"), Parameter("kind", "text", required=False)),
        outcomes=("ok",),
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        risk="reversible",
        about="Keep a note about the member.",
    ),
    ActionSignature(
        name="notes.delete_all",
        outcomes=("ok", "none"),
        returns={"count": "number"},
        facts=MEMBER_FACTS,
        vocabularies=VOCABULARIES,
        risk="irreversible",
        about="Delete every note kept about the member, for good.",
    ),
    ActionSignature(
        name="callback.request",
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
    ),
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


class ServiceActions:
    """``today`` is the date where the company is."""

    def __init__(self, membership: Membership, services: Services, today: Callable[[], date]) -> None:
        self._membership = membership
        self._services = services
        self._today = today

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "disc.report": self.report_disc,
            "notes.read": self.read_notes,
            "notes.add": self.add_note,
            "notes.delete_all": self.delete_notes,
            "callback.request": self.request_callback,
            "hold.deliveries": self.hold_deliveries,
        }

    async def report_disc(self, invocation: Invocation) -> ActionResult:
        call, title, kind = invocation.call, invocation["title"], invocation["kind"]
        if kind not in DISC_KINDS:
            raise ActionError(
                f"disc.report: kind must be one of {', '.join(DISC_KINDS)}", remedy="mend the flow's action"
            )
        report = await self._services.report_disc(invocation.member, title, kind, key=call.key, call_id=call.call_id)
        outcome = report.outcome
        if outcome == "ok" and kind == "damaged" and report.damaged_reports >= TOO_OFTEN:
            outcome = "third_time"
        result = await refreshed(self._membership, invocation.member, outcome)
        label = next((term.label for term in result.vocabularies["discs"] if term.id == str(title)), "")
        values = {"title": label, "reports": report.damaged_reports}
        return ActionResult(outcome, values, result.facts, result.vocabularies)

    async def read_notes(self, invocation: Invocation) -> ActionResult:
        notes = await self._services.notes(invocation.member)
        text = " ".join(note.text if note.text.endswith((".", "!", "?")) else f"{note.text}." for note in notes)
        return ActionResult("ok" if notes else "none", {"text": text, "count": len(notes)})

    async def add_note(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        await self._services.add_note(
            invocation.member,
            invocation["text"],
            kind=invocation.get("kind", "caller"),
            key=call.key,
            call_id=call.call_id,
        )
        return await refreshed(self._membership, invocation.member, "ok")

    async def delete_notes(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        count = await self._services.delete_notes(invocation.member, key=call.key, call_id=call.call_id)
        return await refreshed(self._membership, invocation.member, "ok" if count else "none", {"count": count})

    async def request_callback(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        number = str(invocation.get("number") or call.facts.get("call.caller") or "")
        if sum(c.isdigit() for c in number) < 7:
            return ActionResult("no_number", {"number": ""})
        await self._services.request_callback(
            number,
            name=str(call.facts.get("member.name") or ""),
            member=str(call.facts.get("member.number") or ""),
            skill=invocation.get("skill", "general"),
            wanted=invocation.get("when", ""),
            key=call.key,
            call_id=call.call_id,
        )
        return ActionResult("ok", {"number": "".join(c for c in number if c.isdigit())})

    async def hold_deliveries(self, invocation: Invocation) -> ActionResult:
        call, until = invocation.call, invocation["until"]
        values = {"until": until.isoformat()}
        if until <= self._today():
            return ActionResult("in_past", values)
        if until > self._today() + LONGEST_HOLD:
            return ActionResult("too_far", values)
        await self._services.hold_deliveries(invocation.member, until, key=call.key, call_id=call.call_id)
        return await refreshed(self._membership, invocation.member, "ok", values)
