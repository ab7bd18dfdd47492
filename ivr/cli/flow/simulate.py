"""`ivr flow simulate`: a call in the terminal, by typing."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.text import Text

from ivr.cli.flow.options import add_config_file, config_of, demand_line, flows_of, words_alone
from ivr.cli.options import Subparsers, command
from ivr.config import FlowsConfig
from ivr.dialogue.engine.contract import Start
from ivr.errors import ConfigError, IvrError
from ivr.numbering import NumberingPlan
from ivr.record import CallerActed, Entry
from ivr.release.entry import demand_words
from ivr.workshop.folder import mocks_of, select
from ivr.workshop.scripts.report import entry_lines
from ivr.workshop.simulate.commands import HELP, obey
from ivr.workshop.simulate.driver import USUAL
from ivr.workshop.simulate.harness import entry_of
from ivr.workshop.simulate.mock_services import MockServices
from ivr.workshop.simulate.sandbox import Sandbox, StoreSandbox
from ivr.workshop.simulate.service_recorder import Recorded, ServiceRecorder
from ivr.workshop.simulate.simulation import Simulation
from ivr.workshop.simulate.timeline import keep, timeline

EPILOG = f"""\
Type what the caller says, or digits for keys.
{HELP}
It works on the company's example data in memory, gone at the end, unless --database names a database. Services are
answered for by their mock files; with --record DIR they are asked for real, where config.toml has them, and what they
answer is written to DIR/SERVICE.mock.yaml, to be replayed: secrets, telephone numbers and names are replaced.
"""
STYLES = {
    "prompt": "bold cyan",
    "state": "dim",
    "heard": "green",
    "action": "magenta",
    "handoff": "bold yellow",
    "error": "bold red",
    "end": "bold",
}


def add(tools: Subparsers) -> None:
    parser = command(tools, "simulate", "a call in the terminal, by typing", EPILOG, handle)
    parser.add_argument("flow", metavar="FLOW", help="the flow that answers, by name or file")
    parser.add_argument("--from", dest="caller", default="5035550101", metavar="NUMBER", help='"" withholds it')
    parser.add_argument("--language", metavar="TAG", help="es-ES, for instance")
    parser.add_argument("--persona", metavar="NAME")
    parser.add_argument("--at", metavar="MOMENT", help="local time, e.g. 2026-03-03T10:00; default: now")
    parser.add_argument("--database", metavar="URL", help="work on this one, and keep the call in it")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the call for ivr flow test --record-simulation")
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="ask the real services, and keep their answers there as mock files"
    )
    parser.add_argument("--keys-led", action="store_true", help="as where no recogniser speaks the language")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    return asyncio.run(_simulate(arguments))


async def _simulate(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    if not Path(arguments.flow).exists():
        demand_line(config)
    kept = StoreSandbox(arguments.database, config) if arguments.database else None
    sandbox = kept or Sandbox(config)
    recorder: ServiceRecorder | None = None
    try:
        at = _moment(arguments.at, sandbox.zone)
        chosen = select(arguments.flow, flows_of(config), config)
        library, entry = entry_of(chosen.folder, chosen.name)
        demand_words(library, arguments.language or "", arguments.persona or "")
        sandbox.mocks = mocks_of(chosen.folder.path)
        if arguments.record:
            services = config.flows.services if config is not None else ()
            sandbox.recorder = recorder = ServiceRecorder(services, library, arguments.record)
            sandbox.mocks = MockServices()  # what a mock file says is not asked for
        await sandbox.reset(at)
        flows = config.flows if config is not None else FlowsConfig()
        start = Start(
            secrets.token_hex(6) if kept else USUAL.call_id,
            entry=entry,
            language=arguments.language or flows.language,
            persona=arguments.persona or flows.persona,
            caller=NumberingPlan(flows.country).number(arguments.caller) if recorder else arguments.caller,
            called=USUAL.called,
            keys_led=arguments.keys_led,
        )
        simulation = Simulation(library, sandbox, at, start)
        if sandbox.classifiers is None:
            print(words_alone(), file=sys.stderr)
        await _converse(simulation)
        if recorder is not None:
            _recorded(recorder.write())
        told = timeline(simulation)
        if arguments.save:
            arguments.save.write_text(json.dumps(told, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
        if kept:
            await keep(told, kept.store.calls)
            print(f"kept as call {told['call_id']}")
    finally:
        if recorder is not None:
            await recorder.aclose()
        if kept:
            await kept.close()
    return 0


def _recorded(recorded: Recorded) -> None:
    for path in recorded.files:
        print(f"recorded {path}; look through it before it goes anywhere")
    for remark in recorded.remarks:
        print(f"ivr: {remark}", file=sys.stderr)
    if not recorded.files:
        print("no service was asked: nothing is recorded")


def _moment(text: str | None, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(text) if text else datetime.now(zone)
    except ValueError as error:
        raise ConfigError(f"--at {text}: no moment", remedy="write 2026-03-03T10:00") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


async def _converse(simulation: Simulation) -> None:
    screen = _Screen()
    screen.show(await simulation.begin())
    while (line := screen.read(simulation.state)) is not None:
        try:
            typed = await obey(simulation, line)
        except IvrError as error:
            screen.say(str(error), "red")
            continue
        screen.show(typed.entries)
        if typed.text:
            screen.say(typed.text)
        if typed.quit:
            return


class _Screen:
    """Colours on a terminal, plain lines in a pipe."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._typing = sys.stdin.isatty()

    def show(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if self._typing and isinstance(entry.what, CallerActed) and entry.what.do in ("say", "key"):
                continue  # it stands there already
            for line in entry_lines(entry):
                self.say(line, STYLES.get(entry.kind, ""))

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style))

    def read(self, state: str) -> str | None:
        """A line, None at the end of input."""
        try:
            line = input(f"[{state}] ") if self._typing else sys.stdin.readline()
        except EOFError:
            return None
        return line.strip() if line or self._typing else None
