"""`ivr models`: speech models that don't come with the installation."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from ivr.cli.options import Subparsers, add_config, command, configuration, progress_bar
from ivr.speech.models import KNOWN, VENDOR, fetch, known

EPILOG = """\
English needs no model: Moonshine comes with the installation. `get` resumes an interrupted download, checks the
checksum and installs the model whole or not at all, into [speech] vosk_models/<language>/.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "models", "fetch Vosk models", EPILOG)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add_config(command(actions, "list", "the models known by name, and which are installed", handler=handle_list))
    get = command(actions, "get", "download and install one", handler=handle_get)
    add_config(get)
    get.add_argument("name", help="see ivr models list")
    get.add_argument(
        "--from", dest="base_url", default=VENDOR, metavar="URL", help="a mirror; default: the vendor's site"
    )
    get.add_argument("--language", default="", help="install it for this language instead of its own")


def handle_list(arguments: argparse.Namespace) -> int:
    root = configuration(arguments).speech.vosk_models
    for model in KNOWN:
        state = "installed" if (root / model.language).is_dir() else "not installed"
        print(f"{model.name:14} {model.language:6} {model.size / 1e6:6.0f} MB  {state:14} {model.note}")
    return 0


def handle_get(arguments: argparse.Namespace) -> int:
    model = known(arguments.name)
    root = configuration(arguments).speech.vosk_models
    with progress_bar(f"Fetching {model.name}") as progress:
        path: Path = asyncio.run(
            fetch(model, root, base_url=arguments.base_url, language=arguments.language, progress=progress)
        )
    print(f"installed in {path}")
    return 0
