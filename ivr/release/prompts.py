"""Prompt preparation: what a version can say without knowing who calls, rendered before the first call of it."""

from __future__ import annotations

from collections.abc import Callable

from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.wording import fixed_words
from ivr.dialogue.spoken.language import served
from ivr.ports import MediaEngine, SpeechService
from ivr.release.entry import CallEntry


class PromptPreparation:
    """Renders into the prompt cache, and ships to the media process."""

    def __init__(self, entry: CallEntry, speech: SpeechService, media: MediaEngine) -> None:
        self._entry = entry
        self._speech = speech
        self._media = media

    async def prepare(self, library: FlowLibrary, progress: Callable[[int, int], None] | None = None) -> None:
        """``progress`` hears (done, total). Raises UnavailableError."""
        prompts = [
            (words.text, words.language or language, voice)
            for language, persona in self._entry.voices(self._choosable(library))
            for words, voice in fixed_words(library, language, persona)
            if words.text
        ]
        await self._media.preload(await self._speech.render_all(prompts, progress))

    def _choosable(self, library: FlowLibrary) -> list[str]:
        """Languages that callers may choose and that something here can speak."""
        spoken = [lang for status in self._speech.synthesisers() if status.healthy for lang in status.languages]
        return [language for language in library.universals.languages if served(language, spoken)]
