"""`ivr accounts`: who may log in to the console, and as what."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ivr.accounts.authentication import Authentication
from ivr.accounts.first_link import first_link
from ivr.accounts.passwords import check, name_of, new_name
from ivr.cli.audit import as_json
from ivr.cli.db import opened_current
from ivr.cli.options import Subparsers, add_config, command, configuration, operator
from ivr.cli.running_line import RunningLine
from ivr.config import Config
from ivr.errors import AccountError, ConfigError
from ivr.ports import ROLES, Account, Role
from ivr.ports.accounts import MEANING

EPILOG = f"""\
roles:
{chr(10).join(f"  {role:<10}  {meaning}" for role, meaning in MEANING.items())}

examples:
  ivr accounts add rosa --display "Rosa Diaz" --role supervisor --role agent
  ivr accounts add sam --role agent --one-time          a password that lets in once; then Sam chooses one
  ivr accounts password rosa < secret.txt               from standard input; on a terminal it is asked for, unseen
  ivr accounts roles sam agent designer                 these, and no others
  ivr accounts log-out sam                              wherever Sam is logged in
  ivr accounts link                                     for who makes the first account in a browser instead

A running line notices within a second. While there is no account, whoever is at the line's machine may do everything
in the console (where no http.token is set); with the first one, a supervisor's, everybody logs in. Sessions end when
the roles, the password or the account change.
"""
Work = Callable[["Opened", argparse.Namespace], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Opened:
    authentication: Authentication
    zone: ZoneInfo
    by: str
    console_url: str

    def time(self, at: datetime | None) -> str:
        return f"{at.astimezone(self.zone):%Y-%m-%d %H:%M}" if at is not None else "never"


def add(commands: Subparsers) -> None:
    parser = command(commands, "accounts", "who may log in to the console, and as what", EPILOG)
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, text: str, work: Work, *, named: bool = True) -> argparse.ArgumentParser:
        added = command(actions, name, text, handler=handle)
        add_config(added)
        if named:
            added.add_argument("name", metavar="NAME")
        added.set_defaults(work=work)
        return added

    action("list", "everybody, their roles, and when they were here last", list_, named=False)
    added = action("add", "a new account; its password is asked for, or read from standard input", add_)
    added.add_argument("--display", default="", metavar="TEXT", help="what others see and callers hear")
    added.add_argument(
        "--role",
        action="append",
        choices=ROLES,
        default=[],
        metavar="ROLE",
        help=f"{', '.join(ROLES)}; may be repeated",
    )
    added.add_argument("--one-time", action="store_true", help="print a password that lets in once within a day")
    roles_ = action("roles", "what they may do: these roles, and no others", roles)
    roles_.add_argument("roles", nargs="*", metavar="ROLE", help=", ".join(ROLES))
    changed = action("password", "a new password, asked for or read from standard input", password)
    changed.add_argument("--one-time", action="store_true", help="print one that lets in once within a day instead")
    action("link", "a link that makes the first account, once, within 15 minutes", link, named=False)
    action("disable", "keep them out; nothing of theirs is lost", disable)
    action("enable", "let them in again", enable)
    action("remove", "delete the account", remove)
    seen = action("sessions", "who is logged in, from where", sessions, named=False)
    seen.add_argument("name", metavar="NAME", nargs="?", default="", help="only theirs")
    action("log-out", "end every session of theirs", log_out)
    trail = action("audit", "what happened to accounts, as JSON, the latest last", audit, named=False)
    trail.add_argument("-n", "--lines", type=int, default=100, metavar="N", help="at most so many; default: 100")


def handle(arguments: argparse.Namespace) -> int:
    print(asyncio.run(run(configuration(arguments), arguments)))
    return 0


async def run(config: Config, arguments: argparse.Namespace) -> str:
    """What to tell the operator. Raises AccountError, ConfigError, StoreUnavailable."""
    async with opened_current(config) as database:
        store = database.store
        authentication = Authentication(store.accounts, store.tokens, now=store.now)
        opened = Opened(authentication, database.zone, operator(), console_url(config))
        answer: str = await arguments.work(opened, arguments)
        return answer


async def list_(opened: Opened, _: argparse.Namespace) -> str:
    lines = []
    for each in await opened.authentication.store.all():
        account = each.account
        state = "disabled" if each.disabled else "must choose a password" if each.must_change else ""
        parts = (
            account.name,
            account.display,
            _told(account.roles),
            f"last here {opened.time(each.entered_at)}",
            state,
        )
        lines.append("  ".join(part for part in parts if part))
    return "\n".join(lines) or "nobody has an account: ivr accounts add NAME --role supervisor makes the first"


async def add_(opened: Opened, arguments: argparse.Namespace) -> str:
    account = Account(new_name(arguments.name), frozenset(arguments.role), arguments.display)
    if not account.roles:
        raise ConfigError(f"{account.name} could do nothing", remedy=f"give --role: {', '.join(ROLES)}")
    if await opened.authentication.store.find(account.name) is not None:
        raise AccountError(f"there is an account {account.name} already", remedy="ivr accounts list has it")
    given = "" if arguments.one_time else asked(account.name, arguments.display)
    made = await opened.authentication.add(account, opened.by, given)
    said = f"{made.name} may log in: {_told(made.roles)}"
    return f"{said}\n{await _one_time(opened, made.name)}" if arguments.one_time else said


async def link(opened: Opened, _: argparse.Namespace) -> str:
    return first_link(opened.console_url, await opened.authentication.first_secret())


async def roles(opened: Opened, arguments: argparse.Namespace) -> str:
    if wrong := sorted(set(arguments.roles) - set(ROLES)):
        raise ConfigError(f"there is no role {', '.join(wrong)}", remedy=f"roles are {', '.join(ROLES)}")
    wanted: frozenset[Role] = frozenset(role for role in ROLES if role in arguments.roles)
    await opened.authentication.store.set_roles(_name(arguments), wanted, opened.by)
    return f"{_name(arguments)}: {_told(wanted)}; their sessions ended"


async def password(opened: Opened, arguments: argparse.Namespace) -> str:
    name = _name(arguments)
    record = await opened.authentication.store.find(name)
    if record is None:
        raise AccountError(f"there is no account {name}", remedy="ivr accounts list has them")
    if arguments.one_time:
        return await _one_time(opened, name)
    await opened.authentication.set_password(name, asked(name, record.account.display), opened.by)
    return f"{name} has a new password; their sessions ended"


async def disable(opened: Opened, arguments: argparse.Namespace) -> str:
    await opened.authentication.store.set_disabled(_name(arguments), True, opened.by)
    return f"{_name(arguments)} is kept out; their sessions ended"


async def enable(opened: Opened, arguments: argparse.Namespace) -> str:
    await opened.authentication.store.set_disabled(_name(arguments), False, opened.by)
    return f"{_name(arguments)} may log in again"


async def remove(opened: Opened, arguments: argparse.Namespace) -> str:
    await opened.authentication.store.remove(_name(arguments), opened.by, last=True)
    return f"{_name(arguments)} is removed"


async def sessions(opened: Opened, arguments: argparse.Namespace) -> str:
    found = await opened.authentication.store.sessions(_name(arguments) if arguments.name else "")
    lines = [
        f"{each.account.name}  from {each.source}  since {opened.time(each.created_at)}"
        f"  last used {opened.time(each.seen_at)}  {each.program}".rstrip()
        for each in found
    ]
    return "\n".join(lines) or "nobody is logged in"


async def log_out(opened: Opened, arguments: argparse.Namespace) -> str:
    ended = await opened.authentication.log_out_everywhere(_name(arguments), opened.by)
    return f"{_name(arguments)} is logged out ({ended} session{'s' if ended != 1 else ''})"


async def audit(opened: Opened, arguments: argparse.Namespace) -> str:
    trail = await opened.authentication.store.trail(max(1, arguments.lines))
    return "\n".join(map(as_json, reversed(trail))) or "nothing happened yet"


def asked(*personal: str) -> str:
    """A password: typed twice and unseen on a terminal, else the first line of standard input. Raises AccountError."""
    if not sys.stdin.isatty():
        given = sys.stdin.readline().rstrip("\r\n")
        check(given, *personal)
        return given
    given = getpass.getpass("Password: ")
    check(given, *personal)
    if getpass.getpass("Again: ") != given:
        raise AccountError("the two passwords differ", remedy="type the same twice")
    return given


async def _one_time(opened: Opened, name: str) -> str:
    secret = await opened.authentication.set_one_time(name, opened.by)
    return f"{secret} lets {name} in once within 24 hours, to choose a password"


def console_url(config: Config) -> str:
    """As browsers know it; by this machine's own address where nobody said."""
    at = RunningLine.of(config)
    host = f"[{at.host}]" if ":" in at.host else at.host
    return config.http.public_url.rstrip("/") or f"http://{host}:{at.port}"


def _name(arguments: argparse.Namespace) -> str:
    return name_of(arguments.name) or str(arguments.name)


def _told(roles: frozenset[Role]) -> str:
    return ", ".join(role for role in ROLES if role in roles) or "no role"
