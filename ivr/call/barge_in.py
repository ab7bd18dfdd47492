"""Barge-in: a key or speech stops the prompt, where it may be stopped (VoiceXML ``bargein`` and ``bargeintype``).

What only sounded like speech is known by what was heard: a cough has no voice, and an echo of ours says our words."""

from __future__ import annotations

from ivr.call.journal import Recorder
from ivr.call.mouth import Mouth
from ivr.call.own_words import own_words
from ivr.dialogue.engine.contract import Listen
from ivr.events import Cause, Recognition


class BargeIn:
    """One call's."""

    def __init__(self, mouth: Mouth, recorder: Recorder) -> None:
        self._mouth = mouth
        self._recorder = recorder
        self._over = ""  # what was being said when speech began last,
        self._stopped = False  # and whether it was cut short

    async def by_key(self) -> None:
        """A key stops every prompt, those that speech may not stop too."""
        await self._mouth.stop()

    async def by_speech(self, listen: Listen | None) -> bool:
        """Speech began: True when it stopped a prompt. Under a ``hotword`` only what was recognised does so, later."""
        self._over, self._stopped = self._mouth.text, False
        if listen is None or listen.hotword or not self._mouth.speaking or not self._mouth.bargein:
            return False
        self._stopped = True
        self._recorder.barged_in()
        await self._mouth.stop()
        return True

    def mistaken(self, recognition: Recognition) -> bool:
        """Whether nobody spoke, or we did ourselves, when speech began last."""
        return recognition.cause is Cause.NO_INPUT_TIMEOUT or own_words(self._over, recognition)

    def taken_back(self) -> bool:
        """It was nothing: whether a prompt was stopped for it, which is told once."""
        stopped, self._stopped = self._stopped, False
        return stopped
