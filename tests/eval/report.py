"""The report of an evaluation: a Markdown table for people, JSON for programs, a plot as SVG."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ivr.errors import ConfigError
from tests.eval.figures import (
    IN_GRAMMAR,
    PERSON,
    SPOKEN_GROUPS,
    Share,
    aims,
    began,
    caught,
    cuts,
    delays,
    endless,
    english,
    of,
    quantile,
    right,
    share,
    spanish,
    unasked,
)
from tests.eval.meaning import TASK, UNASKED, Verdict
from tests.eval.measurement import TYPED, OwnPrompt, Row, as_json

_COLUMNS: tuple[Verdict, ...] = ("done", "asked", "second", "partly", "asked_wrong", "nothing", "person", "wrong")
_HEAD = (
    "task % [95 %] (n) | done at once | asked, right | right second | value missing | asked wrong | nothing"
    " | person, unasked | WRONG"
)
_WIDTH, _ROW, _LEFT, _RIGHT = 860, 34, 170, 60


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Of one recogniser. ``about``: what ran where, for whoever reads the figures later."""

    recogniser: str
    rows: Sequence[Row]
    prompts: Sequence[OwnPrompt] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    before: Sequence[Row] = ()  # of an earlier run that this one is held against


def markdown(evaluation: Evaluation) -> str:
    return "\n".join(_lines(evaluation)) + "\n"


def _lines(evaluation: Evaluation) -> Iterator[str]:
    rows = evaluation.rows
    yield f"# Evaluation: {evaluation.recogniser}"
    yield ""
    yield "; ".join(f"{name} {value}" for name, value in evaluation.about.items())
    yield ""
    yield "Task: done, or asked about with the right thing first. Cells are small: read the intervals."
    was = {aim.name: str(aim.share) for aim in aims(evaluation.before)} if evaluation.before else {}
    yield from ("", "## Aims", "", f"| aim | is |{' was |' * bool(was)} met |", "|---" * (3 + bool(was)) + "|")
    for aim in aims(rows):
        sign = "≥" if aim.at_least else "≤"
        met = {True: "met", False: "**missed**", None: "not measured"}[aim.met]
        before = f" {was[aim.name]} |" if was else ""
        yield f"| {aim.name} {sign} {aim.percent:g} % | {aim.share} |{before} {met} |"
    yield from _changes(evaluation)
    for title, kinds in (
        ("Requests in the grammar, word for word", IN_GRAMMAR),
        ("Answers: which title, place, day, film, what happened; yes and no in all shades", ("answer", "confirm")),
        ("Paraphrases that no grammar lists", ("paraphrase",)),
        ("Digits", ("digits",)),
        ("Wishes for a person, in any words", ("human",)),
    ):
        yield from _table(title, rows, kinds)
    yield from _few(rows)
    yield from _voices(rows)
    yield from _ends(rows)
    yield from _own(evaluation.prompts)
    yield from _told(rows)


def _changes(evaluation: Evaluation) -> Iterator[str]:
    """The same clips then and now, where what came of them is not the same."""
    now = {_clip(row): row for row in evaluation.rows}
    both = [(row, now[_clip(row)]) for row in evaluation.before if _clip(row) in now]
    if not both:
        return
    gained = sum(then.verdict not in TASK and row.verdict in TASK for then, row in both)
    lost = [(then, row) for then, row in both if then.verdict in TASK and row.verdict not in TASK]
    yield from (
        "",
        f"Of {len(both)} that were said before, {gained} are right now and were not, {len(lost)} the other way:",
    )
    yield ""
    for then, row in lost:
        who = f"{row.voice or TYPED}, {row.condition}"
        yield f"- {who}: {row.said!r} was {then.verdict}, is {row.verdict} ({row.intent})"


def _clip(row: Row) -> tuple[str, ...]:
    return row.language, row.state, row.said, row.voice, row.condition


