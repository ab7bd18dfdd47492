"""An agent's browser in wire tests: a real Chromium whose microphone sounds in its owner's pitch, and what it hears."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
from playwright.async_api import Browser, Page, expect

from ivr.softphone.phone import Softphone
from tests.web.browser import chromium
from tests.web.desk import FLAGS
from tests.wire.pitches import RATE, heard_in

TONES = {"caller": 425.0, "other": 550.0, "ada": 700.0, "cleo": 1000.0, "sue": 1300.0}
_CAPTURED = 48_000
_WITHIN_S = 6.0

# The last 0.7 s of what comes out of the page's sound element, at 8 kHz. The meter is made anew with each stream.
_HEARD = """
async (selector) => {
  const stream = document.querySelector(selector).srcObject;
  if (!stream) return [];
  if (window.metered !== stream) {
    window.metered = stream;
    const audio = window.audio ??= new AudioContext({sampleRate: 48000});
    window.meter = audio.createAnalyser();
    window.meter.fftSize = 32768;
    audio.createMediaStreamSource(stream).connect(window.meter);
  }
  await new Promise((done) => setTimeout(done, 700));
  const whole = new Float32Array(window.meter.fftSize);
  window.meter.getFloatTimeDomainData(whole);
  return Array.from(whole.filter((_, at) => at % 6 === 0));
}
"""


def microphone(folder: Path, who: str) -> Path:
    """A file for Chromium's fake microphone: short beeps, which its noise suppression does not take for noise."""
    at = np.arange(_CAPTURED // 2)
    beep = 12_000 * np.sin(2 * np.pi * TONES[who] * at / _CAPTURED) * (at < 0.3 * _CAPTURED)
    path = folder / f"{who}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_CAPTURED)
        file.writeframes(beep.astype("<i2").tobytes() * 4)
    return path


@asynccontextmanager
async def speaking_browser(folder: Path, who: str) -> AsyncIterator[Browser]:
    async with chromium(*FLAGS, f"--use-file-for-fake-audio-capture={microphone(folder, who)}") as running:
        yield running


async def at_desk(page: Page, base: str) -> None:
    """At the desk, by keyboard: available, with a phone that stands."""
    await back(page, base)
    await expect(page.locator(".me .state")).to_contain_text("Available")
    await expect(page.locator(".phone-state")).to_have_text("Phone ready")


async def back(page: Page, base: str) -> None:
    """Available at the desk, where somebody may be waiting."""
    await page.goto(f"{base}/desk")
    await expect(page.locator(".me .state")).to_contain_text("Away")
    await page.keyboard.press("a")


async def page_hears(page: Page, *names: str, sound: str = "#caller") -> None:
    """Returns once exactly these come out of the page's sound element."""

    async def now() -> set[str]:
        whole = np.asarray(await page.evaluate(_HEARD, sound), dtype=np.float64)
        return heard_in(whole * 32_768, TONES)

    await _until(now, set(names), "the page")


async def phone_hears(phone: Softphone, *names: str) -> None:
    """Returns once exactly these are heard on this telephone."""

    async def now() -> set[str]:
        sound = b""
        async for piece in phone.listen():
            sound += piece.pcm
            if len(sound) >= RATE:  # half a second
                break
        return heard_in(np.frombuffer(sound, "<i2").astype(np.float64), TONES)

    await _until(now, set(names), "the telephone")


async def _until(now: Callable[[], Awaitable[set[str]]], wanted: set[str], who: str) -> None:
    heard: set[str] | None = None
    try:
        async with asyncio.timeout(_WITHIN_S):
            while heard != wanted:
                heard = await now()
    except TimeoutError:
        raise AssertionError(f"{who} heard {sorted(heard or ())}, not {sorted(wanted)}") from None


@asynccontextmanager
async def speaking(phone: Softphone, who: str) -> AsyncIterator[None]:
    """This telephone's owner speaks until this is left."""
    tone = 6000 * np.sin(2 * np.pi * TONES[who] * np.arange(RATE) / RATE)
    second = tone.astype("<i2").tobytes()

    async def speak() -> None:
        while True:
            await phone.say(second)

    speech = asyncio.create_task(speak())
    try:
        yield
    finally:
        speech.cancel()
        await asyncio.gather(speech, return_exceptions=True)
        if phone.ended is None:
            await phone.hush()
