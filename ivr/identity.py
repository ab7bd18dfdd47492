"""Identification and verification (ID&V): how surely it is known who calls, what that rests on, and its facts.

A level belongs to one identity: whoever is identified anew begins at the level of that identification. Only outcomes
of actions give levels (``ivr.dialogue.flows.assurance``); no flow and no back end can write them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from ivr.events import CALLER_ID

CALLER_IDENTITY = "caller.identity"  # the level's word
CALLER_IDENTITY_BY = "caller.identity_by"  # what it rests on
CALLER_TRUSTED = "call.caller_trusted"  # whether the calling number comes from a trunk that vouches for it
IDENTITY_FACTS = (CALLER_IDENTITY, CALLER_IDENTITY_BY)

LevelWord = Literal["unknown", "unverified", "likely", "verified"]


class IdentityLevel(IntEnum):
    """unknown: nobody said who they are. unverified: they said, and nothing supports it. likely: the calling number is
    on file for them. verified: they know a secret besides."""

    UNKNOWN = 0
    UNVERIFIED = 1
    LIKELY = 2
    VERIFIED = 3

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def of_word(cls, word: object) -> IdentityLevel:
        """UNKNOWN for what is no level's word."""
        return next((level for level in cls if level.word == word), cls.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Identity:
    """How surely a caller is known. ``by``: what that rests on, in a few words ("PIN", "number known")."""

    level: IdentityLevel = IdentityLevel.UNKNOWN
    by: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, object]) -> Identity:
        """As a call's facts have it."""
        level = IdentityLevel.of_word(facts.get(CALLER_IDENTITY))
        return cls(level, str(facts.get(CALLER_IDENTITY_BY) or "") if level else "")

    @classmethod
    def of_told(cls, told: str) -> Identity:
        """What ``told`` said of somebody. Never raises: what it doesn't say is unknown."""
        word, *by = re.split(r" by |: ", told, maxsplit=1)
        level = IdentityLevel.of_word(word)
        return cls(level, "".join(by) if level else "")

    @property
    def facts(self) -> Mapping[str, object]:
        return {CALLER_IDENTITY: self.level.word, CALLER_IDENTITY_BY: self.by}

    @property
    def told(self) -> str:
        """For the agent: "verified by PIN", "likely: number known", "unverified: keyed number", "unknown"."""
        if not self.by or self.level is IdentityLevel.UNKNOWN:
            return self.level.word
        return f"{self.level.word}{' by ' if self.level is IdentityLevel.VERIFIED else ': '}{self.by}"


NOBODY = Identity()


def persons_of(facts: Mapping[str, object], call_id: str) -> tuple[str, ...]:
    """Who a caller may be in the line of waiting callers, the surest first: "member:ID" from the level likely on,
    "tel:NUMBER" where the number is not withheld, "call:ID" always."""
    member, number = facts.get(CALLER_ID), facts.get("call.caller")
    found = [f"member:{member}"] if member and Identity.of(facts).level >= IdentityLevel.LIKELY else []
    return (*found, *([f"tel:{number}"] if number else ()), f"call:{call_id}")


def renewed(before: Mapping[str, object], caller_id: object, given: Identity | None) -> Identity:
    """Who a caller is after an action that left ``caller_id``, having given ``given`` (None: no level).

    ``before``: the call's facts until then. The same identity keeps the higher level; another one has only what was
    given. A calling number that no trunk vouches for makes nobody likely."""
    same = str(before.get(CALLER_ID) or "") == str(caller_id or "")
    now = Identity.of(before) if same else NOBODY
    if given is None:
        return now
    if given.level is IdentityLevel.LIKELY and before.get(CALLER_TRUSTED) is False:
        given = Identity(IdentityLevel.UNVERIFIED, given.by)
    return given if given.level >= now.level else now
