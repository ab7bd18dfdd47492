"""Leaving the line: to a human by the human flow, to a human directly when even that is broken, or with a goodbye."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ivr.dialogue.engine.broken import Broken
from ivr.dialogue.engine.contract import Connect, End
from ivr.dialogue.engine.conversation import Conversation, HandoffNeed
from ivr.dialogue.engine.cursor import Frame
from ivr.record import Decided

if TYPE_CHECKING:
    from ivr.dialogue.engine.walk import Walk

DEFAULT_SKILL = "general"
DEFAULT_PRIORITY = 5
ASKED_AGAIN_PRIORITY = 7  # who has to ask for a person twice waits behind fewer people


class Departure:
    def __init__(self, conversation: Conversation, walk: Walk) -> None:
        self.call = conversation
        self.walk = walk
        self.connecting: int | None = None  # token of the Connect under way
        self.connected = False
        self.direct = False  # that Connect is our own last resort, not a handoff state's
        self.ended = False

    @property
    def in_human_flow(self) -> bool:
        stack = self.call.stack
        return bool(stack) and stack[0].flow == self.call.library.universals.human_flow

    def human(self, need: HandoffNeed) -> str | None:
        """Jump to the human flow: no way back. What led here first is kept when asked again."""
        call = self.call
        if self.connecting is not None:
            return None
        if not (self.in_human_flow and call.need.reason and need.reason in ("", "asked")):
            call.need = HandoffNeed(
                need.reason or call.need.reason or "asked",
                need.skill or call.need.skill,
                need.priority if need.priority is not None else call.need.priority,
            )
        if self.in_human_flow and need.reason == "asked":
            call.temper.agitated("asked again", 0.3)
            call.need.priority = max(ASKED_AGAIN_PRIORITY, call.need.priority or 0)
        if not self.in_human_flow:
            call.left_at = call.here
        flow = call.library.flows[call.library.universals.human_flow]
        call.outbox.record(Decided("to", "human", {"reason": call.need.reason, "from": call.here}))
        self.walk.let_go()
        self.walk.kept = None
        call.stack[:] = [Frame(flow.flow)]
        call.intent_doubt = call.request_open = False
        return f"{flow.flow}.{flow.start}"

    def hand_over(self) -> str | None:
        call = self.call
        handoff = call.state.handoff
        assert handoff is not None
        need = call.need
        priority = handoff.priority if handoff.priority is not None else need.priority
        call.need = HandoffNeed(
            call.filled_text(handoff.reason) or need.reason or "asked",
            call.filled_text(handoff.skill) or need.skill or DEFAULT_SKILL,
            DEFAULT_PRIORITY if priority is None else priority,
        )
        self._connect(direct=False)
        return None

    def connect_directly(self, reason: str) -> None:
        """The human flow itself is broken: no flow, just a human."""
        need = self.call.need
        self.call.need = HandoffNeed(need.reason or reason, need.skill or DEFAULT_SKILL, need.priority)
        self._connect(direct=True)

    def _connect(self, *, direct: bool) -> None:
        call = self.call
        token = call.outbox.token()
        self.walk.let_go()
        self.connecting, self.direct, self.connected = token, direct, False
        priority = DEFAULT_PRIORITY if call.need.priority is None else call.need.priority
        call.outbox.put(Connect(token, call.need.reason, call.need.skill, priority))

    def handed_over(self, outcome: str) -> str | None:
        call = self.call
        if outcome == "connected":
            self.connected = True
            return None
        self.connecting, self.connected = None, False
        if self.direct:
            self.strand()
            return None
        on = call.state.on
        outcome = outcome if outcome in on else "failed" if "failed" in on else "closed"
        edge = on.get(outcome)
        if edge is None:
            raise Broken(f"{call.here} has no edge for {outcome}")
        return self.walk.edge(f"on.{outcome}", edge, f"on.{outcome}")

    def strand(self) -> None:
        """Nobody can be reached and no flow knows better: stay with the caller and keep trying."""
        call = self.call
        call.steps = 0
        call.say(call.system("nobody_yet"))
        self.walk.listen(self.walk.listener.stranded(), asked=True)

    def goodbye(self) -> str | None:
        call = self.call
        call.say(call.system("goodbye"), bargein=False)
        return self.end("goodbye")

    def end(self, outcome: str) -> str | None:
        call = self.call
        call.outcome, self.ended = outcome, True
        self.walk.let_go()
        call.outbox.put(End(outcome))
        return None
