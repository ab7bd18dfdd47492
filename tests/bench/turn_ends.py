"""How soon turns end, and how often too soon: ``python -m tests.bench.turn_ends [--part NAME] [--every N]``.

Sentences of callers go as RTP through the media process's receiving half into the utterance detector with the line's
own voice activity and recogniser, under the grammars of the reference flows. Only the clock is simulated: frames come
when they would, and a recognition takes what it took of the processor (on a machine that others use, too, that is
more than it is on one's own: ``--took``). Pauses are put between words, the words around them spoken apart, so that
each part has the ending of a sentence: harder than a pause for breath.

Printed for each condition: from the end of the sound to the answer's decision (p50, p95); turns that ended in a pause,
and of those the ones where anything was lost or another meaning was acted on. Aims: p50 0.40 s and p95 0.75 s, since
the line needs 50 ms more until its first sound; no other meaning in any pause; cuts that lose something at most 1 %
clean, 3 % at 20 dB. Nothing may be tuned on the part ``checking``, whose sentences, titles and voices are its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ivr.dialogue.engine.contract import Listen, SpeechHeard
from ivr.dialogue.understanding.grammar import Meaning
from ivr.dialogue.understanding.n_best import words_of
from ivr.events import Accept, Cause, EarEvent, Heard, Hypothesis, Recognition, SpeechEnded
from ivr.media.description import PCMU as PCMU_FORMAT
from ivr.media.description import MediaDescription
from ivr.media.process.codec import FRAME, FRAME_S, PCMU, power
from ivr.media.process.receiver import Receiver
from ivr.media.process.rtp import Packet, build
from ivr.ports import ListenRequest
from ivr.softphone.g711 import encode
from ivr.softphone.timing import summary
from ivr.softphone.voices import CallerVoice
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.worker.attempt import Attempt, Outcome
from ivr.speech.worker.endpointing import SileroModel, SileroStream
from ivr.speech.worker.manner import measure
from ivr.speech.worker.openness import Openness
from ivr.speech.worker.recogniser_process import samples_of
from ivr.speech.worker.utterance import UtteranceDetector
from tests.acceptance.line import InnerLine
from tests.eval.voices import Speaker, Voice
from tests.films import actions_on, films_on, films_store

Signal = NDArray[np.float64]
PAUSES_S = (0.2, 0.3, 0.5)
LEAD_S, TAIL_S = 0.6, 1.8
AUDIBLE = 32768 * 10 ** (-45 / 20)
_FAR = ("192.0.2.1", 4000)
_STEP_S = 0.005

# Tuned on all but "checking", which is looked at when nothing is tuned any more. "tuning" has first words that are
# easily taken for an answer when a pause follows them ("Add ...", "Do ..."), and so has "checking", of its own.
SENTENCES = {
    "fit": (
        "Move Casablanca to the top.|Remove Vertigo from my queue.|What's in my queue?|Put Metropolis at the end.|"
        "Swap Vertigo and Rear Window.|Add Fargo to my queue.|When does my next disc arrive?|"
        "I want to talk to a person.|Take Nosferatu off my queue.|Move City Lights to number three.|"
        "That's all.|My disc is scratched."
    ),
    "check": (
        "Put The Third Man first.|Remove The General.|What's next?|Move Rear Window to the top of my queue.|"
        "Put Metropolis after The Third Man.|Add The Circus to the top.|Read me my queue.|Operator.|"
        "Move Casablanca to number two.|Take City Lights off my list.|Swap The General and Casablanca.|Help.|"
        "Where is my disc?|Move Nosferatu to the end of my queue.|Goodbye."
    ),
    "last": (
        "Send Rear Window to the bottom.|I want to see Nosferatu next.|Make Metropolis number four.|Read my queue.|"
        "Put City Lights before Vertigo.|Drop The General.|Do you have Chinatown?|My disc arrived broken.|"
        "Hold my deliveries until Friday.|I've already seen Casablanca.|Get rid of The Third Man.|Undo that.|"
        "Let me have Vertigo next.|Can you move The General to the top?|Please remove Rear Window.|"
        "Move Nosferatu right before Metropolis.|Put Casablanca after City Lights.|Swap Metropolis and Nosferatu.|"
        "I want to speak to somebody.|What did you say?|I don't want Vertigo anymore.|Add Blade Runner to my queue.|"
        "The Third Man should be first.|Bump City Lights up to the top.|Take The General out of my queue.|"
        "Make Rear Window the last one.|Put Nosferatu in position five.|Could Metropolis be next?|"
        "I want to cancel my membership.|Add The Godfather.|Move The Third Man to the second spot.|"
        "Delete City Lights from my queue.|Move Vertigo under Casablanca.|I'm away until next Monday.|"
        "That's everything.|Move Casablanca above The General."
    ),
    "tuning": (
        "Add Psycho.|Add Rebecca to my queue.|Do you have Bullitt?|Do the same with Vertigo.|Yank Vertigo.|"
        "Get me Tootsie.|Set Nosferatu to number two.|Yet another title, please.|Let Casablanca go first.|"
        "Just remove Metropolis.|Which one is next?|Who is next?|Give me a person.|Go through my queue.|"
        "Order Goldfinger.|At the top put Vertigo.|Had enough of Nosferatu.|Nudge City Lights up.|"
        "Now move The General to the end.|Know what's next?|You can drop Rear Window.|Okay, put Vertigo first.|"
        "I need a human.|Hi, what's in my queue?|Um, move Metropolis to the top.|So take The Third Man off.|"
        "Then swap Vertigo and Casablanca.|Can I hear my queue?|There's a scratch on my disc.|Only keep Vertigo.|"
        "Yesterday's disc is broken.|Nothing else.|Yes, move Vertigo to number three.|No, I want to talk to someone."
    ),
    "checking": (
        "Shift Jaws up to number one.|I want Alien first.|Please put Toy Story last.|Throw out Blade Runner.|"
        "Do you carry Notorious?|Do move Jaws up.|Add Spartacus.|Add Amadeus to my queue, please.|Tell me what's next.|"
        "Make Blade Runner number two.|Read back my list.|Drop Aliens from my queue.|Would you put Jaws at the top?|"
        "Is Gilda available?|Swap Jaws and Alien.|Put Toy Story Two after Jaws.|Place Alien before Blade Runner.|"
        "Move Toy Story to the second place.|Dump Toy Story.|Have you got Charade?|Say that again.|"
        "The disc won't play.|My last disc never came.|Get Jaws off my list.|Hand me to a person.|"
        "Yeah, take Alien out.|Nope, read my queue.|And put Blade Runner first.|Hello, I'd like to move Jaws.|"
        "Let's have Aliens next.|Alien goes to the bottom.|Blade Runner should be number three.|How about Jaws first?|"
        "Could I speak to somebody?|That will be all.|Well, move Jaws down to the end.|Suspend my mail for a week.|"
        "Undo the last change.|Quick, put Jaws at number one.|Near the top I want Alien."
    ),
}
ANSWERS = {
    "fit": "Yes.|No.|Yes please.|No thanks.",
    "check": "Yeah.|Nope.|That's right.|No, what's next?",
    "last": (
        "Yes, that's right.|No, don't.|Yes, do it.|That's correct.|Sure, go ahead.|No, remove Casablanca.|Please do.|"
        "No, not that one.|Wrong.|Absolutely.|Not now."
    ),
    "tuning": (
        "Yes, sure.|No, wait.|Add Psycho instead.|Do Casablanca instead.|Yet another one.|I said Nosferatu.|Hang on.|"
        "Not Vertigo, Casablanca.|Know what, leave it.|Yesterday I did that.|You got it wrong.|Just the other one.|"
        "Okay, do it.|Let me think.|It's fine."
    ),
    "checking": (
        "Yes, go ahead.|No, leave it.|Yep, that's it.|Okay, do that.|Nah.|Actually, put Alien first.|Um, not that one.|"
        "I meant Toy Story.|Add Psycho to it.|Hold on a second.|Do Aliens instead.|Wait, no.|Yes, and what's next?|"
        "Of course.|Never mind.|Get me somebody.|Guess not.|Ask me later."
    ),
}
TALK = (
    "I think the dog is barking at the mailman again, isn't he?",
    "Tonight on channel five, the weather is going to change dramatically.",
    "Could we get two more coffees and the bill please?",
    "And the home team scores again in the second half.",
)
OTHERS = ("espeak:en-gb-scotland", "espeak:en-us+m3@150", "hibari@1.1", "joe@1.15")
VOICES = {
    "fit": ("joe", "hibari"),
    "check": ("joe@1.1", "hibari@0.93", "espeak:en-us+f3"),
    "last": ("joe@0.92", "hibari@1.12", "joe, lower", "hibari, higher"),
    "tuning": ("joe@1.05", "hibari, deep", "flite:awb", "flite:kal16", "espeak:en-us@150"),
    "checking": ("flite:slt", "joe, high", "hibari, low", "flite:rms", "espeak:en-us+f4@150"),
}
THROATS = {  # voice, pitch and formants times
    "joe, lower": ("joe@1.13", 0.9),
    "joe, high": ("joe@0.93", 1.1),
    "hibari, higher": ("hibari@0.9", 1.14),
    "hibari, low": ("hibari@1.1", 0.91),
    "hibari, deep": ("hibari@1.12", 0.86),
}
CALLERS = {"checking": ("5035550102", "jaws")}  # Walter, who removes it: titles that nothing was tuned on
_ADA = ("5035550101", "vertigo")


@dataclass(frozen=True, slots=True)
class Case:
    """``parts``: one, or two with ``pause_s`` between; ``state``: "ask" or "confirm"."""

    voice: str
    state: str
    parts: tuple[str, ...]
    pause_s: float = 0.0

    @property
    def text(self) -> str:
        return " ".join(self.parts)


@dataclass(slots=True)
class Turn:
    """What came of a case. Times are seconds after the end of the sound; ``heard``: when, and what."""

    case: Case
    snr_db: float | None
    heard: list[tuple[float, Recognition]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    attempts: int = 0
    cpu_s: float = 0.0
    meant: Meaning | None = None
    acted: list[Meaning] = field(default_factory=list)

    @property
    def cut(self) -> bool:
        return any(at < 0 for at in self.ended)

    @property
    def lossy(self) -> bool:
        """Something was cut off, and what was acted upon or asked about isn't just what was meant."""
        return self.cut and self.acted != [self.meant]

    @property
    def wrong(self) -> bool:
        """Another meaning was acted on, before they had finished."""
        return self.cut and any(
            best.verdict is Accept.ACCEPT and at < 0 and acted != self.meant
            for (at, best), acted in zip(self._bests(), self.acted, strict=True)
        )

    def _bests(self) -> Iterator[tuple[float, Hypothesis]]:
        return ((at, found.nbest[0]) for at, found in self.heard if found.nbest and _of_use(found))


