"""A small folder of flows that says which edition it is, and everything that puts it live, on a real database."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ivr.clock import SystemClock
from ivr.config import Config, FlowsConfig
from ivr.dialogue.flows.library import FlowLibrary
from ivr.errors import SpeechUnavailable
from ivr.line_facts import line_facts
from ivr.release.checker import Checker
from ivr.release.entry import CallEntry
from ivr.release.live import LiveFlows
from ivr.release.releases import Releases
from ivr.release.serving import ServingVersions
from ivr.store import Store

FLOWS = Path(__file__).parents[2] / "flows"

MAIN = """\
# yaml-language-server: $schema=flow.schema.json
flow: main
about: Says which edition of itself it is.
start: greet
intents:
  more: ["tell me more"]
states:
  greet: {{prompt: "Hello from edition {edition}.", goto: question}}
  question:
    prompt: "What would you like?"
    choices:
      - {{intent: more, key: 1, label: "hear more", goto: more}}
  more: {{prompt: "Still edition {edition}.", goto: question}}
"""
BROKEN = MAIN.replace("goto: more}}", "goto: nowhere}}")


@dataclass
class Prompts:
    """Stands for the speech workers: which versions were rendered, in order. ``gone``: they don't answer."""

    rendered: list[str] = field(default_factory=list)
    gone: bool = False

    async def __call__(self, library: FlowLibrary) -> None:
        if self.gone:
            raise SpeechUnavailable("no synthesiser")
        self.rendered.append(library.version)


class Press:
    """The folder being edited."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        shutil.copy(FLOWS / "human.yaml", folder / "human.yaml")
        universals = (FLOWS / "universals.yaml").read_text(encoding="utf-8")
        # the small folder speaks one language: nobody can ask for another
        one_language = re.sub(r"^languages:\n(?:(?: .*)?\n)*", "", universals, flags=re.MULTILINE)
        (folder / "universals.yaml").write_text(one_language, encoding="utf-8")
        self.print(0)

    def print(self, edition: int, text: str = MAIN) -> None:
        """Save main.yaml, whole or not at all, as editors do."""
        draft = self.folder / "main.yaml~"
        draft.write_text(text.format(edition=edition), encoding="utf-8")
        draft.replace(self.folder / "main.yaml")


class Desk:
    """LiveFlows with a real store, running."""

    def __init__(self, folder: Path, database: Path, *, watch: bool = True, poll_s: float = 0.2) -> None:
        self.config = Config(flows=FlowsConfig(directory=folder, watch=watch))
        self.store = Store(f"sqlite+aiosqlite:///{database}", timeout_s=10.0)
        self.releases = Releases(self.store.flow_versions)
        self.serving = ServingVersions()
        self.prompts = Prompts()
        self.entry = CallEntry(self.config.flows, self.serving, lambda name: name == "hours.open" or None)
        # no agents are configured here, but the flows do hand over
        facts = replace(line_facts(self.config), skills=("general", "retention", "discs"))
        self._changed = asyncio.Event()
        self._checker = Checker()
        self.flows = LiveFlows(
            self.config.flows,
            lambda: facts,
            self.releases,
            self.serving,
            SystemClock(),
            self.prompts,
            poll_s=poll_s,
            on_change=self._changed.set,
            checker=self._checker,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Desk]:
        await self.store.upgrade()
        try:
            await self.flows.start()
            work = asyncio.create_task(self.flows.run())
            try:
                yield self
                assert not work.done(), work.exception()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        finally:
            await self._checker.stop()
            await self.store.close()

    async def until(self, edition: int) -> None:
        """Wait until new calls get ``edition``."""
        await self.until_that(lambda: self.edition == edition)

    async def until_that(self, condition: object) -> None:
        assert callable(condition)
        async with asyncio.timeout(60):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def edition(self) -> int:
        return edition_of(self.serving.live)


def edition_of(library: FlowLibrary) -> int:
    prompt = library.flows["main"].states["greet"].prompt
    assert prompt is not None
    return int(prompt[1][0].say.split()[-1].rstrip("."))
