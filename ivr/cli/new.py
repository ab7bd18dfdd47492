"""`ivr new`: a whole line of a company's own, to begin with."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from ivr.cli.options import Subparsers, command
from ivr.errors import ConfigError, IvrError
from ivr.workshop.lines import (
    FIRST,
    HOURS,
    HUMAN,
    LANGUAGES,
    TEMPLATES,
    ZONE,
    NewLine,
    demand_company,
    demand_human,
    demand_languages,
    demand_number,
    demand_template,
    demand_time_zone,
    languages_of,
)
from ivr.workshop.lines.opening_hours import OpeningHours

Answer = TypeVar("Answer")
COMPANY = "The company's name, as it is said"
SAID_BY_OPTIONS = "ivr new --help names the options that answer them"
LISTED = [f"{name:11}{template.about}" for name, template in TEMPLATES.items()]
EPILOG = (
    "templates:\n"
    + "\n".join(f"  {line}" for line in LISTED)
    + """

On a terminal it asks for what no option says, and again where an answer can't be; Ctrl-C ends it, and nothing is made.
For instance:
  ivr new riverside --template dentist --company "Riverside Dental" --languages en-US,es-ES
Nothing that is there already is changed. One more flow in a line that you have: ivr flow new.
"""
)
NEXT = """
A line for {company} is in {directory}. Next:{go}
  ivr flow simulate main       talk to it, by typing
  ivr flow test                run the calls that must keep working
  ivr flow mock                answer as your computer system would, until it is there (a terminal of its own)
  ivr serve                    answer real calls
{directory}/README.md says what is where.
"""


class Question(Protocol):
    """``default``: what an empty answer means. ``read`` makes something of an answer, or raises ConfigError.
    ``told``: lines before it."""

    def __call__(self, text: str, default: str, read: Callable[[str], Answer], told: Sequence[str] = ()) -> Answer: ...


def add(commands: Subparsers) -> None:
    parser = command(commands, "new", "begin a line of your own", EPILOG, handle)
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="the folder; . is this one")
    parser.add_argument("--template", metavar="NAME", help=f"one of {', '.join(TEMPLATES)}")
    parser.add_argument("--company", metavar="NAME", help="its name, as it is said")
    parser.add_argument("--languages", metavar="TAGS", help=f"of {','.join(LANGUAGES)}; calls begin in the first")
    parser.add_argument("--hours", metavar="HOURS", help=f'default: "{HOURS}"; several with commas')
    parser.add_argument("--human", metavar="SIP", help=f"who answers as a person; default: {HUMAN}")
    parser.add_argument("--number", default="", metavar="NUMBER", help="the telephone number that people call")
    parser.add_argument("--time-zone", metavar="ZONE", help=f"default: {ZONE}")
    parser.add_argument("--list", action="store_true", help="the templates, and nothing else")


def handle(arguments: argparse.Namespace) -> int:
    if arguments.list:
        print(*LISTED, sep="\n")
        return 0
    directory: Path | None = arguments.directory
    if directory is None:
        raise ConfigError("no folder was named", remedy="ivr new DIR, or ivr new . for this one")
    demand_room(directory, NewLine("Company", next(iter(TEMPLATES))).files())
    line = _line(arguments, directory, ask if sys.stdin.isatty() else unasked)
    try:
        write(directory, line.files())
    except OSError as error:
        where = error.filename or directory
        raise ConfigError(
            f"{where}: {error.strerror or error}; nothing was made", remedy="name a folder that is yours to write in"
        ) from error
    here = directory.resolve() == Path.cwd()
    go = "" if here else f"\n  cd {shlex.quote(str(directory))}"
    print(NEXT.format(company=line.company, directory=directory, go=go).lstrip("\n"), end="")
    return 0


def _line(arguments: argparse.Namespace, directory: Path, question: Question) -> NewLine:
    """Of the options, and the answers to what they leave open. Wrong options are refused before anything is asked."""

    def named(name: str) -> str:
        demand_company(name, spoken or (FIRST,))
        return name

    spoken = _spoken(arguments.languages) if arguments.languages else ()
    company = named(arguments.company) if arguments.company else ""
    template = _template(arguments.template) if arguments.template else ""
    hours = OpeningHours.of(arguments.hours) if arguments.hours else None
    human = demand_human(arguments.human) if arguments.human else ""
    zone = demand_time_zone(arguments.time_zone) if arguments.time_zone else ""
    if arguments.number:
        demand_number(arguments.number)

    company = company or question(COMPANY, _named(directory), named)
    if not template:
        template = question(f"What it does ({', '.join(TEMPLATES)})", "reception", _template, LISTED)
    if not spoken:
        spoken = question(f"Languages ({', '.join(LANGUAGES)}; calls begin in the first)", FIRST, _spoken)
        try:
            named(company)
        except ConfigError as error:  # its signs are words of one language and not of another
            company = question(COMPANY, _named(directory), named, [f"  {error}"])
    hours = hours or question("Opening hours", HOURS, OpeningHours.of)
    human = human or question("Who answers as a person (a SIP address)", HUMAN, demand_human)
    zone = zone or question("Time zone", ZONE, demand_time_zone)
    return NewLine(company, template, spoken, hours, human, arguments.number, zone)


def ask(text: str, default: str, read: Callable[[str], Answer], told: Sequence[str] = ()) -> Answer:
    """Asked until ``read`` takes the answer. Raises IvrError at the end of input: who goes away wants no line."""
    for line in told:
        print(line)
    while True:
        try:
            answer = input(f"{text} [{default}]: ")
        except EOFError:
            print()
            raise IvrError("the questions were not answered; nothing was made", remedy=SAID_BY_OPTIONS) from None
        try:
            return read(answer.strip() or default)
        except ConfigError as error:
            print(f"  {error}")


def unasked(text: str, default: str, read: Callable[[str], Answer], told: Sequence[str] = ()) -> Answer:
    """Where nobody sits at a terminal: what stands in brackets."""
    return read(default)


def _template(name: str) -> str:
    demand_template(name.lower())
    return name.lower()


def _spoken(text: str) -> tuple[str, ...]:
    demand_languages(tags := languages_of(text))
    return tags


def _named(directory: Path) -> str:
    """The folder's name as a company's, where it can be said."""
    name = directory.resolve().name.replace("-", " ").replace("_", " ").title()
    try:
        demand_company(name, LANGUAGES)
    except ConfigError:
        return "Our Company"
    return name


def demand_room(directory: Path, files: Iterable[str]) -> None:
    """Raises ConfigError where one of them, or any flow, is there already."""
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"{directory} is a file", remedy="name another folder")
    ours = {path.partition("/")[0] for path in files}
    if there := sorted(name for name in ours if os.path.lexists(directory / name)):
        raise ConfigError(
            f"{directory}: {', '.join(there)} is there already, and left alone", remedy="name another folder"
        )


def write(directory: Path, files: Mapping[str, str]) -> None:
    """All of them or none. Raises ConfigError as ``demand_room`` does."""
    demand_room(directory, files)
    ours = {path.partition("/")[0] for path in files}
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".ivr-new-", dir=directory if directory.is_dir() else directory.parent))
    try:
        for path, text in files.items():
            (made / path).parent.mkdir(exist_ok=True)
            (made / path).write_text(text, encoding="utf-8")
        if not directory.exists():
            made.chmod(0o755)
            made.rename(directory)
            return
        moved: list[Path] = []
        try:
            for name in sorted(ours):
                (made / name).rename(directory / name)
                moved.append(directory / name)
        except BaseException:  # Ctrl-C too leaves nothing half-written
            for done in moved:
                shutil.rmtree(done) if done.is_dir() else done.unlink()
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
