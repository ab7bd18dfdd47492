"""Recorded speech: only conversations whose callers agreed, and files with what they mean."""

from __future__ import annotations

import wave
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ivr.errors import ConfigError
from ivr.events import RECORDING_AGREED
from ivr.ports import RecordingAbout
from ivr.ports.recordings import WITHDRAWN
from ivr.record import Entry, Spoken
from ivr.recording.archive import Archive
from ivr.recording.stereo import interleaved
from ivr.softphone.g711 import encode
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.store import Store
from tests.eval.corpus import Meaning
from tests.eval.line import Line
from tests.eval.recorded import Conversation, agreed, labelled, overheard, said, summary, told_apart
from tests.eval.test_line import JOE
from tests.eval.voices import RATE, Pcm, Speaker
from tests.recordings import KEY, archived

NOW = datetime(2026, 3, 3, tzinfo=UTC)
SECOND = b"\x11" * RATE


@pytest.fixture(scope="module")
def line() -> Line:
    recogniser = MoonshineRecogniser()
    recogniser.load()
    return Line(recogniser)


async def call(store: Store, archive: Archive, call_id: str, consent: bool | None, ended: str = "over") -> str:
    """One call with a recorded conversation; the recording's name."""
    await store.calls.begin(call_id, "5035550101", "ivr", NOW, {})
    if consent is not None:
        await store.calls.update(call_id, facts={RECORDING_AGREED: consent}, language="en-US")
    spoken = (Spoken("caller", "I lost my keys."), Spoken("sam", "I see."))
    await store.calls.append_all(call_id, [Entry(each, NOW) for each in spoken])
    kept = await archive.begin(RecordingAbout(call_id, "10001", "sam"))
    assert kept is not None
    await kept.write([interleaved(SECOND, [b"\x22" * RATE])] * 2, last=True)
    await kept.close(ended, ["sam"])
    return kept.name


async def test_only_conversations_whose_callers_said_yes_and_left_it_at_that_are_heard(tmp_path: Path) -> None:
    store = Store("sqlite+aiosqlite:///:memory:")
    await store.upgrade()
    try:
        async with archived(tmp_path, KEY, store=store) as archive:
            wanted = await call(store, archive, "yes", True)
            await call(store, archive, "no", False)
            await call(store, archive, "never-asked", None)
            await call(store, archive, "taken-back", True, WITHDRAWN)
            (found,) = await agreed(store, archive, "evaluation:rosa")
    finally:
        await store.close()
    assert found == Conversation(wanted, "en-US", SECOND * 2, ["I lost my keys."])


def clip(speaker: Speaker, *texts: str) -> Pcm:
    pause = np.zeros(RATE, np.int16)
    return np.concatenate([piece for text in texts for piece in (speaker.say(text), pause)])


async def test_what_is_said_to_a_person_is_held_against_the_open_question(tmp_path: Path, line: Line) -> None:
    speaker = Speaker(JOE, tmp_path)
    sound = clip(speaker, "The garden looks lovely this year.", "I want to talk to somebody.")
    said_then = ["the garden looks lovely this year", "we never talked about any such thing"]
    told = await overheard(Conversation("r1", "en-US", encode(sound.tobytes(), "PCMU"), said_then), line)
    assert sum(told.verdicts.values()) == 2 and told.verdicts["person"] == 1
    assert told.intents["human"] == 1
    assert told.likeness[0] > 85 > told.likeness[1]
    text = summary([told])
    assert "utterances heard: 2" in text and "garden" not in text and "taken for human: 1" in text


async def test_ones_own_recordings_are_judged_by_their_labels(tmp_path: Path, line: Line) -> None:
    speaker = Speaker(JOE, tmp_path)
    with wave.open(str(tmp_path / "one.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(speaker.say("Move Rear Window to the top.").tobytes())
    rows = ["file,state,meaning,titles", 'one.wav,main.ask,"move_to_top ""Rear Window""",Psycho|Rear Window']
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    (each,) = labelled(tmp_path)
    assert each.sentence.meaning == Meaning("move_to_top", ("Rear Window",))
    assert each.titles is not None and each.titles.queue == ("Psycho", "Rear Window")
    verdict, heard = await said(each, line)
    assert verdict in ("done", "asked") and "top" in heard[0].lower()
    wrong = replace(each, sentence=replace(each.sentence, meaning=Meaning("undo")))
    text, data = told_apart([(each, verdict, heard), (wrong, "wrong", heard)])
    assert "wrong without a question: 50.0" in text and data[1]["verdict"] == "wrong"


def test_labels_that_are_missing_or_wrong_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels\.csv"):
        list(labelled(tmp_path))
    (tmp_path / "labels.csv").write_text("file,state,meaning\ngone.wav,main.ask,undo\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2"):
        list(labelled(tmp_path))
