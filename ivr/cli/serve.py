"""`ivr serve`: answer calls until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from contextlib import AsyncExitStack

import structlog

from ivr import descriptors
from ivr.cli.options import Subparsers, add_config, add_listeners, command, configuration, progress_bar
from ivr.config import Config
from ivr.logs import configure_logging
from ivr.service import running

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EPILOG = """\
SIGTERM or Ctrl-C drains: no new calls (503, Retry-After), calls in progress may end by themselves;
a second one stops at once.
Several services run on one machine with different --sip, --http and --database.
"""


def add(commands: Subparsers) -> None:
    parser = command(commands, "serve", "answer calls", EPILOG, handle)
    add_config(parser)
    add_listeners(parser)
    parser.add_argument(
        "--drain", type=float, default=300.0, metavar="SECONDS", help="how long calls may go on after SIGTERM"
    )


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    configure_logging(path=config.logs.path, level=config.logs.level, redact=config.logs.redact)
    _take_descriptors(config.sip.max_calls)
    return asyncio.run(_serve(config, arguments.drain))


def _take_descriptors(max_calls: int) -> None:
    """As many as the system gives; calls that find none left are refused one by one, which must not be news then."""
    if problem := descriptors.shortage(max_calls, descriptors.raise_limit()):
        log.warning("service.descriptors_short", problem=problem, remedy=descriptors.remedy(max_calls))
        print(f"file descriptors: {problem}; {descriptors.remedy(max_calls)}", file=sys.stderr, flush=True)


async def _serve(config: Config, drain_s: float) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(descriptors.Exhaustion(loop))
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with AsyncExitStack() as stack:
        with progress_bar("Preparing prompts") as progress:
            service = await stack.enter_async_context(running(config, progress))
        # What lives as long as the process is never looked at again: a collection then takes a fraction of the time in
        # which no call can be served, also while new versions of the flows are being read.
        gc.collect()
        gc.freeze()
        print(f"ready: sip {service.sip_address}, http {service.http_address}", file=sys.stderr, flush=True)
        await stop.wait()
        stop.clear()
        if calls := len(service.calls):
            print(f"draining {calls} call(s); again to stop at once", file=sys.stderr, flush=True)
        drained = asyncio.create_task(service.drain(drain_s))
        impatient = asyncio.create_task(stop.wait())
        await asyncio.wait({drained, impatient}, return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        impatient.cancel()
    return 0
