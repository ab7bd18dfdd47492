"""A line of its own for the demo and the wire tests: a service process with its own database, ports, agents and log."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp

from ivr.accounts.authentication import Authentication
from ivr.cli.db import opened, seed
from ivr.config import load_config
from ivr.errors import UnavailableError
from ivr.logs import StandardError
from ivr.media.description import SrtpPolicy
from ivr.ports import Account, Role

READY = re.compile(r"ready: sip (\S+), http (\S+)")
START_TIMEOUT_S = 180.0
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class AgentPhone:
    """A destination of the line under test."""

    target: str
    name: str = "desk"
    mode: str = "bridge"
    skills: tuple[str, ...] = ("general", "retention", "discs")
    ring_timeout_s: float = 5.0
    srtp: SrtpPolicy = "off"


@dataclass(frozen=True, slots=True)
class LineSetup:
    """What differs from the shipped configuration. ``extra`` is TOML appended as it is; ``descriptors``: how many files
    each of its processes may have open, 0 for as many as this one."""

    folder: Path
    agents: Sequence[AgentPhone] = ()
    database: str = ""
    flows: Path = ROOT / "flows"
    max_calls: int = 200
    hours: str = "00:00-24:00"
    media_timeout_s: float = 30.0
    rest_s: float = 1.0  # of a phone that did not answer
    drain_s: float = 1.0
    sip: str = "127.0.0.1:0"
    allow: str = "127.0.0.1/32"  # who may call
    media_ports: str = "20000-29999"
    media_processes: int = 1
    gateway: str = "sip:127.0.0.1:9"  # where members' numbers are called; nobody is there by default
    srtp: SrtpPolicy = "off"  # of calls that come in
    log_level: str = "info"
    descriptors: int = 0
    speech: str = ""  # lines of [speech]
    tls: str = ""  # lines of [sip.tls]; "" for a line without
    cache: Path = ROOT / "audio" / ".cache"  # of rendered prompts
    extra: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "ivr"  # what runs as the service: a bench has one that is as it was before

    def write(self) -> Path:
        """The configuration file of this line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        audio = ROOT / "audio"
        sqlite = f"sqlite+aiosqlite:///{self.folder / 'ivr.sqlite3'}"
        lines = [
            f'[sip]\nlisten = "{self.sip}"\nmax_calls = {self.max_calls}',
            *([f'transports = ["udp", "tcp", "tls"]\n[sip.tls]\n{self.tls}'] if self.tls else []),
            f'[[sip.trunks]]\nname = "loopback"\nallow = ["{self.allow}"]\ngateway = "{self.gateway}"\n'
            f'srtp = "{self.srtp}"',
            f'[media]\nports = "{self.media_ports}"\ntimeout_s = {self.media_timeout_s}\n'
            f"processes = {self.media_processes}\nlegs_per_process = {max(200, 2 * self.max_calls)}",
            f'[speech]\nrecordings = "{audio}"\ncache = "{self.cache}"\n{self.speech}',
            f'[flows]\ndirectory = "{self.flows}"\ntime_zone = "UTC"',
            '[[flows.services]]\nname = "deliveries"\nurl = "/api"',
            f'[store]\nurl = "{self.database or sqlite}"',
            '[http]\nlisten = "127.0.0.1:0"',
            f'[logs]\npath = "{self.folder / "ivr.log"}"\nredact = false\nlevel = "{self.log_level}"',
        ]
        days = "\n".join(f'{day} = "{self.hours}"' for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
        lines.append(f"[desk.hours]\n{days}")
        lines.append(f"[desk.line]\nrest_s = {self.rest_s}")
        for agent in self.agents:
            skills = ", ".join(f'"{skill}"' for skill in agent.skills)
            lines.append(
                f'[[desk.agents]]\nname = "{agent.name}"\ntarget = "{agent.target}"\nmode = "{agent.mode}"\n'
                f"skills = [{skills}]\nring_timeout_s = {agent.ring_timeout_s}\non_call = true\n"
                f'srtp = "{agent.srtp}"'
            )
        path = self.folder / "config.toml"
        path.write_text("\n\n".join([*lines, self.extra]) + "\n", encoding="utf-8")
        return path


class RunningLine:
    """The service as a process of its own, and its HTTP API."""

    def __init__(self, process: asyncio.subprocess.Process, sip: str, http: str, setup: LineSetup) -> None:
        self.process = process
        self.sip = sip
        self.http = f"http://{http}"
        self.setup = setup
        self.uri = f"sip:line@{sip}"
        self._session = aiohttp.ClientSession()
        assert process.stderr is not None
        self._drain = asyncio.create_task(process.stderr.read())

    @classmethod
    @asynccontextmanager
    async def running(
        cls, setup: LineSetup, *, show_progress: bool = False, seeded: bool = False
    ) -> AsyncIterator[Self]:
        """Seed its database (unless it is ``seeded``), start it and stop it. Raises StoreUnavailable, and
        UnavailableError with what it said on the way down."""
        line = await cls._start(setup, show_progress, seeded)
        try:
            yield line
        finally:
            await line.stop()

    @classmethod
    async def _start(cls, setup: LineSetup, show_progress: bool, seeded: bool) -> Self:
        config = setup.write()
        if not seeded:
            async with opened(load_config(config)) as database:
                await seed(database)
        limited = ("sh", "-c", f'ulimit -n {setup.descriptors} && exec "$@"', "sh") if setup.descriptors else ()
        process = await asyncio.create_subprocess_exec(
            *limited,
            *(sys.executable, "-m", setup.module, "serve", "--config", str(config), "--drain", str(setup.drain_s)),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **setup.environment},
        )
        assert process.stderr is not None
        said: list[str] = []
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while line := (await process.stderr.readline()).decode(errors="replace"):
                    said.append(line)
                    if match := READY.search(line):
                        return cls(process, match[1], match[2], setup)
                    if show_progress:
                        StandardError().write(line)
        except TimeoutError:
            process.kill()
        await process.wait()
        raise UnavailableError("the line did not start:\n" + "".join(said[-30:]))

    async def stop(self) -> None:
        """SIGTERM, drain for ``drain_s``, and make sure."""
        await self._session.close()
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 15 + self.setup.drain_s)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        await self._drain

    async def hire(self, name: str, display: str, roles: Sequence[Role], password: str) -> None:
        """An account for its console, known there within a second. Raises AccountError, StoreUnavailable."""
        async with opened(load_config(self.setup.folder / "config.toml")) as database:
            authentication = Authentication(database.store.accounts, database.store.tokens, now=database.store.now)
            await authentication.add(Account(name, frozenset(roles), display), "demo", password)

    # -- its API ---------------------------------------------------------------------------------------------

    async def get(self, path: str) -> Any:
        """JSON of a path or a full URL of this service; raises aiohttp.ClientResponseError on a refusal."""
        url = path if path.startswith("http") else self.http + path
        async with self._session.get(url, raise_for_status=True) as response:
            return await response.json()

    async def ready(self) -> dict[str, Any]:
        """What /readyz says, ready or not."""
        async with self._session.get(f"{self.http}/readyz") as response:
            return dict(await response.json())

    async def queue(self, member: str) -> list[str]:
        return [entry["title"] for entry in (await self.get(f"/api/members/{member}/queue"))["queue"]]

    async def calls(self, *, live: bool | None = None) -> list[dict[str, Any]]:
        query = "" if live is None else f"?live={str(live).lower()}"
        return list((await self.get(f"/api/calls{query}"))["calls"])

    @property
    def log(self) -> Path:
        return self.setup.folder / "ivr.log"
