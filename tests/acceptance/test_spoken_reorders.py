"""Callers ask for another order in their own words, aloud; a wrong order left unconfirmed is the one forbidden end."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.config import SpeechConfig
from ivr.events import Term
from ivr.speech.service import WorkerSpeechService
from tests.acceptance.line import InnerLine
from tests.acceptance.sentences import ADA, ADA_QUEUE, MINIMAL_PAIRS, REORDERS, WALTER, WALTER_QUEUE, Sentence
from tests.acceptance.spoken import Conversation, Speaker, converse
from tests.films import actions_on, films_on, films_store

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NATURAL = (
    Speaker("joe", "joe"),
    Speaker("joe, higher", "joe", speed=0.87, shift=1.18),
    Speaker("hibari", "hibari"),
)
ROBOT = Speaker("espeak", "espeak:en-us")  # formant synthesis: stress, hardly anything hears its consonants
LEAST_RIGHT = 0.9
LEAST_RIGHT_ROBOT = 0.5
AT_ONCE = 4
SHIPPED = Path(__file__).resolve().parents[2] / "audio"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Term, ...]]:
    """A seeded database to copy, and its catalogue."""
    file = tmp_path_factory.mktemp("store") / "seeded.sqlite3"
    store = films_store(f"sqlite+aiosqlite:///{file}", timeout_s=30.0)
    await store.upgrade()
    await films_on(store).seed()
    catalogue = await actions_on(store).vocabulary("catalogue")
    await store.close()
    return file, catalogue


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def speech(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WorkerSpeechService]:
    """The embedded default, whatever else is installed here."""
    folder = tmp_path_factory.mktemp("speech")
    config = SpeechConfig(
        recogniser="moonshine",
        vosk_models=folder / "none",
        recordings=SHIPPED,
        cache=folder,
        workers=os.cpu_count() or 1,
    )
    service = WorkerSpeechService(config)
    await service.start()
    yield service
    await service.stop()


async def calls(
    seeded: tuple[Path, tuple[Term, ...]],
    folder: Path,
    speech: WorkerSpeechService,
    caller: str,
    sentences: Sequence[Sentence],
    speakers: Sequence[Speaker],
) -> list[Conversation]:
    """Each sentence in each voice, a call and a database each, some at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, speaker: Speaker, sentence: Sentence) -> Conversation:
        async with turn:
            file = folder / f"{number}.sqlite3"
            shutil.copy(seeded[0], file)
            store = films_store(f"sqlite+aiosqlite:///{file}", timeout_s=30.0)
            line = InnerLine(store, seeded[1], caller)
            ears = await speech.open(f"call-{number}", "en-US")
            try:
                await line.begin()
                return await converse(line, ears, speaker, sentence)
            finally:
                await ears.close()
                await store.close()

    for speaker in speakers:  # first, so that loading voices takes no time from the recogniser
        for text in ("Yes.", "No.", *(sentence.text for sentence in sentences)):
            await speaker.say(text)
    work = [(speaker, sentence) for speaker in speakers for sentence in sentences]
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(n, speaker, sentence)) for n, (speaker, sentence) in enumerate(work)]
    found = [task.result() for task in running]
    for speaker in speakers:
        mine = [call for call in found if call.voice == speaker.name]
        right = [call for call in mine if call.right]
        at_once, asked = sum(not c.heard[1:] for c in right), sum(bool(c.asked) for c in right)
        print(
            f"{speaker.name:12} {len(right)} of {len(mine)} right; of these at once {at_once},"
            f" said twice {sum(c.repeated for c in right)}, a question answered {asked}"
        )
    print("\n".join(call.row for call in found if not call.right))
    return found


def table(found: Sequence[Conversation]) -> str:
    return "\n" + "\n".join(call.row for call in found if not call.right)


async def test_nine_in_ten_reorders_are_done_and_none_wrongly(
    seeded: tuple[Path, tuple[Term, ...]], tmp_path: Path, speech: WorkerSpeechService
) -> None:
    assert len({sentence.text for sentence in REORDERS}) >= 20
    found = await calls(seeded, tmp_path, speech, ADA, REORDERS, (*NATURAL, ROBOT))
    assert all(tuple(call.before) == ADA_QUEUE for call in found)
    assert not [call for call in found if call.wrong], table([call for call in found if call.wrong])
    for speaker, least in [(ROBOT, LEAST_RIGHT_ROBOT), *((speaker, LEAST_RIGHT) for speaker in NATURAL)]:
        mine = [call for call in found if call.voice == speaker.name]
        assert sum(call.right for call in mine) >= least * len(mine), table(mine)
    for call in found:  # whoever was not served is being asked something, or with a human
        assert call.right or call.human or call.mode, call.row


async def test_titles_a_sound_apart_are_never_mixed_up(
    seeded: tuple[Path, tuple[Term, ...]], tmp_path: Path, speech: WorkerSpeechService
) -> None:
    found = await calls(seeded, tmp_path, speech, WALTER, MINIMAL_PAIRS, (*NATURAL, ROBOT))
    assert all(tuple(call.before) == WALTER_QUEUE for call in found)
    assert not [call for call in found if call.wrong], table([call for call in found if call.wrong])
    unasked = [call for call in found if call.right and not call.asked]
    assert not unasked, f"every one of these is confirmed\n{table(unasked)}"
    assert sum(call.right for call in found) >= 0.75 * len(found), table(found)
