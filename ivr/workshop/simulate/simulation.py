"""A simulated call: the Dialogue that the phone drives, on the same actions, by text instead of sound.

Deterministic and instant: time is what the caller of this module says it is, and nothing waits. What happens comes
back as entries, in order, for whoever shows them: the terminal, the web console, the script runner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta

from ivr.dialogue.engine.contract import Agitated, KeyPressed, KeysPaused, NoInput, PartFailed, SpeechHeard
from ivr.errors import FlowError, IvrError
from ivr.events import CALLER_ID, MESSAGE_TAKE, Accept, ActionResult, Cause, Hypothesis, Recognition
from ivr.record import CallerActed, Entry, Understood
from ivr.workshop.simulate.driver import ACTION, DESK, DOUBT, PARTS, RECORDING, CallOver, Driver, Standing
from ivr.workshop.simulate.mock_services import Exchange, services_of
from ivr.workshop.simulate.sandbox import A_MESSAGE


class Simulation(Driver):
    """One caller and their calls, one after the other. Every method returns the entries it brought about.

    ``sandbox`` is this simulation's while it runs. All methods raise CallOver once the line has hung up (until
    ``begin`` calls again), and FlowError when the dialogue never comes to rest."""

    # -- what the caller does ------------------------------------------------------------------------------------

    async def begin(self) -> Sequence[Entry]:
        """Call; or call again, as the same person."""
        if self._calls:
            self._caller("call")
        self._calls += 1
        self.said, self.connected, self.outcome, self.listening, self.in_line = [], None, "", None, None
        self.heard = Understood()
        self._sandbox.moment = self.now
        try:
            vocabularies = await self._sandbox.vocabularies()
        except IvrError:
            vocabularies = {}
        mocks = self._sandbox.mocks.before(self.services)
        told = await self._sandbox.service_vocabularies(self.library, mocks)
        vocabularies = {**vocabularies, **self.library.vocabularies, **told}
        self._vocabularies = vocabularies
        self.dialogue = self._new_dialogue(vocabularies)
        await self._rest(self.dialogue.begin(self.now))
        return self._taken()

    async def say(self, text: str, *, doubt: bool = False) -> Sequence[Entry]:
        """``doubt``: the recogniser understood it, but not surely."""
        self._act("say", text, doubt=doubt)
        recognition = Recognition(Cause.SUCCESS, transcript=text)
        if doubt:
            hypothesis = Hypothesis(text, DOUBT, None, Accept.CONFIRM)
            heard = self.listening.grammar.speech if self.listening is not None else None
            digits = heard is not None and heard.run is not None and text.replace(" ", "").isdecimal()
            known = heard is not None and (digits or heard.covers(text))
            recognition = Recognition(Cause.SUCCESS, (hypothesis,), "" if known else text)
        await self.hear(recognition)
        return self._taken()

    async def hear(self, recognition: Recognition) -> None:
        """What a recogniser made of it; the entries come with the next call. For tools that really listen."""
        await self.feed(SpeechHeard(recognition, self.listening.token if self.listening is not None else 0))

    async def press(self, keys: str) -> Sequence[Entry]:
        """Keys in a row, then the pause that ends what is being keyed."""
        self._act("key", keys)
        for key in keys:
            if self.over:
                break
            await self.feed(KeyPressed(key))
        if self.listening is not None and self.listening.interdigit_s and not self.over:
            await self.feed(KeysPaused())
        return self._taken()

    async def silence(self) -> Sequence[Entry]:
        """Nothing, for as long as the line waits."""
        self._act("silence")
        if self.listening is not None and self.listening.timeout_s is not None:
            await self.feed(NoInput(self.listening.token))
        return self._taken()

    async def agitated(self, evidence: str) -> Sequence[Entry]:
        """Louder, faster, mashing keys: what the line makes of the manner."""
        self._act("agitated", evidence)
        await self.feed(Agitated(evidence))
        return self._taken()

    async def hangup(self) -> Sequence[Entry]:
        """The line drops, or the caller hangs up: their place is kept where that is worth it."""
        self._caller("hangup")
        caller_id, snapshot = self.facts.get(CALLER_ID), self.dialogue.snapshot()
        if not self.result and caller_id and snapshot is not None:
            await self._sandbox.keep_place(str(caller_id), snapshot)
        self.kept, self.in_line = self.kept or self.in_line is not None, None
        if not self.outcome:
            self._ended("abandoned" if self.connected is None else "connected")
        return self._taken()

    # -- what the world does -------------------------------------------------------------------------------------

    async def fail(self, part: str) -> Sequence[Entry]:
        """Break "recogniser", "synthesiser", "store", "agent" or "action:NAME". Raises FlowError for anything else."""
        self._known(part)
        self._note_act("fail", part)
        self.broken.add(part)
        self._sandbox.down = "store" in self.broken
        if part in ("recogniser", "synthesiser") and not self.over:
            await self.feed(PartFailed(part))
        return self._taken()

    async def mend(self, part: str) -> Sequence[Entry]:
        self._known(part)
        self._note_act("mend", part)
        self.broken.discard(part)
        self.answers.pop(part.removeprefix(ACTION), None)
        self._sandbox.down = "store" in self.broken
        return self._taken()

    def answer(self, action: str, outcome: str, values: Mapping[str, object] | None = None) -> Sequence[Entry]:
        """From now on this comes of ``action`` (or of the "desk"), whatever the back end would say."""
        if action not in (DESK, RECORDING):
            self._known(f"{ACTION}{action}")
            if outcome not in (known := self.library.signatures[action].all_outcomes):
                raise FlowError(f"{action} never ends in {outcome}", remedy=f"one of {', '.join(sorted(known))}")
        self._note_act("answer", f"{action}: {outcome}")
        usual = A_MESSAGE if (action, outcome) == (MESSAGE_TAKE, "ok") else {}  # other words come with a sound, too
        self.answers[action] = ActionResult(outcome, {**usual, **(values or {})})
        return self._taken()

    def http(self, service: str, exchange: Exchange) -> Sequence[Entry]:
        """From now on ``service`` answers so, before what was said of it. Raises FlowError where no flow asks it."""
        if service not in (known := services_of(self.library)):
            remedy = f"one of {', '.join(sorted(known))}" if known else "these flows ask none"
            raise FlowError(f"there is no service {service}", remedy=remedy)
        what = "nothing in time" if exchange.silent else str(exchange.status)
        self._note_act("http", f"{service}{f' {exchange.on}' if exchange.on else ''}: {what}")
        self.services[service] = (exchange, *self.services.get(service, ()))
        return self._taken()

    async def line(self, position: int, minutes: int = 0) -> Sequence[Entry]:
        """From now on who wants a person stands there, and is told so; 0: an agent is free, and takes who waits."""
        self._note_act("line", f"{position} {minutes}".strip() if position else "0")
        self.standing = Standing(position, minutes) if position > 0 else None
        if self.standing is None:
            await self._served()
        elif (told := self._place()) is not None:
            await self.feed(told)
        return self._taken()

    def set_time(self, when: str | time | datetime) -> Sequence[Entry]:
        """A moment, or the next time the clock shows ``HH:MM``. Raises FlowError for what is no time."""
        self.now = self._sandbox.moment = self._moment(when)
        self._note_act("time", f"{self.now:%Y-%m-%d %H:%M}")
        return self._taken()

    def _moment(self, when: str | time | datetime) -> datetime:
        if isinstance(when, str):
            try:
                when = datetime.fromisoformat(when) if "-" in when else time.fromisoformat(when.strip().zfill(5))
            except ValueError as error:
                raise FlowError(f"{when!r} is no time", remedy="write 03:00 or 2026-03-03T03:00") from error
        if isinstance(when, datetime):
            return when if when.tzinfo is not None else when.replace(tzinfo=self._sandbox.zone)
        local = self.now.astimezone(self._sandbox.zone)
        moment = local.replace(hour=when.hour, minute=when.minute, second=0, microsecond=0)
        return moment if moment >= local else moment + timedelta(days=1)

    def _known(self, part: str) -> None:
        """Raises FlowError for what can't break because it isn't there."""
        name = part.removeprefix(ACTION)
        if part in PARTS or (part.startswith(ACTION) and name in self.library.signatures):
            return
        what = f"there is no action {name}" if part.startswith(ACTION) else f"there is no part {part}"
        raise FlowError(what, remedy=f"{', '.join(PARTS)}, or {ACTION} and an action's name")

    # -- what is told about it ---------------------------------------------------------------------------------------

    def _act(self, do: str, text: str = "", **more: object) -> None:
        if not self._calls:
            raise CallOver("nobody has called yet", remedy="begin() first")
        if self.over:
            raise CallOver(f"the call is over ({self.outcome})", remedy="call again first")
        self._caller(do, text, **more)

    def _caller(self, do: str, text: str = "", **more: object) -> None:
        self.said = []
        self._note_act(do, text, **more)

    def _note_act(self, do: str, text: str = "", **more: object) -> None:
        self._entry(CallerActed(do, text, {name: given for name, given in more.items() if given}))
