"""One exchange: what the caller said, keyed or left unsaid, and where that leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ivr.dialogue.engine.conversation import MASK, Conversation, HandoffNeed
from ivr.dialogue.engine.dtmf_input import Entered, Picked, Pressed, Stray, Universal
from ivr.dialogue.engine.gather import Listening, Mode, key_menu, option_label
from ivr.dialogue.engine.kept import answer_in
from ivr.dialogue.engine.languages import Languages
from ivr.dialogue.engine.reprompt import NOT_UNDERSTOOD, Patience
from ivr.dialogue.engine.snapshot import restore
from ivr.dialogue.engine.walk import Walk
from ivr.dialogue.understanding.grammar import Meaning, SlotValue
from ivr.dialogue.understanding.reading import ANSWER, HUMAN, LANGUAGE, OPTION, RISK, UNIVERSALS, Reading
from ivr.dialogue.understanding.understand import understand
from ivr.events import Cause, Recognition
from ivr.record import Decided, Decision, Understood


class Exchange:
    def __init__(self, conversation: Conversation, walk: Walk) -> None:
        self.call = conversation
        self.walk = walk
        self.patience = Patience(conversation, walk)
        self.languages = Languages(conversation, walk, self.patience)
        walk.take_up = self.take_up

    # -- speech -----------------------------------------------------------------------------------------------

    def heard(self, recognition: Recognition) -> str | None:
        call, listening = self.call, self.walk.listening
        if listening is None:
            return None
        if recognition.cause is Cause.NO_INPUT_TIMEOUT:
            return self.silent()
        found = understand(recognition, listening.grammar, call.shared.risks(call.words))
        best = found.best
        secret = self.secret
        said = MASK if secret else recognition.transcript or (best.text if best is not None else "")
        intent = best.meaning.intent if best is not None else ""
        call.outbox.record(
            Understood(
                said,
                cause=str(recognition.cause) if best is not None else str(_unheard(recognition)),
                intent=intent,
                slots={} if best is None or secret else {n: v.label for n, v in best.meaning.slots.items()},
                confidence=round(best.confidence, 3) if best is not None else 0.0,
                doubt=best is not None and (not best.sure or bool(best.doubtful) or found.rival is not None),
                how=found.how,
                question=listening.mode.value,
            )
        )
        call.transcribe("heard", said, intent)
        call.temper.heard(recognition.manner)
        if call.temper.enough and (best is None or not best.leads_out) and not self.walk.departure.in_human_flow:
            return self.walk.departure.human(HandoffNeed(call.temper.reason, "retention", 8))
        if best is None or (listening.mode is Mode.RUNNING and not best.sure and not best.leads_out):
            if listening.mode is Mode.RUNNING and recognition.transcript:
                self.walk.kept = recognition  # for the question that comes, if it can be answered with this
            return self.patience.misunderstood()  # which, while an action runs, only means: go on listening
        if found.rival is not None and not best.leads_out:
            return self._which(best, found.rival)
        return self.take(best)

    def take_up(self, listening: Listening) -> Callable[[], str | None] | None:
        """What was said while an action ran, if it answers this question."""
        kept = self.walk.kept
        reading = None if kept is None or self.secret else answer_in(self.call, kept, listening)
        if reading is None:
            return None
        self.call.outbox.record(Decided("taken_up", reading.text, {"intent": reading.meaning.intent}))
        return lambda: self._answered(reading)

    @property
    def secret(self) -> bool:
        """Whether what is said now fills a variable that nobody may read."""
        call = self.call
        listening = self.walk.listening
        if listening is None or listening.mode is not Mode.QUESTION or not call.state.ask:
            return False
        spec = call.variable(call.state.ask)
        return spec is not None and spec.secret

    def _which(self, best: Reading, rival: Reading) -> str | None:
        """Two readings are close. While confirming, a question about a question helps nobody: ask again."""
        listening = self.walk.listening
        assert listening is not None
        if rival.leads_out:
            return self.take(rival)
        if listening.mode is not Mode.QUESTION:
            return self.patience.misunderstood()
        return self.choose((best, rival))

    def choose(self, options: Sequence[Reading]) -> str | None:
        call, beneath = self.call, self.walk.listening
        assert beneath is not None
        labels = [option_label(call, options, index) for index in (0, 1)]
        call.outbox.record(Decided("did_you_mean", [option.text for option in options]))
        call.say(call.system("did_you_mean", first=labels[0], second=labels[1]))
        beneath.keypad.forget()
        listening = self.walk.listener.choose(options, labels, beneath)
        if call.keys_led:
            call.say(key_menu(call, listening))
        self.walk.listen(listening, asked=True)
        return None

    # -- meanings ----------------------------------------------------------------------------------------------

    def take(self, reading: Reading) -> str | None:
        """Act on what was meant."""
        listening = self.walk.listening
        assert listening is not None
        intent = reading.meaning.intent
        if intent in UNIVERSALS or intent.startswith((RISK, LANGUAGE)):
            return self.universal(intent, sure=reading.sure)
        match listening.mode:
            case Mode.QUESTION:
                return self._answered(reading)
            case Mode.CONFIRM:
                return self._confirmed(reading)
            case Mode.CHOOSE:
                return self._chosen(reading)
            case Mode.RESUME | Mode.GOODBYE | Mode.LANGUAGE:
                if intent in ("yes", "no") and (reading.sure or intent == "no"):
                    return self._decided(listening, intent == "yes")
                return self.patience.misunderstood()
        self.walk.listen(listening)
        return None

    def _answered(self, reading: Reading) -> str | None:
        call, state = self.call, self.call.state
        if reading.meaning.intent == ANSWER:
            self._fill(reading, reading.meaning.slots)
            call.outbox.record(Decided("filled", state.ask))
            if state.goto is None:
                return call.here
            return self.walk.edge("goto", state.goto, "goto")
        for index, choice in enumerate(state.choices):
            if choice.intent != reading.meaning.intent or not call.holds(choice.condition):
                continue
            return self._choice(index, reading)
        return self.patience.misunderstood()

    def _choice(self, index: int, reading: Reading) -> str | None:
        call = self.call
        choice = call.state.choices[index]
        self.walk.kept = None
        self._fill(reading, reading.meaning.slots)
        call.intent_doubt = not reading.sure
        call.request_open = True
        call.outbox.record(Decided("choice", choice.intent))
        return self.walk.edge(f"choice.{index}", choice, f"choice.{choice.intent}")

    def _fill(self, reading: Reading, slots: Mapping[str, SlotValue]) -> None:
        frame = self.call.frame
        for name, value in slots.items():
            frame.fill(name, value, doubt=name in reading.doubtful)
            if frame.asked:
                frame.asked[-1].filled.add(name)

    def _confirmed(self, reading: Reading) -> str | None:
        call, walk, state = self.call, self.walk, self.call.state
        if reading.meaning.intent == "yes":
            if not reading.sure:
                return self.patience.misunderstood()  # what can't be undone is not done on a guess
            call.intent_doubt = False
            call.outbox.record(Decided("confirmed"))
            return walk.errands.perform()
        if reading.meaning.slots:
            self._fill(reading, reading.meaning.slots)
            call.outbox.record(Decided("corrected", sorted(reading.meaning.slots)))
            return walk.errands.ask_confirmation()
        call.outbox.record(Decided("confirmed", False))
        call.intent_doubt = False
        if state.confirm is not None and state.confirm.no is not None:
            return walk.edge("no", state.confirm.no, "no")
        return walk.back()

    def _chosen(self, reading: Reading) -> str | None:
        listening = self.walk.listening
        assert listening is not None and listening.beneath is not None
        picked = reading.meaning.intent.removeprefix(OPTION)
        beneath = listening.beneath
        if picked.isdecimal() and int(picked) < len(listening.options):
            self.walk.listening = beneath
            option = listening.options[int(picked)]
            doubtful = frozenset() if reading.sure else frozenset(option.meaning.slots)
            return self.take(replace(option, sure=reading.sure, doubtful=doubtful))
        if not reading.sure:
            return self.patience.misunderstood()
        self.walk.listening = beneath
        return self.patience.misunderstood(neither=True)

    def _decided(self, listening: Listening, yes: bool) -> str | None:
        call, walk = self.call, self.walk
        call.outbox.record(Decided(_asked(listening.mode), yes))
        if listening.mode is Mode.GOODBYE:
            if yes:
                return walk.departure.goodbye()
            beneath = listening.beneath
            assert beneath is not None
            walk.say_again(beneath)
            return None
        if listening.mode is Mode.LANGUAGE:
            if yes:
                return self.languages.choose(listening.language, listening, True)
            assert listening.beneath is not None
            walk.say_again(listening.beneath)
            return None
        if not yes:
            return walk.not_resumed()
        walk.kept = None
        target = restore(call, listening.snapshot)
        if target is None:
            return walk.not_resumed()
        call.say(call.system("resumed"))
        return target

    # -- universals -----------------------------------------------------------------------------------------------

    def universal(self, name: str, *, sure: bool = True) -> str | None:
        call, walk = self.call, self.walk
        listening = walk.listening
        if name == HUMAN or name.startswith(RISK):
            return walk.departure.human(self._need(name))
        if listening is None:
            return None
        if name.startswith(LANGUAGE):
            return self.languages.choose(name.removeprefix(LANGUAGE), listening, sure)
        walk.kept = None
        if name == "goodbye" and not sure:
            call.say(call.system("confirm_goodbye"))
            walk.listen(walk.listener.yes_no(Mode.GOODBYE, beneath=listening.base), asked=True)
            return None
        override = call.state.universals.get(name)
        if override is not None and override.prompt is not None:
            call.say(call.own(f"universal.{name}", override.prompt))
        if override is not None and override.goto:
            target = call.shared.table.take(call.cursor, f"universal.{name}")
            if not target.startswith("@"):
                walk.let_go()
                return target
            call.shared.table.place(call.cursor, call.here)
            name = target[1:]
            if name == HUMAN:
                return walk.departure.human(self._need(name))
        match name:
            case "goodbye":
                return walk.departure.goodbye()
            case "back":
                return self._back(listening)
            case "help":
                if override is None or override.prompt is None:
                    self._help(listening)
                walk.listen(listening)
                return None
        walk.say_again(listening)
        return None

    def _need(self, name: str) -> HandoffNeed:
        call = self.call
        risk = call.library.universals.risks.get(name.removeprefix(RISK)) if name.startswith(RISK) else None
        if risk is not None:
            return HandoffNeed(risk.reason, risk.skill, risk.priority)
        override = call.state.universals.get(HUMAN)
        if override is not None and override.prompt is not None and self.walk.departure.connecting is None:
            call.say(call.own("universal.human", override.prompt))
        return HandoffNeed("asked")

    def _back(self, listening: Listening) -> str | None:
        walk = self.walk
        if listening.beneath is not None:
            walk.say_again(listening.beneath)
            return None
        walk.let_go()
        self.call.intent_doubt = False
        return walk.back()

    def _help(self, listening: Listening) -> None:
        call = self.call
        own = call.own("help", call.state.help)
        call.say(own or (*call.system("help_default"), *key_menu(call, listening)))

    # -- keys -----------------------------------------------------------------------------------------------------

    def key(self, key: str) -> str | None:
        listening = self.walk.listening
        if listening is None:
            return None
        before = listening.keypad.waiting
        pressed = listening.keypad.press(key)
        if pressed is None:
            if not before and not (listening.keypad.entry and not listening.keypad.entry.single):
                self.walk.listen(listening)  # a star: wait for its second key
            return None
        return self.pressed(pressed)

    def silent(self) -> str | None:
        """Nothing was said; keys half entered count as entered."""
        listening = self.walk.listening
        if listening is not None and listening.keypad.entering:
            return self.paused()
        return self.patience.silence()

    def paused(self) -> str | None:
        listening = self.walk.listening
        pressed = listening.keypad.pause() if listening is not None else None
        return self.pressed(pressed) if pressed is not None else None

    def pressed(self, pressed: Pressed) -> str | None:
        call, listening = self.call, self.walk.listening
        assert listening is not None
        match pressed:
            case Universal(name):
                return self.universal(name)
            case Picked(index):
                return self._picked(listening, index)
            case Entered(values=()) as entered:
                return self._no_such(entered)
            case Entered(keys=keys, values=values):
                shown = MASK if self.secret else keys
                call.transcribe("key", shown)
                readings = [self._keyed(value) for value in values[:2]]
                return self._answered(readings[0]) if len(values) == 1 else self.choose(readings)
            case Stray():
                if listening.mode in (Mode.RUNNING, Mode.STRANDED):
                    self.walk.listen(listening)
                    return None
                return self.patience.failed(NOT_UNDERSTOOD, call.system("invalid_keys"))
        return None

    def _keyed(self, value: SlotValue) -> Reading:
        return Reading(Meaning(ANSWER, {self.call.state.ask: value}), value.label, 1.0)

    def _no_such(self, entered: Entered) -> str | None:
        call = self.call
        if entered.range is None:
            return self.patience.failed(NOT_UNDERSTOOD, call.system("nomatch"))
        low, high = (f.label if (f := call.fitted(n, None)) else str(n) for n in entered.range)
        return self.patience.failed(NOT_UNDERSTOOD, call.system("out_of_range", minimum=low, maximum=high))

    def _picked(self, listening: Listening, index: int) -> str | None:
        self.call.transcribe("key", str(index + 1))
        match listening.mode:
            case Mode.QUESTION:
                choice = self.call.state.choices[index]
                return self._choice(index, Reading(Meaning(choice.intent), choice.label, 1.0))
            case Mode.CONFIRM:
                return self._confirmed(Reading(Meaning("no" if index else "yes"), "", 1.0))
            case Mode.CHOOSE:
                return self._chosen(Reading(Meaning(f"{OPTION}{index if index < 2 else 'none'}"), "", 1.0))
        return self._decided(listening, index == 0)


def _asked(mode: Mode) -> Decision:
    match mode:
        case Mode.GOODBYE:
            return "goodbye"
        case Mode.LANGUAGE:
            return "language"
    return "resume"


def _unheard(recognition: Recognition) -> Cause:
    return Cause.NO_MATCH if recognition.cause is Cause.SUCCESS else recognition.cause
