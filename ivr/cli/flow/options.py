"""What several flow tools share: the files, and the line's configuration where there is one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ivr.cli.options import configuration
from ivr.config import Config
from ivr.dialogue.flows.source import source_files
from ivr.embedding.loading import understanding
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


def no_line() -> ConfigError:
    """For a folder that nothing is in yet."""
    return ConfigError("There is no line here yet", remedy="ivr new . begins one")


def flows_of(config: Config | None) -> Path:
    """As short as it can be written from here: it stands in every line that is printed of a file."""
    if config is None:
        return DEFAULT_FLOWS
    folder, here = config.flows.directory, Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def demand_line(config: Config | None) -> None:
    """Raises ConfigError where neither a configuration nor any flow is."""
    folder = flows_of(config)
    if config is None and not (folder.is_dir() and source_files(folder)):
        raise no_line()


def words_alone() -> str:
    """Why examples are not understood here, where the sentence embedding isn't."""
    why = understanding(on_demand=True).state
    return f"note: sentences that no phrase lists are read {why}; without it no examples: are understood"


def store_url(arguments: argparse.Namespace, config: Config | None) -> str:
    """The database that versions and calls are kept in; "" where nothing names one."""
    return config.store.resolved() if config is not None else str(arguments.database or "")


def existing_store(url: str) -> Store:
    """A database that is only read: none is made. Raises ConfigError for a SQLite file that isn't there."""
    if path := missing_file(url):
        raise ConfigError(f"{path}: no database there", remedy="pass --database URL, or start the line once")
    return Store(url)


def paths_of(arguments: argparse.Namespace, config: Config | None) -> list[Path]:
    if arguments.paths:
        return list(arguments.paths)
    demand_line(config)
    return [flows_of(config)]


def folders_of(arguments: argparse.Namespace, config: Config | None) -> list[Folder]:
    """Raises ConfigError for what isn't there."""
    return folders(paths_of(arguments, config), config)
