"""The `ivr` command.

Exit codes: 0 done, 1 the thing asked for failed, 2 wrong usage or configuration, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ivr import __version__
from ivr.collection import uncollected
from ivr.errors import ConfigError, IvrError
from ivr.log_sink import claim_standard_streams

COMMANDS = {
    "new": "begin a line of your own",
    "serve": "answer calls",
    "call": "phone a SIP URI and talk to it",
    "answer": "be an agent's phone: answer what the line hands over",
    "say": "synthesise a sentence into a WAV file",
    "prompts": "render the flows' prompts ahead",
    "tail": "read the call log as people do",
    "speech": "how fast the line answers, from its log",
    "flow": "check, simulate, test, compare and draw flows",
    "db": "create, migrate, fill, purge and read the database",
    "recordings": "what was recorded: list it, delete it",
    "forget": "delete everything that is kept about one person",
    "export": "everything that is kept about one person, for them",
    "accounts": "who may log in to the console, and as what",
    "token": "what programs show to the API",
    "audit": "who did what, and that nobody changed what is written of it",
    "deploy": "print configuration for systemd, a container, a PBX, a proxy or monitoring",
    "models": "speech models and the sentence embedding",
    "doctor": "what works here, what is missing, how to get it",
    "health": "does the line on this machine live, does it take calls",
    "drain": "no new calls; those in progress may end by themselves",
    "config": "check a configuration; what a reload or a restart would change",
    "capacity": "cores and machines for so many callers",
    "cdr": "call detail records, searched and exported",
}
OF_SEVERAL = frozenset({"flow"})  # its ``add`` takes the words that follow, and imports the tool that they name
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


def parser(words: Sequence[str] | None = None) -> argparse.ArgumentParser:
    """The whole command line; or what ``words`` need of it, which need not wait for what all others import: the one
    command that they name, or the list of commands."""
    root = argparse.ArgumentParser(
        prog="ivr",
        description="A telephone line that people don't hate: speech self-service with a human always in reach.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="version", version=f"ivr {__version__}")
    commands = root.add_subparsers(metavar="COMMAND", required=True)
    with uncollected():
        if words and words[0] in COMMANDS:
            add = import_module(f"ivr.cli.{words[0]}").add
            add(commands, words[1:]) if words[0] in OF_SEVERAL else add(commands)
        elif words is not None and (words[:1] == ["--help"] or not COMMANDS.keys() & {*words}):
            for name, about in COMMANDS.items():
                commands.add_parser(name, help=about)
        else:
            for name in COMMANDS:
                import_module(f"ivr.cli.{name}").add(commands)
    return root


def main(argv: Sequence[str] | None = None) -> int:
    claim_standard_streams()
    words = [*(sys.argv[1:] if argv is None else argv)]
    arguments = parser(words).parse_args(words)
    from ivr.logs import StandardError, configure_logging  # which `ivr --help` need not wait for

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
