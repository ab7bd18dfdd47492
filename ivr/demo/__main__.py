"""Start a line, phone it as callers would, and check what the database, the agent's phone and the agent's page say."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path

from ivr.config import Config
from ivr.demo import chromium
from ivr.demo.agent_desk import pictures
from ivr.demo.desk_scene import desk, waiting
from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.demo.pages import look
from ivr.demo.scenes import Outcome, agitated, reorder, zero_out
from ivr.demo.screen import Screen, show_log
from ivr.errors import IvrError, TelephonyError, UnavailableError
from ivr.logs import StandardError
from ivr.softphone.phone import Softphone
from ivr.softphone.timing import summary
from ivr.softphone.voices import CallerVoice

OUT = Path("demo-out")
PAGES = OUT / "pages"


async def demo(picture: Path | None) -> int:
    screen = Screen(recording=picture is not None)
    screen.heading("Setting up")
    OUT.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ivr-demo-"))
    try:
        async with AsyncExitStack() as stack:
            agent = await stack.enter_async_context(Softphone.open())
            await agent.set_incoming("answer", after_s=0.3)
            screen.plain("Starting the line with an empty database; the first start renders all prompts.")
            setup = LineSetup(folder, agents=[AgentPhone(agent.uri)])
            line = await stack.enter_async_context(RunningLine.running(setup, show_progress=True))
            screen.plain(f"The line answers at {line.uri}; the agent's phone is {agent.uri}.")
            watching = asyncio.create_task(show_log(screen, line.log))
            stack.callback(watching.cancel)
            voice = CallerVoice("joe")
            outcomes = [await played("reorder", reorder(line, agent, voice, screen, OUT))]
            if picture is not None:
                screen.save_picture(picture, "make demo")
            outcomes.append(await played("zero", zero_out(line, agent, voice, screen, OUT)))
            outcomes.append(await played("cancelling", agitated(line, agent, voice, screen, OUT)))
        outcomes.append(await played("desk", at_the_desk(screen, folder / "desk")))
        code = report(screen, outcomes)
        invite(screen)
        return code
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def played(name: str, scene: Awaitable[Outcome]) -> Outcome:
    """A scene that does not come to its end is told of as that; the others are shown all the same."""
    try:
        return await scene
    except (TimeoutError, TelephonyError) as error:
        why = str(error) or "what it waited for did not come"
        return unshown(name, f"the scene “{name}” did not come to its end: {why}")


def unshown(name: str, why: str) -> Outcome:
    outcome = Outcome(name, OUT / f"{name}.wav")
    outcome.check(False, why)
    return outcome


async def at_the_desk(screen: Screen, folder: Path) -> Outcome:
    """The desk's scene, on a line whose one agent has a browser and no telephone; pictures of every page."""
    try:
        chromium.found()
    except UnavailableError as error:
        return unshown("desk", f"the desk is NOT shown: {error}")
    see = pictures(PAGES)
    screen.plain("")
    screen.plain("Starting a line whose one agent works in a browser.")
    async with desk(folder, screen, see) as at:
        watching = asyncio.create_task(show_log(screen, at.line.log))
        try:
            outcome = await waiting(at, screen, OUT)
            await look(at, see)
        finally:
            watching.cancel()
    screen.plain(f"Pictures of every page, in both themes, wide and narrow: {PAGES}/")
    return outcome


def invite(screen: Screen) -> None:
    """How to go on without us: the addresses are those of the configuration that ships."""
    usual = Config()
    line, console = f"sip:line@{usual.sip.address}", f"http://{usual.http.listen}"
    screen.heading("Be an agent yourself, in two minutes")
    for step in (
        f"1. .venv/bin/ivr db seed, then make serve: the line answers at {line}, its console is {console}",
        f"2. Open {console}/desk in Chromium, press a, let the page use your microphone: you are available.",
        f'3. .venv/bin/ivr call {line} --from 5035550101 --say "I\'m thinking of cancelling" --stay',
        "   (or any SIP phone): it rings, with why they call. Enter answers; ? lists the keys.",
        f"A supervisor's board is {console}/board. From this machine nobody logs in until there is an account:",
        "   .venv/bin/ivr accounts add YOU --role supervisor --role agent",
    ):
        screen.plain(step)


def report(screen: Screen, outcomes: list[Outcome]) -> int:
    """The tables and the verdict; the exit code."""
    screen.heading("What came of it")
    heads = ("call", "the caller said", "first sound of the answer after")
    turns = [(o.name, said, f"{seconds:.2f} s") for o in outcomes for said, seconds in o.turns]
    screen.table("Response times, measured on the wire", heads, turns)
    screen.table("Measured on the wire", ("", "measured", "aim"), figures(outcomes))
    checks = [check for o in outcomes for check in o.checks]
    for good, text in checks:
        screen.verdict(good, text)
    for outcome in outcomes:
        if outcome.recording.exists():
            screen.plain(f"Recorded: {outcome.recording} (left: the caller, right: the line)")
    failed = sum(not good for good, _ in checks)
    screen.plain("")
    screen.plain("Every outcome is confirmed." if not failed else f"{failed} outcome(s) NOT confirmed.")
    return 1 if failed else 0


def figures(outcomes: list[Outcome]) -> list[tuple[str, str, str]]:
    """What callers wait for, beside what we aim at."""
    rows = []
    if times := summary(seconds for o in outcomes for _, seconds in o.turns):
        rows.append((f"end of speech to first sound, p50 of {times.count} turns", f"{times.p50:.2f} s", "0.45 s"))
        rows.append(("… p95", f"{times.p95:.2f} s", "0.8 s"))
    for name, values, aim in (
        ("key to silence", [s for o in outcomes for s in o.key_silences], "60 ms"),
        ("first word to silence", [s for o in outcomes for s in o.speech_silences], "250 ms"),
    ):
        if found := summary(values):
            rows.append((f"{name}, p50 of {found.count}", f"{found.p50 * 1000:.0f} ms", aim))
            rows.append(("… worst", f"{found.worst * 1000:.0f} ms", aim))
    rows += [("key 0 to the agent's voice", f"{o.to_human_s:.2f} s", "2 s") for o in outcomes if o.to_human_s]
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    rows.append(
        ("load of this machine: beyond its cores, callers wait for others' work", f"{busy:.1f}", f"{cores} cores")
    )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ivr.demo", description=__doc__)
    parser.add_argument("--picture", type=Path, metavar="SVG", help="save the first call as a picture, for the README")
    try:
        return asyncio.run(demo(parser.parse_args().picture))
    except IvrError as error:
        print(f"demo: {error}", file=StandardError())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
