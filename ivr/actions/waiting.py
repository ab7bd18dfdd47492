"""A call back or a message instead of waiting for a human: what any company's flows can promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from ivr.actions.registry import ActionSet, Invocation
from ivr.dialogue.flows.signature import CALLBACK, MESSAGE, ActionSignature, Parameter
from ivr.errors import ActionError, DialFailed, StoreUnavailable
from ivr.events import (
    CALLBACK_REQUEST,
    CALLER_ID,
    CALLER_NAME,
    HANDOFF_CONTEXT,
    HANDOFF_PRIORITY,
    HANDOFF_REASON,
    HANDOFF_SAID,
    HANDOFF_SKILL,
    MESSAGE_LEAVE,
    ActionResult,
)
from ivr.identity import Identity, IdentityLevel, persons_of
from ivr.ports import ActionCall, Arrival, Callbacks, Line, Place
from ivr.ports.line import GENERAL

FEWEST_DIGITS = 7
FORBIDDEN = 403  # of what is never called: another number may do
USUAL_PRIORITY = 5

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
        about="Have a human call back, on the number they called from when none is given; who waits keeps their place.",
        promises=CALLBACK,
        needs=IdentityLevel.UNKNOWN,
    ),
    ActionSignature(
        name=MESSAGE_LEAVE,
        parameters=(
            Parameter("skill", "text", required=False),
            Parameter("recording", "text", required=False),
            Parameter("transcript", "text", required=False),
        ),
        outcomes=("ok", "empty"),
        about="Record what the caller says after a tone, for a human to hear in its turn. The line records by itself.",
        promises=MESSAGE,
        needs=IdentityLevel.UNKNOWN,
    ),
)


class WaitingActions:
    """``line`` None: nobody waits anywhere, and call backs are only noted. ``callbacks`` keeps what is promised while
    the line can't be reached: on disk before a caller hears that it is. ``number``: any notation, in E.164;
    ``subscriber``: the same of one that is to be called, raising DialFailed where it never would be."""

    def __init__(
        self,
        callbacks: Callbacks,
        line: Line | None = None,
        number: Callable[[str], str] = str,
        subscriber: Callable[[str], str] = str,
    ) -> None:
        self._number = number
        self._subscriber = subscriber
        self._callbacks = callbacks
        self._line = line

    @property
    def actions(self) -> ActionSet:
        return ActionSet(SIGNATURES, {CALLBACK_REQUEST: self.call_back, MESSAGE_LEAVE: self.message})

    async def call_back(self, invocation: Invocation) -> ActionResult:
        """With a place in the line that place waits for it, at its old time. Raises TooManyCallBacks."""
        call = invocation.call
        number = str(invocation.get("number") or call.facts.get("call.caller") or "")
        if sum(c.isdigit() for c in number) < FEWEST_DIGITS:
            return ActionResult("no_number", {"number": ""})
        try:
            dialled = self._subscriber(number)
        except DialFailed as error:  # nothing is promised that would be refused when an agent has it before them
            if error.status != FORBIDDEN:
                raise ActionError(error.reason) from error
            return ActionResult("no_number", {"number": ""})
        if not await self._in_line(invocation, dialled):
            surely = Identity.of(call.facts).level >= IdentityLevel.LIKELY  # nobody takes a place by a name they claim
            await self._callbacks.request(
                dialled,
                name=str(call.facts.get(CALLER_NAME) or ""),
                caller_id=str(call.facts.get(CALLER_ID) or "") if surely else "",
                skill=_skill(invocation),
                wanted=invocation.get("when", ""),
                key=call.key,
                call_id=call.call_id,
            )
        return ActionResult("ok", {"number": "".join(c for c in number if c.isdigit())})

    async def _in_line(self, invocation: Invocation, number: str) -> bool:
        """False where the line can't be reached."""
        if self._line is None:
            return False
        due_at = _moment(invocation.get("when", ""))
        try:
            place = await self._place(invocation.call)
            if place is not None:
                await self._line.call_back(place.id, number, due_at)
            else:
                await self._line.ask_call_back(self._arrival(invocation), number, due_at)
        except StoreUnavailable:
            return False
        return True

    async def message(self, invocation: Invocation) -> ActionResult:
        """Once the message waits in the line, its caller doesn't any more."""
        recording, transcript = str(invocation.get("recording", "")), str(invocation.get("transcript", ""))
        if self._line is None:
            raise StoreUnavailable("nobody would hear the message", remedy="see that the database runs")
        if not recording:
            return ActionResult("empty")
        place = await self._place(invocation.call)
        await self._line.leave_message(self._arrival(invocation), recording, transcript)
        if place is not None:
            await self._line.leave(place.id, "done")
        return ActionResult("ok")

    async def _place(self, call: ActionCall) -> Place | None:
        """By whatever the caller was known when they took it: surest first."""
        line = self._line
        for person in persons_of(self._facts(call), call.call_id) if line is not None else ():
            if line is not None and (place := await line.place_of(person)) is not None:
                return place
        return None

    def _facts(self, call: ActionCall) -> Mapping[str, object]:
        """With the calling number as everybody else has it."""
        number = str(call.facts.get("call.caller") or "")
        return {**call.facts, "call.caller": self._number(number) if number else ""}

    def _arrival(self, invocation: Invocation) -> Arrival:
        """Who the caller is, and what they want, for the line."""
        call, facts = invocation.call, self._facts(invocation.call)
        priority = facts.get(HANDOFF_PRIORITY)
        return Arrival(
            person=persons_of(facts, call.call_id)[0],
            call_id=call.call_id,
            skill=_skill(invocation),
            priority=priority if isinstance(priority, int) else USUAL_PRIORITY,
            reason=str(facts.get(HANDOFF_REASON) or ""),
            said=" / ".join(filter(None, (str(facts.get(HANDOFF_SAID) or ""), str(invocation.get("when", ""))))),
            name=str(facts.get(CALLER_NAME) or ""),
            number=str(facts["call.caller"]),
            member=str(facts.get(CALLER_ID) or ""),
            language=call.language,
            context=str(facts.get(HANDOFF_CONTEXT) or ""),
        )


def _moment(when: str) -> datetime | None:
    """None for as soon as possible, and for words: those are the agent's to read."""
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _skill(invocation: Invocation) -> str:
    return str(invocation.get("skill") or invocation.call.facts.get(HANDOFF_SKILL) or GENERAL)
