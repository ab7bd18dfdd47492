"""`ivr deploy`: configuration for what the line runs in and what stands around it, to copy and edit."""

from __future__ import annotations

import argparse
import sys

from ivr import deploy
from ivr.cli.options import Subparsers, command


def add(commands: Subparsers) -> None:
    listed = "\n".join(f"  {name:14}{about}" for name, (_, about) in deploy.NAMES.items())
    what = "print configuration for systemd, a container, a PBX, a proxy or monitoring"
    parser = command(commands, "deploy", what, f"a file to copy and edit:\n{listed}", handle)
    parser.add_argument("name", choices=[*deploy.NAMES], metavar="NAME", help=" | ".join(deploy.NAMES))


def handle(arguments: argparse.Namespace) -> int:
    sys.stdout.write(deploy.text(arguments.name))
    return 0
