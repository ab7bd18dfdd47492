"""SIGHUP: a running line has another configuration for a while, and no other line needs to be started for it."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from tests.wire.line.watching import logged, mark, stored, until, until_idle


async def reloaded(line: RunningLine, event: str = "config.reloaded") -> dict[str, Any]:
    since = mark(line)
    line.process.send_signal(signal.SIGHUP)
    return await logged(line, event, since=since)


@contextmanager
def edited(line: RunningLine, *changes: tuple[str, str]) -> Iterator[None]:
    """The line's configuration file with ``changes``, for a while."""
    path = line.setup.folder / "config.toml"
    before = text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)


@asynccontextmanager
async def with_agents(
    line: RunningLine, agents: Sequence[AgentPhone], *, max_calls: int | None = None
) -> AsyncIterator[RunningLine]:
    """The line with these agents, all on duty and idle, instead of its own; afterwards with its own, and no call up."""
    await _applied(line, replace(line.setup, agents=agents, max_calls=max_calls or line.setup.max_calls))
    try:
        yield line
    finally:
        await until_idle(line)
        await _applied(line, line.setup)


async def _applied(line: RunningLine, setup: LineSetup) -> None:
    """Whoever is on duty now is idle, at the telephone that ``setup`` says."""
    setup.write()
    await reloaded(line)
    wanted = sorted((agent.name, agent.target, "idle") for agent in setup.agents)

    async def on_duty() -> bool:
        return sorted(stored(line, "SELECT name, phone, state FROM agents")) == wanted

    await until(on_duty, 30.0)
