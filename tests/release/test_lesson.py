"""What a version's callers may say is learned before any call gets it, and by what is said at /readyz."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from ivr.dialogue.spoken import amounts, durations
from ivr.dialogue.understanding.classifier import IntentClassifier, TrainingSet
from ivr.release.lesson import Lesson
from tests.flows.reference import library
from tests.release.edition import Desk, Press
from tests.unit.dialogue.talk import HUMAN, ROOT, made

MAIN = """
flow: main
start: ask
variables: {stay: duration}
states:
  ask: {ask: stay, prompt: "How long?", goto: bye}
  bye: {end: resolved}
"""


class Pupil:
    """Notes what it was to learn."""

    def __init__(self) -> None:
        self.learned: list[TrainingSet] = []

    def of(self, training: TrainingSet) -> IntentClassifier | None:
        return None

    def learn(self, training: TrainingSet) -> IntentClassifier | None:
        self.learned.append(training)
        return None


def test_every_language_that_callers_can_speak_is_learned() -> None:
    pupil = Pupil()
    Lesson(pupil, lambda: [("en-GB", "neutral")]).learn(library())
    assert {each.language for each in pupil.learned} >= {"en-US", "es-ES", "en-GB"}
    phrases = {each.phrase for each in pupil.learned[0].examples}
    assert {"undo that", "cancel that last change", "who directed {film}", "elephant"} <= phrases


def test_without_classifiers_it_says_so() -> None:
    assert Lesson().state == "by their words alone"
    Lesson().learn(library())


def test_no_call_waits_for_the_words_of_a_length() -> None:
    sources = {"main.yaml": MAIN, "human.yaml": HUMAN}
    universals = {p.name: p.read_text("utf-8") for p in (ROOT / "flows").glob("universals*.yaml")}
    amounts._heard.cache_clear()
    durations._heard.cache_clear()
    Lesson().learn(made({**sources, **universals}, {}))
    assert durations._heard.cache_info().currsize == 2, "in both languages"
    assert amounts._heard.cache_info().currsize == 0, "nothing here is a sum"


class SlowPupil(Pupil):
    """Learns once it may."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.may = threading.Event()
        self.did = asyncio.Event()
        self._loop = loop

    def learn(self, training: TrainingSet) -> IntentClassifier | None:
        self.may.wait()
        super().learn(training)
        self._loop.call_soon_threadsafe(self.did.set)
        return None


async def test_calls_need_not_wait_for_what_was_never_learned_before(tmp_path: Path) -> None:
    Press(tmp_path / "flows")
    desk, pupil = Desk(tmp_path / "flows", tmp_path / "ivr.sqlite3"), SlowPupil(asyncio.get_running_loop())
    desk.flows._lesson = Lesson(pupil)
    async with desk.running():
        assert desk.serving.live is not None and not pupil.learned
        pupil.may.set()
        async with asyncio.timeout(60):
            await pupil.did.wait()
    assert pupil.learned
