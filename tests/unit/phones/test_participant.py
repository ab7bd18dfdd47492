"""A participant: a DTLS handshake that fails ends the call and says why; how their media are encrypted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import cast

import pytest

from ivr.errors import CallEnded
from ivr.events import Connected, MediaEvent
from ivr.media.description import PCMU, Crypto, Dtls, MediaDescription, Sdes
from ivr.phones.participant import Participant
from ivr.ports import Leg, MediaLeg

REMOTE = MediaDescription("192.0.2.9", 4000, (PCMU,))
KEY = Crypto(1, "AEAD_AES_256_GCM", "")


class Phone:
    """Its dialog, as far as is looked at."""

    id = "leg"

    def __init__(self, remote: MediaDescription | None, trunk: str = "pbx") -> None:
        self.remote = remote
        self.trunk = trunk


class Rtp:
    """What its media tell."""

    def __init__(self, *told: MediaEvent) -> None:
        self._told = told

    async def events(self) -> AsyncIterator[MediaEvent]:
        for event in self._told:
            yield event


def participant(phone: Phone, *told: MediaEvent) -> Participant:
    return Participant(cast(Leg, phone), cast(MediaLeg, Rtp(*told)))


async def test_a_handshake_that_failed_ends_the_call() -> None:
    who = participant(Phone(REMOTE), Connected("leg", "up"), Connected("leg", "failed", "another certificate"))
    [end] = [event async for event in who.audio()]
    assert isinstance(end, CallEnded)
    assert (end.by, end.reason) == ("network", "no encryption: another certificate")


@pytest.mark.parametrize(
    ("phone", "encryption"),
    [
        (Phone(REMOTE), "none"),
        (Phone(replace(REMOTE, secure=Sdes(KEY, KEY))), "AEAD_AES_256_GCM"),
        (Phone(replace(REMOTE, secure=Dtls("AB", "active"))), "DTLS"),
        (Phone(None, "browser"), "DTLS"),
        (Phone(None), ""),
    ],
)
def test_how_their_media_are_encrypted(phone: Phone, encryption: str) -> None:
    assert participant(phone).encryption == encryption
