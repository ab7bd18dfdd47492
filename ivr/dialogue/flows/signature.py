"""Action signatures: what flows may know of an action without running it: arguments, outcomes, values, risk.

Pure data. The checker proves flows against these; ``ivr.actions`` declares one for each action it can perform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from ivr.identity import Identity, IdentityLevel

ValueType = Literal[
    "title", "number", "ordinal", "digits", "phone", "date", "date_range", "time", "duration", "money", "code",
    "text", "boolean", "choice",
    "object",
]  # fmt: skip
Risk = Literal["none", "reversible", "irreversible"]

VALUE_TYPES: tuple[str, ...] = get_args(ValueType)
RISKS: tuple[str, ...] = get_args(Risk)

FAILED = "failed"
"""The back end broke. Implicit in every signature, so every action needs an edge for it."""

TIMEOUT = "timeout"
"""The back end did not answer in time. Implicit in every signature."""

IMPLICIT_OUTCOMES = (FAILED, TIMEOUT)

NOT_VERIFIED = "not_verified"
"""The caller's identity is below the level the action needs: it was not done. Implicit in every signature that needs a
level; without an edge of its own it leads to a human."""

CALLBACK: Literal["callback"] = "callback"
"""What an action can promise: that a person calls the caller back. It is what a closed desk can give."""

MESSAGE: Literal["message"] = "message"
"""And that a person hears what the caller left."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument. ``type`` is one of VALUE_TYPES.

    A "title" is passed as the id of its Term, a "date" as ISO 8601, "money" in cents; an "object" is a mapping of names
    to values (only ``http.call`` takes those). A ``secret`` one is shown nowhere, in no simulation either."""

    name: str
    type: str
    required: bool = True
    secret: bool = False

    def __post_init__(self) -> None:
        if self.type not in VALUE_TYPES:
            raise ValueError(f"parameter {self.name}: {self.type!r} is not one of {', '.join(VALUE_TYPES)}")


@dataclass(frozen=True, slots=True)
class ActionSignature:
    """One action as flows see it.

    ``outcomes`` excludes the implicit ``failed`` and ``timeout``. ``returns`` maps each value's name to its type.
    ``facts`` are the dotted facts it may set, ``blank`` those of them that may be "", ``vocabularies`` the word lists
    it replaces. ``about`` is one sentence for designers; ``undo`` names the action that takes it back ("" when nothing
    does). ``promises``: CALLBACK where its outcome "ok" means that somebody will call back, MESSAGE where somebody
    hears what was left; "" for all others.

    ``needs``: the identity level below which it is never done; None: not declared (``assurance.needed`` says what that
    comes to). ``gives``: the identity that an outcome gives the caller."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    outcomes: tuple[str, ...] = ("ok",)
    returns: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    blank: tuple[str, ...] = ()
    vocabularies: tuple[str, ...] = ()
    risk: Risk = "none"
    about: str = ""
    undo: str = ""
    promises: Literal["", "callback", "message"] = ""
    needs: IdentityLevel | None = None
    gives: Mapping[str, Identity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise ValueError(f"{self.name}: an action needs at least one outcome")
        if clash := set(self.outcomes) & {*IMPLICIT_OUTCOMES, NOT_VERIFIED}:
            raise ValueError(f"{self.name}: {', '.join(sorted(clash))} is implicit and not declared")
        if len(set(self.outcomes)) != len(self.outcomes):
            raise ValueError(f"{self.name}: an outcome is declared twice")
        if stray := set(self.gives) - set(self.outcomes):
            raise ValueError(f"{self.name}: {', '.join(sorted(stray))} gives a level and is no outcome")
        if self.risk not in RISKS:
            raise ValueError(f"{self.name}: risk {self.risk!r} is not one of {', '.join(RISKS)}")
        for value, kind in self.returns.items():
            if kind not in VALUE_TYPES:
                raise ValueError(f"{self.name}: {value}: {kind!r} is not one of {', '.join(VALUE_TYPES)}")

    @property
    def all_outcomes(self) -> tuple[str, ...]:
        """Every outcome a flow must have an edge for, the implicit ones last."""
        return (*self.outcomes, *IMPLICIT_OUTCOMES)

    def shown(self, arguments: Mapping[str, object], mask: str) -> dict[str, object]:
        """What may be seen of its arguments."""
        secret = {p.name for p in self.parameters if p.secret}
        return {name: mask if name in secret else value for name, value in arguments.items()}

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)
