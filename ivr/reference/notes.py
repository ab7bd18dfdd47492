"""Notes kept about members: heard, added, deleted by the members themselves."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.actions.invocation import Handler, Invocation
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.events import ActionResult
from ivr.reference.backend import Membership, Services
from ivr.reference.members import MEMBER_FACTS, VOCABULARIES, refreshed

SIGNATURES = (
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
)


class NoteActions:
    def __init__(self, membership: Membership, services: Services) -> None:
        self._membership = membership
        self._services = services

    def handlers(self) -> Mapping[str, Handler]:
        return {"notes.read": self.read, "notes.add": self.add, "notes.delete_all": self.delete_all}

    async def read(self, invocation: Invocation) -> ActionResult:
        notes = await self._services.notes(invocation.caller_id)
        text = " ".join(note.text if note.text.endswith((".", "!", "?")) else f"{note.text}." for note in notes)
        return ActionResult("ok" if notes else "none", {"text": text, "count": len(notes)})

    async def add(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        await self._services.add_note(
            invocation.caller_id,
            invocation["text"],
            kind=invocation.get("kind", "caller"),
            key=call.key,
            call_id=call.call_id,
        )
        return await refreshed(self._membership, invocation.caller_id, "ok")

    async def delete_all(self, invocation: Invocation) -> ActionResult:
        call = invocation.call
        count = await self._services.delete_notes(invocation.caller_id, key=call.key, call_id=call.call_id)
        return await refreshed(self._membership, invocation.caller_id, "ok" if count else "none", {"count": count})
