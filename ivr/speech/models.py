"""Fetching Vosk models: known by name, resumed, verified, installed whole or not at all.

``fetch`` downloads to ``<root>/.downloads/<archive>.part`` and goes on from there when interrupted (HTTP Range,
RFC 9110 section 14). Only an archive whose SHA-256 is the expected one is unpacked, next to its place, and renamed.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import aiohttp

from ivr.errors import UnavailableError

VENDOR = "https://alphacephei.com/vosk/models/"
_CHUNK = 1 << 16
_CONNECT_S = 15.0
_READ_S = 60.0
_ATTEMPTS = 4
_RATIO = 20  # unpacked to packed; a model is mostly dense floats
_WHOLE = 1 << 16  # small archives may be denser than that
Progress = Callable[[int, int], None]  # bytes so far, bytes in all (0: not known)


class ModelUnavailable(UnavailableError):
    """A model cannot be fetched or installed; nothing was changed."""


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One archive of the vendor's. ``size`` in bytes; ``sha256`` of the archive."""

    name: str
    language: str
    path: str
    sha256: str
    size: int
    note: str = ""


KNOWN: tuple[KnownModel, ...] = (
    KnownModel(
        "small-en-us",
        "en-US",
        "vosk-model-small-en-us-0.15.zip",
        "30f26242c4eb449f948e42cb302dd7a686cb29a3423a8367f99ff41780942498",
        41_205_931,
        'small; the built-in Moonshine hears English better: set speech.recogniser = "vosk" to use it',
    ),
    KnownModel(
        "small-es",
        "es-ES",
        "vosk-model-small-es-0.42.zip",
        "09b239888f633ef2f0b4e09736e3d9936acfd810bc65d53fad45261762c6511f",
        39_817_833,
        "small; serves every Spanish",
    ),
)


def known(name: str) -> KnownModel:
    """By its short name or its archive's. Raises ModelUnavailable naming those there are."""
    for model in KNOWN:
        if name in (model.name, model.path, model.path.removesuffix(".zip")):
            return model
    names = ", ".join(m.name for m in KNOWN)
    raise ModelUnavailable(
        f"no model is called {name!r}",
        remedy=f"known: {names}; any other: unzip it into <speech.vosk_models>/<language>/ yourself",
    )


async def fetch(
    model: KnownModel,
    root: Path,
    *,
    base_url: str = VENDOR,
    language: str = "",
    progress: Progress | None = None,
) -> Path:
    """Download and install ``model`` as ``<root>/<language>/``; that directory. Raises ModelUnavailable.

    An interrupted download (cancelled, killed, network gone) is resumed by the next call."""
    target = root / (language or model.language)
    downloads = root / ".downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    part = downloads / f"{model.path}.part"
    await _download(base_url.rstrip("/") + "/" + model.path, part, model, progress)
    with part.open("rb") as file:
        digest = (await asyncio.to_thread(hashlib.file_digest, file, "sha256")).hexdigest()
    if digest != model.sha256:
        part.unlink()
        raise ModelUnavailable(
            f"{model.path} has the checksum {digest[:12]}…, not {model.sha256[:12]}…",
            remedy="try again; if it stays so, the file was changed on its way or by its vendor: do not use it",
        )
    await asyncio.to_thread(_install, part, target)
    part.unlink(missing_ok=True)
    return target


async def _download(url: str, part: Path, model: KnownModel, progress: Progress | None) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=_READ_S)
    problem = ""
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(0.1 * 2**attempt)
            try:
                if await _continue(session, url, part, model, progress) >= model.size:
                    return
                problem = "the connection closed early"
            except aiohttp.ClientResponseError as error:
                problem = str(error)
                if error.status < 500:
                    break  # asking again will not help
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = str(error) or type(error).__name__
    raise ModelUnavailable(
        f"{url}: {problem}", remedy="check the connection and run it again: it goes on where it stopped"
    )


async def _continue(
    session: aiohttp.ClientSession, url: str, part: Path, model: KnownModel, progress: Progress | None
) -> int:
    """Bytes in ``part`` when the server has no more."""
    have = part.stat().st_size if part.exists() else 0
    if have == model.size:
        return have
    if have > model.size:
        have = 0
    async with session.get(url, headers={"Range": f"bytes={have}-"} if have else {}) as response:
        if response.status not in (200, 206):
            response.raise_for_status()
            raise aiohttp.ClientPayloadError(f"unexpected status {response.status}")
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server begins anew, and so do we
        with part.open("ab" if have else "wb") as file:
            async for chunk in response.content.iter_chunked(_CHUNK):
                have += len(chunk)
                if have > model.size:
                    raise aiohttp.ClientPayloadError("the file is longer than it should be")
                file.write(chunk)
                if progress is not None:
                    progress(have, model.size)
    return have


def _install(archive: Path, target: Path) -> None:
    """Unpack beside ``target`` and rename: there is never half a model in its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".installing-", dir=target.parent) as folder:
        try:
            with zipfile.ZipFile(archive) as file:
                _checked(file, archive.stat().st_size)
                file.extractall(folder)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise ModelUnavailable(f"{archive.name}: {error}", remedy="fetch it again") from error
        models = [p.parent.parent for p in Path(folder).rglob("am/final.mdl")]
        if len(models) != 1:
            raise ModelUnavailable(f"{archive.name} holds {len(models)} Vosk models, not one", remedy="choose another")
        old = Path(folder) / ".replaced"
        if target.exists():
            target.rename(old)
        try:
            models[0].rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)


def _checked(file: zipfile.ZipFile, packed: int) -> None:
    """Refuse what would leave its folder (absolute, "..", links) or fill the disk. Raises ModelUnavailable."""
    total = 0
    for member in file.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        mode = member.external_attr >> 16
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise ModelUnavailable(f"the archive wants to write to {member.filename!r}", remedy="do not use this file")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelUnavailable(f"{member.filename!r} is not a plain file", remedy="do not use this file")
        total += member.file_size
    if total > max(_WHOLE, packed) * _RATIO:
        raise ModelUnavailable(f"it would unpack to {total} bytes", remedy="do not use this file")
