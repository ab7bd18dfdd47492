"""`ivr flow words`: what the line says and how long it takes; what is missing or out of date; translators' sheets."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ivr.cli.flow.check import facts_of
from ivr.cli.flow.options import add_config_file, config_of, existing_store, flows_of
from ivr.cli.options import Subparsers, command
from ivr.config import Config, SpeechConfig
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.errors import ConfigError, IvrError
from ivr.release.releases import Releases
from ivr.speech.prompt_lengths import PromptLengths
from ivr.workshop.folder import Folder, folders, library_of
from ivr.workshop.words.catalogue import EARLIER, Catalogue, served
from ivr.workshop.words.changes import Change, ChangesRefused, Plan, planned
from ivr.workshop.words.review import RECORDING, Reviewed, Wanted, reviewed
from ivr.workshop.words.saving import checked, save
from ivr.workshop.words.sheet import exported, imported

EPILOG = """\
examples:
  ivr flow words                                    every text, in every language and persona
  ivr flow words --missing --language es-ES         what callers in Spanish would hear in another language
  ivr flow words --outdated                         translations of texts that changed since, recordings of others
  ivr flow words --language es-ES --csv es.csv      for a translator, who writes in the column "text"
  ivr flow words --import es.csv                    shows what would change; with --yes it is written
Only the lines of texts that changed are written, in the files that they stand in; comments stay. What is not right is
refused as a whole: rows that are unknown, other {placeholders} than in the text that is translated, texts that
somebody changed since the sheet was made, and whatever the checker says is wrong.
A translation that is written here is marked with what it translates (# of 3f2a9c). An "x" in the column "still right",
or --right KEY, says that it stands although the other text changed. Seconds are those of the recording, or of what
was rendered for the cache (ivr prompts); ~ is an estimate.
Exit codes: 0 fine; 1 a sheet was refused; 2 wrong usage.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "words", "what is said, how long it takes, what isn't translated", EPILOG, handle)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of flows; default: flows")
    parser.add_argument("--language", default="", metavar="TAG", help="only in this language")
    parser.add_argument("--persona", default="", metavar="NAME", help="only in this persona's words")
    parser.add_argument("--flow", default="", metavar="NAME", help="only of this flow; universals: what all say")
    parser.add_argument("--find", default="", metavar="TEXT", help="only texts with this in them")
    parser.add_argument("--missing", action="store_true", help="only what has no words in its language")
    parser.add_argument("--outdated", action="store_true", help="only translations and recordings of other words")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write them as a sheet")
    parser.add_argument("--import", dest="sheet", type=Path, metavar="FILE", help="read a sheet back")
    parser.add_argument("--right", nargs="+", default=(), metavar="KEY", help="these translations stand as they are")
    parser.add_argument("--yes", action="store_true", help="with --import and --right: write it")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    folder = folders([arguments.folder or flows_of(config)], config)[0]
    catalogue = Catalogue(library_of(folder), asyncio.run(_earlier(folder, config)))
    if arguments.sheet is not None or arguments.right:
        return _change(arguments, config, folder, catalogue)
    _demand(arguments, catalogue)
    rows = [row for row in _reviewed(catalogue, config, folder) if _wanted(arguments).fits(row)]
    if arguments.csv is not None:
        _write(arguments.csv, exported(rows))
        print(f"{arguments.csv}: {len(rows)} texts; write in the column text, then ivr flow words --import it")
        return 0
    _show(rows)
    return 0


def _demand(arguments: argparse.Namespace, catalogue: Catalogue) -> None:
    """Raises ConfigError for what no text is of: "nothing is missing" would be said of it."""
    texts = catalogue.texts()
    for option, given, known in (
        ("language", arguments.language, {text.language for text in texts}),
        ("persona", arguments.persona, {text.persona for text in texts}),
        ("flow", arguments.flow, {text.unit.owner for text in texts}),
    ):
        if given and given not in known:
            remedy = suggestion(given, sorted(known), f"there are: {listing(sorted(known))}")
            raise ConfigError(f"--{option} {given}: no text here is of it", remedy=remedy)


def _wanted(arguments: argparse.Namespace) -> Wanted:
    status = ["missing"] if arguments.missing else []
    status += ["out of date", RECORDING] if arguments.outdated else []
    return Wanted(arguments.language, arguments.persona, arguments.flow, ",".join(status), arguments.find)


def _reviewed(catalogue: Catalogue, config: Config | None, folder: Folder) -> list[Reviewed]:
    lengths = PromptLengths(config.speech if config is not None else SpeechConfig())
    return list(reviewed(catalogue, lengths.of, folder.company.examples))


async def _earlier(folder: Folder, config: Config | None) -> Sequence[Catalogue]:
    """What served before, where the line's database is there to tell."""
    if config is None:
        return ()
    try:
        store = existing_store(config.store.resolved())
    except IvrError:
        return ()
    try:
        found = await Releases(store.flow_versions).earlier(EARLIER)
    except IvrError:
        return ()
    finally:
        await store.close()
    return served(found, folder.company.all_signatures)


def _change(arguments: argparse.Namespace, config: Config | None, folder: Folder, catalogue: Catalogue) -> int:
    try:
        changes = [Change(key, "", right=True) for key in arguments.right]
        changes += imported(_read(arguments.sheet)) if arguments.sheet is not None else ()
        plan = planned(catalogue, changes)
        facts = asyncio.run(facts_of(config))
        if arguments.yes:
            save(folder.path, plan, facts)
        else:
            checked(folder.sources, plan, facts)
    except ChangesRefused as refused:
        print("nothing was changed:")
        for reason in refused.reasons:
            print(f"  {reason}")
        return 1
    _tell(plan, written=arguments.yes)
    return 0


def _tell(plan: Plan, *, written: bool) -> None:
    for told in plan.told:
        print(told)
    files = ", ".join(edit.file for edit in plan.edits)
    if not plan.edits:
        print("nothing changes")
    elif written:
        print(f"written: {files}")
    else:
        print(f"this would change {files}; --yes writes it")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--import {path}: {error.strerror}", remedy="name a sheet that --csv made") from error


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"--csv {path}: {error.strerror}", remedy="name a file that can be written") from error


def _show(rows: Sequence[Reviewed]) -> None:
    console = Console(highlight=False, soft_wrap=False)
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column, justify, ratio in (("key", "left", 3), ("s", "right", None), ("said", "left", 5), ("", "left", 2)):
        table.add_column(column, justify=justify, ratio=ratio, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        about = "~" if row.length.how == "estimated" else ""
        state = "" if row.status in ("ok", "shared") else row.status
        said = Text(row.text.text if row.text.text == row.example else f"{row.text.text}\n({row.example})")
        table.add_row(Text(row.text.key), f"{about}{row.length.seconds:.1f}", said, Text(state, "yellow"))
    console.print(table)
    counts = Counter(row.status for row in rows)
    told = ", ".join(f"{counts[status]} {status}" for status in counts if status not in ("ok", "shared"))
    console.print(f"{len(rows)} texts" + (f": {told}" if told else "; nothing is missing or out of date"))
