"""The prompt cache: rendered prompts on disk and in memory by text, voice and engine version; and where recordings are.

What was said once is known without asking the disk, for as long as the recordings stay as they are. A cache entry is a
WAV of 8 kHz, 16 bit, mono. One that does not read back is dropped and made anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import threading
import time
import tomllib
import unicodedata
import wave
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from ivr.dialogue.spoken.language import same_language
from ivr.errors import ConfigError
from ivr.ports import Clip

log = structlog.get_logger()
_RENDERING = "3"  # raise when trimming, levelling or wording change: old entries are then made anew
_RATE = 8000
_MEMORY_BYTES = 64 * 1024 * 1024
_SLUG_LENGTH = 60
LOOK_S = 2.0  # how old what is known of the recordings' folder may be
SAID = "said"  # the folder of what is said to one caller, below the fixed prompts
_SAID = 4096  # prompts whose clips are known


def slug(text: str) -> str:
    """The file name of a recording of ``text``: its words in lower case joined by hyphens, without punctuation.

    Accents stay. Beyond 60 characters: the first 50, a hyphen, and eight hex digits of the whole slug's SHA-256."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).lower().replace("'", "").replace("’", ""))
    name = "-".join(words)
    if len(name) > _SLUG_LENGTH:
        name = f"{name[:50].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return name


def clip_key(text: str, language: str, engine: str, version: str, voice: str) -> str:
    """The key of a synthesised prompt; whatever sounds different has another one."""
    content = "\0".join((_RENDERING, text, language, engine, version, voice))
    return f"tts-{hashlib.sha256(content.encode()).hexdigest()[:24]}"


def recording_key(wav: bytes) -> str:
    """The key of a recording as a prompt, by its file's content: a new take is another clip."""
    return f"rec-{hashlib.sha256(_RENDERING.encode() + wav).hexdigest()[:24]}"


