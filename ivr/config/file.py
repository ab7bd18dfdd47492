"""The configuration file: config.toml, read as TOML, explained where it is wrong; all errors come at once."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ivr.config.fields import KEPT_IN
from ivr.config.sections import SPOOL, Config
from ivr.errors import ConfigError
from ivr.typography import retyped

_PERHAPS_SECRET = re.compile(r"password|secret|token|key|header|auth|url|register|://|@", re.IGNORECASE)
_PLACE = re.compile(rf"\s*\W?(?:{'|'.join(KEPT_IN)})")


def load_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Parse ``path``; relative paths inside it are taken from its folder. Raises ConfigError with every fault.

    ``overrides`` maps dotted keys ("sip.listen") to values that win over the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        raw = tomllib.loads(text)
    except FileNotFoundError as error:
        remedy = "pass --config FILE, or copy the config.toml that ships"
        raise ConfigError(f"{path}: no such file", remedy=remedy) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the file is not UTF-8 text", remedy="save it as UTF-8 in your editor") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make it a file that this user can read") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        said = text.splitlines()[int(line[1]) - 1] if line else ""
        remedy = retyped(said) or "mend the file and start again"
        raise ConfigError(
            f"{path}: {error}" + (f"\n    {_without_secret(said)}" if said else ""), remedy=remedy
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: its values are nested too deeply", remedy="mend the file") from error
    for dotted, value in (overrides or {}).items():
        section, _, key = dotted.partition(".")
        if isinstance(raw.setdefault(section, {}), dict):  # what is no table is told of below
            raw[section][key] = value
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, e) for e in error.errors())) from error
    return _anchored(config, path.resolve().parent)


def _without_secret(line: str) -> str:
    """A line that TOML doesn't take, as a log may have it: whoever forgot the quotes may have written a password."""
    key, equals, value = line.strip().partition("=")
    return f"{key}{equals} …" if equals and _PERHAPS_SECRET.search(line) and not _PLACE.match(value) else line.strip()


def _explain(path: Path, error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "file"
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key {where}: remove it, or check its spelling against the config.toml that ships"
    return f"{path}: {where}: {error['msg'].removeprefix('Value error, ')}"


def _anchored(config: Config, base: Path) -> Config:
    speech, flows, logs = config.speech, config.flows, config.logs
    folders = {name: base / getattr(speech, name) for name in ("vosk_models", "sherpa_models", "recordings", "cache")}
    speech = speech.model_copy(update=folders)
    flows = flows.model_copy(update={"directory": base / flows.directory})
    if logs.path != "-":
        logs = logs.model_copy(update={"path": str(base / logs.path)})
    cdr = config.cdr
    if cdr.path:
        cdr = cdr.model_copy(update={"path": str(base / cdr.path)})
    recording = config.recording.model_copy(update={"folder": base / config.recording.folder})
    store = config.store
    scheme, triple, file = store.url.partition(":///")
    if scheme.startswith("sqlite") and triple and file and not Path(file).is_absolute() and not file.startswith(":"):
        store = store.model_copy(update={"url": f"{scheme}:///{base / file}"})
    if store.spool or not store.url.startswith("sqlite"):
        store = store.model_copy(update={"spool": str(base / (store.spool or SPOOL))})
    sip = config.sip
    if sip.tls is not None:
        sip = sip.model_copy(update={"tls": sip.tls.anchored(base)})
    anchored = {
        "sip": sip,
        "speech": speech,
        "flows": flows,
        "logs": logs,
        "cdr": cdr,
        "store": store,
        "recording": recording,
    }
    return config.model_copy(update=anchored)
