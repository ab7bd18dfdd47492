"""The `ivr` command.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration, 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from ivr import __version__
from ivr.errors import ConfigError, IvrError
from ivr.log_sink import claim_standard_streams
from ivr.logs import StandardError, configure_logging

COMMANDS = (
    *("new", "serve", "call", "answer", "say", "prompts", "tail", "speech", "flow", "db", "recordings"),
    *("forget", "export", "accounts", "token", "audit", "deploy", "models", "doctor"),
    *("health", "drain", "config", "capacity", "cdr"),
)
EPILOG = """\
first steps:
  ivr new DIR                   begin a line of your own
  ivr doctor                    what works here, what is missing, and how to get it
  ivr db seed                   the company's example data, to play with
  ivr serve                     answer calls with config.toml
  ivr answer                    be the agent's phone of config.toml as shipped (127.0.0.1:5090)
  ivr call sip:line@127.0.0.1:5060 --say "move Casablanca to the top"
  ivr tail --follow             watch calls as they happen
  ivr flow simulate main        talk to a flow by typing, without a phone
"""


def parser(only: str = "") -> argparse.ArgumentParser:
    """The whole command line, or ``only`` the one command that is wanted: it need not wait for what others import."""
    root = argparse.ArgumentParser(
        prog="ivr",
        description="A telephone line that people don't hate: speech self-service with a human always in reach.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"ivr {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    with _uncollected():
        for name in (only,) if only in COMMANDS else COMMANDS:
            import_module(f"ivr.cli.{name}").add(commands)
    return root


@contextmanager
def _uncollected() -> Iterator[None]:
    """A fifth of what imports take would be collections that find nothing: all of it is there to stay."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def main(argv: Sequence[str] | None = None) -> int:
    claim_standard_streams()
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(words[0] if words else "").parse_args(words)
    told = StandardError()
    configure_logging(path="-", level="warning", redact=True, stream=told)  # `serve` sets its own
    try:
        return int(arguments.handler(arguments))
    except ConfigError as error:
        print(f"ivr: {error}", file=told)
        return 2
    except IvrError as error:
        print(f"ivr: {error}", file=told)
        return 1
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        print(f"ivr: {error.filename}: {error.strerror}", file=told)  # a file that was named can't be used
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
