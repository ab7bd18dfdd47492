"""Reports of a run: for people, the conversation and what should have been otherwise; for CI, JUnit XML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import jinja2

from ivr.record import (
    CallerActed,
    Ended,
    Entered,
    Entry,
    Failed,
    HandedOver,
    Performed,
    Prompted,
    ResumeAsked,
    Understood,
)
from ivr.workshop.scripts.runner import CallResult, Failure, Mismatch, Report

_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
WHO = "{:>7}  "


def failure_lines(result: CallResult, failure: Failure) -> Iterator[str]:
    """``file:line:column`` first, so that editors find it."""
    place = failure.place
    yield f"FAILED  {result.suite}: {result.name}"
    yield f"  {place.file}:{place.line}:{place.column}: {failure.step}"
    for mismatch in failure.mismatches:
        yield from (f"    {line}" for line in _difference(mismatch))
    yield "  the call so far:"
    yield from (f"    {line}" for entry in failure.so_far for line in entry_lines(entry))


def _difference(mismatch: Mismatch) -> Iterator[str]:
    if not mismatch.what:
        yield mismatch.found
        return
    if mismatch.kind == "list" and "," in mismatch.wanted + mismatch.found:
        yield f"{mismatch.what}:"
        yield from (f"  {line}" for line in _columns(mismatch.wanted.split(", "), mismatch.found.split(", ")))
        return
    width = len(mismatch.what)
    verb = "not to hear" if mismatch.what == "unsaid" else "expected"
    wanted = f'"{mismatch.wanted}"' if mismatch.what in ("prompt", "unsaid") else mismatch.wanted
    yield f"{mismatch.what}: {verb} {wanted}"
    yield f"{'':{width}}  but it was {mismatch.found}"


def _columns(wanted: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    """Two lists beside each other; rows that differ are marked."""
    width = max(len("expected"), *(len(item) for item in wanted))
    yield f"     {'expected':{width}}  but it was"
    for place in range(max(len(wanted), len(found))):
        one = wanted[place] if place < len(wanted) else ""
        other = found[place] if place < len(found) else ""
        yield f"{'  ' if one == other else '! '}{place + 1:>2} {one:{width}}  {other}".rstrip()


def entry_lines(entry: Entry) -> Iterator[str]:
    """One thing that happened, as a line or none. "caller" and "line" speak; the rest is what went on inside."""
    match entry.what:
        case CallerActed() as acted:
            yield WHO.format("caller") + _done(acted)
        case Prompted(text):
            yield WHO.format("line") + text
        case Entered(state):
            yield WHO.format("") + f"→ {state}"
        case Understood() as heard:
            yield WHO.format("") + understood(heard)
        case Performed() as did:
            error = f" ({did.error})" if did.error else ""
            yield WHO.format("action") + f"{did.action}{_arguments(did)}: {did.outcome}{error}"
        case HandedOver() as given:
            to = f" {given.destination}" if given.destination else ""
            skill = f"skill {given.skill}, priority {given.priority}"
            yield WHO.format("human") + f"{given.outcome}{to}: {given.reason} ({skill})"
        case ResumeAsked(found=True):
            yield WHO.format("") + "a dropped call is remembered"
        case Failed() as failed:
            yield WHO.format("broken") + " ".join(filter(None, (failed.part, failed.error, failed.detail)))
        case Ended(outcome):
            yield WHO.format("end") + outcome


def understood(heard: Understood) -> str:
    """ "heard remove (title: Vertigo) 93 %, doubtful"."""
    if not heard.intent:
        return "not understood"
    filled = ", ".join(f"{name}: {value}" for name, value in heard.slots.items())
    doubt = ", doubtful" if heard.doubt else ""
    return f"heard {heard.intent}{f' ({filled})' if filled else ''} {heard.confidence:.0%}{doubt}"


def _done(acted: CallerActed) -> str:
    if acted.do == "say":
        return f"“{acted.text}”" + (" (doubtful)" if acted.detail.get("doubt") else "")
    own = {"key": f"keys {acted.text}", "silence": "(silence)", "hangup": "hangs up", "call": "calls again"}
    return own.get(acted.do) or f"({acted.do} {acted.text})".replace(" )", ")")


def _arguments(did: Performed) -> str:
    return f" ({', '.join(f'{name}: {value}' for name, value in did.arguments.items())})" if did.arguments else ""


def summary(report: Report) -> str:
    """ "113 calls, 2 failed; 1315 turns in 0.42 s"."""
    failed = sum(not result.passed for result in report.results)
    count = len(report.results)
    text = f"{count} call{'' if count == 1 else 's'}, {failed or 'none'} failed"
    if report.findings:
        text += f", {len(report.findings)} faults in the scripts"
    return f"{text}; {report.turns} turns in {report.seconds:.2f} s"


def write_junit(report: Report, path: Path) -> None:
    """Raises OSError."""
    loader = jinja2.PackageLoader("ivr.workshop", "scripts")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, finalize=_xml)
    text = environment.get_template("junit.xml").render(report=report, failure_lines=failure_lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _xml(value: object) -> object:
    """XML has no way to write control characters."""
    return _UNPRINTABLE.sub("�", value) if isinstance(value, str) else value