def _of_use(found: Recognition) -> bool:
    return bool(found.nbest) and found.nbest[0].verdict is not Accept.REJECT


class Bench:
    """The listening half of the line, with a clock of its own."""

    def __init__(self, states: dict[str, Listen], took_s: float | None = None) -> None:
        self._states = states
        self._took_s = took_s
        self._activity = SileroModel()
        self._recogniser = MoonshineRecogniser()
        self._recogniser.load()
        self._openness = lru_cache(16)(Openness)
        self._voices: dict[str, Callable[[str], bytes]] = {}

    def _spoken(self, voice: str, text: str) -> Signal:
        name, shift = THROATS.get(voice, (voice, 1.0))
        if name not in self._voices:
            self._voices[name] = _flite(name) if name.startswith("flite:") else CallerVoice(name).speak
        samples = np.frombuffer(self._voices[name](text), "<i2").astype(float)
        if shift != 1.0:
            samples = np.asarray(soxr.resample(samples, 8000 * shift, 8000), float)
        levels = _levels(samples)
        loud = np.flatnonzero(levels > levels.max() * 0.01)
        return samples[int(loud[0]) * FRAME : (int(loud[-1]) + 1) * FRAME]

    def turn(self, case: Case, snr_db: float | None) -> Turn:
        """Say it once."""
        pause = [np.zeros(int(case.pause_s * 8000))]
        parts = [self._spoken(case.voice, part) for part in case.parts]
        speech = np.concatenate([parts[0], *(np.concatenate([*pause, part]) for part in parts[1:])])
        loud = np.flatnonzero(_levels(speech) > AUDIBLE)
        lead = int(LEAD_S * 8000)
        end_s = (lead + (int(loud[-1]) + 1) * FRAME) / 8000
        signal = np.concatenate([np.zeros(lead), speech, np.zeros(int(TAIL_S * 8000))])
        rng = np.random.default_rng(zlib.crc32(f"{case}{snr_db}".encode()))
        level = 8.0
        if snr_db is not None:
            voiced = speech[np.abs(speech) > np.abs(speech).max() * 0.05]
            level = float(np.sqrt((voiced**2).mean())) * 10 ** (-snr_db / 20)
        return self._listen(case, snr_db, signal + _pink(rng, len(signal)) * level, end_s)

    def _listen(self, case: Case, snr_db: float | None, signal: Signal, end_s: float) -> Turn:
        listen = self._states[case.state]
        turn = Turn(case, snr_db)
        turn.meant = _meaning(listen, case.text)
        payload = encode(np.clip(signal, -32768, 32767).astype("<i2").tobytes(), "PCMU")
        now = start = 100.0
        due: list[tuple[float, Attempt, Outcome]] = []

        def emit(event: EarEvent) -> None:
            if isinstance(event, SpeechEnded):
                turn.ended.append(now - start - FRAME_S - end_s)
            elif isinstance(event, Heard):
                turn.heard.append((now - start - FRAME_S - end_s, event.recognition))
                best = event.recognition.nbest[0] if _of_use(event.recognition) else None
                if best is not None and (meaning := _meaning(listen, best.text)) is not None:
                    turn.acted.append(meaning)

        def submit(_: UtteranceDetector, attempt: Attempt) -> None:
            turn.attempts += 1
            began = time.thread_time()
            speech = samples_of(attempt.pcm)
            outcome = Outcome(self._recogniser.recognise(speech, attempt.grammar), measure(speech))
            took = time.thread_time() - began
            turn.cpu_s += took
            due.append((now + (took if self._took_s is None else self._took_s), attempt, outcome))

        detector = UtteranceDetector(SileroStream(self._activity), emit, submit, openness=self._openness)
        detector.listen(ListenRequest(listen.grammar.speech, listen.hangover_s, listen.max_utterance_s))
        receiver = Receiver(["PCMU"], lambda change, source: None)
        receiver.listening = True
        receiver.aim(MediaDescription(_FAR[0], _FAR[1], (PCMU_FORMAT,)), now)
        for number, at in enumerate(range(0, len(payload) - FRAME + 1, FRAME), 1):
            now = start + number * FRAME_S
            packet = Packet(0, False, number, number * FRAME, 77, payload[at : at + FRAME])
            receiver.datagram(build(packet), _FAR, now)
            if receiver.tick() and receiver.payload is not None:
                decoded = PCMU.decode(receiver.payload)
                receiver.decoded(decoded, power(decoded))
            for heard_at, pcm in receiver.speech(now):
                detector.feed(heard_at, pcm, now)
            detector.tick(now)
            until = now + FRAME_S
            while now < until - 1e-9:
                for ready in [each for each in due if each[0] <= now]:
                    due.remove(ready)
                    if not ready[1].cancelled():
                        detector.done(*ready[1:])
                now += _STEP_S
        for ready_at, attempt, outcome in due:
            now = max(now, ready_at)
            if not attempt.cancelled():
                detector.done(attempt, outcome)
        return turn


