"""Findings about secrets: each is where it is said to be, and nobody else can read the file that it is in."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from ivr.cli.finding import Finding
from ivr.config import UNKEPT, Config, Secret
from ivr.errors import ConfigError


def secret_findings(config: Config) -> Iterator[Finding]:
    """One of each that is missing, or that other users of this machine may read; one where all is well."""
    missing = [(of, trouble) for of, secret in config.secrets if (trouble := secret.trouble())]
    for of, trouble in missing:
        yield Finding("bad", of, trouble, "set it; the line does not start without")
    exposed = list(_exposed(config))
    yield from exposed
    if not (missing or exposed) and (count := len({secret.source for _, secret in configured(config)})):
        yield Finding("ok", "secrets", f"{count} configured, none in a file that others may read")


def takeover_findings(config: Config) -> Iterator[Finding]:
    """Whether encrypted calls outlive their process, where calls do."""
    if not (config.store.takeover and config.encrypts):
        return
    subject = "encrypted calls"
    if config.loses_keys:
        remedy = "make a key: openssl rand -base64 32; name it as [takeover] key, the same on every node"
        yield Finding("note", subject, f"their keys are not kept: {UNKEPT}", remedy)
        return
    try:
        config.takeover.keys()
    except ConfigError as error:
        yield Finding("bad", subject, str(error), "the line does not start with it")
    else:
        yield Finding("ok", subject, "their keys are kept sealed while they last: they outlive their process, too")


def configured(part: object, where: str = "") -> Iterator[tuple[str, Secret]]:
    """Every secret of a configuration with its key, "sip.trunks.password"; the database's URL where it is one."""
    if isinstance(part, Secret):
        if part.source:
            yield where, part
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            yield from configured(getattr(part, name), f"{where}.{name}" if where else name)
    elif isinstance(part, Mapping):
        for name, value in part.items():
            yield from configured(value, f"{where}.{name}")
    elif isinstance(part, tuple):
        for value in part:
            yield from configured(value, where)
    if isinstance(part, Config) and (secret := part.store.secret) is not None:
        yield "store.url", secret


def _exposed(config: Config) -> Iterator[Finding]:
    seen = set()
    for where, secret in configured(config):
        try:
            path = secret.path()
            mode = path.stat().st_mode if path is not None else 0
        except (ConfigError, OSError):
            continue  # that it is missing is told where it is needed
        if path is not None and mode & stat.S_IRWXO and path not in seen:
            seen.add(path)
            may = "changed" if mode & stat.S_IWOTH else "read"
            detail = f"{path} may be {may} by every user of this machine (mode {stat.S_IMODE(mode):04o})"
            yield Finding("bad", where, detail, f"chmod 600 {path}, owned by the line's user; then change the secret")
