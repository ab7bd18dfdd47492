"""The whole of it as the line sees it: real worker processes, real models, real deaths."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
import wave
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from ivr.config import SpeechConfig
from ivr.errors import SpeechUnavailable
from ivr.events import Cause, EarEvent, Heard, RecogniserFailed, SpeechEnded, SpeechStarted
from ivr.ports import Clip, Ears, ListenRequest, SpeechGrammar, SpeechService
from ivr.speech.prompt_cache import LOOK_S
from ivr.speech.service import WorkerSpeechService
from ivr.speech.worker.prefork import COURTESY
from tests.bench.process_tree import cpu_seconds

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRAMMAR = SpeechGrammar("main", "en-US", ("move casablanca to the top", "what's next", "agent", "yes", "no"))
FRAME = 320
PATIENCE_S = 60.0  # against hanging for ever; nothing is timed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("speech")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(folder: Path) -> AsyncIterator[WorkerSpeechService]:
    config = SpeechConfig(vosk_models=folder / "models", recordings=folder / "audio", cache=folder / "cache")
    made = WorkerSpeechService(config)
    await made.start()
    yield made
    await made.stop()


def noise(seconds: float) -> bytes:
    samples = np.random.default_rng(0).normal(0, 8, int(8000 * seconds))
    return samples.astype("<i2").tobytes()


async def speak(ears: Ears, clip: Clip, *, lead_s: float = 0.3, tail_s: float = 0.9) -> None:
    """As the media process would: 20 ms frames in time."""
    pcm = noise(lead_s) + clip.pcm + noise(tail_s)
    began = time.monotonic()
    for i in range(0, len(pcm) - FRAME + 1, FRAME):
        due = began + i / 16000
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        ears.feed(pcm[i : i + FRAME], due)


async def until(ears: Ears, kind: type[EarEvent]) -> list[EarEvent]:
    """Events up to the first of ``kind``."""
    seen: list[EarEvent] = []
    async with asyncio.timeout(PATIENCE_S):
        async for event in ears.events():
            seen.append(event)
            if isinstance(event, kind):
                return seen
    raise AssertionError(f"the events ended before {kind.__name__}: {seen}")


async def reopened(service: WorkerSpeechService) -> Ears:
    """A session in the restarted worker."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await service.open("again", "en-US")
            except SpeechUnavailable:
                await service.listener.worker.wait_up(PATIENCE_S)


async def test_is_a_speech_service(service: WorkerSpeechService) -> None:
    typed: SpeechService = service
    assert [(s.name, s.healthy) for s in typed.recognisers()] == [("moonshine", True), ("vosk", False)]
    assert "ivr models get" in typed.recognisers()[1].detail
    assert [(s.name, s.healthy) for s in typed.synthesisers()] == [("hibari", True), ("pyttsx3", True)]


async def test_a_rendered_prompt_is_recognised(service: WorkerSpeechService) -> None:
    clip = await service.render("Move Casablanca to the top.", "en-US")
    assert 1.0 < clip.seconds < 3.0
    recognition = await service.recognise(noise(0.5) + clip.pcm + noise(0.5), GRAMMAR)
    assert recognition.cause is Cause.SUCCESS and recognition.nbest[0].phrase == 0


async def test_silence_is_no_input(service: WorkerSpeechService) -> None:
    assert (await service.recognise(noise(1.5), GRAMMAR)).cause is Cause.NO_INPUT_TIMEOUT


async def test_a_call_is_heard_live(service: WorkerSpeechService) -> None:
    clip = await service.render("What's next?", "en-US")
    ears = await service.open("live", "en-US")
    await ears.listen(ListenRequest(GRAMMAR))
    began = time.monotonic()
    feeding = asyncio.create_task(speak(ears, clip))
    events = await until(ears, Heard)
    await feeding
    assert [type(e) for e in events] == [SpeechStarted, SpeechEnded, Heard]
    started, ended, heard = events
    assert isinstance(started, SpeechStarted) and isinstance(ended, SpeechEnded) and isinstance(heard, Heard)
    assert started.at - began == pytest.approx(0.3, abs=0.2)
    assert ended.at - began == pytest.approx(0.3 + clip.seconds, abs=0.3)
    assert heard.recognition.nbest[0].text == "what's next"
    assert heard.recognition.manner.pitch_hz > 100 and heard.recognition.manner.words_per_second > 1
    await ears.close()
    assert [e async for e in ears.events()] == []


