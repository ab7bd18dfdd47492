"""`ivr new`: a whole line of a company's own, to begin with."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ivr.cli.options import Subparsers, command
from ivr.errors import ConfigError
from ivr.workshop.lines import FIRST, HOURS, HUMAN, LANGUAGES, TEMPLATES, ZONE, NewLine
from ivr.workshop.lines.opening_hours import OpeningHours

LISTED = [f"{name:11}{template.about}" for name, template in TEMPLATES.items()]
EPILOG = (
    "templates:\n"
    + "\n".join(f"  {line}" for line in LISTED)
    + """

On a terminal it asks for what no option says. For instance:
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


def add(commands: Subparsers) -> None:
    parser = command(commands, "new", "begin a line of your own", EPILOG, handle)
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="the folder; . is this one")
    parser.add_argument("--template", choices=list(TEMPLATES), help="what the company does")
    parser.add_argument("--company", metavar="NAME", help="its name, as it is said")
    parser.add_argument("--languages", metavar="TAGS", help=f"of {','.join(LANGUAGES)}; calls begin in the first")
    parser.add_argument("--hours", metavar="HOURS", help=f'default: "{HOURS}"; several with commas')
    parser.add_argument("--human", metavar="SIP", help=f"who answers as a person; default: {HUMAN}")
    parser.add_argument("--number", default="", metavar="NUMBER", help="the telephone number that people call")
    parser.add_argument("--time-zone", default=ZONE, metavar="ZONE", help=f"default: {ZONE}")
    parser.add_argument("--list", action="store_true", help="the templates, and nothing else")


def handle(arguments: argparse.Namespace) -> int:
    if arguments.list:
        print(*LISTED, sep="\n")
        return 0
    directory: Path | None = arguments.directory
    if directory is None:
        raise ConfigError("no folder was named", remedy="ivr new DIR, or ivr new . for this one")
    asked = sys.stdin.isatty()
    company = arguments.company or _ask("The company's name, as it is said", _named(directory), asked)
    template = arguments.template or _ask(f"What it does ({', '.join(TEMPLATES)})", "reception", asked)
    languages = arguments.languages or _ask(f"Languages ({', '.join(LANGUAGES)})", FIRST, asked)
    hours = arguments.hours or _ask("Opening hours", HOURS, asked)
    human = arguments.human or _ask("Who answers as a person (a SIP address)", HUMAN, asked)
    line = NewLine(
        company,
        template,
        tuple(dict.fromkeys(tag.strip() for tag in languages.split(",") if tag.strip())),
        OpeningHours.of(hours),
        human,
        arguments.number,
        arguments.time_zone,
    )
    write(directory, line.files())
    here = directory.resolve() == Path.cwd()
    go = "" if here else f"\n  cd {directory}"
    print(NEXT.format(company=line.company, directory=directory, go=go).lstrip("\n"), end="")
    return 0


def _named(directory: Path) -> str:
    return directory.resolve().name.replace("-", " ").replace("_", " ").title() or "Our company"


def _ask(question: str, default: str, asked: bool) -> str:
    if not asked:
        return default
    try:
        return input(f"{question} [{default}]: ").strip() or default
    except EOFError:
        return default


def write(directory: Path, files: Mapping[str, str]) -> None:
    """All of them or none. Raises ConfigError where one of them, or any flow, is there already."""
    if directory.exists() and not directory.is_dir():
        raise ConfigError(f"{directory} is a file", remedy="name another folder")
    ours = {path.partition("/")[0] for path in files}
    if there := sorted(name for name in ours if os.path.lexists(directory / name)):
        raise ConfigError(
            f"{directory}: {', '.join(there)} is there already, and left alone", remedy="name another folder"
        )
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
        except OSError:
            for done in moved:
                shutil.rmtree(done) if done.is_dir() else done.unlink()
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
