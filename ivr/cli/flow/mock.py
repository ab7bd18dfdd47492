"""`ivr flow mock`: the company's services answered by their mock files, until the real ones are there."""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack

from yarl import URL

from ivr.cli.flow.options import add_config_file, config_of, demand_line, flows_of
from ivr.cli.options import Subparsers, command
from ivr.config import Config
from ivr.config.fields import is_loopback
from ivr.errors import ConfigError
from ivr.workshop.folder import mocks_of
from ivr.workshop.simulate.mock_server import serving
from ivr.workshop.simulate.mock_services import SUFFIX

EPILOG = f"""\
SERVICE{SUFFIX} beside the flows says what a service answers; simulated calls, scripts and this server read it.
It listens where config.toml has the service ([[flows.services]] url), as far as that is this machine, and prints a
line a request. Start it, then `ivr serve` in another terminal, and phone the line.
"""

Address = tuple[str, int]


def add(tools: Subparsers) -> None:
    parser = command(tools, "mock", "answer as the company's services do, from their mock files", EPILOG, handle)
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    try:
        return asyncio.run(_serve(config_of(arguments)))
    except KeyboardInterrupt:
        return 0


def addresses(config: Config, mocked: Mapping[str, object]) -> dict[Address, dict[str, str]]:
    """Where to listen, and which service begins where there. Raises ConfigError where nothing is to be served."""
    found: dict[Address, dict[str, str]] = {}
    for service in config.flows.services:
        url = URL(service.url)
        host, port = url.host or "", url.port or 0
        if service.name in mocked and url.scheme == "http" and port and is_loopback(host):
            found.setdefault((host, port), {})[service.name] = url.path.rstrip("/")
    if not found:
        names = ", ".join(sorted(mocked)) or f"none: no *{SUFFIX} is there"
        raise ConfigError(
            f"no service is to be answered here; mock files there are for: {names}",
            remedy='give the service url = "http://127.0.0.1:8090" under [[flows.services]] in config.toml',
        )
    return found


async def _serve(config: Config | None) -> int:
    demand_line(config)
    if config is None:
        raise ConfigError("config.toml: no such file", remedy="pass --config FILE: it says where the services are")
    mocks = mocks_of(flows_of(config))
    places = addresses(config, mocks.answers)
    stopped = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    async with AsyncExitStack() as stack:
        for (host, port), services in places.items():
            try:
                await stack.enter_async_context(
                    serving(mocks, services, host, port, lambda line: print(line, flush=True))
                )
            except OSError as error:
                raise ConfigError(
                    f"{host}:{port}: {error.strerror or error}", remedy="is one running there already?"
                ) from error
            print(f"answering as {', '.join(services)} at http://{host}:{port}; Ctrl-C ends", flush=True)
        await stopped.wait()
    return 0
