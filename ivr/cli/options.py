"""Options that several commands share, and the progress bar."""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ivr.errors import ConfigError

if TYPE_CHECKING:  # help is shown without it
    from ivr.config import Config

Subparsers = Any  # argparse's own type is private: argparse._SubParsersAction[ArgumentParser]
CONFIG = Path("config.toml")
_AGE = re.compile(r"[0-9]{1,5}d")

Handler = Callable[[argparse.Namespace], int]


def command(
    commands: Subparsers, name: str, about: str, epilog: str = "", handler: Handler | None = None
) -> argparse.ArgumentParser:
    """``about`` stands in the list of commands; ``epilog`` is shown as it is written."""
    raw = argparse.RawDescriptionHelpFormatter
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, epilog=epilog, formatter_class=raw)
    if handler is not None:
        parser.set_defaults(handler=handler)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, default=CONFIG, metavar="FILE", help=f"default: {CONFIG}")
    add_override(parser)


def add_override(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database", metavar="URL", help="instead of [store] url, e.g. sqlite+aiosqlite:///try.sqlite3"
    )


def add_listeners(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sip", metavar="HOST:PORT", help="instead of [sip] listen; port 0 picks a free one")
    add_http(parser, "; port 0 picks a free one")


def add_http(parser: argparse.ArgumentParser, more: str = "") -> None:
    parser.add_argument("--http", metavar="HOST:PORT", help=f"instead of [http] listen{more}")


def age(text: str) -> timedelta:
    """A number of days, as 90d; of at most five digits, so that the day that long ago is one."""
    if not _AGE.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no age: write a number of days, such as 90d")
    return timedelta(days=int(text.removesuffix("d")))


def configuration(arguments: argparse.Namespace) -> Config:
    """config.toml with the command line over it. Raises ConfigError."""
    from ivr.config import load_config

    overrides: dict[str, Any] = {}
    for option, key in (("sip", "sip.listen"), ("http", "http.listen"), ("database", "store.url")):
        value = getattr(arguments, option, None)
        if value:
            overrides[key] = value
    if arguments.config == CONFIG and not CONFIG.exists():
        remedy = "ivr new . begins one; or pass --config FILE"
        raise ConfigError(f"{CONFIG}: no such file. There is no line here yet", remedy=remedy)
    return load_config(arguments.config, overrides)


def operator() -> str:
    """Who types, for the audit log."""
    try:
        return f"shell:{getpass.getuser()}"
    except (OSError, KeyError):  # a user without a name
        return "shell"


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A callable ``(done, total)`` that draws on standard error; quiet where nobody is looking (not a terminal)."""
    from rich.console import Console  # most commands draw nothing and start without it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
