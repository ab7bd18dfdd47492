"""First link: what whoever starts a line without accounts is told, on their terminal and in a file of theirs, and
nowhere else. It opens the page that makes the first account, for a quarter of an hour; `ivr accounts link` prints
another one."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from ivr.accounts.authentication import FIRST_LINK, Authentication
from ivr.errors import AccountError, StoreUnavailable

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

NAME = "first-account"
LOOK_S = 2.0


def first_link(home: str, secret: str) -> str:
    """The secret is behind the #, which browsers tell nobody: it stands in no proxy's log."""
    return f"{home}/login#first={secret}"


async def offered(authentication: Authentication, home: str, folder: Path) -> str:
    """A link, also kept in a file of ``folder`` that only its owner reads; "" where somebody has an account. Raises
    StoreUnavailable."""
    try:
        link = first_link(home, await authentication.first_secret())
    except AccountError:
        return ""
    file = folder / NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.unlink(missing_ok=True)  # whatever mode it had
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(f"{link}\n")
    except OSError as error:  # it is on the terminal, too
        log.warning("account.link_not_written", file=str(file), error=error.strerror)
    remedy = "open the link in that file within 15 minutes; ivr accounts link prints a new one"
    log.warning("accounts.none", file=str(file), remedy=remedy)
    return link


async def withdrawn(authentication: Authentication, folder: Path) -> None:
    """Returns when the file is gone: once somebody has an account, or the link is over; also where it is cancelled."""
    try:
        async with asyncio.timeout(FIRST_LINK.total_seconds()):
            while True:
                if await _exist(authentication):
                    return
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        log.warning("account.link_over", remedy="a new one: ivr accounts link")
    finally:
        (folder / NAME).unlink(missing_ok=True)


async def _exist(authentication: Authentication) -> bool:
    try:
        return await authentication.exist()
    except StoreUnavailable:
        return False
