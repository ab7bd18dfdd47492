"""The corpus of good and broken flow files, and the world they are checked in.

Each file in tests/corpus/broken stands in for one of tests/corpus/good. It has one fault, marked on its line by
``# FAULT: code``. What one fault brings with it is marked ``# ALSO: code`` anywhere. A file that it takes beside the
good ones is in tests/corpus/beside, under its number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ivr.dialogue.checker.check import check_sources
from ivr.dialogue.checker.facts import LineFacts
from ivr.dialogue.flows.finding import Finding
from ivr.dialogue.flows.signature import ActionSignature, Parameter
from ivr.dialogue.flows.source import read_directory, read_file
from ivr.events import Term

CORPUS = Path(__file__).parents[3] / "corpus"
MEMBER = ("member.number", "member.first_name")
SIGNATURES = {
    s.name: s
    for s in (
        ActionSignature("member.find", outcomes=("ok", "unknown"), facts=MEMBER),
        ActionSignature(
            "order.place",
            (Parameter("title", "title"), Parameter("count", "number"), Parameter("note", "text", required=False)),
            outcomes=("ok", "sold_out"),
            risk="reversible",
        ),
        ActionSignature("order.read", returns={"titles": "text"}),
        ActionSignature("order.withdraw", risk="irreversible"),
        ActionSignature("callback.request", (Parameter("number", "digits"),), risk="reversible", promises="callback"),
    )
}
FACTS = LineFacts(
    SIGNATURES,
    skills=("general", "retention"),
    services=("deliveries",),
    entries=("main",),
    recorded=lambda audio, language: audio == "hello.wav",
    vocabularies={
        "catalogue": (Term("1", "Casablanca"), Term("2", "Vertigo")),
        "alike": (Term("1", "Night Rider"), Term("2", "Casablanca"), Term("3", "Knight Rider")),
        "everywhere": (Term("1", "Operator"), Term("2", "Vertigo")),
    },
    recognised=("en-US", "es-ES", "de-DE"),
    spoken=("en-US", "es-ES", "fr-FR"),
)
_MARK = re.compile(r"# FAULT: ([a-z-]+)")
_ALSO = re.compile(r"# ALSO: ([a-z-]+)")


@dataclass(frozen=True)
class Broken:
    name: str
    sources: dict[str, str]
    file: str
    code: str
    line: int
    also: frozenset[str]


def good() -> dict[str, str]:
    return read_directory(CORPUS / "good")


def check_corpus(sources: dict[str, str]) -> tuple[Finding, ...]:
    return check_sources(sources, FACTS).findings


def broken() -> Iterator[Broken]:
    for path in sorted((CORPUS / "broken").glob("*.yaml")):
        text = read_file(path)
        marks = [(m.group(1), n) for n, line in enumerate(text.split("\n"), 1) for m in [_MARK.search(line)] if m]
        assert len(marks) == 1, f"{path.name} marks {len(marks)} faults"
        file = path.name.partition("--")[2]
        sources = good()
        if file.count(".") == 1:  # a flow: without overlays, which would only repeat what is wrong
            sources = {n: t for n, t in sources.items() if n.count(".") == 1}
        sources[file] = text
        number = path.name.partition("-")[0]
        for beside in (CORPUS / "beside").glob(f"{number}--*.yaml"):
            sources[beside.name.partition("--")[2]] = read_file(beside)
        yield Broken(path.name, sources, file, *marks[0], frozenset(_ALSO.findall(text)))
