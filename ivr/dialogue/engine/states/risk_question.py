"""The question about a risk: it may be that the caller wants to leave, so they are asked whether they'd like to talk to
somebody about it (``risks`` in the universals).

A yes, or hinting at it once more, brings the human whom the risk names, with what was said before the question. A no
goes on with what was being asked, and is not doubted again in this call; a whole phrase of the risk still is one.
"""

from __future__ import annotations

from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.gather import say_again, yes_no_gather, yes_no_menu, yes_or_no
from ivr.dialogue.engine.next import Answer, Ask, Gather, Mode, Next, to_human
from ivr.dialogue.engine.reasons import HandoffNeed, Weight
from ivr.dialogue.understanding.grammar import RISK, Interpretation, Meaning, Reading
from ivr.record import Decided


def need(call: Conversation, risk: str, said: str = "") -> HandoffNeed:
    spec = call.library.universals.risks[risk]
    return HandoffNeed(spec.reason, spec.skill, spec.priority, Weight.RISK, said)


def undeclined(call: Conversation, found: Interpretation) -> Interpretation:
    """Without what was only hinted at and has been asked about before."""

    def old(reading: Reading | None) -> bool:
        return reading is not None and reading.risk in call.declined and not reading.sure

    if old(found.best):
        return Interpretation(None if old(found.rival) else found.rival, how=found.how)
    return Interpretation(found.best, None, found.how) if old(found.rival) else found


def single(call: Conversation, found: Interpretation) -> Interpretation:
    """A risk, and a choice of the flow's that is a sign of it, are one thing to mean."""

    def risk(reading: Reading | None) -> str:
        if reading is None or reading.risk:
            return "" if reading is None else reading.risk
        flow, intent = call.flow, reading.meaning.intent
        if reading.request:  # of another question's
            _, asked, _, intent = intent.split(".")
            flow = call.library.flows[asked]
        return call.library.risk_of(flow, intent)

    same = risk(found.best) and risk(found.best) == risk(found.rival)
    return Interpretation(found.best, None, found.how) if same else found


def pending(gather: Gather) -> str:
    """The risk that is being asked about, by itself or as one of two; "" when none is."""
    return gather.risk or next((option.risk for option in gather.options if option.risk), "")


def ask(call: Conversation, gather: Gather, risk: str, said: str) -> Next:
    words = call.system(f"{RISK}{risk}")
    if not words or risk == pending(gather):
        return to_human(need(call, risk, gather.said or said))
    call.outbox.record(Decided("risk", "asked", {"risk": risk}))
    call.say(words)
    gather.keypad.forget()
    found = yes_no_gather(call, Mode.RISK, gather.base)
    found.risk, found.said = risk, said
    if call.keys_led:
        call.say(yes_no_menu(call, found))
    return Ask(found)


def decline(call: Conversation, gather: Gather) -> None:
    """The caller wants something else."""
    if risk := pending(gather):
        call.declined.add(risk)


def _decided(call: Conversation, gather: Gather, yes: bool) -> Next:
    call.outbox.record(Decided("risk", yes, {"risk": gather.risk}))
    if yes:
        return _human(call, gather)
    decline(call, gather)
    return say_again(call, gather.base)


def _human(call: Conversation, gather: Gather) -> Answer:
    call.said = gather.said or call.said  # is what a human is told
    return Answer(gather.base, Reading(Meaning(f"{RISK}{gather.risk}"), call.said, 1.0))


def _anew(call: Conversation, gather: Gather) -> Next:
    return ask(call, gather.base, gather.risk, gather.said)


HANDLERS = yes_or_no(_decided, anew=_anew)
