"""What to do with what the caller said, keyed or left unsaid: universals first, then the handlers of the gather.

Universals (VoiceXML 2.1): human, help, repeat, back, goodbye, a language, and risk words, in every state.
"""

from __future__ import annotations

from ivr.dialogue.engine import reprompt, requests
from ivr.dialogue.engine.compilation import RESERVED
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.dtmf_input import LONGEST, Entered, Picked, Pressed, Stray, Universal
from ivr.dialogue.engine.gather import say_again
from ivr.dialogue.engine.next import BACK, STAY, Answer, Ask, Gather, Goto, Mode, Next, NoMatch, to_human
from ivr.dialogue.engine.reasons import ASKED, HandoffNeed, Weight
from ivr.dialogue.engine.states import (
    confirmation,
    did_you_mean,
    flow_control,
    handlers,
    handoff,
    intent_question,
    language_choice,
    question,
    risk_question,
    wait,
)
from ivr.dialogue.flows.wording import MASK
from ivr.dialogue.spoken.normalisation import fold
from ivr.dialogue.understanding.attempts import attempt, fused, undenied
from ivr.dialogue.understanding.grammar import ANSWER, HUMAN, LANGUAGE, OPTION, RISK, Interpretation, Meaning, Reading
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.n_best import dictated, understand, words_of
from ivr.dialogue.understanding.out_of_vocabulary import unknown_title
from ivr.dialogue.understanding.range_slots import BOUNDED
from ivr.dialogue.understanding.second_ear import SECOND
from ivr.dialogue.understanding.shades import SOFT_NO, shade_of
from ivr.dialogue.understanding.slot_filling import answered
from ivr.events import Cause, Recognition
from ivr.record import Keyed, Understood

# -- speech ------------------------------------------------------------------------------------------------------


def heard(call: Conversation, gather: Gather, recognition: Recognition) -> Next:
    if recognition.cause is Cause.NO_INPUT_TIMEOUT:
        return silent(call, gather)
    before = call.attempt if gather.mode == Mode.QUESTION else None
    recognition = fused(before, call.here, recognition, gather.grammar)
    found = understand(recognition, gather.grammar, call.words.risks)
    if gather.dictation:
        found = dictated(found, recognition, gather.grammar, gather.dictation)
    if gather.mode == Mode.QUESTION:
        found = undenied(found, before.denied if before is not None else ())
        call.attempt = attempt(call.here, recognition, found, gather.grammar, before)
    words = words_of(recognition.transcript, call.language)
    if gather.mode == Mode.QUESTION:
        found = answered(found, words, call.state.ask, gather.grammar, call.words.risks)
    if gather.mode in (Mode.CONFIRM, Mode.CONSENT):
        found = confirmation.answered(call, found, words)
        found = confirmation.settled(call, found)
    _record(call, gather, recognition, found)
    found = risk_question.single(call, risk_question.undeclined(call, found))
    best = found.best
    call.temper.heard(recognition.manner)
    if call.temper.enough and (best is None or not best.leads_out) and (upset := handoff.agitated(call)) is not None:
        return upset
    if (bounds := _out_of_bounds(call, gather, recognition, found)) is not None:
        return _no_such(call, gather, Entered("", (), bounds))
    shade = shade_of(words, gather.grammar)
    if shade and (best is None or found.how in ("likeness", "inference")):  # no more than a guess
        no = Reading(Meaning("no"), recognition.transcript, 0.9)
        return answer(call, gather, no) if shade == SOFT_NO else NoMatch(gather, shade=shade)
    running = gather.mode == Mode.RUNNING
    if best is None or (running and not best.sure and not best.leads_out):
        if running and recognition.transcript:
            call.kept = recognition  # for the question that comes, if it can be answered with this
        if not running and (unknown := _unknown_title(call, gather, recognition)):
            return reprompt.unknown_title(call, gather, unknown)
        return reprompt.nomatch(call, gather)
    if best.lacks and found.rival is None and (unknown := _unknown_title(call, gather, recognition)):
        call.say(reprompt.unknown_title_words(call, unknown))  # the request is kept, and asks which title
    if found.rival is None or _at_once(best) or (best.risk and _on_the_way(call)):
        return answer(call, gather, best)
    if _at_once(found.rival) or (found.rival.risk and _on_the_way(call)):
        return answer(call, gather, found.rival)
    if risk := found.rival.risk or best.risk:
        other = best if found.rival.risk else found.rival
        if other.request or (handlers(call, gather).asks and not other.universal):
            return did_you_mean.ask(call, gather, (best, found.rival))
        return risk_question.ask(call, gather, risk, call.said)
    if best.request and found.rival.request:
        return requests.serve(call, gather, best, found.rival)
    if found.rival.request:  # as if it had not been there
        return answer(call, gather, best)
    if gather.mode == Mode.CHOOSE and best.meaning.intent.startswith(OPTION):
        return answer(call, gather, best)  # said once more, and as close again: what is chosen so is confirmed
    if not handlers(call, gather).asks:  # a question about a question helps nobody
        return reprompt.nomatch(call, gather)
    return did_you_mean.ask(call, gather, (best, found.rival))


