"""A call's inside without telephony: the real dialogue over the flows that ship, the real actions, a real database."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from ivr.dialogue.engine.contract import (
    ActionDone,
    Connect,
    DialogueEvent,
    Effect,
    HandoffDone,
    Listen,
    LoadResume,
    Perform,
    ResumeLoaded,
    Said,
    Say,
    Start,
)
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.events import Term
from ivr.ports import ActionCall
from ivr.store import Store
from tests.films import actions_on, films_on
from tests.flows.reference import library

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
MOST_EFFECTS = 1000


class InnerLine:
    """One caller, from the greeting on. ``said``: since the caller last spoke; ``listening``: what is open now."""

    def __init__(self, store: Store, catalogue: tuple[Term, ...], caller: str) -> None:
        self._store = store
        self._actions = actions_on(store)
        self.said: list[str] = []
        self.listening: Listen | None = None
        self.connected: Connect | None = None
        self.performed: list[str] = []  # actions since the greeting
        start = Start(
            "call-1",
            caller=caller,
            called="5035550199",
            vocabularies={"catalogue": catalogue},
            fact_source=lambda name: True if name == "hours.open" else None,
        )
        self.dialogue = Dialogue(library(), start)

    async def begin(self) -> None:
        await self._carry_out(self.dialogue.begin(NOON))
        self.performed.clear()

    async def feed(self, event: DialogueEvent) -> None:
        self.said = []
        await self._carry_out(self.dialogue.handle(event, NOON))

    async def queue(self) -> list[str]:
        """The caller's titles, as the database has them."""
        profile = await films_on(self._store).backend.profile(str(self.dialogue.facts["member.number"]))
        assert profile is not None
        return [title.name for title in profile.queue]

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        todo = deque(effects)
        for _ in range(MOST_EFFECTS):
            if not todo:
                return
            answer = await self._one(todo.popleft())
            if answer is not None:
                todo.extend(self.dialogue.handle(answer, NOON))
        raise AssertionError("the dialogue never comes to rest")

    async def _one(self, effect: Effect) -> DialogueEvent | None:
        match effect:
            case Say(token=token, words=words):
                self.said.extend(word.text for word in words)
                return Said(token)
            case Listen():
                self.listening = effect
            case Perform(token=token, name=name, arguments=arguments, key=key):
                self.performed.append(name)
                call = ActionCall(name, arguments, key, "call-1", self.dialogue.facts_for_actions)
                return ActionDone(token, await self._actions.perform(call))
            case Connect(token=token):
                self.connected = effect
                return HandoffDone(token, "connected")
            case LoadResume(token=token):
                return ResumeLoaded(token, None)
        return None
