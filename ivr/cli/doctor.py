"""`ivr doctor`: what works on this machine, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import platform
import shutil
import socket
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta

from rich.console import Console
from rich.text import Text

from ivr.actions.plugins import plugins
from ivr.cli import accounts, db
from ivr.cli.capacity_findings import capacity_findings
from ivr.cli.certificate_findings import certificate_findings
from ivr.cli.dns_findings import dns_findings
from ivr.cli.endpoint_findings import endpoint_findings
from ivr.cli.finding import Finding
from ivr.cli.nat_findings import nat_findings
from ivr.cli.options import Subparsers, add_config, add_listeners, command, configuration
from ivr.cli.registration_findings import registration_findings
from ivr.cli.running_line import RunningLine
from ivr.cli.secret_findings import secret_findings, takeover_findings
from ivr.cli.skill_coverage import skill_coverage
from ivr.config import Address, Config
from ivr.dialogue.spoken.language import served
from ivr.embedding import installation
from ivr.errors import ConfigError, IvrError, UnavailableError
from ivr.extras import installing
from ivr.line_facts import line_facts
from ivr.media.candidates import candidates
from ivr.release.candidate import Candidate, examine_folder
from ivr.release.entry import check_entries
from ivr.speech.vendors import recogniser_for, recogniser_offers, synthesiser_offers

MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "bad": ("✗", "bold red")}
EPILOG = "Exit code 0 when calls can be answered, 1 when something that the configuration asks for does not work."


def add(commands: Subparsers) -> None:
    parser = command(commands, "doctor", "what works here, what is missing, how to get it", EPILOG, handle)
    add_config(parser)
    add_listeners(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    console = Console(highlight=False, soft_wrap=True)
    stored, agents = asyncio.run(_stored(config))
    findings = [*examine(config, agents), *asyncio.run(_asked(config)), *stored]
    for finding in findings:
        mark, style = MARKS[finding.state]
        line = Text(f"{mark} {finding.subject}: ", style=style)
        line.append(finding.detail, style="")
        if finding.remedy:
            line.append(f"\n    → {finding.remedy}", style="dim")
        console.print(line)
    return 1 if any(f.state == "bad" for f in findings) else 0


async def _asked(config: Config) -> list[Finding]:
    """Our certificate, and what other machines say."""
    sip, speech = config.sip, config.speech
    asked = (certificate_findings(sip), dns_findings(config), nat_findings(sip), endpoint_findings(speech))
    return [finding for found in await asyncio.gather(*asked) for finding in found]


def examine(config: Config, agents: Collection[str] = ()) -> Iterator[Finding]:
    """Everything that can be told without starting a service. ``agents``: accounts that may take calls."""
    yield Finding("ok", "Python", f"{platform.python_version()} on {sys.platform}")
    directory, checked = config.flows.directory, None
    try:
        facts = line_facts(config)
    except ConfigError as error:
        yield Finding("bad", "company", str(error))
    else:
        yield Finding("ok", "company", config.company.package or "none: flows call [[flows.services]]")
        for plugin in plugins():
            named = ", ".join(signature.name for signature in plugin.actions.signatures)
            yield Finding("ok", "plug-in", f"{plugin.name} ({plugin.package}): {named}")
        checked = examine_folder(directory, facts) if directory.is_dir() else None
        yield _flows(config, checked)
    library = checked.library if checked is not None else None
    yield from _speech(config, library.universals.languages if library is not None else ())
    yield _paraphrases()
    yield from _network(config)
    if library is not None:
        yield from skill_coverage(config, library, agents)
    yield from capacity_findings(config)
    yield from secret_findings(config)
    yield from takeover_findings(config)
    yield from _extras()


def _flows(config: Config, checked: Candidate | None) -> Finding:
    directory = config.flows.directory
    if checked is None:
        return Finding("bad", "flows", f"{directory} is not a folder", "set [flows] directory")
    if checked.library is None:
        errors = f"{len(checked.errors)} error(s) in {directory}"
        return Finding("bad", "flows", errors, f"ivr flow check {directory}")
    try:
        check_entries(config.flows, checked.library)
    except ConfigError as error:
        return Finding("bad", "flows", str(error))
    return Finding("ok", "flows", f"{len(checked.library.flows)} in {directory}, version {checked.library.version}")


def _speech(config: Config, chosen: Iterable[str]) -> Iterator[Finding]:
    """``chosen``: languages that callers may choose on the way."""
    recognisers, synthesisers = recogniser_offers(config.speech), synthesiser_offers(config.speech)
    answered = dict.fromkeys([config.flows.language, *(n.language for n in config.flows.numbers if n.language)])
    for language in dict.fromkeys([*answered, *chosen]):
        name = recogniser_for(recognisers, language)
        if name:
            yield Finding("ok", f"recogniser for {language}", name)
        else:
            why = "; ".join(f"{o.name}: {o.detail}" for o in recognisers if o.detail) or "none speaks it"
            detail, remedy = f"none ({why}): calls are led by keys", "ivr models list, then ivr models get NAME"
            yield Finding("note", f"recogniser for {language}", detail, remedy)
        subject, voices = f"synthesiser for {language}", [o.name for o in synthesisers if served(language, o.languages)]
        if voices:
            yield Finding("ok", subject, ", ".join(voices))
        elif language in answered:
            yield Finding("bad", subject, "none: prompts would be silent", installing("espeak"))
        else:
            detail = "none: it is not offered, and who asks for it gets a human"
            yield Finding("note", subject, detail, installing("espeak"))


def _paraphrases() -> Finding:
    """What sentences are read with that no phrase covers."""
    found = installation.installed()
    if found.key:
        return Finding("ok", "paraphrases", f"read with the sentence embedding {found.key} in {found.folder}")
    why = f"read by their words alone: the sentence embedding is {found.trouble}"
    return Finding("note", "paraphrases", why, installation.REMEDY)


def _network(config: Config) -> Iterator[Finding]:
    transports = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
    sip = [transports[name] for name in config.sip.transports if name in transports]
    listened = [("SIP", address, sip, "pass --sip HOST:PORT") for address in config.sip.listen] if sip else []
    if config.sip.tls is not None:
        instead = "choose another sip.tls.listen"
        listened += [("SIP over TLS", address, [socket.SOCK_STREAM], instead) for address in config.sip.tls_listen]
    listened.append(("HTTP", config.http.listen, [socket.SOCK_STREAM], "pass --http HOST:PORT"))
    runs = _runs(config)
    for name, address, kinds, instead in listened:
        trouble = next((text for kind in kinds if (text := _bindable(address, kind))), "")
        if trouble and runs:
            yield Finding("ok", f"{name} {address}", "taken, and the line that is configured here runs")
            continue
        remedy = f"stop what uses it, or {instead}" if trouble else ""
        yield Finding("bad" if trouble else "ok", f"{name} {address}", trouble or "free", remedy)
    nets = [net for trunk in config.sip.trunks for net in trunk.allow]
    outside = any(not address.loopback for address in config.sip.listen)
    if outside and all(net.startswith(("127.", "::1")) for net in nets):
        yield Finding("note", "trunks", "only loopback may call", "list your trunk or PBX under [[sip.trunks]]")
    if not any(trunk.gateway or trunk.register_with for trunk in config.sip.trunks):
        remedy = "give the trunk that takes calls out a gateway"
        yield Finding("note", "call backs", "none are promised: no trunk takes calls out", remedy)
    if not config.desk.agents:
        yield Finding("bad", "agents", "none: nobody can be reached", "add [[desk.agents]]")
    every = [address.host for address in config.sip.listen]
    home = "::" if {"0.0.0.0", "::"} == set(every) else every[0]  # noqa: S104
    found = candidates(home, config.sip.advertise, config.media.browser_addresses)
    yield Finding("ok", "agents' browsers", f"send audio to {', '.join(found)}, UDP {config.media.ports}")


def _runs(config: Config) -> bool:
    """Whether this configuration's line answers on this machine: what it listens on is taken, then."""
    try:
        status, said = RunningLine.of(config).ask("GET", "/healthz", timeout_s=1.0)
    except (UnavailableError, ConfigError):
        return False
    return status == 200 and said == {"status": "ok"}