def _flite(name: str) -> Callable[[str], bytes]:
    speaker = Speaker(Voice(name, "tuning", "flite", name.partition(":")[2]))
    return lambda text: speaker.say(text).tobytes()


def _levels(samples: Signal) -> Signal:
    """RMS of each frame."""
    return np.asarray(np.sqrt((samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) ** 2).mean(1)), float)


def _pink(rng: np.random.Generator, length: int) -> Signal:
    spectrum = np.fft.rfft(rng.standard_normal(length))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(length, 1 / 8000), 100.0)), length)
    return np.asarray(noise / noise.std(), float)


def background(length: int, seed: int, people: int) -> Signal:
    """People who talk somewhere else: one is a television, several a café. Its RMS is 1."""
    rng = np.random.default_rng(seed)
    made = np.zeros(length)
    for person in range(people):
        at = -int(rng.integers(0, 8000))
        while at < length:
            voice = CallerVoice(OTHERS[(person + seed) % len(OTHERS)])
            said = np.frombuffer(voice.speak(TALK[int(rng.integers(len(TALK)))]), "<i2").astype(float)
            begin, end = max(0, at), min(length, at + len(said))
            made[begin:end] += said[begin - at : end - at]
            at += len(said) + int(rng.integers(800, 3000))
    return np.asarray(made / made.std(), float)