def _table(title: str, rows: Sequence[Row], kinds: Sequence[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", f"| | {_HEAD} |", "|---" * 10 + "|")
    for name, group, where in (
        *((group, group, english) for group in SPOKEN_GROUPS),
        ("typed", TYPED, english),
        ("typed, Spanish", TYPED, spanish),
    ):
        found = of(rows, *kinds, group=group, where=where)
        if found:
            cells = " | ".join(f"{share(found, (column,)).percent:.1f}" for column in _COLUMNS)
            yield f"| {name} | **{share(found)}** | {cells} |"
    if "digits" in kinds:
        for length in sorted({row.digits for row in rows if row.digits}):
            found = of(rows, *kinds, where=lambda row, length=length: row.digits == length)  # type: ignore[misc]
            if found:
                yield f"| {length} digits, all spoken | **{share(found)}** |" + " |" * len(_COLUMNS)


def _few(rows: Sequence[Row]) -> Iterator[str]:
    yield from ("", "## What must not go wrong", "")
    yield "| | typed | typed, Spanish | clean | 20 dB | 10 dB | all spoken |"
    yield "|---" * 7 + "|"

    def line(name: str, kind: str, counted: Any) -> str:
        cells = [
            of(rows, *([kind] if kind else []), group=TYPED, where=english),
            of(rows, *([kind] if kind else []), group=TYPED, where=spanish),
            *(of(rows, *([kind] if kind else []), group=group) for group in ("clean", "20 dB", "10 dB", "")),
        ]
        return f"| {name} | " + " | ".join(str(counted(cell)) for cell in cells) + " |"

    yield line("wrong without a question, of all", "", unasked)
    yield line("- another thing done", "", lambda found: share(found, UNASKED[:1]))
    yield line("near-misses to a person", "near_miss", lambda found: share(found, PERSON))
    yield line("near-misses right", "near_miss", right)
    yield line("threats caught or asked about", "threat", caught)
    yield line("out of domain accepted", "strange", lambda found: share(found, UNASKED))
    yield line("out of domain asked about", "strange", lambda found: share(found, ("asked_wrong", "second", "partly")))


def _voices(rows: Sequence[Row]) -> Iterator[str]:
    yield from (
        "",
        "## By voice, in the grammar",
        "",
        "| voice | clean | all conditions | paraphrases, clean |",
        "|---|---|---|---|",
    )
    for voice in dict.fromkeys(row.voice for row in rows if row.voice):
        mine = [row for row in rows if row.voice == voice]
        name = f"{voice} (natural)" if mine[0].natural else voice
        cells = of(mine, *IN_GRAMMAR, group="clean"), of(mine, *IN_GRAMMAR), of(mine, "paraphrase", group="clean")
        yield f"| {name} | " + " | ".join(str(share(cell)) for cell in cells) + " |"
    yield from ("", "## By condition, in the grammar", "", "| | task | never ended |", "|---|---|---|")
    for condition in dict.fromkeys(row.condition for row in of(rows, *IN_GRAMMAR)):
        found = [row for row in of(rows, *IN_GRAMMAR) if row.condition == condition]
        yield f"| {condition} | {share(found)} | {endless(found)} |"
    natural = [row for row in rows if row.natural]
    for group in ("clean", "20 dB", "10 dB", "2 % loss"):
        found = of(natural, *IN_GRAMMAR, group=group)
        yield f"| natural voices, {group} | {share(found)} | {endless(found)} |"


def _ends(rows: Sequence[Row]) -> Iterator[str]:
    yield from (
        "",
        "## Ends",
        "",
        "| | early cuts | never ended | delay p50 / p95 s | recognitions each | CPU each, ms |",
        "|---" * 6 + "|",
    )
    for group in SPOKEN_GROUPS:
        found = of(rows, group=group)
        if not found:
            continue
        waited = delays(found)
        told = f"{waited[0]:.2f} / {waited[1]:.2f}" if waited else "–"
        attempts = sum(row.attempts for row in found) / len(found)
        cpu = 1000 * sum(row.cpu_s for row in found) / max(1, sum(row.attempts for row in found))
        yield f"| {group} | {cuts(found)} | {endless(found)} | {told} | {attempts:.2f} | {cpu:.0f} |"
    taken = sorted(row.cpu_s / row.attempts for row in rows if row.attempts)
    if taken:
        yield ""
        p50, p95 = (1000 * quantile(taken, part) for part in (0.5, 0.95))
        yield f"CPU of a recognition: p50 {p50:.0f} ms, p95 {p95:.0f} ms."


def _own(prompts: Sequence[OwnPrompt]) -> Iterator[str]:
    if not prompts:
        return
    yield from ("", "## The line's own prompt by a speakerphone, nobody speaking", "")
    yield "| louder than the usual echo by | began a turn | what was heard |"
    yield "|---|---|---|"
    for louder in dict.fromkeys(each.louder_db for each in prompts):
        mine = [each for each in prompts if each.louder_db == louder]
        heard = "; ".join(text for each in mine for text in each.heard)[:300]
        yield f"| {louder:+.0f} dB | {began(mine)} | {heard} |"


def _told(rows: Sequence[Row]) -> Iterator[str]:
    wrong = [row for row in rows if row.verdict in ("wrong", "person") and row.kind not in ("threat", "human")]
    if wrong:
        yield from ("", "## Wrong without a question, each", "")
    for row in wrong:
        heard = "; ".join(row.heard)[:160]
        yield f"- {row.voice or 'typed'}, {row.condition}: {row.said!r} taken for {row.intent} ({row.verdict}) {heard}"


def as_data(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "recogniser": evaluation.recogniser,
        "about": dict(evaluation.about),
        "aims": [
            {
                **{"name": aim.name, "percent": aim.percent, "at_least": aim.at_least, "met": aim.met},
                **{"count": aim.share.count, "of": aim.share.of, "interval": aim.share.interval},
            }
            for aim in aims(evaluation.rows)
        ],
        "rows": [as_json(row) for row in evaluation.rows],
        "own_prompts": [as_json(each) for each in evaluation.prompts],
    }


def read(files: Sequence[Path]) -> Evaluation:
    """Earlier runs, as one. Raises ConfigError for what is none."""
    rows: list[Row] = []
    prompts: list[OwnPrompt] = []
    names: dict[str, None] = {}
    for file in files:
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            names[data["recogniser"]] = None
            rows += [Row(**row) for row in data["rows"]]
            prompts += [OwnPrompt(**{"heard": (), **each}) for each in data["own_prompts"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{file}: no data of an evaluation: {error}", remedy="name a .json of --out") from error
    return Evaluation("+".join(names), rows, prompts, {"runs": ", ".join(map(str, files))})


def write(evaluation: Evaluation, folder: Path) -> list[Path]:
    """The three files of one recogniser, named after it."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "md": markdown(evaluation),
        "json": json.dumps(as_data(evaluation), ensure_ascii=False, indent=1, default=str),
        "svg": svg(evaluation),
    }
    files = [folder / f"{evaluation.recogniser}.{suffix}" for suffix in contents]
    for file, content in zip(files, contents.values(), strict=True):
        file.write_text(content, encoding="utf-8")
    return files


# -- the plot ----------------------------------------------------------------------------------------------------


def svg(evaluation: Evaluation) -> str:
    """Task by condition: in the grammar and paraphrases, each with its interval."""
    rows = evaluation.rows
    bars: list[tuple[str, Share, str]] = []
    for kinds, colour, name in ((IN_GRAMMAR, "#2f6f9f", "in grammar"), (("paraphrase",), "#c2703d", "paraphrase")):
        for group in (*SPOKEN_GROUPS, TYPED):
            found = of(rows, *kinds, group=group, where=english)
            if found:
                bars.append((f"{name}, {group}", share(found), colour))
    height = _ROW * len(bars) + 70
    drawn = "".join(_bar(number, *bar) for number, bar in enumerate(bars))
    scale = "".join(
        f'<line x1="{_x(at)}" x2="{_x(at)}" y1="40" y2="{height - 24}" stroke="#ddd"/>'
        f'<text x="{_x(at)}" y="{height - 8}" text-anchor="middle">{at}</text>'
        for at in range(0, 101, 20)
    )
    title = escape(f"Task %, 95 % intervals: {evaluation.recogniser}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#fff"/><text x="16" y="24" font-size="16">{title}</text>'
        f"{scale}{drawn}</svg>\n"
    )


def _x(percent: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * percent / 100, 1)


def _bar(number: int, name: str, found: Share, colour: str) -> str:
    y = 44 + _ROW * number
    low, high = found.interval
    width = round(_x(found.percent) - _x(0), 1)
    return (
        f'<text x="{_LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_x(0)}" y="{y + 2}" width="{width}" height="20" fill="{colour}" opacity="0.75"/>'
        f'<line x1="{_x(low)}" x2="{_x(high)}" y1="{y + 12}" y2="{y + 12}" stroke="#222" stroke-width="2"/>'
        f'<text x="{_x(high) + 6}" y="{y + 16}">{found.percent:.0f} ({found.of})</text>'
    )
