"""The value of a filled slot (VoiceXML's ``filled``): what actions get, and how it is said back."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotValue:
    """A filled slot: ``value`` for actions (a Term's id, an int, an ISO date, digits), ``label`` to say it back."""

    value: str | int | bool | float
    label: str
