"""`ivr flow new`: a new flow from a template."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ivr.cli.flow.options import add_config_file, config_of, flows_of
from ivr.cli.options import Subparsers, command
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.errors import ConfigError
from ivr.workshop.folder import folders
from ivr.workshop.templates import SERVICE, TEMPLATES, NewFlow, new_flow

EPILOG = "templates:\n" + "\n".join(f"  {name:9}{about}" for name, about in TEMPLATES.items())

NEXT = """
next:
  ivr flow simulate {path}.yaml     talk to it
  ivr flow test {path}.test.yaml    run its script
  change the words, the questions and the script in {name}.yaml until they are yours
  ivr flow check {folder}
  Callers reach it when a flow calls it. In main.yaml, for instance: what they say,
    intents:  {name}: [phrases that callers use for it]
  one choice of the open question, with a key that is free,
    - {{intent: {name}, key: 9, label: "how the key menu names it", goto: {name}}}
  and the state that calls it,
    {name}: {{call: {name}, on: {{done: ask}}}}
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "new", "a new flow from a template", EPILOG, handle)
    parser.add_argument("name", metavar="NAME", help="small letters, digits and _; the file is called the same")
    parser.add_argument("--template", choices=list(TEMPLATES), default="menu", help="default: menu")
    parser.add_argument("--flows", type=Path, metavar="FOLDER", help="default: flows")
    parser.add_argument("--service", metavar="NAME", help="with --template http: one of [[flows.services]]")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    folder: Path = arguments.flows or flows_of(config)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder", remedy="make it, or name another with --flows")
    services = [service.name for service in config.flows.services] if config is not None else []
    service = arguments.service or (services[0] if services else SERVICE)
    read = folders([folder], config)[0]
    loaded = load_library(read.sources, read.company.all_signatures)
    taken = {path.name for path in folder.iterdir()}
    made = new_flow(
        arguments.name, arguments.template, library=loaded.library or loaded.draft, taken=taken, service=service
    )
    for file, text in made.files.items():
        with (folder / file).open("x", encoding="utf-8") as out:
            out.write(text)
        print(folder / file)
    missing = service if arguments.template == "http" and service not in services else ""
    print(_next_steps(made, folder, missing, _others(loaded.library or loaded.draft)), end="")
    return 0


def _others(library: FlowLibrary | None) -> list[str]:
    """The languages that main.yaml itself is not written in."""
    if library is None or "main" not in library.flows:
        return []
    return sorted(language for language in library.languages if language != library.flows["main"].language)


def _next_steps(made: NewFlow, folder: Path, missing_service: str, others: Sequence[str]) -> str:
    name = made.name
    steps = NEXT.format(name=name, path=folder / name, folder=folder)
    for language in others:
        steps += (
            f"  In main.{language}.yaml the same phrases under intents:, and the label under labels: as ask.{name}.\n"
        )
    if missing_service:
        steps += f"  Ask whoever runs the line to put the service {missing_service} into config.toml.\n"
    for language in made.unspoken:
        steps += f"  The words in {language} are still to be written: {name}.{language}.yaml\n"
    return steps
