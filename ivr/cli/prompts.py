"""`ivr prompts`: render what the flows say and learn what they hear, so that the line starts at once."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

from ivr.actions.plugins import plugins
from ivr.cli.options import Subparsers, add_config, command, configuration, progress_bar
from ivr.clock import SystemClock
from ivr.company import Times, company_of
from ivr.config import Config
from ivr.dialogue.flows.library import FlowLibrary
from ivr.embedding.loading import understanding
from ivr.errors import FlowError, SpeechUnavailable
from ivr.events import Term
from ivr.line_facts import line_facts
from ivr.release.candidate import examine_folder
from ivr.release.entry import choosable, prompts_of, voices
from ivr.release.lesson import Lesson
from ivr.release.verdicts import Verdicts
from ivr.speech.service import WorkerSpeechService
from ivr.store.database import Database

EPILOG = """\
Prompts are kept in [speech] cache by their text, voice and the synthesiser's version: what is there is left alone,
and what changes is rendered again; beside them what the flows' phrases and examples teach the sentence embedding,
and that the checker passed the flows.
Installing runs this; the line does by itself what is missing, behind the first calls.
"""


def add(commands: Subparsers) -> None:
    add_config(command(commands, "prompts", "render the flows' prompts ahead", EPILOG, handle))


def handle(arguments: argparse.Namespace) -> int:
    config = configuration(arguments)
    folder = config.flows.directory
    verdicts = Verdicts(config.speech.cache / "verdicts")
    candidate = examine_folder(folder, line_facts(config, empty_vocabularies(config)), verdicts.check)
    if candidate.library is None:
        raise FlowError(
            "\n".join(finding.render() for finding in candidate.errors),
            remedy=f"mend the files; ivr flow check {folder} checks them",
        )
    code = asyncio.run(_render(config, candidate.library))
    paraphrases = understanding(config.speech.cache / "classifiers", on_demand=False)
    Lesson(paraphrases.classifiers, lambda: voices(config.flows), paraphrases.state).learn(candidate.library)
    print(f"paraphrases are read by {paraphrases.state}")
    return code


def empty_vocabularies(config: Config) -> Mapping[str, Sequence[Term]]:
    """What a line finds that was just installed: its first start then knows the checker's verdict."""
    database = Database("sqlite+aiosqlite://")  # in memory; nobody connects
    company = company_of(config).on(database, Times(SystemClock().now, ZoneInfo(config.flows.time_zone)))
    sets = (*(plugin.actions for plugin in plugins()), company.actions)
    return {name: () for each in sets for name in each.vocabularies}


async def _render(config: Config, library: FlowLibrary) -> int:
    """Exit code 1 where voices elsewhere, which are configured, made not all of theirs. Raises SpeechUnavailable, also
    where nothing can be kept."""
    began = time.monotonic()
    speech = WorkerSpeechService(config.speech)
    try:
        await speech.start_speaking()
        prompts = prompts_of(library, voices(config.flows, choosable(library, speech)))
        with progress_bar("rendering prompts") as show:
            await speech.render_all(prompts, show)
    finally:
        await speech.stop()
    if speech.unkept:
        remedy = "let it be written, or set [speech] cache"
        raise SpeechUnavailable(f"prompts can't be kept in {config.speech.cache}: {speech.unkept}", remedy=remedy)
    print(f"{len(prompts)} prompts are ready in {config.speech.cache} ({time.monotonic() - began:.0f} s)")
    if not speech.stood_in:
        return 0
    print(f"{speech.stood_in} of them are spoken by the voice here: [[speech.prompt_voices]] made nothing of them,")
    print("as is told above. ivr doctor asks it; ivr prompts tries again, and the line does, beside its calls.")
    return 1
