"""Live reload: flows follow their files and the store while the line is up; what serves never suffers for it.

What is live is decided in the store, where every service on it sees the same; files that pass the checker are
published there. What can't be decided now (the store or the speech workers are gone) is held and tried again.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import structlog
from watchfiles import Change, awatch

from ivr.config import FlowsConfig
from ivr.dialogue.checker.check import Checked
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.library import FlowLibrary, load_library
from ivr.dialogue.flows.source import is_of_library, read_directory
from ivr.errors import ConfigError, FlowError, UnavailableError
from ivr.ports import Clock
from ivr.release.candidate import Candidate, author, examine, examine_folder, findings_of, fingerprint
from ivr.release.checker import Checker
from ivr.release.lesson import Lesson
from ivr.release.published import FilesChanged, Published, Write
from ivr.release.releases import Release, Releases
from ivr.release.serving import Canary, ServingVersions
from ivr.release.verdicts import Verdicts

log = structlog.get_logger(__name__)

POLL_S = 3.0
LESSON_S = 0.5  # that the start waits for
DEBOUNCE_MS = 300  # an editor's save is several events; a checkout touches many files

SHORT_TURN_S = 0.0005

P = ParamSpec("P")
T = TypeVar("T")
Prepare = Callable[[FlowLibrary], Awaitable[None]]


class LiveFlows:
    """Decides what serves. ``facts``: what is known of the line now, for the checker. ``prepare`` makes a library
    speakable (renders its prompts) before any call gets it."""

    def __init__(
        self,
        config: FlowsConfig,
        facts: Callable[[], LineFacts],
        releases: Releases,
        serving: ServingVersions,
        clock: Clock,
        prepare: Prepare,
        *,
        poll_s: float = POLL_S,
        on_change: Callable[[], None] = lambda: None,
        lesson: Lesson | None = None,
        verdicts: Verdicts | None = None,
        checker: Checker,
    ) -> None:
        self._config, self._folder, self._facts = config, config.directory, facts
        self._releases, self._serving = releases, serving
        self._clock, self._prepare, self._poll_s = clock, prepare, poll_s
        self._one_at_a_time = asyncio.Lock()
        self._seen: Candidate | None = None
        self._seen_files: object = None
        self._head: object = None
        self._on_change = on_change
        self._lesson = lesson or Lesson()
        self._check = (verdicts or Verdicts()).check
        self._checker = checker
        self._learning: asyncio.Task[None] | None = None  # what the start began

    # -- the start ---------------------------------------------------------------------------------------------

    async def start(self) -> FlowLibrary:
        """Decide what serves first; prompts are not rendered yet. Raises FlowError when nothing can serve.

        The files, unless they are broken, or are just what was rolled back from or put on trial: then the last live
        version of the store."""
        self._seen_files = fingerprint(self._folder)
        candidate = self._seen = await aside(examine_folder, self._folder, self._facts(), self._check)
        stored = await self._releases.live()
        library = candidate.library
        if library is None:
            self._serving.reject(candidate.errors, self._clock.now())
            library = await self._stored(stored) if stored is not None else None
            if library is None:
                raise FlowError(
                    "\n".join(f.render() for f in candidate.errors),
                    remedy=f"mend the files; ivr flow check {self._folder} checks them",
                )
            log.error("flows.serving_last_good", flow_version=library.version, folder=str(self._folder))
        elif (
            stored is not None
            and stored.version != library.version
            and await self._releases.stays_back(library.version)
            and (kept := await self._stored(stored)) is not None
        ):
            log.warning("flows.files_differ", flow_version=kept.version, files_version=library.version)
            library = kept
        else:
            await self._releases.record(library, _user())
            await self._releases.publish(library.version, _user())
        _tell(candidate)
        await self._learned(library)
        self._serving.publish(library)
        self._head = await self._releases.head()
        trial = await self._releases.canary()
        if trial is not None and (tried := await self._stored(trial)) is not None:
            self._serving.try_out(self._canary(tried, trial))
        return library

    async def _learned(self, library: FlowLibrary) -> None:
        """What was learned before is read in a tenth of a second. What wasn't takes seconds, and the first calls need
        not wait for it: until then they are read by their words alone."""
        self._learning = asyncio.create_task(aside(self._lesson.learn, library), name="lesson")
        await asyncio.wait((self._learning,), timeout=LESSON_S)

    async def _stored(self, release: Release) -> FlowLibrary | None:
        """A stored version, checked against this release of the software; None (and a log line a finding) if unfit."""
        candidate = await aside(examine, release.files, self._facts(), check=self._check)
        for finding in candidate.errors:
            log.error("flows.stored_unusable", flow_version=release.version, finding=finding.render())
        return candidate.library

    async def checked(self, sources: Mapping[str, str]) -> tuple[Finding, ...]:
        """What the checker says of files as the line is now; of those that it read last, and that passed, what it said
        then: warnings."""
        seen = self._seen
        if seen is not None and seen.library is not None and sources == seen.sources:
            return seen.findings
        return await self._checker.run(findings_of, dict(sources), self._facts(), self._check)

    @property
    def newest(self) -> Mapping[str, str]:
        """The files as they lie in the folder, whether they serve or were rejected."""
        return self._seen.sources if self._seen is not None else {}

    # -- while the line is up ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._learning is not None:
                tasks.create_task(_awaited(self._learning), name="lesson")
            if self._config.watch:
                tasks.create_task(self._watch(), name="flows watch")
            tasks.create_task(self._poll(), name="flows poll")

    async def _watch(self) -> None:
        def is_flow(_: Change, path: str) -> bool:
            return is_of_library(Path(path).name)

        try:
            async for _ in awatch(self._folder, watch_filter=is_flow, debounce=DEBOUNCE_MS, step=50, recursive=False):
                await self.look()
        except OSError as error:
            # the poll still compares the files' times: changes are then noticed a few seconds later
            log.warning("flows.watch_failed", folder=str(self._folder), error=str(error))

    async def _poll(self) -> None:
        while True:
            await self._clock.sleep(self._poll_s)
            held = bool(self._serving.held)
            if self._config.watch and (held or fingerprint(self._folder) != self._seen_files):
                await self.look(again=held)
            await self.follow()

    async def look(self, *, again: bool = False) -> None:
        """Read the files now; publish what is new and right. Never raises for what is wrong with them."""
        async with self._one_at_a_time:
            files = fingerprint(self._folder)
            candidate = await aside(examine_folder, self._folder, self._facts(), self._check)
            self._seen_files = files
            if self._seen is not None and candidate.sources == self._seen.sources and candidate.sources and not again:
                return
            self._seen = candidate
            if candidate.library is None:
                self._serving.held = ""
                self._serving.reject(candidate.errors, self._clock.now())
            else:
                self._serving.accept()
                _tell(candidate)
                await self._go_live(candidate.library, candidate.took_s)
            self._on_change()

    async def _go_live(self, library: FlowLibrary, took_s: float) -> None:
        began = self._clock.monotonic()
        try:
            if library.version != self._serving.live.version:
                await aside(self._lesson.learn, library)
                await self._prepare(library)
            by = author(self._folder)
            await self._releases.record(library, by)
            await self._releases.publish(library.version, by)
        except UnavailableError as error:
            self._serving.held = str(error)
            log.error("flows.held", flow_version=library.version, error=str(error))
            return
        self._serving.held = ""
        if library.version != self._serving.live.version:
            self._serving.publish(library)
            prepared = round(self._clock.monotonic() - began, 3)
            log.info("flows.reloaded", flow_version=library.version, checked_s=round(took_s, 3), prepared_s=prepared)

    async def follow(self) -> None:
        """Do what the store says: somebody may have rolled back, or started or ended a canary."""
        async with self._one_at_a_time:
            try:
                head = await self._releases.head()
                if head == self._head:
                    return
                live = await self._releases.live()
                if live is not None and live.version != self._serving.live.version:
                    library = await self._stored(live)
                    if library is not None:
                        await aside(self._lesson.learn, library)
                        await self._prepare(library)
                        self._serving.publish(library)
                await self._follow_canary()
                self._head = head
            except UnavailableError as error:
                log.warning("flows.store_unread", error=str(error))
                return
            self._on_change()

    async def _follow_canary(self) -> None:
        trial, current = await self._releases.canary(), self._serving.canary
        if trial is None:
            if current is not None:
                self._serving.try_out(None)
            return
        library = current.library if current is not None and current.library.version == trial.version else None
        if library is None and (library := await self._stored(trial)) is not None:
            await self._prepare(library)
        wanted = None if library is None else self._canary(library, trial)
        if wanted != current:
            self._serving.try_out(wanted)

    def _canary(self, library: FlowLibrary, release: Release) -> Canary:
        return Canary(library, release.percent, frozenset(map(self._config.numbering.number, release.numbers)))

    async def check(self, facts: LineFacts) -> None:
        """Whether what serves would still be right on another line. Raises ConfigError with what would not."""
        candidate = await aside(examine, self._serving.live.sources, facts)
        if candidate.errors:
            why = "\n".join(finding.render() for finding in candidate.errors)
            raise ConfigError(why, remedy="mend the flows first, or leave in config.toml what they need")

    def status(self) -> Mapping[str, Any]:
        """For /readyz and the API: counts and versions, nothing of the files' text."""
        serving = self._serving
        canary, rejected = serving.canary, serving.rejected
        return {
            "version": serving.live.version,
            "paraphrases": self._lesson.state,
            "canary": canary and {"version": canary.library.version, "percent": canary.percent},
            "rejected_findings": len(rejected.findings) if rejected else 0,
            "held": serving.held,
            "reloads": serving.reloads,
            "rejections": serving.rejections,
        }

    # -- what somebody asks for ------------------------------------------------------------------------------------

    @property
    def one_at_a_time(self) -> asyncio.Lock:
        """Held by who reads the folder to publish it; to be held by whoever else writes there."""
        return self._one_at_a_time

    async def publish(
        self, files: Mapping[str, str], by: str, why: str, *, made_of: Mapping[str, str], write: Write
    ) -> Published:
        """``files`` for everybody, in the store first and then in the folder: both say the same from now on.

        ``made_of``: the folder's files as they were looked at. Raises FilesChanged where they are others by now,
        FlowError with what is wrong with ``files``, UnavailableError where they can't be spoken or kept: nothing is
        changed then."""
        async with self._one_at_a_time:
            library, findings = await self._examined(files)
            await self._releases.record(library, by)
            if library.version != self._serving.live.version:
                await aside(self._lesson.learn, library)
                await self._prepare(library)
            if await aside(read_directory, self._folder) != made_of:  # all that took its time
                raise FilesChanged("the flows' folder was changed by somebody else; nothing was published")
            await self._releases.publish(library.version, by, why=why)
            changed = {name: files.get(name) for name in {*files, *made_of} if files.get(name) != made_of.get(name)}
            unwritten = ""
            try:
                await aside(write, changed)
            except OSError as error:
                unwritten = f"{error.filename or self._folder}: {error.strerror}"
                log.error("flows.unwritten", flow_version=library.version, error=unwritten)
            self._seen = Candidate(made_of if unwritten else files, library, findings, 0.0)
            self._seen_files = fingerprint(self._folder)
            self._serving.held = ""
            self._serving.accept()
            if library.version != self._serving.live.version:
                self._serving.publish(library)
            self._on_change()
            published = Published(library.version, unwritten)
        await self.follow()  # a canary may have ended with it
        return published

    async def try_out(self, files: Mapping[str, str], by: str, why: str, percent: int, numbers: Sequence[str]) -> str:
        """``files`` for some callers, the folder as it is; the version. Raises as ``publish``, and FlowError where a
        canary can't be so."""
        async with self._one_at_a_time:
            library, _ = await self._examined(files)
            await self._releases.record(library, by)
            await aside(self._lesson.learn, library)
            await self._prepare(library)
            await self._releases.start_canary(library.version, by, percent=percent, numbers=numbers, why=why)
        await self.follow()
        return library.version

    async def end_canary(self, by: str, why: str) -> str | None:
        version = await self._releases.end_canary(by, why)
        await self.follow()
        return version

    async def _examined(self, files: Mapping[str, str]) -> tuple[FlowLibrary, tuple[Finding, ...]]:
        """Put together here only once they passed elsewhere, in time."""
        facts = self._facts()
        findings = await self._checker.run(findings_of, dict(files), facts, self._check)
        passed = partial(_passed, findings)
        candidate = await aside(examine, files, facts, check=passed)
        if candidate.library is None:
            why = "\n".join(finding.render() for finding in candidate.errors)
            raise FlowError(f"these flows don't pass\n{why}", remedy="mend what the checker found")
        return candidate.library, candidate.findings

    async def roll_back(self, by: str, version: str = "", why: str = "") -> str:
        """Raises FlowError, StoreUnavailable."""
        version = await self._releases.roll_back(by, version, why)
        await self.follow()
        return version


def _passed(findings: tuple[Finding, ...], files: Mapping[str, str], facts: LineFacts) -> Checked:
    """What was checked elsewhere, as ``examine`` wants it."""
    wrong = any(finding.severity == "error" for finding in findings)
    return Checked(None if wrong else load_library(files, facts.signatures).library, findings)


async def _awaited(learning: asyncio.Task[None]) -> None:
    await asyncio.wait((learning,))
    if (error := learning.exception()) is not None:  # its calls are read by their words alone
        log.error("lesson.failed", exc_info=error)


async def aside(work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """CPU-bound ``work`` in a thread that gives way ten times as often as usual: the loop, which has calls to serve,
    waits a millisecond or two for its turn instead of five to ten (tests/bench/flow_reload.py)."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, SHORT_TURN_S))
    try:
        return await asyncio.to_thread(work, *arguments, **options)
    finally:
        sys.setswitchinterval(usual)


def _tell(candidate: Candidate) -> None:
    """What may stay as it is, but somebody may want to know."""
    for f in candidate.findings:
        if f.severity != "error":
            tell = log.warning if f.severity == "warning" else log.info
            tell("flows.doubted", file=f.file, line=f.line, column=f.column, code=f.code, finding=f.render())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "service"