def _bindable(address: Address, kind: int) -> str:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _extras() -> Iterator[Finding]:
    for module, extra, what in (
        ("pyVoIP", "softphone", "ivr call and make demo"),
        ("piper", "demo", "a natural caller's voice in the demo"),
        ("espeakng_loader", "espeak", "voices for languages other than English without a system package"),
    ):
        if importlib.util.find_spec(module) is None:
            yield Finding("note", module, f"not installed; it gives {what}", f"{installing(extra)} (GPL)")
    if shutil.which("sipp") is None:
        yield Finding("note", "sipp", "not installed; the wire tests need it", "apt-get install sip-tester")


async def database(config: Config) -> list[Finding]:
    """The database, and who gets in to the console by it."""
    try:
        text = await db.run(config, argparse.Namespace(work=db.status))
        if db.UPGRADE in text:
            return [Finding("note", "database", text)]
        known = await accounts.run(config, argparse.Namespace(work=_accounts))
        kept = await _retention(config)
        registered = await _registrations(config)
    except IvrError as error:
        return [Finding("bad", "database", str(error), "check [store] url")]
    return [Finding("ok", "database", text), _entry(config, int(known)), kept, *registered]


async def _registrations(config: Config) -> list[Finding]:
    """Which line registers. Raises IvrError."""
    async with db.opened(config) as opened:
        postgres = not opened.store.database.sqlite
        kept = await opened.store.registrations.all() if postgres else {}
    return [*registration_findings(config, kept, postgres=postgres)]


