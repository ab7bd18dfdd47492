"""Recording of conversations: where the configuration and the caller allow, what both say is kept and written down.

It begins at the join and ends with the conversation: what callers say or key to the line (a PIN, say) is in none.
While the caller is on hold nobody is recorded; an agent pauses it where something is nobody's business (the number of a
card), and the caller takes their consent back by telling the agent, or by saying so: they are listened to for that
while they are recorded, also where nothing is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.spoken.normalisation import fold
from ivr.errors import IvrError, MediaUnavailable, StoreUnavailable
from ivr.events import CALLER_ID, RECORDING_AGREED, Tapped
from ivr.phones.conference import Party
from ivr.phones.rejoining import KeptTalk
from ivr.phones.transcription import Sentence, Transcription
from ivr.ports import OpenRecording, RecordingAbout, Recordings, Ring, SpeechService
from ivr.ports.recordings import WITHDRAWN
from ivr.record import HandoffContext
from ivr.recording.g711 import to_pcmu
from ivr.recording.stereo import Stereo

log = structlog.get_logger(__name__)

FLUSH_S = 0.3

Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """One finished sentence. ``by``: "caller", or the name of whoever else said it; ``agents``: who talk with them."""

    call_id: str
    agents: tuple[str, ...]
    by: str
    text: str
    at: datetime
    unsure: bool = False
    late: bool = False


OnLine = Callable[[SpokenLine], None]


def _nobody(line: SpokenLine) -> None:
    """Nobody reads it."""


class CallRecording:
    """What is kept of this line's conversations. ``recordings``: where; None: they aren't recorded. ``transcribe``:
    they are written down; ``on_line`` is told what."""

    def __init__(
        self,
        speech: SpeechService | None = None,
        recordings: Recordings | None = None,
        *,
        transcribe: bool = False,
        on_line: OnLine = _nobody,
    ) -> None:
        self.speech = speech
        self.recordings = recordings
        self.transcribe = transcribe and speech is not None
        self.on_line = on_line
        self._withdrawn: set[str] = set()  # calls whose callers took their consent back

    def of(self, ring: Ring, *, tied: bool = False, kept: KeptTalk | None = None) -> ConversationRecording:
        """For one conversation. ``tied``: the line with the agent's console records it, where it is held and paused;
        ``kept``: how it was in a process that died: what was paused stays paused."""
        if kept is not None and kept.withdrawn:
            self.withdraw(ring.context.call_id)
        why_not = "The line with the console records it." if tied else ""
        return ConversationRecording(self, ring, why_not, paused=kept is not None and kept.paused)

    def withdraw(self, call_id: str) -> None:
        self._withdrawn.add(call_id)

    def withdrawn(self, call_id: str) -> bool:
        return call_id in self._withdrawn

    def why_not(self, context: HandoffContext) -> str:
        """Why nothing may be recorded, in words for the agent; "" where it may."""
        if self.recordings is None and not self.transcribe:
            return "Recording is off on this line."
        if context.call_id in self._withdrawn:
            return "The caller took their consent back."
        agreed = context.facts.get(RECORDING_AGREED)
        if agreed is None:
            return "The caller was not asked."
        return "" if agreed is True else "The caller did not agree."


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    """A fault of ours in here ends no conversation."""
    try:
        await work
    except Exception:
        log.exception("recording.crashed")


class ConversationRecording:
    """Of one conversation. Nothing in here ends it: what can't be kept is told in ``view`` and logged."""

    def __init__(self, policy: CallRecording, ring: Ring, why_not: str = "", *, paused: bool = False) -> None:
        self._policy = policy
        self._context = ring.context
        self._why_not = why_not or policy.why_not(ring.context)
        self._agents: list[str] = []
        self._tapped: dict[Party, None] = {}
        self._ending: set[Party] = set()  # their taps are off, and the last of it is on its way
        self._all_in = asyncio.Event()
        self._all_in.set()
        self._caller: Party | None = None
        self._sound: asyncio.Queue[tuple[Party, Tapped] | None] = asyncio.Queue()
        self._stereo: Stereo | None = None
        self._kept: OpenRecording | None = None
        self.recorded = False  # something is kept of it, or was
        self._written_down: dict[Party, Transcription] = {}
        self._running: asyncio.Task[None] | None = None
        self._order: Mapping[Party, Sequence[Party]] = {}
        self._spawn: Spawn | None = None
        self.paused, self._withdrawn = paused, False
        self._finishing = asyncio.Lock()  # a caller may hang up just as they are heard to want no recording
        self._changed: Callable[[], None] = lambda: None

    @property
    def withdrawn(self) -> bool:
        """The caller wants none in this call."""
        return self._policy.withdrawn(self._context.call_id)

    def view(self) -> Mapping[str, Any]:
        """``on``: whether; ``why_not`` in words; ``paused``; ``transcribing``, with why not; ``unheard``: why the
        caller's own "stop recording" is not understood, "" where it is."""
        allowed = not self._why_not
        troubles = [each.trouble for each in self._written_down.values() if each.trouble]
        unwritten = "" if self._policy.transcribe else "Live transcription is off on this line."
        return {
            "on": allowed and self._policy.recordings is not None and not self.paused,
            "paused": allowed and self.paused,
            "why_not": self._why_not
            or ("" if self._policy.recordings is not None else "Recording is off on this line."),
            "transcribing": allowed and self._policy.transcribe and not self.paused and not troubles,
            "untranscribed": unwritten or self._why_not or next(iter(troubles), ""),
            "unheard": "" if self._why_not else self._unheard,
        }

    @property
    def _unheard(self) -> str:
        if self._policy.recordings is None:
            return ""
        if self._policy.speech is None:
            return "there is no recogniser"
        side = self._written_down.get(self._caller) if self._caller is not None else None
        return side.trouble if side is not None else ""

    async def follow(
        self, order: Mapping[Party, Sequence[Party]], caller: Party, spawn: Spawn, changed: Callable[[], None]
    ) -> None:
        """Who hears whom from now on; what is heard between the caller and others is recorded."""
        self._order, self._caller, self._spawn, self._changed = order, caller, spawn, changed
        await self._settle()

    async def pause(self, on: bool) -> None:
        """Raises IvrError where nothing is recorded."""
        if self._why_not:
            raise IvrError(self._why_not)
        self.paused = on
        log.info("recording.paused" if on else "recording.resumed", call_id=self._context.call_id)
        await self._settle()

    async def withdraw(self) -> None:
        """The caller takes their consent back: nothing more is recorded or written down in this call."""
        self._withdrawn = True
        self._policy.withdraw(self._context.call_id)
        self._why_not = self._policy.why_not(self._context)
        log.info("recording.withdrawn", call_id=self._context.call_id)
        await self._settle()
        await self._finish()
        self._changed()

    async def close(self) -> None:
        self._order = {}
        await self._settle()
        await self._finish()

    # -- who is tapped -----------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        wanted = [] if self._why_not or self.paused else self._heard_with_caller()
        for party in [each for each in self._tapped if each not in wanted]:
            del self._tapped[party]
            self._ending.add(party)
            self._all_in.clear()
            with contextlib.suppress(MediaUnavailable):
                await party.participant.media.tap(False)
        for party in wanted:
            if party not in self._tapped:
                self._tapped[party] = None
                self._ending.discard(party)
                if party is not self._caller and party.name not in self._agents:
                    self._agents.append(party.name)
                party.participant.tapped.to = partial(self._take, party)
                with contextlib.suppress(MediaUnavailable):  # gone, which its events say
                    await party.participant.media.tap(True)
        if wanted and self._running is None and self._spawn is not None:
            self._running = self._spawn(self._run(), "recording")

    def _heard_with_caller(self) -> list[Party]:
        caller = self._caller
        if caller is None:
            return []
        others = [each for each in self._order.get(caller, ()) if each is not caller]
        listened_to = any(caller in heard for one, heard in self._order.items() if one.role != "supervisor")
        return [caller, *others] if listened_to else others

    def _take(self, party: Party, tapped: Tapped) -> None:
        if party in self._tapped or party in self._ending:  # the last of it comes after the tap is off
            self._sound.put_nowait((party, tapped))
        self._ending.discard(party)
        if not self._ending:
            self._all_in.set()

    async def _flushed(self) -> None:
        """What the taps still had is here, or does not come any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self._all_in.wait()

    # -- what becomes of it --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._keep()
        except Exception:  # a fault of ours ends the recording, never the conversation
            log.exception("recording.crashed", call_id=self._context.call_id)
            self._why_not = "The recording broke off."
            await self._settle()

    async def _keep(self) -> None:
        await self._begin()
        while (came := await self._sound.get()) is not None:
            party, tapped = came
            pcmu = to_pcmu(tapped.codec, tapped.payload)
            if not self._why_not and self._listened_to(party):
                self._side(party).feed(pcmu, tapped.at)
            if self._kept is None:
                continue
            if self._stereo is None:
                self._stereo = Stereo(tapped.at)
            if party is self._caller:
                self._stereo.left(tapped.at, pcmu)
            else:
                self._stereo.right(party, tapped.at, pcmu)
            if (seconds := self._stereo.seconds()) and not await self._kept.write(seconds):
                self._why_not = "The recording could not be written."
                await self._settle()
                self._changed()

    async def _begin(self) -> None:
        recordings, context = self._policy.recordings, self._context
        if recordings is None:
            return
        caller_id = str(context.facts.get(CALLER_ID) or "")
        about = RecordingAbout(context.call_id, caller_id, next(iter(self._agents), ""))
        with contextlib.suppress(StoreUnavailable):
            if any(row.ended == WITHDRAWN for row in await recordings.of_call(context.call_id)):
                self._policy.withdraw(context.call_id)  # at another line
            else:
                self._kept = await recordings.begin(about)
                self.recorded = True
        if self._kept is None:
            self._why_not = self._policy.why_not(context) or "The recording could not be begun."
            await self._settle()
            self._changed()

    def _listened_to(self, party: Party) -> bool:
        """To be written down, or for the wish that it stops."""
        may_stop = party is self._caller and self._kept is not None and self._policy.speech is not None
        return self._policy.transcribe or may_stop

    async def _finish(self) -> None:
        """What came is written, and no more comes."""
        async with self._finishing:
            running, self._running = self._running, None
            if running is not None and running is not asyncio.current_task():
                await self._flushed()
                self._sound.put_nowait(None)
                await asyncio.gather(running, return_exceptions=True)
            self._written_down.clear()
            if self._kept is not None:
                kept, self._kept = self._kept, None
                if self._stereo is not None:
                    await kept.write(self._stereo.rest(), last=True)
                await kept.close(WITHDRAWN if self._withdrawn else "over", self._agents)

    def _side(self, party: Party) -> Transcription:
        side = self._written_down.get(party)
        if side is None:
            language = self._context.language
            assert self._policy.speech is not None
            said = partial(self._said, party)
            side = Transcription(self._policy.speech, self._context.call_id, language, said, self._changed)
            self._written_down[party] = side
            assert self._spawn is not None
            self._spawn(_guarded(side.run()), f"transcription of {party.role}")
        return side

    def _said(self, party: Party, sentence: Sentence) -> None:
        if self._why_not:
            return
        caller = party is self._caller
        by = "caller" if caller else party.name
        at = datetime.now(UTC)
        if self._policy.transcribe:
            self._policy.on_line(
                SpokenLine(
                    self._context.call_id, tuple(self._agents), by, sentence.text, at, sentence.unsure, sentence.late
                )
            )
        if caller and self._asks_to_stop(sentence.text) and self._spawn is not None:
            self._spawn(_guarded(self.withdraw()), "withdrawal")

    def _asks_to_stop(self, text: str) -> bool:
        language = self._context.language
        said = f" {' '.join(fold(text, language))} "
        return any(f" {' '.join(fold(each, language))} " in said for each in words_for(language).stop_recording)