def _meaning(listen: Listen, text: str) -> Meaning | None:
    readings = listen.grammar.read(words_of(text, listen.grammar.language))
    return readings[0].meaning if readings else None


async def states(folder: Path, part: str) -> dict[str, Listen]:
    """What a member's call listens for at the open question, and when a change is to be confirmed."""
    number, title = CALLERS.get(part, _ADA)
    store = films_store(f"sqlite+aiosqlite:///{folder / 'bench.sqlite3'}", timeout_s=30.0)
    await store.upgrade()
    await films_on(store).seed()
    line = InnerLine(store, await actions_on(store).vocabulary("catalogue"), number)
    await line.begin()
    assert line.listening is not None
    found = {"ask": line.listening}
    remove = Recognition(cause=Cause.SUCCESS, nbest=(Hypothesis(f"remove {title}", 0.99, None, Accept.ACCEPT),))
    await line.feed(SpeechHeard(remove, line.listening.token))
    found["confirm"] = line.listening
    await store.close()
    return found


def cases(part: str, every: int, voices: Sequence[str]) -> list[Case]:
    """Each sentence whole, and with a pause of each length at every ``every``-th place between words."""
    found: list[Case] = []
    for voice in voices:
        for state, texts in (("confirm", ANSWERS[part]), ("ask", SENTENCES[part])):
            for index, text in enumerate(texts.split("|")):
                found.append(Case(voice, state, (text,)))
                words = text.split()
                for turn, pause_s in enumerate(PAUSES_S):
                    for place in range(1, len(words)):
                        if (index + place + turn) % every == 0:
                            parts = " ".join(words[:place]), " ".join(words[place:])
                            found.append(Case(voice, state, parts, pause_s))
    return found


