"""Hearing and understanding, measured: ``make eval``, ``python -m tests.eval [--quick] [--part …] [--recogniser …]``.

Own sentences, by all voices that are installed, in noise, loss, pauses and echo, go the line's own way from RTP to
meaning. Prints a table and writes it as Markdown, JSON and SVG. With ``--from-calls`` or ``--recordings``: real calls.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ivr.config import load_config
from ivr.dialogue.spoken.language import served
from ivr.errors import ConfigError, IvrError
from ivr.recording.archive import Archive
from ivr.sealing import Keys
from ivr.speech.worker.engines import Recogniser
from ivr.speech.worker.prefork import build_recognisers
from ivr.store import Store
from ivr.store.url import missing_file
from tests.eval.conditions import CONDITIONS
from tests.eval.corpus import PARTS, Part
from tests.eval.line import Line
from tests.eval.measurement import TYPED, Amount, own_prompts, plan, spoken, surroundings, typed
from tests.eval.recorded import Conversation, agreed, labelled, overheard, said, summary, told_apart
from tests.eval.report import Evaluation, markdown, read, write
from tests.eval.voices import CACHE, missing

QUICK = Amount(12)
LANGUAGE = "en-US"
RECORDED = "recorded"  # the name of its reports
EPILOG = """\
examples:
  make eval                                          everything, on the sentences, voices and titles nobody tunes to
  python -m tests.eval --quick                       a taste of all of it, in a few minutes on a quiet machine
  python -m tests.eval --part tuning                 to try things out: these may be tuned to
  python -m tests.eval --only typed                  understanding alone, in seconds
  python -m tests.eval --only clean "10 dB"          two groups of conditions
  python -m tests.eval --against eval-out/moonshine.json --out new    what a change brought, and what it cost
  python -m tests.eval --from-calls                  conversations in the configured archive, of callers who agreed
  python -m tests.eval --recordings FOLDER           WAV files and their labels.csv: file,state,meaning,titles
