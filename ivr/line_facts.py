"""What is known of this line around its flows: from its configuration, its recordings and the speech installed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ivr.company import company_of
from ivr.config import Config
from ivr.dialogue.checker.facts import LineFacts
from ivr.events import Term
from ivr.identity import IdentityLevel
from ivr.ports.line import GENERAL
from ivr.speech.prompt_cache import Recordings
from ivr.speech.vendors import recogniser_offers, synthesiser_offers


class KnownFacts:
    """What new versions of the flows are held against: ``facts``, with the ``vocabularies`` as they are now."""

    def __init__(self, facts: LineFacts, vocabularies: Callable[[], Mapping[str, Sequence[Term]]]) -> None:
        self.facts = facts
        self._vocabularies = vocabularies

    def apply(self, facts: LineFacts) -> None:
        self.facts = facts

    def now(self, facts: LineFacts | None = None) -> LineFacts:
        """``facts``: those of a line that may be."""
        return replace(facts or self.facts, vocabularies=self._vocabularies())


def line_facts(config: Config | None, vocabularies: Mapping[str, Sequence[Term]] | None = None) -> LineFacts:
    """Without a configuration only the actions are known. ``vocabularies``: as the company has them now.

    Raises ConfigError for a company that isn't there."""
    signatures = company_of(config).all_signatures
    if config is None:
        return LineFacts(signatures, vocabularies=vocabularies)
    flows, recordings = config.flows, Recordings(config.speech.recordings)
    skills = dict.fromkeys(skill for agent in config.desk.agents for skill in agent.skills)
    return LineFacts(
        signatures=signatures,
        skills=tuple(skills | {GENERAL: None}) if skills else None,  # who logs in at a console is a generalist
        services=tuple(service.name for service in flows.services),
        levels={service.name: IdentityLevel.of_word(service.needs) for service in flows.services},
        entries=tuple(flows.entries),
        recorded=partial(_recorded, recordings),
        vocabularies=vocabularies,
        recognised=tuple(language for offer in recogniser_offers(config.speech) for language in offer.languages),
        spoken=tuple(language for offer in synthesiser_offers(config.speech) for language in offer.languages),
    )


def _recorded(recordings: Recordings, audio: str, language: str) -> bool:
    """Not a closure: another process is told of it."""
    return recordings.find("", language, audio) is not None