def _out_of_bounds(
    call: Conversation, gather: Gather, recognition: Recognition, found: Interpretation
) -> tuple[str, str] | None:
    """The bounds of the value that was asked for or corrected, where what was said is one beyond them."""
    best = found.best
    if gather.mode in (Mode.CONFIRM, Mode.CONSENT) and (bounds := confirmation.overrun(call, best)) is not None:
        return bounds
    if gather.mode not in (Mode.QUESTION, Mode.CONFIRM, Mode.CONSENT) or (best is not None and best.meaning.slots):
        return None
    slots = gather.grammar.slots
    when = {name: slot for name, slot in slots.items() if isinstance(slot, BOUNDED)}
    if not when or (best is not None and (best.leads_out or best.risk or (best.sure and found.how == "grammar"))):
        return None
    wide = {**slots, **{name: slot.unbounded for name, slot in when.items()}}
    grammar = StateGrammar(gather.grammar.outline, wide, call.language)
    beyond = understand(recognition, grammar, call.words.risks).best
    if beyond is None or beyond.inferred or beyond.lacks:
        return None
    return next((when[name].bounds for name in beyond.meaning.slots if name in when), None)


def _at_once(reading: Reading) -> bool:
    """The wish for a human, as far as it was said."""
    return reading.human and reading.leads_out


def _record(call: Conversation, gather: Gather, recognition: Recognition, found: Interpretation) -> None:
    best = found.best
    hidden = call.hides(best, found.rival)
    transcript = recognition.seconded[0] if found.how == SECOND else recognition.transcript
    said = transcript or (best.text if best is not None else "")
    if hidden or gather.secret:  # a phrase of the flows' own, word for word, is no secret
        said = best.text if best is not None and _is_phrase(best, found) and not hidden else MASK
    intent = requests.named(best.meaning.intent) if best is not None else ""
    unheard = Cause.NO_MATCH if recognition.cause is Cause.SUCCESS else recognition.cause
    call.outbox.record(
        Understood(
            said,
            cause=str(recognition.cause if best is not None else unheard),
            intent=intent,
            slots={} if best is None or hidden else labels(best),
            confidence=round(best.confidence, 3) if best is not None else 0.0,
            doubt=best is not None and (not best.sure or bool(best.doubtful) or found.rival is not None),
            how=found.how,
            question=str(gather.mode),
        )
    )
    call.said = said
    unsure = () if hidden or gather.secret else unsure_words(said, best, call.language)
    call.transcribe("heard", said, intent, unsure)


def unsure_words(said: str, best: Reading | None, language: str) -> tuple[str, ...]:
    """Words of ``said`` that may have been misheard: all, where the whole was taken with doubt or not at all; else
    those where the free transcript and the phrase it was taken for differ, and those of slots heard with doubt."""
    if best is None or not best.sure:
        return (said,) if said else ()
    known = set(fold(best.text, language))
    for slot in best.doubtful:
        known -= set(fold(labels(best).get(slot.rpartition(".")[2], ""), language))
    words = (word.strip('.,;:!?"“”') for word in said.split())
    return tuple(dict.fromkeys(word for word in words if not known.issuperset(fold(word, language))))