def manifest(folder: Path) -> Mapping[str, str]:
    """``prompts.toml`` of a language: the files of texts that aren't named after them. Raises ConfigError."""
    path = folder / "prompts.toml"
    if not path.is_file():
        return {}
    try:
        return {text: str(file) for text, file in tomllib.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", remedy='lines read "the prompt" = "file.wav"') from error


class Recordings:
    """``audio/<language>/<slug>.wav``, and ``prompts.toml`` beside them for those named otherwise. What is in no
    language stands in ``audio/`` itself."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: frozenset[tuple[str, int, int]] | None = None
        self._looked_at = float("-inf")
        self.edition = 0  # another number once anything was added, changed or removed

    @property
    def stale(self) -> bool:
        """It is time to ``look``."""
        return time.monotonic() - self._looked_at >= LOOK_S

    def look(self) -> int:
        """The edition as it is on disk now. Raises OSError."""
        self._looked_at = time.monotonic()
        seen = frozenset(_files(self._root))
        if seen != self._seen:
            self._seen = seen
            self.edition += 1
        return self.edition

    def find(self, text: str, language: str, name: str = "") -> Path | None:
        """``name``: the recording that a flow's ``audio`` asks for; else the text's own."""
        if name and (anywhere := self._root / f"{slug(name)}.wav").is_file():  # music, say
            return anywhere
        near = [d for d in sorted(self._root.glob("*")) if d.is_dir() and same_language(d.name, language)]
        if not near:
            return None
        folder = next((d for d in near if d.name == language), near[0])
        if name and (path := folder / f"{slug(name)}.wav").is_file():
            return path
        if (named := manifest(folder).get(text)) is not None:
            return folder / named
        path = folder / f"{slug(text)}.wav"
        return path if slug(text) and path.is_file() else None


def _files(root: Path) -> Iterator[tuple[str, int, int]]:
    """Each file of ``root`` and of its languages: path, size, when it was changed. Hidden ones are no recordings."""
    if not root.is_dir():
        return
    for entry in os.scandir(root):
        if entry.name.startswith("."):
            continue
        for file in os.scandir(entry) if entry.is_dir() else (entry,):
            with contextlib.suppress(FileNotFoundError):  # removed meanwhile
                status = file.stat()
                yield file.path, status.st_size, status.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Saying:
    """What a prompt's clip depends on, beside the recordings."""

    text: str
    language: str
    voice: str
    recording: str


class Said:
    """Which clip a prompt was said with last, in which edition of the recordings."""

    def __init__(self) -> None:
        self._known: OrderedDict[Saying, tuple[int, str]] = OrderedDict()

    def key(self, saying: Saying, edition: int) -> str:
        """ "": not known, or no longer."""
        then, key = self._known.get(saying, (edition, ""))
        return key if then == edition else ""

    def remember(self, saying: Saying, edition: int, key: str) -> None:
        self._known[saying] = edition, key
        self._known.move_to_end(saying)
        while len(self._known) > _SAID:
            self._known.popitem(last=False)


def prompts_said(cache: Path) -> Callable[[datetime], Awaitable[int]]:
    """Deletes what was said to somebody last before some moment from the folder of a prompt cache; how many clips.
    Raises OSError."""

    def purge(before: datetime) -> int:
        old = [path for path in (cache / SAID).rglob("*.*") if path.stat().st_mtime < before.timestamp()]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    async def purged(before: datetime) -> int:
        return await asyncio.to_thread(purge, before)

    return purged


def clip_path(cache: Path, key: str, said: bool = False) -> Path:
    """``said``: to one caller, with names in it, perhaps; apart, so that these can be deleted."""
    return (cache / SAID if said else cache) / key[4:6] / f"{key}.wav"


class PromptCache:
    """Clips by key: newest in memory, all on disk. Thread-safe."""

    def __init__(self, folder: Path, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._folder = folder
        self._limit = memory_bytes
        self._size = 0
        self._clips: OrderedDict[str, Clip] = OrderedDict()
        self._lock = threading.Lock()
        self.trouble = ""  # why the last clip could not be written

    def recall(self, key: str) -> Clip | None:
        """From memory only."""
        with self._lock:
            clip = self._clips.get(key)
            if clip is not None:
                self._clips.move_to_end(key)
            return clip

    def fetch(self, key: str) -> Clip | None:
        """From memory or disk."""
        clip = self.recall(key)
        if clip is not None:
            return clip
        return self._read(key, clip_path(self._folder, key)) or self._read(
            key, clip_path(self._folder, key, said=True), said=True
        )

    def _read(self, key: str, path: Path, said: bool = False) -> Clip | None:
        try:
            if said:
                os.utime(path)  # it is said again
            with wave.open(str(path)) as file:
                shape = file.getnchannels(), file.getsampwidth(), file.getframerate()
                pcm = file.readframes(file.getnframes())
                if shape != (1, 2, _RATE) or not pcm or len(pcm) != 2 * file.getnframes():
                    raise wave.Error("not what was written")
        except OSError:  # it isn't there, or can't be read now
            return None
        except (wave.Error, EOFError) as error:
            log.warning("cache.entry_dropped", path=str(path), error=str(error))
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return self._remember(Clip(key, pcm))

    def store(self, clip: Clip, said: bool = False) -> Clip:
        """Keep ``clip``, of what is ``said`` to one caller or of a fixed prompt. A disk that cannot be written costs
        speed, not the call: logged."""
        path = clip_path(self._folder, clip.key, said)
        part = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(part), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(_RATE)
                file.writeframes(clip.pcm)
            part.replace(path)
            self.trouble = ""
        except OSError as error:
            if not self.trouble:  # once, not for each prompt
                log.warning("cache.not_written", path=str(path), error=str(error))
            self.trouble = error.strerror or str(error)
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return self._remember(clip)

    def _remember(self, clip: Clip) -> Clip:
        with self._lock:
            old = self._clips.pop(clip.key, None)
            self._size += len(clip.pcm) - (len(old.pcm) if old else 0)
            self._clips[clip.key] = clip
            while self._size > self._limit and len(self._clips) > 1:
                _, gone = self._clips.popitem(last=False)
                self._size -= len(gone.pcm)
        return clip
