"""`ivr config`: what is wrong with a configuration, and what a reload or a restart would make of it."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from ivr.cli.capacity_findings import legs_short
from ivr.cli.options import CONFIG, Subparsers, add_listeners, add_override, command, configuration
from ivr.cli.running_line import RunningLine
from ivr.config import Config, shown
from ivr.desk.hours import Calendar
from ivr.errors import ConfigError, IvrError, UnavailableError
from ivr.limits import descriptors
from ivr.line_facts import line_facts
from ivr.release.candidate import examine_folder
from ivr.release.entry import check_entries
from ivr.reload import sorted_out
from ivr.sealing import Keys
from ivr.sip.certificates import Pair

CHECK = """\
All that `ivr serve` would refuse to start with: keys and values, secrets that are not there, the company, the flows,
the desk's hours, the recording keys, the certificates, the places of log and CDR. Exit code 0 when there is nothing,
else 2. What else this machine lacks, and whether its database, agents and endpoints answer, `ivr doctor` says.
"""
DIFF = """\
The line that runs on this machine with this configuration's [http] listen is asked what it serves with; a fault in
FILE is told as by check. Secrets are compared by where they are kept; passwords in URLs and headers' values are never
shown, nor compared. Exit code 0 when nothing differs, 1 when something does, 2 for a fault, and where no line tells.
"""
FAULT = 2


def add(commands: Subparsers) -> None:
    parser = command(commands, "config", "check a configuration; what a reload or a restart would change")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, about, epilog, handler in (
        ("check", "everything that is wrong with it", CHECK, check),
        ("diff", "what differs from the running line, and what takes it over", DIFF, diff),
    ):
        added = command(actions, name, about, epilog, handler)
        named = added.add_mutually_exclusive_group()  # as its subject, and as every other command has it
        named.add_argument("file", nargs="?", type=Path, metavar="FILE", help=f"default: {CONFIG}")
        named.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help="the same")
        add_override(added)
        add_listeners(added)


def _named(arguments: argparse.Namespace) -> Config:
    arguments.config = arguments.file or arguments.config
    return configuration(arguments)


def check(arguments: argparse.Namespace) -> int:
    config = _named(arguments)
    found = list(faults(config))
    for fault in found:
        print(fault)
    if not found:
        print(f"{arguments.config}: nothing is wrong")
    return FAULT if found else 0


def faults(config: Config) -> Iterator[str]:
    """Each with its remedy."""
    yield from config.missing_secrets()
    steps: tuple[Callable[[], object], ...] = (
        lambda: Calendar(config.desk.hours, ZoneInfo(config.flows.time_zone)),
        lambda: Keys.of(tuple(secret.reveal() for secret in config.recording.secrets if secret.available())),
        config.takeover.keys,
        lambda: Pair.read(config.sip.tls) if config.sip.tls is not None else None,
    )
    for step in steps:
        try:
            step()
        except IvrError as error:
            yield str(error)
    for key, written in (("logs.path", config.logs.path), ("cdr.path", config.cdr.path)):
        if written not in ("", "-") and (path := _unwritable(Path(written))):
            yield f"{key}: this user may not write to {path}"
    if problem := descriptors.shortage(config.sip.max_calls, descriptors.attainable()):
        yield f"sip.max_calls: {problem} ({descriptors.remedy(config.sip.max_calls)})"
    if config.media_callers < config.sip.max_calls:
        yield f"sip.max_calls: {legs_short(config)}"
    try:
        facts = line_facts(config)
    except IvrError as error:
        yield str(error)
        return
    examined = examine_folder(config.flows.directory, facts)
    yield from (finding.render() for finding in examined.errors)
    if examined.library is not None:
        try:
            check_entries(config.flows, examined.library)
        except IvrError as error:
            yield str(error)


def _unwritable(path: Path) -> Path | None:
    """What of ``path`` is there and can't be written to; nothing is made, since another user may check than serves."""
    there = next(each for each in (path, *path.parents) if each.exists())
    usable = os.W_OK if there == path else os.W_OK | os.X_OK
    return None if os.access(there, usable) and there.is_dir() == (there != path) else there


def diff(arguments: argparse.Namespace) -> int:
    config = _named(arguments)
    wanted = json.loads(json.dumps(shown(config)))
    try:
        serves = RunningLine.of(config).told("GET", "/api/config")
    except UnavailableError as error:
        raise ConfigError(str(error)) from error  # 1 would say that something differs
    if not isinstance(serves, dict) or not isinstance(serves.get("keys"), dict):
        raise UnavailableError("the line tells no configuration", remedy="is it of this release?")
    now, later = sorted_out(_differing(serves["keys"], wanted))
    for title, keys in (("with SIGHUP (systemctl reload):", now), ("after a restart:", later)):
        if keys:
            print(title)
        for key in keys:
            print(f"  {key}: {_told(serves['keys'].get(key))} -> {_told(wanted.get(key))}")
    if not (now or later):
        print("the running line serves with this configuration")
    found = list(faults(config))
    for fault in found:
        print(fault)
    return FAULT if found else int(bool(now or later))


def _differing(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Keys, in the file's order; what only one of them has differs too."""
    return [key for key in {**new, **old} if old.get(key) != new.get(key)]


def _told(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
