"""The entry of a call: which version of the flows, which entry, language and persona, by the numbers involved."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import structlog

from ivr.config import FlowsConfig, NumberPlan
from ivr.dialogue.engine.contract import Installed, Start
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.errors import IvrError
from ivr.events import Term
from ivr.ports import Actions, Clock, Leg
from ivr.release.serving import ServingVersions

log = structlog.get_logger(__name__)

VOCABULARY_REFRESH_S = 300.0


class CallEntry:
    """``fact_source`` answers facts that change (``hours.open``); ``vocabularies`` are what new calls know."""

    def __init__(self, config: FlowsConfig, serving: ServingVersions, fact_source: Callable[[str], object]) -> None:
        self._config = config
        self._serving = serving
        self._fact_source = fact_source
        self.vocabularies: Mapping[str, tuple[Term, ...]] = {}

    def open(self, call_id: str, leg: Leg, installed: Installed) -> Dialogue:
        """The call keeps this version until its end, whatever goes live meanwhile."""
        config = self._config
        library = self._serving.choose(leg.caller.number, leg.called.number, call_id)
        plan = next((n for n in config.numbers if n.called == leg.called.number), NumberPlan(called=""))
        start = Start(
            call_id,
            entry=plan.entry or config.entry,
            language=plan.language or config.language,
            persona=plan.persona or config.persona,
            caller=leg.caller.number,
            called=leg.called.number,
            vocabularies=self.vocabularies,
            fact_source=self._fact_source,
            seed=int(call_id[:8], 16),
            installed=installed,
        )
        return Dialogue(library, start)

    def voices(self, chosen: Collection[str] = ()) -> list[tuple[str, str]]:
        """(language, persona) of everybody who can call, to render prompts ahead.

        ``chosen``: languages that callers may choose on the way."""
        config = self._config
        plans = [(config.language, config.persona)]
        plans += [(n.language or config.language, n.persona or config.persona) for n in config.numbers]
        plans += [(language, config.persona) for language in chosen]
        return list(dict.fromkeys(plans))

    async def load_vocabularies(self, actions: Actions) -> None:
        """Raises ActionError."""
        self.vocabularies = await actions.vocabularies()

    async def follow_vocabularies(self, actions: Actions, clock: Clock) -> None:
        """What is added to the company's word lists is heard by calls that begin a few minutes later."""
        while True:
            await clock.sleep(VOCABULARY_REFRESH_S)
            try:
                await self.load_vocabularies(actions)
            except IvrError as error:
                log.warning("vocabularies.stale", error=str(error))