async def _retention(config: Config) -> Finding:
    """What is kept longer than it may be, with a day's grace: then no line deletes it. Raises IvrError."""

    async def overdue(opened: db.Opened, _: argparse.Namespace) -> str:
        found = await opened.store.retention.overdue(config.retention, timedelta(days=1))
        return ", ".join(f"{count} {name}" for name, count in found.items())

    if late := await db.run(config, argparse.Namespace(work=overdue)):
        remedy = "see retention.failed in the log of a running line, or run ivr db purge --yes"
        return Finding("bad", "retention", f"kept a day longer than [retention] says: {late}", remedy)
    former = "retention.calls_days" if config.retention.calls_days is not None else ""
    former = former or ("recording.days" if config.recording.days is not None else "")
    if former:
        remedy = "config.toml explains the times by kind under [retention]; they win over it"
        return Finding("note", "retention", f"{former} is a former name and still counts", remedy)
    return Finding("ok", "retention", "nothing is kept longer than [retention] says")


async def _stored(config: Config) -> tuple[Sequence[Finding], Collection[str]]:
    """What the database says, and who may take calls by it; nobody while it says nothing."""
    found = await database(config)
    if any(finding.subject == "database" and finding.state != "ok" for finding in found):
        return found, ()
    return found, (await accounts.run(config, argparse.Namespace(work=_agents))).split()


async def _agents(opened: accounts.Opened, _: argparse.Namespace) -> str:
    known = await opened.authentication.store.all()
    return " ".join(each.account.name for each in known if not each.disabled and "agent" in each.account.roles)


async def _accounts(opened: accounts.Opened, _: argparse.Namespace) -> str:
    return str(len(await opened.authentication.store.all()))


def _entry(config: Config, known: int) -> Finding:
    """Who gets in to the console."""
    outside = not config.http.listen.loopback or config.http.token.available()
    if known:
        return Finding("ok", "accounts", f"{known}; everybody logs in to the console")
    if not outside:
        return Finding("ok", "accounts", "none: whoever is at this machine may do everything in the console")
    detail = f"none, and the console ({config.http.listen}) is reachable from outside: nobody can log in"
    return Finding("note", "accounts", detail, "ivr accounts add NAME --role supervisor")
