"""`ivr flow missed`: what real callers said that nobody understood, ready to be added as examples."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from ivr.cli.flow.options import add_config_file, config_of, existing_store, flows_of
from ivr.cli.options import Subparsers, command
from ivr.cli.tail import parse
from ivr.dialogue.engine.compilation import compiled
from ivr.dialogue.spoken.languages import words_for
from ivr.dialogue.understanding.classifier import IntentClassifier, TrainingSet
from ivr.errors import ConfigError
from ivr.record import Entry
from ivr.release.entry import demand_words
from ivr.workshop.folder import flow_of, folders, library_of
from ivr.workshop.simulate.sandbox import Sandbox
from ivr.workshop.tell.missed import Nearest, grouped, missed, redacted, report, withheld

MOST_CALLS = 500
_LOGGED = "dialogue."
SLOT = re.compile(r"\{[^{}]*\}")
EPILOG = """\
Looks for sentences without a meaning, for those asked about and denied, and for those followed by a wish for a person.
--from is a log ([logs] redact = false wrote the words into it) or a database, which has the words of every call. While
[logs] redact is true, words are hidden that no phrase and no everyday sentence has: such a sentence is no example yet.
"""


def add(tools: Subparsers) -> None:
    parser = command(tools, "missed", "what callers said that nobody understood", EPILOG, handle)
    parser.add_argument("flow", metavar="FLOW", help="its name")
    parser.add_argument("--from", dest="source", required=True, metavar="LOG|URL", help="a log, or a database's URL")
    parser.add_argument("--flows", type=Path, metavar="FOLDER", help="default: flows")
    parser.add_argument("--language", metavar="TAG", help="of the calls; default: the flow's own")
    add_config_file(parser)


def handle(arguments: argparse.Namespace) -> int:
    config = config_of(arguments)
    library = library_of(folders([arguments.flows or flows_of(config)], config)[0])
    name = flow_of(library, arguments.flow)
    demand_words(library, arguments.language or "", "")
    language = arguments.language or library.flows[name].language
    source: str = arguments.source
    calls = asyncio.run(_stored(source)) if "://" in source else _logged(Path(source))
    said = [each for entries in calls.values() for each in missed(entries, name)]
    hidden = sum(withheld(each.text) for each in said)
    shown = [each for each in said if not withheld(each.text)]
    classifiers = Sandbox(config).classifiers
    words = compiled(library, classifiers).wordings(language, "neutral")
    training = words.training
    secret = config is None or config.logs.redact
    learned = classifiers.learn(training) if classifiers is not None else None
    print(f"# {len(shown)} sentences of {len(calls)} calls that {name} did not understand")
    if hidden:
        print(f"# {hidden} more were masked in the log: pass the database, or set [logs] redact = false")
    noun = words.single_words.noun or words_for(language).stand_in_noun
    nearest = _nearest(training, learned, frozenset(library.flows[name].intents), noun)
    groups = grouped(shown, nearest, lambda text: redacted(text, training) if secret else text)
    for line in report(groups):
        print(line)
    return 0


async def _stored(url: str) -> Mapping[str, list[Entry]]:
    store = existing_store(url)
    try:
        recent = await store.calls.recent(MOST_CALLS)
        found = {call["call_id"]: await store.calls.get(call["call_id"]) for call in recent}
    finally:
        await store.close()
    return {call_id: [Entry.from_json(e) for e in call["entries"]] for call_id, call in found.items() if call}


def _logged(path: Path) -> Mapping[str, list[Entry]]:
    calls: dict[str, list[Entry]] = {}
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                written: dict[str, Any] = dict(parse(line))
                event, call = str(written.get("event", "")), str(written.get("call_id", ""))
                if call and event.startswith(_LOGGED):
                    kind = event.removeprefix(_LOGGED)
                    calls.setdefault(call, []).append(Entry.from_json({**written, "kind": kind}))
    except OSError as error:
        raise ConfigError(f"--from {path}: {error.strerror}", remedy="name a log or a database URL") from error
    return calls


def _nearest(training: TrainingSet, learned: IntentClassifier | None, own: frozenset[str], noun: str) -> Nearest:
    """Among the flow's own phrases, by meaning where it can be told, else by spelling. ``noun`` stands for {slots}, as
    it does in what is learned from. No intent where the flow has no phrases."""
    stand_ins = words_for(training.language).stand_ins
    phrases = {e.sentence.text: (e.phrase, e.intent) for e in training.examples if e.intent in own}
    texts = list(phrases)

    def nearest(said: str) -> tuple[str, str, float]:
        if not texts:
            return "", "", 0.0
        numbers = count()
        text = SLOT.sub(lambda _: stand_ins[min(next(numbers), len(stand_ins) - 1)].format(noun), said)
        if learned is not None:
            scores = learned.likeness(text, texts)
            at = max(range(len(texts)), key=scores.__getitem__)
            return (*phrases[texts[at]], max(0.0, scores[at]))
        best = process.extractOne(text, texts, scorer=fuzz.ratio)
        return (*phrases[best[0]], best[1] / 100)

    return nearest
