"""A line without audio: the real Dialogue, actions and store; what the caller does comes from a script's steps.

It runs the calls in flows/*.test.yaml, so that they are proved by more than the tool that is made for them."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from ivr.actions import StoreActions
from ivr.dialogue.engine import Dialogue
from ivr.dialogue.turns import (
    ActionDone,
    Connect,
    DialogueEvent,
    Effect,
    End,
    HandoffDone,
    KeyPressed,
    KeysPaused,
    Listen,
    LoadResume,
    NoInput,
    Note,
    PartFailed,
    Perform,
    ResumeLoaded,
    Said,
    Say,
    SpeechHeard,
)
from ivr.errors import ActionError
from ivr.events import ActionResult, Cause, Recognition, Term
from ivr.ports import ActionCall
from ivr.store import Store
from tests.flows.reference import library

MOST_EFFECTS = 2000


class Line:
    """One caller's calls. ``said`` is what was said since the caller's last step."""

    def __init__(self, store: Store, catalogue: tuple[Term, ...], script: Mapping[str, Any], at: datetime) -> None:
        self._actions = StoreActions(store)
        self._store = store
        self._catalogue = catalogue
        self._script = script
        self.now = at
        self.broken: set[str] = set()
        self.answers: dict[str, ActionResult] = {}  # by action or "desk", instead of the real one's
        self.visited: list[str] = []
        self.said: list[str] = []
        self.performed: list[str] = []
        self.connected: Connect | None = None
        self.ended = ""
        self._snapshots: dict[str, Mapping[str, object]] = {}
        self._calls = 0
        self._listen = 0
        self.dialogue: Dialogue

    def _fact(self, name: str) -> object:
        open_ = self.now.weekday() < 6 and time(8) <= self.now.time() < time(20)
        return open_ if name == "hours.open" else None

    async def call(self) -> None:
        self._calls += 1
        caller = str(self._script.get("from", "5035550101"))
        language = str(self._script.get("language", "en-US"))
        self.said, self.connected, self.ended = [], None, ""
        self.dialogue = Dialogue(
            library(),
            entry=str(self._script.get("entry", "main")),
            language=language,
            persona=str(self._script.get("persona", "neutral")),
            facts={"call.id": self._id, "call.caller": caller, "call.called": "5035550199", "call.language": language},
            vocabularies={"catalogue": self._catalogue},
            fact_source=self._fact,
            call_id=self._id,
        )
        await self._carry_out(self.dialogue.begin(self.now))

    @property
    def _id(self) -> str:
        return f"call-{self._calls}"

    async def hang_up(self) -> None:
        member = self.dialogue.facts.get("member.number")
        snapshot = self.dialogue.snapshot()
        if member and snapshot is not None:
            self._snapshots[str(member)] = snapshot

    async def feed(self, *events: DialogueEvent) -> None:
        for event in events:
            await self._carry_out(self.dialogue.handle(event, self.now))

    async def _carry_out(self, effects: Sequence[Effect]) -> None:
        todo = deque(effects)
        for _ in range(MOST_EFFECTS):
            if not todo:
                return
            event = await self._one(todo.popleft())
            if event is not None:
                todo.extend(self.dialogue.handle(event, self.now))
        raise AssertionError("the dialogue never comes to rest")

    async def _one(self, effect: Effect) -> DialogueEvent | None:
        match effect:
            case Say(token=token, words=words):
                self.said.extend(w.text for w in words)
                return Said(token)
            case Listen(token=token):
                self._listen = token
            case Perform():
                return ActionDone(effect.token, await self._perform(effect))
            case Connect(token=token):
                if "desk" in self.answers:
                    return HandoffDone(token, self.answers["desk"].outcome)
                if "agent" in self.broken:
                    return HandoffDone(token, "failed")
                self.connected = effect
                return HandoffDone(token, "connected")
            case LoadResume(token=token, member=member):
                return ResumeLoaded(token, self._snapshots.pop(member, None))
            case End(outcome=outcome):
                self.ended = outcome
            case Note(kind="state", data=data):
                self.visited.append(str(data["state"]))
        return None

    async def _perform(self, effect: Perform) -> ActionResult:
        self.performed.append(effect.name)
        if f"action:{effect.name}" in self.broken or "store" in self.broken:
            return ActionResult("failed")
        if effect.name in self.answers:
            return self.answers[effect.name]
        if effect.name == "http.call":
            return ActionResult("ok")
        call = ActionCall(effect.name, effect.arguments, effect.key, self._id, self.dialogue.facts)
        try:
            return await self._actions.perform(call)
        except ActionError as error:
            raise AssertionError(f"{effect.name}: {error}") from error

    # --- steps --------------------------------------------------------------------------------------------

    async def step(self, step: Mapping[str, Any]) -> None:
        ((kind, value),) = step.items()
        if kind == "expect":
            self._expect(value)
            return
        if kind not in ("fail", "time"):
            self.said = []
        match kind:
            case "say":
                heard = Recognition(Cause.SUCCESS, transcript=str(value))
                await self.feed(SpeechHeard(heard, self._listen))
            case "key":
                await self.feed(*(KeyPressed(key) for key in str(value)), KeysPaused())
            case "silence":
                await self.feed(NoInput(self._listen))
            case "time":
                hour, minute = str(value).split(":")
                moment = self.now.replace(hour=int(hour), minute=int(minute))
                self.now = moment if moment >= self.now else moment + timedelta(days=1)
            case "fail" if value == "recogniser":
                await self.feed(PartFailed("recogniser"))
            case "fail":
                self.broken.add(str(value))
            case "hangup":
                await self.hang_up()
            case "call":
                await self.call()
            case _:
                raise AssertionError(f"no such step: {kind}")

    def _expect(self, wanted: Mapping[str, Any]) -> None:
        heard = " ".join(self.said)
        prompts = wanted.get("prompt", [])
        for part in [prompts] if isinstance(prompts, str) else prompts:
            if part.startswith("/") and part.endswith("/"):
                assert re.search(part[1:-1], heard), f"{part} does not match: {heard}"
            else:
                assert part.lower() in heard.lower(), f"{part!r} is not in: {heard}"
        if "state" in wanted:
            assert self.dialogue.state == wanted["state"], f"in {self.dialogue.state} after: {heard}"

    async def finish(self, end: Mapping[str, Any]) -> None:
        outcome = "connected" if self.connected is not None else self.ended
        assert end.get("outcome", outcome) == outcome, f"{outcome!r}, in {self.dialogue.state}: {self.said}"
        if self.connected is not None:
            for name in ("reason", "skill", "priority"):
                value = getattr(self.connected, name)
                assert end.get(name, value) == value, f"{name} is {value!r}"
        else:
            assert "reason" not in end, f"nobody was connected: {self.said}"
        for action in end.get("actions", []):
            assert action in self.performed
        if "queue" in end:
            profile = await self._store.membership.profile(str(self.dialogue.facts["member.number"]))
            assert profile is not None
            assert [title.name for title in profile.queue] == end["queue"]


def moment(text: object) -> datetime:
    """The scripts' local time as an aware one; the dialogue only wants a calendar and a clock."""
    at = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    return at.replace(tzinfo=UTC)