async def test_several_calls_at_once_each_hear_their_own(service: WorkerSpeechService) -> None:
    lines = {
        "Agent.": "agent",
        "Yes.": "yes",
        "What's next?": "what's next",
        "Move Casablanca to the top.": GRAMMAR.phrases[0],
    }
    clips = [await service.render(text, "en-US") for text in lines]

    async def call(clip: Clip) -> str:
        ears = await service.open("one of many", "en-US")
        await ears.listen(ListenRequest(GRAMMAR))
        feeding = asyncio.create_task(speak(ears, clip))
        heard = (await until(ears, Heard))[-1]
        await feeding
        await ears.close()
        assert isinstance(heard, Heard)
        return heard.recognition.nbest[0].text

    assert await asyncio.gather(*(call(c) for c in clips)) == list(lines.values())


async def test_the_grammar_may_change_in_mid_call(service: WorkerSpeechService) -> None:
    other = SpeechGrammar("confirm", "en-US", ("yes", "no"))
    clip = await service.render("Yes.", "en-US")
    ears = await service.open("switching", "en-US")
    for grammar, phrase in ((GRAMMAR, 3), (other, 0), (GRAMMAR, 3)):
        await ears.listen(ListenRequest(grammar))
        feeding = asyncio.create_task(speak(ears, clip))
        heard = (await until(ears, Heard))[-1]
        await feeding
        assert isinstance(heard, Heard) and heard.recognition.nbest[0].phrase == phrase
    await ears.close()


async def test_a_language_without_a_recogniser_is_led_by_keys(service: WorkerSpeechService) -> None:
    with pytest.raises(SpeechUnavailable, match="es-US"):
        await service.open("spanish", "es-US")
    assert (await service.render("Buenos días.", "es-US")).seconds > 0.5  # but it is spoken


async def test_a_killed_worker_ends_its_sessions_and_serves_new_ones(service: WorkerSpeechService) -> None:
    ears, idle = await service.open("doomed", "en-US"), await service.open("idle", "en-US")
    await ears.listen(ListenRequest(GRAMMAR))
    before = service.listener.worker.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    for victim in (ears, idle):
        failed = (await until(victim, RecogniserFailed))[-1]
        assert isinstance(failed, RecogniserFailed) and "died" in failed.reason
        assert [e async for e in _rest(victim)] == []
    ears.feed(bytes(FRAME), 0.0)  # a call that has not noticed yet hurts nobody
    await ears.listen(ListenRequest(GRAMMAR))
    await ears.close()
    again = await reopened(service)
    assert service.listener.worker.pid != before
    await again.listen(ListenRequest(GRAMMAR))
    feeding = asyncio.create_task(speak(again, await service.render("Agent.", "en-US")))
    heard = (await until(again, Heard))[-1]
    await feeding
    assert isinstance(heard, Heard) and heard.recognition.nbest[0].text == "agent"
    await again.close()


