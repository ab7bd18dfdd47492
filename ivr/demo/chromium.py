"""Chromium, a browser without a window: the machine's own, driven from here; its microphone may speak a file."""

from __future__ import annotations

import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import soxr
from playwright.async_api import Browser, async_playwright

from ivr.errors import UnavailableError

REMEDY = "sudo apt-get install chromium (Debian), or put chromium or google-chrome on the PATH"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A page may be a telephone at once: it asks nobody for the microphone, and a machine with loopback only will do.
PHONE = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
)
RATE = 48_000
CALLERS_RATE = 8000


def found() -> str:
    """The program. Raises UnavailableError with how to install it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise UnavailableError("there is no Chromium on this machine", remedy=REMEDY)
    return program


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Raises UnavailableError."""
    program = found()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


def speaking(microphone: Path) -> tuple[str, ...]:
    """Flags of a browser whose microphone says this file, over and over."""
    return (*PHONE, f"--use-file-for-fake-audio-capture={microphone}")


def write_microphone(path: Path, pcm: bytes, *, pause_s: float = 1.2) -> Path:
    """A file for ``speaking``: 16-bit 8 kHz speech after a pause, at the rate that Chromium takes."""
    said = np.frombuffer(pcm, "<i2").astype(np.float32)
    whole = soxr.resample(np.concatenate([np.zeros(int(CALLERS_RATE * pause_s), np.float32), said]), CALLERS_RATE, RATE)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(whole, -32768, 32767).astype("<i2").tobytes())
    return path
