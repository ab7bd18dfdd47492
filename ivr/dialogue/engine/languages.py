"""The caller chooses a language."""

from __future__ import annotations

from ivr.dialogue.engine.conversation import CHOSEN, Conversation, HandoffNeed
from ivr.dialogue.engine.gather import Listening, Mode
from ivr.dialogue.engine.reprompt import Patience
from ivr.dialogue.engine.walk import Walk
from ivr.dialogue.spoken.tags import same_language


class Languages:
    def __init__(self, conversation: Conversation, walk: Walk, patience: Patience) -> None:
        self.call = conversation
        self.walk = walk
        self.patience = patience

    def choose(self, language: str, listening: Listening, sure: bool) -> str | None:
        """Ask the same question again, in ``language``. What the line can't speak, a human may."""
        call, walk = self.call, self.walk
        if not call.speaks(language):
            return walk.departure.human(HandoffNeed(f"asked for {language}"))
        insists = listening.mode is Mode.LANGUAGE and listening.language == language
        if not sure and not insists:
            return self._offer(language, listening)
        call.facts[CHOSEN] = True
        if call.speak(language, call.words.persona):
            call.say(call.system("language_chosen"))
            return walk.anew(listening)
        walk.say_again(listening.base if listening.mode is Mode.LANGUAGE else listening)
        return None

    def _offer(self, language: str, listening: Listening) -> str | None:
        """In that language: recognisers of another are seldom sure of such a word, and keys are plain in any."""
        call, walk = self.call, self.walk
        if same_language(language, call.language):
            return self.patience.misunderstood()
        call.say(call.system_in(language, "confirm_language"))
        offer = walk.listener.yes_no(Mode.LANGUAGE, beneath=listening.base)
        offer.language = language
        walk.listen(offer, asked=True)
        return None
