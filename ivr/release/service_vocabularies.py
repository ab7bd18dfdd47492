"""Vocabularies that a company's services have: asked for before a version serves, and again every ``refresh``.

A service that does not answer costs no call anything: what it said last is understood until it answers again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from ivr.dialogue.flows.company_file import VocabularySpec
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.dialogue.understanding.slots import TitleSlot
from ivr.errors import IvrError
from ivr.events import Term
from ivr.ports import Clock, ServiceAnswers

log = structlog.get_logger(__name__)

LOOK_S = 2.0
AGAIN_S = 10.0  # after one that did not answer

Prepare = Callable[[FlowLibrary], Awaitable[None]]
Source = tuple[str, ...]
"""What is asked: service, path, query, and the places of the list, and of id, label and spoken forms in it."""


@dataclass(slots=True)
class _Known:
    terms: tuple[Term, ...] = ()
    due: float = float("-inf")
    asked: int = 0
    answered: bool = False
    wrong: str = ""  # why the service did not answer when it was asked last


class ServiceVocabularies:
    """``libraries``: those that calls are served by."""

    def __init__(self, answers: ServiceAnswers, libraries: Callable[[], Iterable[FlowLibrary]], clock: Clock) -> None:
        self._answers, self._libraries, self._clock = answers, libraries, clock
        self._known: dict[Source, _Known] = {}

    def of(self, library: FlowLibrary) -> Mapping[str, tuple[Term, ...]]:
        """By name, as far as the services have ever answered."""
        return {name: known.terms for name, spec in library.sourced if (known := self._known.get(_source(spec)))}

    def stale(self) -> Mapping[str, str]:
        """Those of the serving flows whose service did not answer when asked last: why, and what is done meanwhile."""
        found = [(name, self._known.get(_source(spec))) for lib in self._libraries() for name, spec in lib.sourced]
        return {name: _told(known) for name, known in found if known is not None and known.wrong}

    async def load(self, library: FlowLibrary) -> None:
        """What is due of this one's, all at once. Never raises for a service that fails: that is logged."""
        now = self._clock.monotonic()
        due = [
            (name, spec, known)
            for name, spec in library.sourced
            if (known := self._known.setdefault(_source(spec), _Known())).due <= now
        ]
        await asyncio.gather(*(self._ask(name, spec, known, library) for name, spec, known in due))

    def before(self, prepare: Prepare) -> Prepare:
        """What makes a library ready to serve, with what its services have known first."""

        async def prepared(library: FlowLibrary) -> None:
            await self.load(library)
            await prepare(library)

        return prepared

    async def follow(self) -> None:
        """Until cancelled."""
        while True:
            await self._clock.sleep(LOOK_S)
            for library in tuple(self._libraries()):
                await self.load(library)

    async def _ask(self, name: str, spec: VocabularySpec, known: _Known, library: FlowLibrary) -> None:
        known.asked += 1
        known.due = self._clock.monotonic() + spec.refresh
        try:
            key = f"vocabulary/{name}/{known.asked}"
            terms = await self._answers.vocabulary(spec.service, spec.path, spec.query, spec.places.model_dump(), key)
        except IvrError as error:
            known.due = self._clock.monotonic() + min(spec.refresh, AGAIN_S)
            if known.wrong != (why := str(error)):
                known.wrong = why
                log.warning(
                    "vocabulary.stale", vocabulary=name, service=spec.service, terms=len(known.terms), error=why
                )
            return
        if known.wrong:
            known.wrong = ""
            log.info("vocabulary.back", vocabulary=name, service=spec.service, terms=len(terms))
        if terms != known.terms or not known.answered:
            await asyncio.to_thread(made_ready, terms, library.languages)
            known.terms, known.answered = terms, True
            log.info("vocabulary.loaded", vocabulary=name, service=spec.service, terms=len(terms))


def _told(known: _Known) -> str:
    kept = f"{len(known.terms)} terms of before are used" if known.answered else "callers are not understood to say it"
    return f"{known.wrong}; {kept}"


def made_ready(terms: tuple[Term, ...], languages: Iterable[str]) -> None:
    """Takes a tenth of a second for thousands: the first caller to need it finds it done."""
    for language in languages:
        made = lexicon(terms, language)
        made.prepare()
        TitleSlot(Vocabulary([made])).forms()


def _source(spec: VocabularySpec) -> Source:
    query = (part for item in sorted(spec.query.items()) for part in item)
    return spec.service, spec.path, spec.list, spec.id, spec.label, spec.spoken, *query
