"""The entry of a call: which version of the flows, entry, language and persona by the numbers involved; its prompts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from ivr.config import FlowsConfig
from ivr.dialogue.engine.contract import Installed, Start
from ivr.dialogue.engine.dialogue import Dialogue
from ivr.dialogue.flows.library import FlowLibrary
from ivr.dialogue.flows.model_errors import listing, suggestion
from ivr.dialogue.flows.wording import fixed_words
from ivr.dialogue.spoken.language import same_language, served
from ivr.dialogue.understanding.classifier import Classifiers
from ivr.errors import ConfigError, IvrError
from ivr.events import Term
from ivr.ports import Actions, Clock, Leg, MediaEngine, SpeechService
from ivr.release.serving import ServingVersions

log = structlog.get_logger(__name__)

VOCABULARY_REFRESH_S = 300.0


def check_entries(config: FlowsConfig, library: FlowLibrary) -> None:
    """Raises ConfigError where calls would begin in a flow that isn't there, or in words that nobody wrote."""
    if missing := [name for name in config.entries if name not in library.flows]:
        remedy = f"name one of {', '.join(library.flows)} as entry, under [flows] and [[flows.numbers]]"
        raise ConfigError(f"flows.entry: there is no flow {', '.join(missing)}", remedy=remedy)
    demand_words(library, config.language, config.persona, "flows.")
    for number in config.numbers:
        demand_words(library, number.language, number.persona, "flows.numbers.")


def demand_words(library: FlowLibrary, language: str, persona: str, where: str = "--") -> None:
    """Raises ConfigError for words that no file has: such callers would hear other ones, and not be understood.
    ``where``: what stands before the key in whoever asks for them. "" is what calls have by themselves."""
    languages, personas = library.languages, sorted({"neutral", *(persona for _, persona in library.voices)})
    if language and language not in languages and not same_language(language, library.universals.language):
        remedy = suggestion(language, languages, f"languages here: {listing(languages)}")
        raise ConfigError(f"{where}language: no file speaks {language}", remedy=remedy)
    if persona and persona not in personas:
        remedy = suggestion(persona, personas, f"personas here: {listing(personas)}")
        raise ConfigError(f"{where}persona: nobody speaks as {persona}", remedy=remedy)


class CallEntry:
    """``fact_source`` answers facts that change (``hours.open``); ``vocabularies`` are what new calls know.
    ``sourced``: those beside, by the library, that its company's services have. ``classifiers``: as in ``Start``.
    ``vouching``: the trunks whose calling numbers are theirs to know; None: all. ``place_source``: as in ``Start``."""

    def __init__(
        self,
        config: FlowsConfig,
        serving: ServingVersions,
        fact_source: Callable[[str], object],
        vouching: Collection[str] | None = None,
        place_source: Callable[[Mapping[str, object], str], Mapping[str, object]] | None = None,
        classifiers: Classifiers | None = None,
        sourced: Callable[[FlowLibrary], Mapping[str, tuple[Term, ...]]] = lambda library: {},
    ) -> None:
        self._config = config
        self._sourced = sourced
        self._place_source = place_source
        self._classifiers = classifiers
        self._vouching = vouching
        self._serving = serving
        self._fact_source = fact_source
        self.vocabularies: Mapping[str, tuple[Term, ...]] = {}

    def apply(self, config: FlowsConfig, vouching: Collection[str]) -> None:
        """The entries, languages and personas of calls that begin from now on, and whose numbers are believed."""
        self._config, self._vouching = config, vouching

    def open(self, call_id: str, leg: Leg, installed: Installed) -> Dialogue:
        """The call keeps this version until its end, whatever goes live meanwhile."""
        library = self._serving.choose(leg.caller.number, leg.called.number, call_id)
        return Dialogue(library, self._start(library, call_id, leg, installed))

    def go_on(self, call_id: str, leg: Leg, installed: Installed, kept: Mapping[str, Any]) -> Dialogue:
        """Of a call that another process had: by its own version where that still serves, else by what new calls get,
        as far as its flows are the same there."""
        libraries = [each for each in self._serving.libraries if each.version == kept["version"]]
        library = (*libraries, self._serving.choose(leg.caller.number, leg.called.number, call_id))[0]
        same = all(library.versions.get(flow) == version for flow, version in kept["versions"].items())
        known = kept if libraries or same else {**kept, "stack": []}
        return Dialogue(library, self._start(library, call_id, leg, installed), known)

    def _start(self, library: FlowLibrary, call_id: str, leg: Leg, installed: Installed) -> Start:
        plan = self._config.plan_of(leg.called.number)
        return Start(
            call_id,
            entry=plan.entry,
            language=plan.language,
            persona=plan.persona,
            caller=leg.caller.number,
            called=leg.called.number,
            caller_trusted=self._vouched(leg),
            vocabularies={**self.vocabularies, **self._sourced(library)},
            fact_source=self._fact_source,
            place_source=self._place_source,
            seed=int(call_id[:8], 16),
            installed=installed,
            classifiers=self._classifiers,
        )

    def _vouched(self, leg: Leg) -> bool:
        """Whether the number is the caller's: not where From hides it, whatever the network tells us besides."""
        hidden = "anonymous" in leg.headers.get("from", "").lower()
        return bool(leg.caller.number) and not hidden and (self._vouching is None or leg.trunk in self._vouching)

    def voices(self, chosen: Collection[str] = (), config: FlowsConfig | None = None) -> list[tuple[str, str]]:
        """(language, persona) of everybody who can call, to render prompts ahead.

        ``chosen``: languages that callers may choose on the way. ``config``: what will count, if not what does."""
        return voices(config or self._config, chosen)

    @property
    def flows(self) -> list[str]:
        """Those that calls begin in."""
        return self._config.entries

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


