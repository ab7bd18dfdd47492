"""What several flow tools share: the files, and the line's configuration where there is one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivr.cli.options import configuration
from ivr.config import Config
from ivr.workshop.folder import Folder, folders

DEFAULT_CONFIG = Path("config.toml")
DEFAULT_FLOWS = Path("flows")


def add_config_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: config.toml, if there is one"
    )


def add_paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="folders of flows, or files in them; default: flows"
    )
    add_config_file(parser)


def config_of(arguments: argparse.Namespace) -> Config | None:
    """None where no configuration was named and none lies here. Raises ConfigError."""
    if arguments.config == DEFAULT_CONFIG and not DEFAULT_CONFIG.is_file():
        return None
    return configuration(arguments)


def paths_of(arguments: argparse.Namespace, config: Config | None) -> list[Path]:
    return list(arguments.paths) or [config.flows.directory if config is not None else DEFAULT_FLOWS]


def folders_of(arguments: argparse.Namespace, config: Config | None) -> list[Folder]:
    """Raises ConfigError for what isn't there."""
    return folders(paths_of(arguments, config), config)
