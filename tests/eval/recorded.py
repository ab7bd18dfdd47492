"""Recorded speech evaluated: conversations whose callers agreed to it, and one's own recordings with their meaning.

What callers say to the dialogue is never recorded: a recording begins where they are joined with a person. So of such
conversations it is measured what the line would have made of them at its open question, where nearly nothing of it is
meant for the line; and how like its hearing is to what was written down then. A folder of WAV files with a
``labels.csv`` measures anything else: ``file,state,meaning[,titles]``, as in ``sentences.yaml``.
"""

from __future__ import annotations

import csv
import io
import wave
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from rapidfuzz.fuzz import ratio

from ivr.dialogue.engine.contract import Listen
from ivr.errors import ConfigError, RecordingUnreadable
from ivr.events import RECORDING_AGREED, Recognition
from ivr.ports.recordings import WITHDRAWN, RecordingRow
from ivr.record import Entry, Spoken
from ivr.recording.archive import Archive
from ivr.recording.container import STEREO_PCMU
from ivr.softphone.g711 import encode
from ivr.store import Store
from tests.eval.conditions import FRAME, Clip
from tests.eval.corpus import KINDS, TITLES, Kind, Meaning, Sentence, Titles, sentences
from tests.eval.figures import Share
from tests.eval.line import Line
from tests.eval.meaning import TASK, UNASKED, Caller, Turn, Verdict, judged
from tests.eval.voices import RATE

_HEADER = len(STEREO_PCMU.header(0))
_AROUND_S = 1.0  # of silence, for the jitter buffer and the last hang-over
_SILENCE = b"\xff"
_NEAR = 60.0  # per cent of likeness, from which on two transcripts are of the same sentence
LABELS = "labels.csv"


@dataclass(frozen=True, slots=True)
class Conversation:
    """``caller``: their side as PCMU; ``written``: their sentences, as they were written down."""

    name: str
    language: str
    caller: bytes
    written: Sequence[str] = ()


@dataclass(slots=True)
class Overheard:
    """What the line would have made of a conversation: a verdict an utterance (anything but "nothing" is wrong)."""

    name: str
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    intents: Counter[str] = field(default_factory=Counter)
    likeness: list[float] = field(default_factory=list)  # per cent, of each sentence written down

    def to_json(self) -> Mapping[str, Any]:
        return {
            "recording": self.name,
            "verdicts": dict(self.verdicts),
            "intents": dict(self.intents),
            "likeness": [round(each) for each in self.likeness],
        }


async def agreed(store: Store, archive: Archive, by: str) -> list[Conversation]:
    """The conversations that are over and whose callers said yes and left it at that. Playing them is audited."""
    found: list[Conversation] = []
    for row in await archive.listed():
        if row.kind != "conversation" or row.ended in ("", WITHDRAWN):
            continue
        call = await store.calls.get(row.call_id)
        if call is None or call.get("facts", {}).get(RECORDING_AGREED) is not True:
            continue
        sound = await _sound(archive, row, by)
        if sound:
            language = str(call.get("language") or "en-US")
            entries = [Entry.from_json(entry).what for entry in call["entries"]]
            said = [what.text for what in entries if isinstance(what, Spoken) and what.by == "caller"]
            found.append(Conversation(row.name, language, sound[0::2], said))
    return found


async def _sound(archive: Archive, row: RecordingRow, by: str) -> bytes:
    """Interleaved PCMU; empty where the file can't be read."""
    try:
        player = await archive.open(row.name, by)
    except RecordingUnreadable:
        return b""
    if player is None:
        return b""
    try:
        return b"".join([piece async for piece in player.read(_HEADER, player.size)])
    finally:
        await player.close()


class Bystander:
    """Whoever says something at the open question and is not talking to it: each utterance starts afresh."""

    def __init__(self, sentence: Sentence) -> None:
        self._sentence = sentence
        self._caller = Caller(sentence)
        self.turns: list[tuple[Turn, str]] = []

    @property
    def listen(self) -> Listen:
        return self._caller.listen

    def hears(self, recognition: Recognition) -> Turn:
        turn = Caller(self._sentence).hears(recognition)
        self.turns.append((turn, recognition.transcript))
        return turn


async def overheard(conversation: Conversation, line: Line) -> Overheard:
    asked = next(
        each for each in sentences(conversation.language) if each.kind == "strange" and each.state == "main.ask"
    )
    bystander = Bystander(asked)
    await line.hear(_clip(conversation.caller), bystander)
    told = Overheard(conversation.name)
    for turn, _ in bystander.turns:
        told.verdicts[judged([turn], asked)] += 1
        if turn.understood is not None and turn.understood.intent:
            told.intents[turn.understood.intent] += 1
    heard = [transcript.lower() for _, transcript in bystander.turns]
    for written in conversation.written:
        told.likeness.append(max((ratio(written.lower(), each) for each in heard), default=0.0))
    return told


def _clip(pcmu: bytes) -> Clip:
    around = _SILENCE * round(_AROUND_S * RATE)
    whole = around + pcmu + around
    packets = [whole[at : at + FRAME] for at in range(0, len(whole) - FRAME + 1, FRAME)]
    return Clip("PCMU", packets, _AROUND_S, len(whole) / RATE)


