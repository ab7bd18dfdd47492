"""Barge-in: a key or speech stops the prompt, where it may be stopped (VoiceXML ``bargein`` and ``bargeintype``)."""

from __future__ import annotations

from ivr.call.journal import Recorder
from ivr.call.mouth import Mouth
from ivr.dialogue.engine.contract import Listen


class BargeIn:
    """One call's."""

    def __init__(self, mouth: Mouth, recorder: Recorder) -> None:
        self._mouth = mouth
        self._recorder = recorder

    async def by_key(self) -> None:
        """A key stops every prompt, those that speech may not stop too."""
        await self._mouth.stop()

    async def by_speech(self, listen: Listen | None) -> bool:
        """Speech began: True when it stopped a prompt. Under a ``hotword`` only what was recognised does so, later."""
        if listen is None or listen.hotword or not self._mouth.speaking or not self._mouth.bargein:
            return False
        self._recorder.barged_in()
        await self._mouth.stop()
        return True
