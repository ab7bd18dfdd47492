"""Spoken answers to the reference flows' questions, for fitting and checking how sure a recogniser may be.

Two parts that share nothing: "fit" and "check" differ in sentences (a template belongs to one of them), titles,
numbers and voices. Each clip comes over a telephone line: clean, with noise or other people's talk at 20 and 10 dB, or
with 2 % of its packets lost.
"""

from __future__ import annotations

import dataclasses
import random
import shutil
import subprocess
import tempfile
import wave
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from ivr.dialogue.engine.contract import ActionDone, Perform
from ivr.dialogue.understanding.grammar import Meaning
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.dialogue.understanding.n_best import words_of
from ivr.dialogue.understanding.speech_grammar import CharacterRun, SpeechGrammar, filled, slot_names
from ivr.events import ActionResult
from ivr.speech.worker.endpointing import SileroModel, speech_span
from ivr.speech.worker.engines import TELEPHONE_RATE, Samples
from tests.bench.dialogue_turns import identified
from tests.bench.speech_corpus import mu_law, voices
from tests.unit.dialogue.talk import Talk, reference

CONDITIONS = ("clean", "20 dB", "10 dB", "loss")
_SNR = {"clean": 55.0, "20 dB": 20.0, "10 dB": 10.0, "loss": 55.0}
_PACKET = TELEPHONE_RATE // 50
_QUEUES = {
    "fit": "Casablanca|Vertigo|Alien|Aliens|The Third Man|Rear Window|North by Northwest|Toy Story|Toy Story 2|"
    "Psycho|Metropolis|Nosferatu|Singin' in the Rain|His Girl Friday|Citizen Kane|King Kong|Up|Heat|Gravity|"
    "The Apartment",
    "check": "The Maltese Falcon|Sunset Boulevard|Charade|The Lady Vanishes|Duck Soup|City Lights|Rebecca|Notorious|"
    "Rope|High Noon|The General|Modern Times|It Happened One Night|The Big Sleep|Laura|Se7en|Predator|"
    "Predators|Big|Jaws",
}
_STRANGE = {
    "fit": "I would like to order a pizza.|What time do you open tomorrow?|The weather is lovely today.|"
    "Hold on a second.|My brother lives in Portland.|Can you send the bill to my office?|"
    "Where did I put my glasses?|It's raining again.|Somebody is at the door.|Tell him I'll be late.|"
    "Eleven people came to the party.|I was just reading the newspaper.",
    "check": "Can you tell me a joke?|How much does it cost?|I think the dog is barking at the mailman.|"
    "Let me think about it.|Please turn down the radio.|Is that the one with the boat?|"
    "We had dinner at eight.|Do you sell gift cards?|I need a taxi to the airport.|"
    "Who won the game last night?|She never answers the telephone.|Just a moment, please.",
}
_FLITE = {"fit": ("slt", "kal"), "check": ("awb", "rms")}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said in a state. ``meaning`` None: nothing of its grammar; any acceptance is wrong."""

    state: str
    text: str
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer as it came over the line: from where voice activity began to where it ended."""

    answer: Answer
    voice: str
    condition: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class Corpus:
    grammars: dict[str, StateGrammar]
    speech: dict[str, SpeechGrammar]
    answers: tuple[Answer, ...]


def corpus(part: str) -> Corpus:
    queue = _QUEUES[part].split("|")
    ask = identified(queue)
    title = identified(queue).say("remove a title")
    place = identified(queue).say(f"move {queue[0]} to number ninety nine")
    removal = identified(queue).say(f"remove {queue[1]}")
    number = Talk(reference(), entry="main", perform=False)
    grammars = {
        name: talk.listen.grammar
        for name, talk in (("ask", ask), ("title", title), ("place", place), ("confirm", removal))
    }
    speech = {name: grammar.speech for name, grammar in grammars.items()}
    rng = random.Random(zlib.crc32(part.encode()))
    answers = [*_sampled("ask", grammars["ask"], part, 60, rng), *_sampled("place", grammars["place"], part, 8, rng)]
    answers += [_covered("title", grammars["title"], text) for text in queue[:14]]
    answers += [_covered("confirm", grammars["confirm"], text) for text in yes_or_no(grammars["confirm"], part)]
    fixed = number_grammar(number)
    for i in range(16):
        length = (4, 5, 6, 8)[i % 4]
        digits = "".join(rng.choice("0123456789") for _ in range(length))
        name = f"digits {length}"
        grammars[name] = fixed
        speech[name] = dataclasses.replace(
            fixed.speech, key=f"{fixed.speech.key} {length}", run=CharacterRun(length, length)
        )
        answers.append(Answer(name, " ".join(digits), Meaning("digits " + digits)))
    states = ("ask", "confirm", "title", "place", "digits 5")
    grammars.setdefault("digits 5", fixed)
    for i, text in enumerate(_STRANGE[part].split("|")):
        answers += [Answer("ask", text, None), Answer(states[1 + i % 4], text, None)]
    return Corpus(grammars, speech, tuple(answers))


def yes_or_no(grammar: StateGrammar, part: str) -> list[str]:
    """The two words themselves, twice, and the other ways to say them that fall to this part."""
    fixed = grammar.outline.fixed
    ways = [p for p, m in zip(fixed.phrases, fixed.meanings, strict=True) if m.intent in ("yes", "no")]
    return ["yes", "no"] * 2 + [way for way in ways if way not in ("yes", "no") and _falls_to(part, way)][:12]


def _falls_to(part: str, text: str) -> bool:
    return zlib.crc32(text.encode()) % 2 == ("fit", "check").index(part)