def report(turns: Sequence[Turn]) -> bool:
    good = True
    for snr in dict.fromkeys(turn.snr_db for turn in turns):
        name = "clean" if snr is None else f"{snr:.0f} dB"
        for kind in ("ask", "confirm"):
            whole = [t for t in turns if t.snr_db == snr and t.case.state == kind and not t.case.pause_s]
            times = summary(t.heard[-1][0] for t in whole if t.heard)
            if times is not None:
                cuts = sum(t.cut for t in whole)
                print(
                    f"{name}, {kind}, whole: n {len(whole)}, end to decision p50 {times.p50:.2f} p95 {times.p95:.2f} "
                    f"worst {times.worst:.2f} s; cut {cuts}; {sum(t.attempts for t in whole) / len(whole):.2f} "
                    f"recognitions, {1000 * sum(t.cpu_s for t in whole) / len(whole):.0f} ms of CPU"
                )
        paused = [t for t in turns if t.snr_db == snr and t.case.pause_s]
        for pause_s in PAUSES_S:
            some = [t for t in paused if t.case.pause_s == pause_s]
            if some:
                print(
                    f"{name}, pauses of {pause_s} s: n {len(some)}, cut {sum(t.cut for t in some)}, "
                    f"of those with a loss {sum(t.lossy for t in some)}, "
                    f"another meaning acted on {sum(t.wrong for t in some)}"
                )
        wrong, lossy = sum(t.wrong for t in paused), sum(t.lossy for t in paused)
        most = 0.01 if snr is None else 0.03
        good &= not wrong and lossy <= most * max(1, len(paused))
        for turn in paused:
            if turn.cut:
                print(f"  {'WRONG' if turn.wrong else 'loss' if turn.lossy else 'same'}: {_row(turn)}")
    return good


def _row(turn: Turn) -> str:
    heard = "; ".join(
        f"{at:+.2f} {found.nbest[0].text if found.nbest else '-'!s} "
        f"({found.nbest[0].verdict.value if found.nbest else '-'}, freely {found.transcript!r})"
        for at, found in turn.heard
    )
    return f"{turn.case.voice} {' | '.join(turn.case.parts)} {turn.case.pause_s} s: {heard}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=tuple(SENTENCES), default="last", help="checking: what nothing was tuned on")
    parser.add_argument("--every", type=int, default=3, metavar="N", help="of the places for pauses, every N-th")
    parser.add_argument("--snr", nargs="*", default=["clean", "20"], help="clean, or dB")
    parser.add_argument("--voice", nargs="*", type=int, help="these of the part's alone: 0 is the first")
    parser.add_argument("--took", type=float, metavar="SECONDS", help="of a recognition, instead of what it takes here")
    parser.add_argument("--rows", action="store_true", help="every turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(asyncio.run(states(Path(folder), options.part)), options.took)
    turns = []
    voices = VOICES[options.part]
    voices = tuple(voices[each] for each in options.voice) if options.voice else voices
    if shutil.which("flite") is None and (missing := [each for each in voices if each.startswith("flite:")]):
        print(f"left out, since flite is not installed: {', '.join(missing)}")
        voices = tuple(each for each in voices if each not in missing)
    for snr in (None if each == "clean" else float(each) for each in options.snr):
        for case in cases(options.part, options.every, voices):
            turns.append(bench.turn(case, snr))
            if options.rows:
                print(f"  {snr} {_row(turns[-1])}", flush=True)
    good = report(turns)
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
