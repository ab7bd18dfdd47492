"""`ivr flow schema`: the file that teaches editors the keys of the language."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ivr.cli.flow.options import add_config_file, config_of, flows_of
from ivr.cli.options import Subparsers, command
from ivr.dialogue.flows.schema import FILE_NAME, schema_text
from ivr.errors import ConfigError

EPILOG = f"""\
Flow files name it in their first line:
  # yaml-language-server: $schema={FILE_NAME}
Editors with a YAML language server (VS Code, Vim, Emacs, JetBrains…) then complete keys and explain them.
Exit codes: 0 done; 1 with --check: the file there is out of date; 2 wrong usage.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "schema", "write the file that teaches your editor the keys", EPILOG, handle)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="default: flows")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", action="store_true", help=f"write FOLDER/{FILE_NAME}; the default")
    what.add_argument("--print", action="store_true", help="print it instead")
    what.add_argument("--check", action="store_true", help="only say whether the file there is this release's")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    text = schema_text()
    if arguments.print:
        sys.stdout.write(text)
        return 0
    config = config_of(arguments)
    folder = arguments.folder or flows_of(config)
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder", remedy="name the folder of flows, or use --print")
    path = folder / FILE_NAME
    known = path.read_text(encoding="utf-8") if path.is_file() else ""
    if arguments.check:
        print(f"{path}: {'up to date' if known == text else 'out of date; write it with ivr flow schema'}")
        return 0 if known == text else 1
    if known != text:
        path.write_text(text, encoding="utf-8")
    print(f"{path}: {'written' if known != text else 'up to date'}")
    return 0
