"""Speech ports: recognition sessions and rendered prompts (MRCP's resources), by whichever vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ivr.dialogue.understanding.speech_grammar import ListenRequest
from ivr.events import EarEvent
from ivr.media.clip import Clip


class Ears(Protocol):
    """One call's recognition session in a speech worker: voice activity, endpointing, recognition.

    Feed it continuously; it detects utterances under whichever request is current. Timeouts for silence are the
    conductor's business (it knows when the prompt ended)."""

    async def listen(self, request: ListenRequest | None) -> None:
        """Switch the grammar; None stops detecting. An utterance already begun ends under the new request."""

    def feed(self, pcm: bytes, at: float) -> None:
        """Never blocks; drops and counts when the worker is behind."""

    async def abreast(self, within_s: float) -> bool:
        """Whether the recogniser has taken in what was fed so far, within ``within_s``: if not it is saturated."""

    def events(self) -> AsyncIterator[EarEvent]:
        """Until they are closed, or RecogniserFailed, which is the last."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """For /readyz and `ivr doctor`: which vendor serves which languages, and what is wrong if anything."""

    name: str
    languages: tuple[str, ...]
    healthy: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SpeechLoad:
    """How busy the recognisers are: ``talkers`` of ``most``, and what the slowest tenth of them waited lately.

    ``refuses``: why no further call is taken, "" while there is room. ``crowded``: who was taken all the same is better
    led by keys."""

    talkers: int = 0
    most: int = 0
    waited_s: float = 0.0
    refuses: str = ""
    crowded: bool = False


class SpeechService(Protocol):
    """The speech workers, seen from the line. Restarts dead workers; their sessions get RecogniserFailed."""

    async def open(self, call_id: str, language: str, *, background: bool = False) -> Ears:
        """``background``: nobody waits for it, so it comes after those who are waited for.

        Raises SpeechUnavailable when no recogniser serves ``language`` (the call is then led by keys)."""

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
    ) -> Clip:
        """Synthesise, or fetch from the prompt cache; a recording in audio/<language>/ wins: the one named
        ``recording``, else the text's own. ``keep`` False: the text is secret and stays out of the cache.

        Raises SpeechUnavailable."""

    async def recording(self, name: str, language: str) -> Clip | None:
        """The recording called ``name``, of that language or of none; None where there is none. Never raises."""

    async def render_all(
        self, prompts: Sequence[tuple[str, str, str]], progress: Callable[[int, int], None] | None = None
    ) -> Sequence[Clip]:
        """(text, language, voice) triples into the cache, at start-up; ``progress(done, total)``."""

    def recognisers(self) -> Sequence[EngineStatus]: ...
    def synthesisers(self) -> Sequence[EngineStatus]: ...
    def load(self, calls: int) -> SpeechLoad:
        """``calls``: how many are in progress, the one in question included if it was taken already."""

    def endpoints(self) -> Sequence[EngineStatus]:
        """What is asked elsewhere besides, and no call depends on; nothing where nothing is configured."""
