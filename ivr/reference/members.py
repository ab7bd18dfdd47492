"""Members: who is calling, what a call knows about them, and what is done for them besides their queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ivr.actions import verification
from ivr.actions.registry import LAST, Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.errors import ActionError
from ivr.events import CALLER_ID, CALLER_NAME, ActionResult
from ivr.identity import CALLER_TRUSTED, Identity, IdentityLevel
from ivr.ports import VerificationTries
from ivr.reference import pins
from ivr.reference.backend import Backend, MemberProfile, MemberRecords
from ivr.reference.titles import terms
from ivr.store.ledger import Json

TOO_OFTEN = 3  # the third damaged disc is a matter for a human
DISC_KINDS = ("damaged", "missing")

FACTS: Mapping[str, Callable[[MemberProfile], object]] = {
    CALLER_ID: lambda member: member.number,
    CALLER_NAME: lambda member: member.name,
    "member.number": lambda member: member.number,
    "member.name": lambda member: member.name,
    "member.first_name": lambda member: member.first_name,
    "member.plan": lambda member: member.plan,
    "member.since_year": lambda member: member.since.year,
    "member.language": lambda member: member.language,
    "member.damaged_reports": lambda member: member.damaged_reports,
    "member.credit": lambda member: member.credit_cents,
    "member.discs_out": lambda member: len(member.discs),
    "member.notes": lambda member: member.notes,
    "member.hold_until": lambda member: member.hold_until.isoformat() if member.hold_until else "",
    "queue.size": lambda member: len(member.queue),
    "queue.next": lambda member: terms(member.queue)[0].label if member.queue else "",
    "queue.next_id": lambda member: str(member.queue[0].id) if member.queue else "",
}
"""Everything a flow may say or decide on. Money is in cents, dates are ISO 8601, "" means none."""
VOCABULARIES = ("queue", "discs")

MAY_BE_BLANK = ("member.hold_until", "queue.next", "queue.next_id")

of_member = partial(ActionSignature, facts=tuple(FACTS), blank=MAY_BE_BLANK, vocabularies=VOCABULARIES)
"""The signature of an action that reads the member anew."""

_KNOWN = Identity(IdentityLevel.LIKELY, "number known")

SIGNATURES = (
    of_member(
        "member.identify_by_caller",
        outcomes=("found", "unknown", "ambiguous"),
        gives={"found": _KNOWN},
        about="Find the member whose phone number the call comes from.",
    ),
    of_member(
        "member.identify_by_number",
        parameters=(Parameter("number", "digits"),),
        outcomes=("found", "claimed", "unknown"),
        gives={"found": _KNOWN, "claimed": Identity(IdentityLevel.UNVERIFIED, "keyed number")},
        about="Take down a membership number. found: the call comes from a phone of that member. claimed: there is "
        "such a member, who it may not be; nothing of theirs is read.",
    ),
    of_member(
        "member.verify",
        parameters=(Parameter("pin", "digits", secret=True), Parameter("number", "digits", required=False)),
        outcomes=verification.OUTCOMES,
        gives={"ok": Identity(IdentityLevel.VERIFIED, "PIN")},
        about="Verify by PIN that the caller is the member with this number (whoever was identified when none is "
        "given). wrong says nothing about what was wrong. locked: too many tries, by this number or for this member.",
    ),
    of_member(
        "member.refresh",
        needs=IdentityLevel.LIKELY,
        about="Read the member again, for instance when a dropped call is resumed.",
    ),
    of_member(
        "disc.report",
        parameters=(Parameter("title", "title"), Parameter("kind", "choice")),
        outcomes=("ok", "third_time", "not_out"),
        returns={"title": "text", "reports": "number"},
        risk="irreversible",
        needs=IdentityLevel.LIKELY,  # the copy goes to the address that is on file
        about="A disc at home is damaged or missing: ship another. third_time does too, and needs a human.",
    ),
    ActionSignature(
        "notes.read",
        outcomes=("ok", "none"),
        returns={"text": "text", "count": "number"},
        needs=IdentityLevel.VERIFIED,
        about="The notes kept about the member, oldest first.",
    ),
    of_member(
        "notes.add",
        parameters=(Parameter("text", "text"), Parameter("kind", "text", required=False)),
        risk="reversible",
        needs=IdentityLevel.VERIFIED,
        about="Keep a note about the member.",
    ),
    of_member(
        "notes.correct",
        parameters=(Parameter("text", "text"), Parameter("note", "ordinal", required=False)),
        outcomes=("ok", "none"),
        risk="irreversible",
        needs=IdentityLevel.VERIFIED,
        about="A note says something else from now on: the one at this place, oldest first, or the latest. Who changed "
        "it and when is kept with it.",
    ),
    of_member(
        "notes.delete_all",
        outcomes=("ok", "none"),
        returns={"count": "number"},
        risk="irreversible",
        needs=IdentityLevel.VERIFIED,
        about="Delete every note kept about the member, for good.",
    ),
)


def result_for(profile: MemberProfile, outcome: str, values: Mapping[str, object] | None = None) -> ActionResult:
    """An outcome together with the member as they are now."""
    vocabularies = {"queue": terms(profile.queue), "discs": terms(profile.discs)}
    facts = {name: fact(profile) for name, fact in FACTS.items()}
    return ActionResult(outcome, dict(values or {}), facts, vocabularies)


async def refreshed(
    backend: Backend, member: str, outcome: str, values: Mapping[str, object] | None = None
) -> ActionResult:
    """As ``result_for``, reading the member afresh. Raises ActionError when they are gone."""
    profile = await backend.profile(member)
    if profile is None:
        raise ActionError("the member does not exist any more", remedy="identify the caller again")
    return result_for(profile, outcome, values)


def _calling(invocation: Invocation) -> str:
    """The calling number; "" where it was withheld."""
    return str(invocation.call.facts.get("call.caller") or "")


class MemberActions:
    def __init__(self, backend: Backend, tries: VerificationTries) -> None:
        self._backend = backend
        self._tries = tries

    def handlers(self) -> Mapping[str, Handler]:
        return {
            "member.identify_by_caller": self.identify_by_caller,
            "member.identify_by_number": self.identify_by_number,
            "member.verify": self.verify,
            "member.refresh": self.refresh,
            "disc.report": self.report_disc,
            "notes.read": self.read_notes,
            "notes.add": self.add_note,
            "notes.correct": self.correct_note,
            "notes.delete_all": self.delete_notes,
        }

    async def identify_by_caller(self, invocation: Invocation) -> ActionResult:
        numbers = await self._by_phone(invocation)
        if len(numbers) > 1:
            return ActionResult("ambiguous")
        return await self._found(numbers[0]) if numbers else ActionResult("unknown")

    async def identify_by_number(self, invocation: Invocation) -> ActionResult:
        number = invocation["number"]
        if number in await self._by_phone(invocation):
            return await self._found(number)
        if await self._backend.profile(number) is None:
            return ActionResult("unknown")
        return ActionResult("claimed", facts={CALLER_ID: number, "member.number": number})

    async def verify(self, invocation: Invocation) -> ActionResult:
        number = str(invocation.get("number") or invocation.call.facts.get(CALLER_ID) or "")

        async def proves() -> bool:
            return await pins.fits(invocation["pin"], await self._backend.pin_hash(number))

        outcome = await verification.verify(self._tries, number, _calling(invocation), proves)
        return await refreshed(self._backend, number, "ok") if outcome == "ok" else ActionResult(outcome)

    async def refresh(self, invocation: Invocation) -> ActionResult:
        return await refreshed(self._backend, invocation.caller_id, "ok")

    async def _by_phone(self, invocation: Invocation) -> Sequence[str]:
        """The members whose phone the call comes from; none where nobody vouches for its number."""
        caller = _calling(invocation)
        trusted = invocation.call.facts.get(CALLER_TRUSTED) is not False
        return await self._backend.numbers_by_phone(caller) if caller and trusted else ()

    async def _found(self, number: str) -> ActionResult:
        profile = await self._backend.profile(number)
        return ActionResult("unknown") if profile is None else result_for(profile, "found")

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

    async def correct_note(self, invocation: Invocation) -> ActionResult:
        async def change(records: MemberRecords) -> Json:
            return {"there": await records.correct_note(invocation.get("note", LAST), invocation["text"].strip())}

        done = await self._backend.change(invocation.caller_id, invocation.call, change)
        return await refreshed(self._backend, invocation.caller_id, "ok" if done["there"] else "none")

    async def delete_notes(self, invocation: Invocation) -> ActionResult:
        async def change(records: MemberRecords) -> Json:
            return {"count": await records.delete_notes()}

        gone = await self._backend.change(invocation.caller_id, invocation.call, change)
        return await refreshed(self._backend, invocation.caller_id, "ok" if gone["count"] else "none", gone)
