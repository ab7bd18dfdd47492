"""Languages: each that callers can choose or be spoken to in has words, a voice and a recogniser."""

from __future__ import annotations

from collections.abc import Iterator

from ivr.dialogue.checker.report import Report
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.source import Place
from ivr.dialogue.spoken.language import served


def check_languages(report: Report) -> None:
    _chosen(report)
    for language, place in _spoken_in(report):
        if not served(language, report.facts.recognised):
            why = f"no recogniser is installed for {language}: its calls are led by keys"
            report.add("no-recogniser", place, why, "leave it so, or install one (ivr models)", severity="note")
        if not served(language, report.facts.spoken):
            why = f"no voice is installed for {language}: who asks for it gets a human"
            report.add("no-voice", place, why, "leave it so, or install one (ivr doctor)", severity="note")


def _spoken_in(report: Report) -> Iterator[tuple[str, Place]]:
    """Each language of the library, and where it is named first."""
    library = report.library
    seen = {library.universals.language}
    yield library.universals.language, report.universals("universals")
    for name, flow in library.flows.items():
        if flow.language not in seen:
            seen.add(flow.language)
            yield flow.language, report.at(name, "language")
    for overlay in library.wordings:
        if overlay[1] not in seen:
            seen.add(overlay[1])
            yield overlay[1], report.overlay(overlay, "language")


def _chosen(report: Report) -> None:
    """Languages that can be chosen: some file must speak them."""
    library, languages = report.library, report.library.languages
    personas = {p for _, p in library.voices}

    def known(language: str, place: Place) -> None:
        if language not in languages:
            remedy = suggestion(language, languages, f"languages here: {listing(languages)}")
            report.add("unknown-language", place, f"no file speaks {language}", remedy, text=language)

    for name in library.universals.languages:
        known(name, report.universals("languages", name, key=True))
    for name, flow in library.flows.items():
        for sid, state in flow.states.items():
            for way in state.transitions():
                edge, path = way.edge, ("states", sid, *way.path)
                if edge.language:
                    known(edge.language, report.at(name, *path, "language"))
                if edge.persona and edge.persona not in personas:
                    place = report.at(name, *path, "persona")
                    remedy = suggestion(edge.persona, personas, f"personas here: {listing(sorted(personas))}")
                    report.add("unknown-persona", place, f"nobody speaks as {edge.persona}", remedy, text=edge.persona)