def _is_phrase(best: Reading, found: Interpretation) -> bool:
    exact = best.sure and not best.meaning.slots and found.how == "grammar"
    return exact and not best.meaning.intent.startswith(OPTION)


def _unknown_title(call: Conversation, gather: Gather, recognition: Recognition) -> str:
    """What was named as a title but is none, as it was transcribed; "" for anything else."""
    by = handlers(call, gather)
    if by.nomatch is not None or gather.secret or recognition.cause not in (Cause.SUCCESS, Cause.NO_MATCH):
        return ""
    asked = by.asks and (spec := call.variable(call.state.ask)) is not None and spec.type == "title"
    title = unknown_title(words_of(recognition.transcript, call.language), gather.grammar, asked=asked)
    said = recognition.transcript.split()
    runs = (" ".join(said[i : i + n]) for n in range(1, len(title) + 2) for i in range(len(said) - n + 1))
    as_said = next((run for run in runs if words_of(run, call.language) == title), " ".join(title))
    return as_said.strip(' .,;:!?¡¿"') if title else ""


def labels(reading: Reading) -> dict[str, str]:
    return {name.rpartition(".")[2]: value.label for name, value in reading.meaning.slots.items()}


def answer(call: Conversation, gather: Gather, reading: Reading) -> Next:
    """Act on what was meant."""
    if reading.inferred and reading.meaning.intent in intent_question.UNIVERSAL and not _on_the_way(call):
        return intent_question.offer(call, gather, reading)
    if reading.universal:
        # "That's it" may be a yes: what waits for one is not lost by it
        undecided = reading.meaning.intent == "goodbye" and gather.mode == Mode.CONFIRM
        return universal(call, gather, reading.meaning.intent, sure=reading.sure and not undecided)
    if reading.request:
        return requests.serve(call, gather, reading)
    return handlers(call, gather).filled(call, gather, reading)


# -- keys --------------------------------------------------------------------------------------------------------


def key(call: Conversation, gather: Gather | None, pressed: str) -> Next:
    if gather is None:
        ahead = pressed.isdigit() and pressed != "0"  # perhaps of a question for a secret
        call.outbox.record(Keyed(MASK if ahead else pressed))
        return STAY
    keypad = gather.keypad
    before = keypad.waiting
    meaning = keypad.press(pressed)
    if meaning == Stray(pressed) and question.comes(call, gather):
        # Recorded when the question takes it, which may be for a secret.
        call.keyed_ahead = (call.keyed_ahead + pressed)[-LONGEST:]
        return Ask(gather)
    early = gather.mode == Mode.RUNNING and meaning == Stray(pressed)  # the rest of a number, or its repetition
    call.outbox.record(Keyed(MASK if gather.secret or early else pressed))
    if meaning is not None:
        return _keyed(call, gather, meaning)
    entering = before or (keypad.entry is not None and not keypad.entry.single)
    return STAY if entering else Ask(gather)  # a star: wait for its second key


def silent(call: Conversation, gather: Gather) -> Next:
    """Nothing was said; keys half entered count as entered."""
    return paused(call, gather) if gather.keypad.entering else reprompt.noinput(call, gather)


def paused(call: Conversation, gather: Gather) -> Next:
    """The inter-digit timeout."""
    meaning = gather.keypad.pause()
    return STAY if meaning is None else _keyed(call, gather, meaning)


