"""The measurement: which sentence is said by whom in which condition, and what came of each.

Deterministic: the same plan, clips and outcomes in every run of the same code. In full, every sentence is said clean by
a natural voice and by another, and once in each group of conditions, natural voices every second time.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

from ivr.speech.worker.engines import Recogniser
from tests.eval.conditions import CONDITIONS, Condition, Surroundings
from tests.eval.corpus import Kind, Part, Sentence, sentences
from tests.eval.line import Line, best_of
from tests.eval.meaning import Caller, Verdict, judged
from tests.eval.voices import VOICES, Speaker, installed

TYPED = "typed"
_RARE = ("A-law", "own echo")  # groups in which every third sentence is said
_OWN_VOICE = "hibari"  # the line's
_LOUDER_DB = (-8.0, 0.0, 8.0)


@dataclass(frozen=True, slots=True)
class Job:
    sentence: Sentence
    speaker: Speaker
    condition: Condition

    @property
    def seed(self) -> int:
        return zlib.crc32(f"{self.speaker.voice.name}|{self.sentence.text}|{self.condition.name}".encode())


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one sentence. ``group``: of conditions, or "typed"; ``cpu_s``: of its recognitions."""

    part: Part
    language: str
    kind: Kind
    state: str
    said: str
    digits: int
    voice: str
    natural: bool
    condition: str
    group: str
    verdict: Verdict
    intent: str
    heard: Sequence[str] = ()
    cut: bool = False
    never_ended: bool = False
    delay_s: float | None = None
    attempts: int = 0
    cpu_s: float = 0.0
    meant: str = ""  # the intent that is right; unknown of older runs


@dataclass(frozen=True, slots=True)
class OwnPrompt:
    """The line's own prompt by a speakerphone, and nobody speaking: whether it began a turn, and what was heard."""

    prompt: str
    louder_db: float
    began: bool
    heard: Sequence[str]


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of the plan: every ``step``-th sentence of each kind, in these ``groups`` (none named: in all)."""

    step: int = 1
    groups: frozenset[str] = frozenset()

    def takes(self, group: str) -> bool:
        return not self.groups or group in self.groups


def plan(part: Part, speakers: Sequence[Speaker], amount: Amount) -> list[Job]:
    """Grouped by speaker's turn, so that every voice says every kind of thing."""
    natural = [each for each in speakers if each.voice.natural] or list(speakers)
    stress = [each for each in speakers if not each.voice.natural] or list(speakers)
    groups = {name: list(found) for name, found in groupby(CONDITIONS, lambda condition: condition.group)}
    jobs: list[Job] = []
    for number, sentence in enumerate(thinned(part, "en-US", amount)):
        for place, (group, conditions) in enumerate(groups.items()):
            if not amount.takes(group) or (group in _RARE and (number + place) % 3):
                continue
            if group.startswith("pause") and (number + place) % 3:
                continue
            condition = conditions[number % len(conditions)]
            turn = number + place
            if group == "clean":
                jobs.append(Job(sentence, natural[number % len(natural)], condition))
                jobs.append(Job(sentence, stress[number % len(stress)], condition))
            else:
                throats = natural if turn % 2 else stress
                jobs.append(Job(sentence, throats[turn // 2 % len(throats)], condition))
    return jobs


def thinned(part: Part, language: str, amount: Amount) -> list[Sentence]:
    own = [sentence for sentence in sentences(language) if sentence.part == part]
    return [
        sentence
        for _, found in groupby(own, lambda sentence: (sentence.kind, sentence.state))
        for sentence in list(found)[:: amount.step]
    ]


def typed(part: Part, amount: Amount) -> Iterator[Row]:
    """Understanding alone: the words as text, in each language."""
    for language in ("en-US", "es-ES"):
        for sentence in thinned(part, language, amount):
            turn = Caller(sentence).types()
            intent = turn.understood.intent if turn.understood else ""
            yield _row(sentence, "", True, TYPED, TYPED, judged([turn], sentence), intent)


async def spoken(
    jobs: Sequence[Job], recogniser: Recogniser, surroundings: Surroundings, progress: Callable[[int, int], None]
) -> list[Row]:
    line = Line(recogniser)
    rows: list[Row] = []
    for done, job in enumerate(jobs):
        progress(done, len(jobs))
        sentence, voice, condition = job.sentence, job.speaker.voice, job.condition
        caller = Caller(sentence)
        clip = surroundings.clip(job.speaker, sentence.text, condition, job.seed, caller.prompt)
        trial = await line.hear(clip, caller)
        verdict = judged(trial.turns, sentence)
        intent = next((t.understood.intent for t in trial.turns if t.understood and t.understood.intent), "")
        rows.append(
            _row(
                *(sentence, voice.name, voice.natural, condition.name, condition.group, verdict, intent),
                heard=best_of(trial),
                cut=trial.cut(clip),
                never_ended=trial.never_ended(clip),
                delay_s=_rounded(trial.delay_s(clip)),
                attempts=trial.attempts,
                cpu_s=round(trial.cpu_s, 4),
            )
        )
    progress(len(jobs), len(jobs))
    return rows


async def own_prompts(part: Part, recogniser: Recogniser, surroundings: Surroundings) -> list[OwnPrompt]:
    """The prompt of every state of the corpus, at three loudnesses."""
    line = Line(recogniser)
    states = {sentence.state: sentence for sentence in sentences() if sentence.part == part}
    found: list[OwnPrompt] = []
    for sentence in states.values():
        for louder_db in _LOUDER_DB:
            caller = Caller(sentence)
            trial = await line.hear(surroundings.prompt_alone(caller.prompt, louder_db), caller)
            found.append(OwnPrompt(caller.prompt, louder_db, bool(trial.started), best_of(trial)))
    return found


def surroundings(part: Part, cache: Path) -> tuple[list[Speaker], Surroundings]:
    """Those who speak, and what is around them: people in the background are of the same part."""
    speakers = installed(part, cache)
    own = Speaker(next(voice for voice in VOICES if voice.name == _OWN_VOICE), cache)
    return speakers, Surroundings(speakers, own.say)


def as_json(found: Row | OwnPrompt) -> dict[str, object]:
    return {name: value for name, value in asdict(found).items() if value not in ((), None)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _row(
    sentence: Sentence,
    voice: str,
    natural: bool,
    condition: str,
    group: str,
    verdict: Verdict,
    intent: str,
    **more: object,
) -> Row:
    return Row(
        *(sentence.part, sentence.language, sentence.kind, sentence.state, sentence.text, sentence.digits),
        *(voice, natural, condition, group, verdict, intent),
        meant=sentence.meaning.intent,
        **more,  # type: ignore[arg-type]
    )