def summary(found: Sequence[Overheard]) -> str:
    """No word of what was said."""
    verdicts: Counter[Verdict] = sum((each.verdicts for each in found), Counter())
    likeness = [each for conversation in found for each in conversation.likeness]
    near = Share(sum(each >= _NEAR for each in likeness), len(likeness))
    of = sum(verdicts.values())
    lines = [
        f"# Recorded conversations: {len(found)}, of callers who agreed",
        "",
        "What they said to a person, at the line's open question: nothing of it is meant for the line.",
        "",
        f"- utterances heard: {of}",
        *(f"- {name}: {Share(count, of)}" for name, count in verdicts.most_common()),
        f"- sentences written down then that are heard alike now: {near}",
    ]
    intents: Counter[str] = sum((each.intents for each in found), Counter())
    return "\n".join([*lines, *(f"- taken for {intent}: {count}" for intent, count in intents.most_common(10)), ""])


# -- a folder of one's own ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Labelled:
    file: Path
    sentence: Sentence
    titles: Titles | None


def labelled(folder: Path) -> Iterator[Labelled]:
    """Raises ConfigError for labels that are missing or wrong."""
    path = folder / LABELS
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="write one: file,state,meaning,titles") from error
    states = {sentence.state for sentence in sentences()}
    for number, row in enumerate(rows, 2):
        state, meant = str(row.get("state") or "main.ask"), str(row.get("meaning") or "").split()
        file = folder / str(row.get("file") or "")
        kind = str(row.get("kind") or "covered")
        if not meant or not file.is_file() or state not in states or kind not in KINDS:
            raise ConfigError(
                f"{path}, line {number}: a file that is there, a state, a meaning and a kind are wanted",
                remedy=f"states: {', '.join(sorted(states))}; kinds: {', '.join(KINDS)}",
            )
        names = tuple(filter(None, str(row.get("titles") or "").split("|")))
        values = [part.strip('"') for part in _quoted(" ".join(meant[1:]))]
        yield Labelled(file, _sentence(kind, state, file.name, Meaning(meant[0], tuple(values))), _titles(names))


def _sentence(kind: str, state: str, name: str, meaning: Meaning) -> Sentence:
    known: Kind = next(each for each in KINDS if each == kind)
    return Sentence("en-US", "checking", known, state, name, meaning)


def _titles(names: tuple[str, ...]) -> Titles | None:
    return Titles(names, TITLES["checking"].films, TITLES["checking"].discs) if names else None


def _quoted(values: str) -> list[str]:
    """Words, and what stands between quotation marks as one."""
    pieces = values.split('"')
    return [part for n, piece in enumerate(pieces) for part in ([piece] if n % 2 else piece.split()) if part]


async def said(each: Labelled, line: Line) -> tuple[Verdict, Sequence[str]]:
    """What the line makes of one recording, and what it heard."""
    caller = Caller(each.sentence, each.titles)
    trial = await line.hear(_clip(_pcmu(each.file)), caller)
    return judged(trial.turns, each.sentence), [recognition.transcript for _, recognition in trial.heard]


def told_apart(verdicts: Sequence[tuple[Labelled, Verdict, Sequence[str]]]) -> tuple[str, list[Mapping[str, Any]]]:
    """(for people, as data)."""
    task = Share(sum(verdict in TASK for _, verdict, _ in verdicts), len(verdicts))
    unasked = Share(sum(verdict in UNASKED for _, verdict, _ in verdicts), len(verdicts))
    lines = [
        f"# Recordings: {len(verdicts)}",
        "",
        f"- task (done, or asked about with the right thing first): {task}",
        f"- wrong without a question: {unasked}",
        "",
        "| file | meant | came out as | heard |",
        "|---|---|---|---|",
    ]
    data: list[Mapping[str, Any]] = []
    for each, verdict, heard in verdicts:
        meaning = " ".join((each.sentence.meaning.intent, *each.sentence.meaning.values))
        lines.append(f"| {each.file.name} | {meaning} | {verdict} | {'; '.join(heard)} |")
        data.append({"file": each.file.name, "meant": meaning, "verdict": verdict, "heard": list(heard)})
    return "\n".join([*lines, ""]), data


def _pcmu(file: Path) -> bytes:
    """Of a WAV file of 16-bit PCM, any rate; the left side of a stereo one. Raises ConfigError."""
    try:
        with wave.open(str(file), "rb") as wav:
            if wav.getsampwidth() != 2:
                raise ConfigError(f"{file}: not 16-bit PCM", remedy=f"sox {file.name} -b 16 other.wav")
            samples = np.frombuffer(wav.readframes(wav.getnframes()), "<i2")[:: wav.getnchannels()]
            heard = soxr.resample(samples.astype(np.float64), wav.getframerate(), RATE)
    except (wave.Error, EOFError) as error:
        raise ConfigError(f"{file}: {error}", remedy="only WAV files of 16-bit PCM are read") from error
    return encode(np.clip(np.rint(heard), -32768, 32767).astype("<i2").tobytes(), "PCMU")
