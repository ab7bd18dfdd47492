"""`ivr flow test`: run the scripts beside the flows; make a script of a call."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ivr.cli.flow.options import add_paths, config_of, paths_of, store_url, words_alone
from ivr.cli.options import Subparsers, command
from ivr.config import Config, FlowsConfig
from ivr.embedding.loading import rehearsing
from ivr.errors import ConfigError, IvrError
from ivr.workshop.folder import folders, library_of
from ivr.workshop.scripts.coverage import Coverage, lines
from ivr.workshop.scripts.from_call import append, load, past_call, record
from ivr.workshop.scripts.report import failure_lines, summary, write_junit
from ivr.workshop.scripts.runner import CallResult, Rehearsal, Report, rehearse, scripts_by_folder, together
from ivr.workshop.scripts.watcher import changes
from ivr.workshop.simulate.sandbox import Sandbox

Run = Callable[..., Awaitable[list[Rehearsal]]]
EPILOG = """\
--least 85 fails where the scripts visit fewer than 85 % of the states of all flows in the folder, and names the others.

Exit codes: 0 all as expected, 1 something was otherwise, 2 wrong usage.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "test", "run the scripts beside the flows", EPILOG, handle)
    add_paths(parser)
    parser.add_argument("-k", dest="only", default="", metavar="NAME", help="only calls whose name contains this")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="the results as JUnit XML too")
    parser.add_argument("--coverage", action="store_true", help="which states and edges no call has seen")
    parser.add_argument(
        "--least", type=float, metavar="PERCENT", help="of the states of all flows that calls must visit, else code 1"
    )
    parser.add_argument("--watch", action="store_true", help="again whenever a file changes, until Ctrl-C")
    voicing = parser.add_argument_group("speak the scripts' lines and hear them")
    voicing.add_argument(
        "--voice", action="store_true", help="synthesis, G.711, recognition, under the states' grammars"
    )
    voicing.add_argument("--snr", type=float, metavar="DB", help="noise, so much below the speech; default: none")
    voicing.add_argument(
        "--as",
        dest="voices",
        action="append",
        metavar="VOICE",
        help="a caller's voice (joe, espeak:en-us+f3, …) or line, the line's own; may be repeated",
    )
    recording = parser.add_argument_group("make a script of a call, for the flows in PATH")
    recording.add_argument("--record", metavar="CALL_ID", help="a call that was really made (or how its id begins)")
    recording.add_argument("--record-simulation", type=Path, metavar="FILE", help="saved by ivr flow simulate --save")
    recording.add_argument("--database", metavar="URL", help="instead of [store] url")
    recording.add_argument("--output", type=Path, metavar="FILE", help="add it to this script; default: print it")
    recording.add_argument("--name", default="", metavar="TEXT", help="what the call shows")


def handle(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    paths = paths_of(arguments, config)
    if arguments.record or arguments.record_simulation:
        return await _record(arguments, config, paths)
    if arguments.voice:
        from ivr.cli.flow.voice import speak_scripts  # and with it numpy and a softphone

        return await speak_scripts(arguments, config, paths)
    scripts_by_folder(paths)  # a path without scripts is wrong usage, watched or not
    run = partial(rehearse, paths, config, Sandbox(config), only=arguments.only)
    return await (_watch(run, paths, arguments) if arguments.watch else _once(run, arguments))


async def _record(arguments: argparse.Namespace, config: Config | None, paths: Sequence[Path]) -> int:
    if arguments.record:
        url = store_url(arguments, config)
        if not url:
            raise ConfigError("which database is the call in?", remedy="pass --database URL or --config FILE")
        call = await past_call(arguments.record, url)
    else:
        call = load(arguments.record_simulation)
    library = library_of(folders(paths[:1], config)[0])
    plan = (config.flows if config else FlowsConfig()).plan_of(str(call.get("called") or ""))
    recording = await record(
        call, library, Sandbox(config), language=plan.language, persona=plan.persona, name=arguments.name
    )
    if arguments.output:
        append(arguments.output, recording)
    else:
        print(recording.text, end="")
    for remark in recording.remarks:
        print(f"ivr: {remark}", file=sys.stderr)
    return 0 if recording.faithful else 1


async def _once(run: Run, arguments: argparse.Namespace) -> int:
    least = _least(arguments)
    screen = _Screen()
    rehearsals = await run(watch=screen.result)
    report = together(rehearsals)
    screen.report(report, rehearsals, full=arguments.coverage, part=bool(arguments.only))
    if not report.passed and rehearsing() is None:
        screen.say(words_alone(), "yellow")
    if arguments.junit:
        try:
            write_junit(report, arguments.junit)
        except OSError as error:
            raise ConfigError(f"--junit {arguments.junit}: {error.strerror}", remedy="name a file here") from error
    if not report.results and not report.findings:
        raise ConfigError(f"no call's name contains {arguments.only!r}", remedy="leave out -k to run them all")
    visited = [screen.visited(rehearsal.coverage, least) for rehearsal in rehearsals] if least is not None else []
    return 0 if report.passed and all(visited) else 1


def _least(arguments: argparse.Namespace) -> float | None:
    """A share, 0 to 1."""
    least: float | None = arguments.least
    if least is None:
        return None
    if not 0 < least <= 100:
        raise ConfigError(f"--least {least:g} is no percentage", remedy="pass a number up to 100, such as 85")
    if arguments.only:
        raise ConfigError("--least is about all calls, and -k runs some of them", remedy="leave out one of the two")
    return least / 100


async def _watch(run: Run, paths: Sequence[Path], arguments: argparse.Namespace) -> int:
    """Runs until interrupted; a file that is wrong for the moment ends nothing."""
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    screen = _Screen()
    code = 0
    async for changed in changes(list(scripts_by_folder(paths)), stop):
        if changed:
            screen.say(f"changed: {', '.join(sorted(changed))}", "dim")
        try:
            code = await _once(run, arguments)
        except IvrError as error:
            screen.say(str(error), "red")
            code = 1
        screen.say("watching; Ctrl-C ends it", "dim")
    return code


class _Screen:
    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style))

    def result(self, result: CallResult) -> None:
        """Failures, as they come, and remarks on the script."""
        first, *rest = failure_lines(result, result.failure) if result.failure is not None else ("",)
        if first:
            self.say(first, "bold red")
        for line in rest:
            self.say(line)
        for remark in result.remarks:
            self.say(remark.render(), "yellow")

    def visited(self, coverage: Coverage, least: float) -> bool:
        """Whether the states of all flows were, so far as that is wanted; what was not, flow by flow."""
        enough = coverage.state_share >= least
        self.say(
            f"all flows: {coverage.summary()}, at least {least:.0%} of the states wanted",
            "green" if enough else "bold red",
        )
        for flow, states in coverage.unvisited_by_flow().items():
            self.say(f"    {flow}: {', '.join(states)}", "yellow")
        return enough

    def report(self, report: Report, rehearsals: Sequence[Rehearsal], *, full: bool, part: bool) -> None:
        """``part``: only some calls ran, so what none of them visited means nothing."""
        for finding in report.findings:
            self.say(finding.render(), "red")
        for rehearsal in rehearsals:
            own = rehearsal.coverage.of(rehearsal.tested)
            if full:
                for line in lines(rehearsal.coverage, rehearsal.tested):
                    self.say(line)
            elif own.unvisited and report.results and not part:
                self.say(f"no script has visited: {', '.join(own.unvisited)}", "yellow")
            if own.states and (full or not part):
                self.say(own.summary(), "dim")
        self.say(summary(report), "green" if report.passed else "bold red")