def _keyed(call: Conversation, gather: Gather, pressed: Pressed) -> Next:
    if gather.mode == Mode.QUESTION:
        call.attempt = None  # what is keyed is sure
    match pressed:
        case Universal(name):
            return universal(call, gather, name)
        case Picked(index):
            call.transcribe("key", MASK if gather.secret else str(index + 1))
            return handlers(call, gather).picked(call, gather, index)
        case Entered(values=()):
            return _no_such(call, gather, pressed)
        case Entered(keys=keys, values=values):
            call.transcribe("key", MASK if gather.secret else keys)
            asked = call.state.ask
            readings = [Reading(Meaning(ANSWER, {asked: value}), value.label, 1.0) for value in values[:2]]
            if len(readings) == 1:
                return answer(call, gather, readings[0])
            return did_you_mean.ask(call, gather, readings, keyed=isinstance(gather.grammar.slots.get(asked), BOUNDED))
        case Stray():
            by = handlers(call, gather)
            if by.nomatch is not None:
                return by.nomatch(call, gather)
            return reprompt.wrong_keys(call, gather, call.system("invalid_keys"))


def _no_such(call: Conversation, gather: Gather, entered: Entered) -> Next:
    if entered.range is None:
        return reprompt.wrong_keys(call, gather, call.system("nomatch"))
    low, high = (f.label if (f := call.fitted(n, None)) else str(n) for n in entered.range)
    return reprompt.wrong_keys(call, gather, call.system("out_of_range", minimum=low, maximum=high))


# -- universals ---------------------------------------------------------------------------------------------------


def universal(call: Conversation, gather: Gather, name: str, *, sure: bool = True) -> Next:
    if name.startswith(RISK):
        risk = name.removeprefix(RISK)
        if not sure and not _on_the_way(call):
            return risk_question.ask(call, gather, risk, call.said)
        if (choice := question.sign_of(call, gather, risk)) is not None:
            return question.take_sign(call, choice)
        return to_human(risk_question.need(call, risk))
    if name == HUMAN and (risk := risk_question.pending(gather)):
        return to_human(risk_question.need(call, risk, gather.said))
    if name == HUMAN:
        return _human(call)
    if name.startswith(LANGUAGE):
        return language_choice.choose(call, name.removeprefix(LANGUAGE), gather, sure=sure)
    call.kept, call.keyed_ahead = None, ""
    if name == "goodbye" and not sure:
        return flow_control.ask_goodbye(call, gather)
    override = call.state.universals.get(name)
    if override is not None and override.prompt is not None:
        call.say(call.own(f"universal.{name}", override.prompt))
    if (led := call.state.transition("universal", name=name)) is not None:
        target = call.shared.table.take(call.cursor, led.trigger)
        if not target.startswith(RESERVED):
            return Goto(target)
        call.shared.table.place(call.cursor, call.here)
        name = target.removeprefix(RESERVED)
    match name:
        case "human":
            return _human(call)
        case "goodbye":
            return flow_control.goodbye(call)
        case "machine":
            return question.back_to_machine(call)
        case "place" | "quiet" | "music":
            return wait.stay(call, name)
        case "back" | "start_over" if gather.mode == Mode.WAIT:  # nobody loses their place by it
            return wait.stay(call, "place")
        case "back" if gather.beneath is None:
            call.intent_doubt = False
            return BACK
        case "start_over" if gather.mode == Mode.RESUME:  # that is what a no to it means
            return Answer(gather, Reading(Meaning("no"), name, 1.0))
        case "start_over":
            return question.start_over(call)
        case "help":
            if override is None or override.prompt is None:
                own = call.own("help", call.state.help)
                call.say(own or call.system("help_default"))
                call.say(() if own else handlers(call, gather).menu(call, gather))
            return Ask(gather)
    return say_again(call, gather.base if name == "back" else gather)


def _on_the_way(call: Conversation) -> bool:
    """To a human already: whatever may be wrong is told to them, nobody asks the caller about it."""
    return call.in_human_flow or handoff.in_line(call) is not None


def _human(call: Conversation) -> Goto:
    override = call.state.universals.get(HUMAN)
    if override is not None and override.prompt is not None and not handoff.rung(call):
        call.say(call.own("universal.human", override.prompt))
    return to_human(HandoffNeed(ASKED, weight=Weight.ASKED))
