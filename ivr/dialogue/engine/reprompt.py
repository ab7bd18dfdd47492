"""Patience: what happens when the caller is silent or not understood. Nobody is ever hung up on for it."""

from __future__ import annotations

from collections.abc import Sequence

from ivr.dialogue.engine.contract import Words
from ivr.dialogue.engine.conversation import Conversation, HandoffNeed
from ivr.dialogue.engine.gather import Listening, Mode, key_menu
from ivr.dialogue.engine.walk import Walk
from ivr.record import Decided

SILENT, NOT_UNDERSTOOD = "silent", "not understood"


class Patience:
    def __init__(self, conversation: Conversation, walk: Walk) -> None:
        self.call = conversation
        self.walk = walk

    def silence(self) -> str | None:
        call, listening = self.call, self.walk.listening
        if listening is None:
            return None
        listening.keypad.forget()
        if listening.mode is Mode.STRANDED:
            self.walk.departure.connect_directly("asked")
            return None
        own = call.own("noinput", call.state.noinput, self.walk.failures + 1) if listening.mode is Mode.QUESTION else ()
        return self.failed(SILENT, own)

    def offer_keys(self, listening: Listening) -> None:
        self.call.say((*self.call.system("offer_keys"), *key_menu(self.call, listening)))
        self.walk.listen(listening)

    def misunderstood(self, *, neither: bool = False) -> str | None:
        call, listening = self.call, self.walk.listening
        assert listening is not None
        if listening.mode in (Mode.RUNNING, Mode.STRANDED):
            self.walk.listen(listening)
            return None
        listening.keypad.forget()
        call.temper.failed()
        if neither:
            return self.failed(NOT_UNDERSTOOD, (), quiet=True)
        own = call.own("nomatch", call.state.nomatch, self.walk.failures + 1) if listening.mode is Mode.QUESTION else ()
        return self.failed(NOT_UNDERSTOOD, own)

    def failed(self, reason: str, own: Sequence[Words], *, quiet: bool = False) -> str | None:
        """Once: say it again. Twice in a row: offer keys. Three times: a human. Never: hang up."""
        call, walk = self.call, self.walk
        listening = walk.listening
        assert listening is not None
        walk.kept = None
        walk.failures += 1
        count = walk.failures
        silent = reason == SILENT
        call.outbox.record(Decided("failed", reason, {"count": count}))
        if count >= 3:
            walk.failures = 0
            call.say(call.system("silent" if silent else "not_understood"))
            return walk.departure.human(HandoffNeed(reason))
        if own:
            call.say(own)
        elif not quiet:
            call.say(call.system("noinput" if silent else "nomatch", count))
        if count == 2:
            call.say((*call.system("offer_keys"), *key_menu(call, listening)))
        elif not own or listening.mode is not Mode.QUESTION:
            call.say(self._question(listening))
        walk.listen(listening)
        return None

    def _question(self, listening: Listening) -> Sequence[Words]:
        """What was asked, without what was said on the way there."""
        here = self.call.here
        asked = [w for w in listening.prompt if w.prompt_id in (here, f"{here}.confirm") or "system." in w.prompt_id]
        return asked or listening.prompt[-1:]