class PromptPreparation:
    """What a version can say without knowing who calls, rendered before its first call and sent to media."""

    def __init__(self, entry: CallEntry, speech: SpeechService, media: MediaEngine) -> None:
        self._entry = entry
        self._speech = speech
        self._media = media

    async def prepare(
        self,
        library: FlowLibrary,
        progress: Progress | None = None,
        config: FlowsConfig | None = None,
        flows: Collection[str] | None = None,
    ) -> None:
        """``config``: what will count, if not what does; ``flows``: only what is said in these. Raises
        UnavailableError."""
        plans = self._entry.voices(choosable(library, self._speech), config)
        prompts = prompts_of(library, plans, flows)
        await self._media.preload(await self._speech.render_all(prompts, progress))

    async def begin(self, library: FlowLibrary, progress: Progress) -> None:
        """As much as the first words of a call need. Raises UnavailableError."""
        await self.prepare(library, progress, flows=[name for name in self._entry.flows if name in library.flows])

    async def go_on(self, library: FlowLibrary) -> None:
        """The rest, behind the calls: what one needs meanwhile is rendered for it, and not twice."""
        for language, persona in self._entry.voices(choosable(library, self._speech)):
            for prompt in prompts_of(library, [(language, persona)]):
                try:
                    await self._media.preload(await self._speech.render_all([prompt]))
                except IvrError as error:  # it is tried again when a call wants to hear it
                    log.warning("prompts.unprepared", language=prompt[1], error=str(error))
        log.info("prompts.prepared", flow_version=library.version)


Progress = Callable[[int, int], None]
"""Hears (done, total)."""


def voices(config: FlowsConfig, chosen: Collection[str] = ()) -> list[tuple[str, str]]:
    """(language, persona) of everybody who can call, and of ``chosen`` languages."""
    plans = [(config.language, config.persona)]
    plans += [(n.language or config.language, n.persona or config.persona) for n in config.numbers]
    plans += [(language, config.persona) for language in chosen]
    return list(dict.fromkeys(plans))


def choosable(library: FlowLibrary, speech: SpeechService) -> list[str]:
    """Languages that callers may choose and that something here can speak."""
    spoken = [lang for status in speech.synthesisers() if status.healthy for lang in status.languages]
    return [language for language in library.universals.languages if served(language, spoken)]


def prompts_of(
    library: FlowLibrary, plans: Collection[tuple[str, str]], flows: Collection[str] | None = None
) -> list[tuple[str, str, str]]:
    """(text, language, voice) of all that is said to callers of these languages and personas, whoever they are;
    ``flows``: in these."""
    return [
        (words.text, words.language or language, voice)
        for language, persona in plans
        for words, voice in fixed_words(library, language, persona, flows)
        if words.text
    ]