def number_grammar(talk: Talk) -> StateGrammar:
    """Where the membership number is asked for."""
    while talk.dialogue.waiting == "action":
        under_way = next(e for e in reversed(talk.effects) if isinstance(e, Perform))
        talk.send(ActionDone(under_way.token, ActionResult("unknown")))
    return talk.listen.grammar


def _sampled(state: str, grammar: StateGrammar, part: str, count: int, rng: random.Random) -> Iterator[Answer]:
    """Sentences of the grammar, a third of them fixed; those whose text falls to this part."""
    speech = grammar.speech
    values = {
        name: [v for v in known if name.rpartition(".")[2] in ("title", "other", "kind") or _falls_to(part, v)]
        for name, known in speech.slots
    }
    phrases = [p for p in speech.phrases if _falls_to(part, p)]
    templates = [t for t in speech.templates if _falls_to(part, " ".join(t)) and all(map(values.get, slot_names(t)))]
    for i in range(count):
        if i % 3 == 0 or not templates:
            yield _covered(state, grammar, rng.choice(phrases))
            continue
        template = rng.choice(templates)
        chosen: list[str] = []
        for name in slot_names(template):
            known = values[name][:16] if name in speech.counted else values[name]
            chosen.append(rng.choice([v for v in known if v not in chosen]))
        yield _covered(state, grammar, filled(template, chosen))


def _covered(state: str, grammar: StateGrammar, text: str) -> Answer:
    read = grammar.read(words_of(text, grammar.language))
    assert read, (state, text)
    return Answer(state, text, read[0].meaning)


# -- voices and lines -------------------------------------------------------------------------------------------------


def speakers(part: str) -> dict[str, Callable[[str], Samples]]:
    """A natural voice and the same one higher or lower, flite's where it is installed, espeak's as a stress."""
    known = voices()
    natural, pitch, robot = ("joe", 1.13, "espeak") if part == "fit" else ("hibari", 0.91, "espeak-f3")
    found = {natural: known[natural], f"{natural} {pitch}": _pitched(known[natural], pitch)}
    if (flite := shutil.which("flite")) is not None:
        found |= {f"flite {name}": _flite(flite, name) for name in _FLITE[part]}
    return found | {robot: known[robot]}


def _pitched(speak: Callable[[str], Samples], by: float) -> Callable[[str], Samples]:
    def say(text: str) -> Samples:
        out: Samples = soxr.resample(speak(text), TELEPHONE_RATE * by, TELEPHONE_RATE).astype(np.float32)
        return out

    return say


def _flite(program: str, voice: str) -> Callable[[str], Samples]:
    def say(text: str) -> Samples:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "said.wav"
            subprocess.run([program, "-voice", voice, "-t", text, "-o", str(path)], check=True, capture_output=True)
            with wave.open(str(path)) as file:
                pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
                rate = file.getframerate()
        out: Samples = soxr.resample(pcm, rate, TELEPHONE_RATE).astype(np.float32)
        return out / max(float(np.abs(out).max()), 1e-6) * np.float32(0.5)

    return say


def spoken(part: str, answers: Sequence[Answer], each: int = 2) -> Iterator[Spoken]:
    """Every answer by every voice, in ``each`` of the conditions, by turns. What holds no speech is left out."""
    activity = SileroModel()
    for v, (voice, say) in enumerate(speakers(part).items()):
        clips = [say(_punctuated(answer.text)) for answer in answers]
        crowd = np.concatenate(clips)
        for i, (answer, clip) in enumerate(zip(answers, clips, strict=True)):
            for k in range(each):
                condition = CONDITIONS[(i + v + k * (i % 3 + 1)) % 4]
                line = over_the_line(clip, condition, crowd, zlib.crc32(f"{voice}{answer.text}{condition}".encode()))
                span = speech_span(activity, (line * 32767).astype("<i2").tobytes())
                if span is not None:
                    yield Spoken(answer, voice, condition, line[span[0] : span[1]])


def _punctuated(text: str) -> str:
    return text if text[-1] in ".?!" else text[:1].upper() + text[1:] + "."


def over_the_line(speech: Samples, condition: str, crowd: Samples, seed: int) -> Samples:
    """Half a second of line around it; noise, or three people's talk, below it; G.711."""
    rng = np.random.default_rng(seed)
    out = np.pad(speech, 4000).astype(np.float32)
    if seed % 3 == 0 and _SNR[condition] < 50:
        starts = rng.integers(0, max(1, len(crowd) - len(out)), 3)
        noise = sum(np.resize(crowd[s : s + len(out)], len(out)).astype(np.float64) for s in starts)
    else:
        spectrum = np.fft.rfft(rng.standard_normal(len(out)))
        noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.fft.rfftfreq(len(out), 1 / 8000), 100.0)), len(out))
    loud = speech[np.abs(speech) > np.abs(speech).max() * 0.05].astype(np.float64)
    wanted = np.sqrt((loud**2).mean()) * 10 ** (-_SNR[condition] / 20)
    noisy = out + (noise / np.std(noise) * wanted).astype(np.float32)
    if condition == "loss":
        for at in range(_PACKET, len(noisy) - _PACKET, _PACKET):
            if rng.random() < 0.02:  # concealed by the packet before it, fading
                fade = np.linspace(0.9, 0.4, _PACKET, dtype=np.float32)
                noisy[at : at + _PACKET] = noisy[at - _PACKET : at] * fade
    return mu_law(np.clip(noisy, -1.0, 1.0).astype(np.float32))
