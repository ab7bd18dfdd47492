"""What is done for members besides their queue: replacement discs, notes kept about them, holds on deliveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta

from ivr.actions.registry import Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.events import ActionResult
from ivr.reference.backend import Backend, MemberRecords
from ivr.reference.members import of_member, refreshed
from ivr.store.ledger import Json

TOO_OFTEN = 3  # the third damaged disc is a matter for a human
DISC_KINDS = ("damaged", "missing")
LONGEST_HOLD = timedelta(days=366)

SIGNATURES = (
    of_member(
        "disc.report",
        parameters=(Parameter("title", "title"), Parameter("kind", "choice")),
        outcomes=("ok", "third_time", "not_out"),
        returns={"title": "text", "reports": "number"},
        risk="irreversible",
        about="A disc at home is damaged or missing: ship another. third_time does too, and needs a human.",
    ),
    ActionSignature(
        "notes.read",
        outcomes=("ok", "none"),
        returns={"text": "text", "count": "number"},
        about="The notes kept about the member, oldest first.",
    ),
    of_member(
        "notes.add",
        parameters=(Parameter("text", "text"), Parameter("kind", "text", required=False)),
        risk="reversible",
        about="Keep a note about the member.",
    ),
    of_member(
        "notes.delete_all",
        outcomes=("ok", "none"),
        returns={"count": "number"},
        risk="irreversible",
        about="Delete every note kept about the member, for good.",
    ),
    of_member(
        "hold.deliveries",
        parameters=(Parameter("until", "date"),),
        outcomes=("ok", "in_past", "too_far"),
        returns={"until": "date"},
        risk="reversible",
        about="Ship nothing before a date, at most a year ahead; a new hold replaces the old one.",
    ),
)


class ServiceActions:
    """``today`` is the date where the company is."""

    def __init__(self, backend: Backend, today: Callable[[], date]) -> None:
        self._backend = backend
        self._today = today

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "disc.report": self.report_disc,
            "notes.read": self.read_notes,
            "notes.add": self.add_note,
            "notes.delete_all": self.delete_notes,
            "hold.deliveries": self.hold,
        }

    async def report_disc(self, invocation: Invocation) -> ActionResult:
        title, kind = invocation["title"], invocation["kind"]
        if kind not in DISC_KINDS:
            raise ActionError(
                f"disc.report: kind must be one of {', '.join(DISC_KINDS)}", remedy="mend the flow's action"
            )

        async def change(records: MemberRecords) -> Json:
            replaced = await records.replace_disc(title, kind)
            return {"outcome": "ok" if replaced else "not_out", "reports": await records.damaged_reports()}

        report = await self._backend.change(invocation.caller_id, invocation.call, change)
        outcome, reports = report["outcome"], report["reports"]
        if outcome == "ok" and kind == "damaged" and reports >= TOO_OFTEN:
            outcome = "third_time"
        result = await refreshed(self._backend, invocation.caller_id, outcome)
        label = next((term.label for term in result.vocabularies["discs"] if term.id == str(title)), "")
        return replace(result, values={"title": label, "reports": reports})

    async def read_notes(self, invocation: Invocation) -> ActionResult:
        notes = await self._backend.notes(invocation.caller_id)
        text = " ".join(note.text if note.text.endswith((".", "!", "?")) else f"{note.text}." for note in notes)
        return ActionResult("ok" if notes else "none", {"text": text, "count": len(notes)})

    async def add_note(self, invocation: Invocation) -> ActionResult:
        async def change(records: MemberRecords) -> Json:
            await records.add_note(invocation["text"], invocation.get("kind", "caller"))
            return {}

        await self._backend.change(invocation.caller_id, invocation.call, change)
        return await refreshed(self._backend, invocation.caller_id, "ok")

    async def delete_notes(self, invocation: Invocation) -> ActionResult:
        async def change(records: MemberRecords) -> Json:
            return {"count": await records.delete_notes()}

        gone = await self._backend.change(invocation.caller_id, invocation.call, change)
        return await refreshed(self._backend, invocation.caller_id, "ok" if gone["count"] else "none", gone)

    async def hold(self, invocation: Invocation) -> ActionResult:
        until = invocation["until"]
        values = {"until": until.isoformat()}
        if until <= self._today():
            return ActionResult("in_past", values)
        if until > self._today() + LONGEST_HOLD:
            return ActionResult("too_far", values)

        async def change(records: MemberRecords) -> Json:
            await records.hold(until)
            return {}

        await self._backend.change(invocation.caller_id, invocation.call, change)
        return await refreshed(self._backend, invocation.caller_id, "ok", values)