async def seen(met: Callable[[], bool]) -> None:
    """Processes come and go without telling us: we look."""
    async with asyncio.timeout(PATIENCE_S):
        while not met():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def children(pid: int | None) -> list[int]:
    """Process ids, the eldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def recognisers(service: WorkerSpeechService) -> list[int]:
    """The processes that recognise: children of the one that the listening worker forked."""
    (prefork,) = children(service.listener.worker.pid)
    return children(prefork)


async def test_who_waits_for_a_voice_or_an_answer_goes_before_those_that_recognise(
    service: WorkerSpeechService,
) -> None:
    await service.recognise(noise(0.5), GRAMMAR)  # they are there
    listener = os.getpriority(os.PRIO_PROCESS, service.listener.worker.pid or 0)
    assert {os.getpriority(os.PRIO_PROCESS, pid) for pid in recognisers(service)} == {listener + COURTESY}


async def test_a_recogniser_that_is_killed_in_mid_work_costs_no_session_and_not_even_an_utterance(
    service: WorkerSpeechService,
) -> None:
    clip = await service.render("Move Casablanca to the top.", "en-US")
    pcm = noise(0.5) + clip.pcm + noise(0.5)
    listener, before = service.listener.worker.pid, recognisers(service)
    ears = await service.open("unhurt", "en-US")
    worked = {pid: cpu_seconds(pid) for pid in before}
    asked = [asyncio.create_task(service.recognise(pcm, GRAMMAR)) for _ in range(4 * len(before))]
    await seen(lambda: any(cpu_seconds(pid) > worked[pid] + 0.02 for pid in before))
    (at_work, *_) = [pid for pid in before if cpu_seconds(pid) > worked[pid] + 0.02]
    os.kill(at_work, signal.SIGKILL)
    assert [found.nbest[0].phrase for found in await asyncio.gather(*asked)] == [0] * len(asked)
    assert service.listener.worker.pid == listener
    await seen(lambda: len(recognisers(service)) == len(before) and at_work not in recognisers(service))
    await ears.listen(ListenRequest(GRAMMAR))
    feeding = asyncio.create_task(speak(ears, clip))
    heard = (await until(ears, Heard))[-1]
    await feeding
    assert isinstance(heard, Heard) and heard.recognition.nbest[0].phrase == 0
    await ears.close()


async def test_a_recogniser_that_hangs_is_replaced_and_its_utterance_heard_by_another(
    service: WorkerSpeechService,
) -> None:
    clip = await service.render("What's next?", "en-US")
    hung, *others = recognisers(service)
    os.kill(hung, signal.SIGSTOP)
    asked = (service.recognise(noise(0.5) + clip.pcm + noise(0.5), GRAMMAR) for _ in range(2 + len(others)))
    assert {found.nbest[0].text for found in await asyncio.gather(*asked)} == {"what's next"}
    await seen(lambda: len(recognisers(service)) == 1 + len(others) and hung not in recognisers(service))


async def test_without_the_process_that_forks_them_the_listening_worker_is_replaced(
    service: WorkerSpeechService,
) -> None:
    ears, before = await service.open("forsaken", "en-US"), service.listener.worker.pid
    left = recognisers(service)
    os.kill(children(before)[0], signal.SIGKILL)
    assert isinstance((await until(ears, RecogniserFailed))[-1], RecogniserFailed)
    await (await reopened(service)).close()
    assert service.listener.worker.pid != before
    await seen(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left))


async def _rest(ears: Ears) -> AsyncIterator[EarEvent]:
    """What is left, without waiting for more: the failure was the last."""
    events = ears.events()
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            yield event


@pytest.mark.slow
async def test_a_hung_worker_is_killed(service: WorkerSpeechService) -> None:
    ears = await service.open("hung", "en-US")
    hung = service.listener.worker.pid
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    assert isinstance((await until(ears, RecogniserFailed))[-1], RecogniserFailed)
    await (await reopened(service)).close()
    assert service.listener.worker.pid != hung


async def test_a_killed_synthesis_worker_comes_back(service: WorkerSpeechService) -> None:
    before = service.speaker.worker.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        while service.speaker.worker.pid == before:
            await service.speaker.worker.wait_changed()
    clip = await service.render("This was never said before.", "en-US")
    assert clip.seconds > 1.0


async def test_a_secret_prompt_is_spoken_and_not_kept(service: WorkerSpeechService, folder: Path) -> None:
    def cached() -> set[Path]:
        return {path for path in (folder / "cache").rglob("*") if path.is_file()}

    before = cached()
    clip = await service.render("Your number is four seven one one.", "en-US", keep=False)
    assert clip.seconds > 1.0 and clip.key == ""
    assert cached() == before
    await service.render("Your number is four seven one one.", "en-US")
    assert len(cached() - before) == 1, "the cache that a prompt without a secret goes to"


async def test_a_feed_that_outruns_a_stopped_worker_is_dropped_and_counted(service: WorkerSpeechService) -> None:
    ears = await service.open("flood", "en-US")
    pid = service.listener.worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        for n in range(6000):
            ears.feed(bytes(FRAME), n * 0.02)
        assert getattr(ears, "dropped") > 0  # noqa: B009 - the count is the adapter's own
    finally:
        os.kill(pid, signal.SIGCONT)
    await ears.close()


async def test_prompts_are_rendered_once_and_kept(service: WorkerSpeechService, folder: Path) -> None:
    texts = [(f"Prompt number {n}.", "en-US", "") for n in range(6)]
    seen: list[tuple[int, int]] = []
    clips = await service.render_all(texts * 2, lambda done, total: seen.append((done, total)))
    assert len({c.key for c in clips}) == 6 and [c.key for c in clips[:6]] == [c.key for c in clips[6:]]
    assert seen == [(n, 12) for n in range(1, 13)]
    other = WorkerSpeechService(SpeechConfig(recordings=folder / "audio", cache=folder / "cache"))
    kept = await other.render(*texts[0])  # its workers do not even run
    assert kept == clips[0]


async def test_voices_differ_and_recordings_win(service: WorkerSpeechService, folder: Path) -> None:
    natural = await service.render("Good morning.", "en-US")
    robot = await service.render("Good morning.", "en-US", "en-us+f3")
    assert natural.key != robot.key and natural.pcm != robot.pcm
    path = folder / "audio" / "en-US" / "good-morning.wav"
    path.parent.mkdir(parents=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(robot.pcm)
    await asyncio.sleep(LOOK_S)  # the bound that is promised
    recorded = await service.render("Good morning.", "en-US")
    assert recorded.key.startswith("rec-"), "what is added is taken up while the line runs"
    path.unlink()
    await asyncio.sleep(LOOK_S)
    assert await service.render("Good morning.", "en-US") == natural


async def test_a_recording_is_levelled_once_and_an_unreadable_one_is_as_good_as_none(
    service: WorkerSpeechService, folder: Path
) -> None:
    wide = (np.sin(np.arange(24000) / 10) * 3000).astype("<i2")
    recordings = folder / "audio" / "en-US"
    recordings.mkdir(parents=True, exist_ok=True)
    with wave.open(str(recordings / "a-tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(wide.tobytes())
    (recordings / "broken-file.wav").write_bytes(b"RIFFnothing")
    tone = await service.render("A tone!", "en-US")
    assert tone.key.startswith("rec-") and 0.9 < tone.seconds < 1.1
    other = WorkerSpeechService(SpeechConfig(recordings=folder / "audio", cache=folder / "cache"))
    assert await other.render("A tone!", "en-US") == tone  # its workers do not even run
    assert (await service.render("Broken file.", "en-US")).key.startswith("tts-")


async def test_recordings_that_cannot_be_looked_for_are_as_good_as_none(
    service: WorkerSpeechService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as short:
        short.setattr(Path, "glob", lambda *_: (_ for _ in ()).throw(OSError(errno.EMFILE, "Too many open files")))
        assert (await service.render("No descriptor is left.", "en-US")).key.startswith("tts-")
    manifest = folder / "audio" / "en-US" / "prompts.toml"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_bytes(b'"h\xe9" = ')
    try:
        assert (await service.render("The list is broken.", "en-US")).key.startswith("tts-")
    finally:
        manifest.unlink()


async def test_a_language_nobody_speaks_is_unavailable(service: WorkerSpeechService) -> None:
    with pytest.raises(SpeechUnavailable):
        await service.render("nuqneH", "xx-XX")
