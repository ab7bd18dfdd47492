"""`ivr flow simulate`: a call in the terminal, by typing."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ivr.cli.flow.options import DEFAULT_FLOWS, add_config_file, config_of
from ivr.cli.options import Subparsers
from ivr.config import Config
from ivr.errors import ConfigError, FlowError, IvrError
from ivr.record import CallerActed, Entry
from ivr.workshop.folder import folders
from ivr.workshop.scripts.verdict import entry_lines
from ivr.workshop.simulate.alone import entry_of, flow_name
from ivr.workshop.simulate.commands import HELP, Typed, obey
from ivr.workshop.simulate.driving import Setting
from ivr.workshop.simulate.room import ScratchRoom, StoreRoom, store_room
from ivr.workshop.simulate.simulation import Simulation
from ivr.workshop.simulate.timeline import keep, timeline

EPILOG = f"""\
Type what the caller says, or digits for keys.
{HELP}
It works on the company's example data in memory, gone at the end, unless --database names a database.
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
    parser = tools.add_parser(
        "simulate",
        help="a call in the terminal, by typing",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("flow", metavar="FLOW", help="the flow that answers, by name or file")
    parser.add_argument("--from", dest="caller", default="5035550101", metavar="NUMBER", help='"" withholds it')
    parser.add_argument("--language", metavar="TAG", help="es-ES, for instance")
    parser.add_argument("--persona", metavar="NAME")
    parser.add_argument("--at", metavar="MOMENT", help="local time, e.g. 2026-03-03T10:00; default: now")
    parser.add_argument("--database", metavar="URL", help="work on this one, and keep the call in it")
    parser.add_argument("--save", type=Path, metavar="FILE", help="keep the call for ivr flow test --record-simulation")
    parser.add_argument("--keys-led", action="store_true", help="as where no recogniser speaks the language")
    add_config_file(parser)
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    return asyncio.run(_simulate(arguments))


async def _simulate(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    database = arguments.database
    room = await store_room(database, config) if database else ScratchRoom(config)
    try:
        setting = _setting(arguments, config, room)
        library, entry = entry_of(folders([_folder(arguments, config)], config)[0], flow_name(arguments.flow))
        if isinstance(room, ScratchRoom):
            await room.reset(setting.at)
        name = secrets.token_hex(6) if database else setting.name
        simulation = Simulation(
            library,
            room,
            Setting(
                at=setting.at,
                caller=setting.caller,
                entry=entry,
                language=setting.language,
                persona=setting.persona,
                keys_led=setting.keys_led,
                name=name,
            ),
        )
        await _converse(simulation)
        kept = timeline(simulation)
        if arguments.save:
            arguments.save.write_text(json.dumps(kept, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
        if isinstance(room, StoreRoom):
            await keep(kept, room.store.calls)
            print(f"kept as call {kept['call_id']}")
    finally:
        await room.close()
    return 0


def _setting(arguments: argparse.Namespace, config: Config | None, room: ScratchRoom | StoreRoom) -> Setting:
    try:
        at = datetime.fromisoformat(arguments.at) if arguments.at else datetime.now(room.zone)
    except ValueError as error:
        raise ConfigError(f"--at {arguments.at}: no moment", remedy="write 2026-03-03T10:00") from error
    flows = config.flows if config is not None else None
    return Setting(
        at=at if at.tzinfo is not None else at.replace(tzinfo=room.zone),
        caller=arguments.caller,
        language=arguments.language or (flows.language if flows else "en-US"),
        persona=arguments.persona or (flows.persona if flows else "neutral"),
        keys_led=arguments.keys_led,
    )


def _folder(arguments: argparse.Namespace, config: Config | None) -> Path:
    named = Path(arguments.flow)
    if named.is_file():
        return named.parent
    return config.flows.directory if config is not None else DEFAULT_FLOWS


async def _converse(simulation: Simulation) -> None:
    screen = _Screen()
    screen.show(await simulation.begin())
    while (line := screen.read(simulation.state)) is not None:
        try:
            typed: Typed = await obey(simulation, line)
        except (FlowError, IvrError) as error:
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

    def show(self, entries: tuple[Entry, ...] | list[Entry] | object) -> None:
        assert isinstance(entries, (list, tuple))
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
