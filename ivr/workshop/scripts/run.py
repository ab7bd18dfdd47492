"""One run of ``ivr flow test``: the folders' flows, their scripts, what came of them and what they covered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ivr.config import Config
from ivr.dialogue.flows.finding import Finding
from ivr.errors import ConfigError
from ivr.workshop.folder import folders, library_of
from ivr.workshop.scripts.coverage import Coverage, Observation
from ivr.workshop.scripts.runner import CallResult, Report, Runner
from ivr.workshop.scripts.script import ScriptFile, read_script, script_files
from ivr.workshop.simulate.room import ScratchRoom


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """``tested``: the flows that the scripts are about."""

    report: Report
    coverage: Coverage
    tested: tuple[str, ...]


class Stage:
    """Runs scripts again and again on the example data."""

    def __init__(self, config: Config | None = None) -> None:
        self._config = config
        self.room = ScratchRoom(config)

    async def rehearse(
        self, paths: Sequence[Path], *, only: str = "", watch: Callable[[CallResult], None] | None = None
    ) -> list[Rehearsal]:
        """One for each folder. Raises ConfigError for paths without scripts, FlowError for flows that can't run."""
        found = []
        for folder, files in scripts_by_folder(paths).items():
            library = library_of(folders([folder], self._config)[0])
            observation = Observation(library)
            with observation.watching():
                report = await Runner(library, self.room).run(files, only=only, watch=watch)
            tested = tuple(dict.fromkeys(f.suite.tests for f in files if f.suite is not None))
            found.append(Rehearsal(report, observation.coverage(), tested))
        return found

    async def close(self) -> None:
        await self.room.close()


def scripts_by_folder(paths: Sequence[Path]) -> dict[Path, list[ScriptFile]]:
    """Raises ConfigError where there are none, or they can't be read."""
    found: dict[Path, list[ScriptFile]] = {}
    for path in script_files(paths):
        try:
            found.setdefault(path.parent, []).append(read_script(path))
        except OSError as error:
            raise ConfigError(
                f"{path}: {error.strerror}", remedy="name folders with *.test.yaml in them, or such files"
            ) from error
    if not found:
        raise ConfigError(
            f"no scripts in {', '.join(map(str, paths))}",
            remedy="write NAME.test.yaml beside the flow; see the flow guide",
        )
    return found


def together(rehearsals: Sequence[Rehearsal]) -> Report:
    """All folders' reports as one."""
    results = tuple(result for rehearsal in rehearsals for result in rehearsal.report.results)
    findings: tuple[Finding, ...] = tuple(f for rehearsal in rehearsals for f in rehearsal.report.findings)
    return Report(results, findings, sum(rehearsal.report.seconds for rehearsal in rehearsals))
