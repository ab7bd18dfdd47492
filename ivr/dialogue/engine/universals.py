"""Universals (VoiceXML 2.1): human, help, repeat, back, goodbye, a language, and risk words, in every state."""

from __future__ import annotations

from ivr.dialogue.engine import human
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.cursor import RESERVED
from ivr.dialogue.engine.gather import Gather
from ivr.dialogue.engine.listener import say_again
from ivr.dialogue.engine.next import BACK, Ask, Goto, Next, to_human
from ivr.dialogue.engine.states import end, language_choice
from ivr.dialogue.engine.states.table import handlers
from ivr.dialogue.understanding.reading import HUMAN, LANGUAGE, RISK


def universal(call: Conversation, gather: Gather, name: str, *, sure: bool = True) -> Next:
    if name == HUMAN or name.startswith(RISK):
        return _human(call, name)
    if name.startswith(LANGUAGE):
        return language_choice.choose(call, name.removeprefix(LANGUAGE), gather, sure=sure)
    call.kept = None
    if name == "goodbye" and not sure:
        return end.ask_goodbye(call, gather)
    override = call.state.universals.get(name)
    if override is not None and override.prompt is not None:
        call.say(call.own(f"universal.{name}", override.prompt))
    if override is not None and override.goto:
        target = call.shared.table.take(call.cursor, f"universal.{name}")
        if not target.startswith(RESERVED):
            return Goto(target)
        call.shared.table.place(call.cursor, call.here)
        name = target.removeprefix(RESERVED)
    match name:
        case "human":
            return _human(call, name)
        case "goodbye":
            return end.goodbye(call)
        case "back" if gather.beneath is None:
            call.intent_doubt = False
            return BACK
        case "help":
            if override is None or override.prompt is None:
                own = call.own("help", call.state.help)
                call.say(own or (*call.system("help_default"), *handlers(call, gather).menu(call, gather)))
            return Ask(gather)
    return say_again(call, gather.base if name == "back" else gather)


def _human(call: Conversation, name: str) -> Goto:
    risk = call.library.universals.risks.get(name.removeprefix(RISK)) if name.startswith(RISK) else None
    if risk is not None:
        return to_human(risk.reason, risk.skill, risk.priority)
    override = call.state.universals.get(HUMAN)
    if override is not None and override.prompt is not None and not human.rung(call):
        call.say(call.own("universal.human", override.prompt))
    return to_human("asked")
