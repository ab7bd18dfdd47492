"""`ivr flow test --voice`: the scripts' lines through real synthesis, a telephone line and the real recogniser."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ivr.config import Config, SpeechConfig
from ivr.dialogue.spoken.language import same_language
from ivr.softphone.voices import CallerVoice, available_voices
from ivr.speech.service import WorkerSpeechService
from ivr.workshop.folder import folders, library_of, mocks_of
from ivr.workshop.scripts.runner import scripts_by_folder
from ivr.workshop.scripts.voicing import (
    DOUBTED,
    LOST,
    MISHEARD,
    RIGHT,
    UNTRIED,
    Audition,
    Speak,
    SpokenLine,
    Telephone,
    VoiceReport,
)
from ivr.workshop.simulate.sandbox import Sandbox

OWN = "line"
STYLES = {RIGHT: "green", DOUBTED: "yellow", MISHEARD: "bold red", LOST: "red", UNTRIED: "dim"}
ENOUGH = 0.5  # of the lines tried: below that, something is broken rather than misheard


async def speak_scripts(arguments: argparse.Namespace, config: Config | None, paths: Sequence[Path]) -> int:
    """0 when lines were heard and most were right; 1 when not, or when none could be tried."""
    console = Console(highlight=False, soft_wrap=True)
    service = WorkerSpeechService(config.speech if config is not None else SpeechConfig())
    sandbox = Sandbox(config)
    reports: list[VoiceReport] = []
    await service.start()
    try:
        voices = _voices(arguments.voices or (available_voices()[:1] or [OWN]), service)
        for folder, files in scripts_by_folder(paths).items():
            library = library_of(folders([folder], config)[0])
            sandbox.mocks = mocks_of(folder)
            audition = Audition(library, sandbox, voices, service.recognise, Telephone(arguments.snr))
            reports.append(await audition.run(files, only=arguments.only, watch=lambda line: _show(console, line)))
    finally:
        await service.stop()
    report = VoiceReport(tuple(line for each in reports for line in each.lines))
    _totals(console, report)
    return 0 if report.tried and report.share_right >= ENOUGH else 1


def _voices(names: Sequence[str], service: WorkerSpeechService) -> Mapping[str, Speak]:
    async def own(text: str, language: str) -> bytes:
        return (await service.render(text, language)).pcm

    def caller(name: str) -> Speak:
        voice = CallerVoice(name)

        async def speak(text: str, language: str) -> bytes:
            if same_language(language, "en"):
                return await voice.speak_soon(text)
            return await own(text, language)  # callers' voices are English ones

        return speak

    return {name: own if name == OWN else caller(name) for name in names}


def _show(console: Console, line: SpokenLine) -> None:
    """One line a line; the right ones briefly."""
    if line.verdict == UNTRIED:
        return
    text = Text(f"{line.verdict:>14}  ", STYLES[line.verdict])
    text.append(f"“{line.text}” in {line.state}", "")
    if line.verdict != RIGHT:
        text.append(f"\n{'':16}meant {line.meant}; understood {line.understood}, transcript “{line.transcript}”", "")
        text.append(f"\n{'':16}{line.place.file}:{line.place.line}, voice {line.voice}", "dim")
    console.print(text)


def _totals(console: Console, report: VoiceReport) -> None:
    table = Table(title="heard as meant, by voice and language", title_justify="left")
    verdicts = (RIGHT, DOUBTED, MISHEARD, LOST, UNTRIED)
    for heading in ("voice", "language", *verdicts):
        table.add_column(heading, justify="left" if heading in ("voice", "language") else "right")
    for voice, language in dict.fromkeys((line.voice, line.language) for line in report.lines):
        own = VoiceReport(tuple(x for x in report.lines if (x.voice, x.language) == (voice, language)))
        table.add_row(voice, language, *(str(own.totals.get(verdict, 0)) for verdict in verdicts))
    console.print(table)
    for meant, heard, count in report.confusions():
        console.print(Text(f"  {count} × {meant} heard as {heard}"))
    for why in dict.fromkeys(f"{line.language}: {line.why}" for line in report.lines if line.why):
        console.print(Text(f"not tried: {why}", "yellow"))
    console.print(Text(f"{report.tried} lines heard, {report.share_right:.1%} as meant", "bold"))
