"""Re-prompting after noinput and nomatch (VoiceXML 2.1), escalated by count. Nobody is ever hung up on for it."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.dialogue.engine.contract import Words
from ivr.dialogue.engine.conversation import Conversation
from ivr.dialogue.engine.next import Ask, Gather, Next, to_human
from ivr.dialogue.engine.reasons import HandoffNeed, Weight
from ivr.dialogue.engine.states import handlers, handoff
from ivr.dialogue.understanding import shades
from ivr.record import Decided

SILENT, NOT_UNDERSTOOD = "silent", "not understood"


def noinput(call: Conversation, gather: Gather) -> Next:
    gather.keypad.forget()
    by = handlers(call, gather)
    if by.noinput is not None:
        return by.noinput(call, gather)
    own = call.own("noinput", call.state.noinput, call.failures + 1) if by.asks else ()
    return _failed(call, gather, SILENT, own or call.system("noinput", call.failures + 1), asks=by.asks and bool(own))


def nomatch(call: Conversation, gather: Gather, *, neither: bool = False, shade: str = "") -> Next:
    """``neither``: of two that were offered, which needs no words of its own. ``shade``: an answer that was understood,
    and is neither a yes nor a no; the first is asked about in words of its own."""
    by = handlers(call, gather)
    if by.nomatch is not None:
        return by.nomatch(call, gather)
    gather.keypad.forget()
    if shade and not call.failures:
        return _failed(call, gather, NOT_UNDERSTOOD, call.system(shade), asks=shade == shades.SOFT_YES)
    call.temper.failed()
    own = call.own("nomatch", call.state.nomatch, call.failures + 1) if by.asks and not neither else ()
    words = () if neither else own or call.system("nomatch", call.failures + 1)
    return _failed(call, gather, NOT_UNDERSTOOD, words, asks=by.asks and bool(own))


def unknown_title(call: Conversation, gather: Gather, heard: str) -> Next:
    """A title was named that is not there: say so, with the words as they were heard."""
    gather.keypad.forget()
    return _failed(call, gather, NOT_UNDERSTOOD, unknown_title_words(call, heard), asks=False)


def unknown_title_words(call: Conversation, heard: str) -> tuple[Words, ...]:
    known = call.terms.named(heard)
    name = "title_not_here" if known is not None else "unknown_title"
    return call.system(name, heard=heard if known is None else known.label)


def wrong_keys(call: Conversation, gather: Gather, words: Sequence[Words]) -> Next:
    """Keys that mean nothing here, or a value that doesn't fit: ``words`` say so."""
    by = handlers(call, gather)
    return _failed(call, gather, NOT_UNDERSTOOD, words, asks=by.asks and bool(words))


def offer_keys(call: Conversation, gather: Gather) -> Ask:
    call.say(call.system("offer_keys"))
    call.say(handlers(call, gather).menu(call, gather))
    return Ask(gather)


def _failed(call: Conversation, gather: Gather, reason: str, words: Sequence[Words], *, asks: bool) -> Next:
    """Once: say it again, unless ``words`` ask by themselves. Twice in a row: offer keys. Three times: a human."""
    call.kept = None
    call.failures += 1
    call.outbox.record(Decided("failed", reason, {"count": call.failures}))
    if call.failures >= 3:
        call.failures = 0
        if call.in_human_flow and handoff.unattended(call):
            return handoff.promise(call)
        call.say(call.system("silent" if reason == SILENT else "not_understood"))
        weight = Weight.SILENT if reason == SILENT else Weight.NOT_UNDERSTOOD
        return to_human(HandoffNeed(reason, weight=weight))
    call.say(words)
    if call.failures == 2:
        return offer_keys(call, gather)
    if not asks:
        call.say(_question(call, gather))
    return Ask(gather)


def _question(call: Conversation, gather: Gather) -> Sequence[Words]:
    """What was asked, without what was said on the way there."""
    here = call.here
    asked = [w for w in gather.prompt if w.prompt_id in (here, f"{here}.confirm") or "system." in w.prompt_id]
    return asked or gather.prompt[-1:]
