"""What several flow tools share: the files, and the line's configuration where there is one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivr.cli.options import configuration
from ivr.config import Config
from ivr.errors import ConfigError
from ivr.store import Store
from ivr.store.url import missing_file
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


def flows_of(config: Config | None) -> Path:
    return config.flows.directory if config is not None else DEFAULT_FLOWS


def store_url(arguments: argparse.Namespace, config: Config | None) -> str:
    """The database that versions and calls are kept in; "" where nothing names one."""
    return config.store.resolved() if config is not None else str(arguments.database or "")


def existing_store(url: str) -> Store:
    """A database that is only read: none is made. Raises ConfigError for a SQLite file that isn't there."""
    if path := missing_file(url):
        raise ConfigError(f"{path}: no database there", remedy="pass --database URL, or start the line once")
    return Store(url)


def paths_of(arguments: argparse.Namespace, config: Config | None) -> list[Path]:
    return list(arguments.paths) or [flows_of(config)]


def folders_of(arguments: argparse.Namespace, config: Config | None) -> list[Folder]:
    """Raises ConfigError for what isn't there."""
    return folders(paths_of(arguments, config), config)
