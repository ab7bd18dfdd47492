"""How a call begins: which version of the flows, which entry, language and persona, by the numbers involved."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from ivr.config import FlowsConfig, NumberPlan
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.engine.opening import Installed, Opening
from ivr.errors import IvrError
from ivr.events import Term
from ivr.ports import Actions, Clock, Leg
from ivr.release.serving import Shelf

log = structlog.get_logger(__name__)

CATALOGUE_REFRESH_S = 300.0


class Openings:
    """``fact_source`` answers facts that change (``hours.open``); ``catalogue`` is what new calls know of titles."""

    def __init__(self, config: FlowsConfig, shelf: Shelf, fact_source: Callable[[str], object]) -> None:
        self._config = config
        self._shelf = shelf
        self._fact_source = fact_source
        self.catalogue: tuple[Term, ...] = ()

    def open(self, call_id: str, leg: Leg, installed: Installed) -> Opening:
        """The call keeps this version until its end, whatever goes live meanwhile."""
        config = self._config
        library = self._shelf.choose(leg.caller.number, leg.called.number, call_id)
        plan = next((n for n in config.numbers if n.called == leg.called.number), NumberPlan(called=""))
        entry, language = plan.entry or config.entry, plan.language or config.language
        persona = plan.persona or config.persona
        dialogue = Dialogue(
            library,
            entry=entry,
            language=language,
            persona=persona,
            facts={
                "call.id": call_id,
                "call.caller": leg.caller.number,
                "call.called": leg.called.number,
                "call.language": language,
            },
            vocabularies={"catalogue": self.catalogue},
            fact_source=self._fact_source,
            call_id=call_id,
            seed=int(call_id[:8], 16),
            recognised=installed.recognised,
            spoken=installed.spoken,
        )
        return Opening(dialogue, entry, library.version, language, persona)

    def voices(self, chosen: Collection[str] = ()) -> list[tuple[str, str]]:
        """(language, persona) of everybody who can call, to render prompts ahead.

        ``chosen``: languages that callers may choose on the way."""
        config = self._config
        plans = [(config.language, config.persona)]
        plans += [(n.language or config.language, n.persona or config.persona) for n in config.numbers]
        plans += [(language, config.persona) for language in chosen]
        return list(dict.fromkeys(plans))

    async def load_catalogue(self, actions: Actions) -> None:
        """Raises StoreUnavailable."""
        self.catalogue = await actions.vocabulary("catalogue")

    async def follow_catalogue(self, actions: Actions, clock: Clock) -> None:
        """Titles added to the database are heard by calls that begin a few minutes later."""
        while True:
            await clock.sleep(CATALOGUE_REFRESH_S)
            try:
                await self.load_catalogue(actions)
            except IvrError as error:
                log.warning("catalogue.stale", error=str(error))