"""


def recognisers(wanted: str, models: Path) -> list[Recogniser]:
    """Those that are installed and hear English, loaded; ``wanted``: only that one."""
    found: list[Recogniser] = []
    for recogniser in build_recognisers(wanted or "auto", models, models):
        if not served(LANGUAGE, recogniser.languages) or wanted not in ("", recogniser.name):
            continue
        try:
            recogniser.load()
        except (IvrError, OSError, RuntimeError) as error:
            print(f"{recogniser.name} is left out: {error}", file=sys.stderr)
        else:
            found.append(recogniser)
    return found


def progress(title: str) -> Callable[[int, int], None]:
    """A line on standard error, every few seconds."""
    began = time.monotonic()
    told = [began]

    def show(done: int, total: int) -> None:
        now = time.monotonic()
        if now - told[0] >= 5 or done == total:
            told[0] = now
            print(f"{title}: {done} of {total}, {now - began:.0f} s", file=sys.stderr, flush=True)

    return show


def evaluate(recogniser: Recogniser | None, part: Part, amount: Amount, cache: Path) -> Evaluation:
    """``recogniser`` None: typed only."""
    began, cpu = time.monotonic(), time.process_time()
    rows = list(typed(part, amount)) if amount.takes(TYPED) else []
    prompts = []
    about = {"part": part, "every": f"{amount.step}. sentence" if amount.step > 1 else "sentence"}
    if recogniser is not None:
        speakers, around = surroundings(part, cache)
        jobs = plan(part, speakers, amount)
        rows += asyncio.run(spoken(jobs, recogniser, around, progress(recogniser.name)))
        if amount.takes("own echo"):
            prompts = asyncio.run(own_prompts(part, recogniser, around))
        about |= {"voices": ", ".join(speaker.voice.name for speaker in speakers)}
        if gone := missing(part):
            about |= {"NOT INSTALLED": ", ".join(gone)}
    about |= {"sentences said": str(len(rows)), "seconds": f"{time.monotonic() - began:.0f}"}
    about |= {"CPU seconds": f"{time.process_time() - cpu:.0f}", "load": f"{os.getloadavg()[0]:.1f}"}
    return Evaluation(recogniser.name if recogniser else TYPED, rows, prompts, about)


def evaluate_recorded(recogniser: Recogniser, options: argparse.Namespace) -> None:
    """Of real speech: printed, and written. Raises ConfigError, StoreUnavailable."""
    line, show = Line(recogniser), progress(recogniser.name)
    if options.recordings:
        found = list(labelled(options.recordings))
        verdicts = []
        for number, each in enumerate(found):
            show(number, len(found))
            verdicts.append((each, *asyncio.run(said(each, line))))
        text, data = told_apart(verdicts)
    else:
        overheards = []
        conversations = [c for c in asyncio.run(consented(options.config)) if served(c.language, recogniser.languages)]
        for number, conversation in enumerate(conversations):
            show(number, len(conversations))
            overheards.append(asyncio.run(overheard(conversation, line)))
        text, data = summary(overheards), [each.to_json() for each in overheards]
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"{recogniser.name}-{RECORDED}"
    (options.out / f"{name}.md").write_text(text, encoding="utf-8")
    (options.out / f"{name}.json").write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")


async def consented(path: Path) -> list[Conversation]:
    config = load_config(path)
    if missing_file(config.store.resolved()):
        raise ConfigError(f"{config.store.resolved()}: there is no database", remedy="name the line's --config")
    store = Store(config.store.resolved(), node=config.node, spool=config.store.spool_folder)
    try:
        archive = Archive(store.recordings, config.recording.folder, Keys.of(config.recording.keys()), store.now)
        return await agreed(store, archive, f"evaluation:{getpass.getuser()}")
    finally:
        await store.close()


def arguments() -> argparse.ArgumentParser:
    groups = (*dict.fromkeys(condition.group for condition in CONDITIONS), TYPED)
    told = f"of {', '.join(groups)}".replace("%", "%%")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m tests.eval", description=__doc__, epilog=EPILOG, formatter_class=raw
    )
    parser.add_argument("--quick", action="store_true", help=f"every {QUICK.step}th sentence of each kind")
    parser.add_argument("--part", choices=PARTS, default="checking", help="default: checking, which nobody tunes to")
    parser.add_argument("--only", nargs="+", choices=groups, metavar="GROUP", default=[], help=told)
    parser.add_argument(
        "--recogniser", default="", metavar="NAME", help="only this one; default: all that hear English"
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="where `ivr models` keeps them")
    parser.add_argument("--out", type=Path, default=Path("eval-out"), metavar="FOLDER", help="default: eval-out")
    parser.add_argument("--against", nargs="+", type=Path, metavar="FILE", help="earlier runs' .json: what changed")
    parser.add_argument("--report", nargs="+", type=Path, metavar="FILE", help="only tell earlier runs' .json, as one")
    parser.add_argument("--from-calls", action="store_true", help="recorded conversations, with consent")
    parser.add_argument("--recordings", type=Path, metavar="FOLDER", help="WAV files with a labels.csv")
    parser.add_argument("--config", type=Path, default=Path("config.toml"), metavar="FILE", help="for --from-calls")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER", help="of what was spoken, kept")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments().parse_args(argv)
    amount = Amount(QUICK.step if options.quick else 1, frozenset(options.only))
    heard: list[Recogniser | None] = []
    if options.report:
        evaluation = replace(read(options.report), before=read(options.against).rows if options.against else ())
        print(markdown(evaluation))
        write(evaluation, options.out)
        return 0
    if amount.groups != {TYPED} or options.from_calls or options.recordings:
        heard += recognisers(options.recogniser, options.models)
        if not heard:
            print(f"no recogniser {options.recogniser or 'for English'} is installed: see ivr doctor", file=sys.stderr)
            return 1
    before = read(options.against).rows if options.against else ()
    if options.from_calls or options.recordings:
        for recogniser in filter(None, heard):
            evaluate_recorded(recogniser, options)
        return 0
    for each in heard or [None]:
        evaluation = replace(evaluate(each, options.part, amount, options.cache), before=before)
        print(markdown(evaluation))
        print("written: " + ", ".join(map(str, write(evaluation, options.out))))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except IvrError as error:
        sys.exit(f"eval: {error}")
