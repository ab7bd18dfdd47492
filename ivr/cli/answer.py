"""`ivr answer`: an agent's phone to be rung by the line; it shows why, speaks, and prints what it hears."""

from __future__ import annotations

import argparse

from ivr.cli.call import talk
from ivr.cli.options import Subparsers, add_config, command
from ivr.softphone.agent import add_arguments, run_answer

EPILOG = """\
examples:
  ivr answer                                       # the agent "front-desk" of the config.toml that ships
  ivr answer --say "This is Sam, how can I help?"
  ivr answer 127.0.0.1:5091 --busy                 # a colleague who never has time
  ivr answer 127.0.0.1:5091 --tls-certificate phone.pem   # rung by TLS: sips:agent@127.0.0.1:5091
In another terminal: ivr call sip:line@127.0.0.1:5060 --from 5035550101 --press 0 --stay
Needs the softphone extra (pyVoIP, GPL) and for voices the demo extra: pip install '.[demo]' in the source's folder.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "answer", "be an agent's phone: answer what the line hands over", EPILOG, handle)
    add_config(parser)
    add_arguments(parser)
    parser.add_argument("--deaf", action="store_true", help="don't transcribe what is heard")


def handle(arguments: argparse.Namespace) -> int:
    return talk(arguments, run_answer)
