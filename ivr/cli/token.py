"""`ivr token`: what programs show to the API, and what they may do with it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from ivr.cli.accounts import Opened, run
from ivr.cli.options import Subparsers, add_config, command, configuration
from ivr.ports import SCOPES, ApiToken

EPILOG = f"""\
scopes:
{chr(10).join(f"  {scope:<16}  {meaning}" for scope, meaning in SCOPES.items())}

examples:
  ivr token add prometheus --scope metrics:read --days 365
  ivr token add "night report" --scope calls:read --scope recordings:read --days 0
  ivr token revoke abc2def3gh

A program sends Authorization: Bearer TOKEN. The token is shown once; the database has its hash. A running line notices
a revoked one within a second.
"""
DAYS = 365


def add(commands: Subparsers) -> None:
    parser = command(commands, "token", "what programs show to the API", EPILOG)
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    def action(
        name: str, text: str, work: Callable[[Opened, argparse.Namespace], Awaitable[str]]
    ) -> argparse.ArgumentParser:
        added = command(actions, name, text, handler=handle)
        add_config(added)
        added.set_defaults(work=work)
        return added

    added = action("add", "a new one, printed once", add_)
    added.add_argument("label", metavar="LABEL", help="which program shows it")
    added.add_argument(
        "--scope", action="append", choices=list(SCOPES), default=[], metavar="SCOPE", help="may be repeated"
    )
    added.add_argument("--days", type=int, default=DAYS, help=f"how long it counts, 0 for ever; default: {DAYS}")
    action("list", "all of them, what they may do, and when they were shown last", list_)
    revoked = action("revoke", "end one", revoke)
    revoked.add_argument("id", metavar="ID", help="as list has it: what stands between ivr_ and _ in the token")


def handle(arguments: argparse.Namespace) -> int:
    print(asyncio.run(run(configuration(arguments), arguments)))
    return 0


async def add_(opened: Opened, arguments: argparse.Namespace) -> str:
    shown, made = await opened.authentication.tokens.make(arguments.label, arguments.scope, arguments.days, opened.by)
    until = opened.time(made.expires_at) if made.expires_at is not None else "it is revoked"
    scopes = ", ".join(sorted(made.scopes))
    return f"{shown}\nthat is the token, shown only now; its scopes: {scopes}; it counts until {until}"


async def list_(opened: Opened, _: argparse.Namespace) -> str:
    now = opened.authentication.now()
    lines = [
        "  ".join((each.id, each.label, ", ".join(sorted(each.scopes)), f"by {each.by}", state(each, now, opened.zone)))
        for each in await opened.authentication.tokens.store.all()
    ]
    return "\n".join(lines) or "there are no tokens: ivr token add LABEL --scope SCOPE makes one"


async def revoke(opened: Opened, arguments: argparse.Namespace) -> str:
    await opened.authentication.tokens.store.revoke(arguments.id, opened.by)
    return f"{arguments.id} is revoked"


def state(token: ApiToken, now: datetime, zone: ZoneInfo) -> str:
    def at(moment: datetime) -> str:
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"

    if token.revoked_at is not None:
        return f"revoked {at(token.revoked_at)}"
    if not token.counts_at(now) and token.expires_at is not None:
        return f"over since {at(token.expires_at)}"
    until = f"until {at(token.expires_at)}" if token.expires_at is not None else "without end"
    return f"{until}, last shown {at(token.used_at) if token.used_at is not None else 'never'}"
