"""The keys of a leg, as the line keeps them: whatever process has the leg next goes on with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ivr.media import wire
from ivr.media.description import (
    NEW,
    BrowserAgreement,
    Dtls,
    DtlsAgreement,
    MediaDescription,
    Resumption,
    Sdes,
    Secrets,
)
from ivr.sealing import Confidential


class LegKeys:
    """``remote``: the far end's description, as it is now; ``resumed``: what the leg's process goes on with."""

    def __init__(self, remote: MediaDescription | None, resumed: Resumption = NEW) -> None:
        self.changed = asyncio.Event()  # others are agreed on, or none any more
        self.resumed = resumed
        self.remote = remote

    def agree(self, told: Resumption) -> None:
        """As the process says: what the next one would need."""
        self.resumed = replace(told, processes=self.resumed.processes, address=None)
        self.changed.set()
        self.changed = asyncio.Event()

    def handed_on(self, left: Resumption | None) -> Resumption:
        """For the next process; ``left``: by one that has the leg no more, None where that is lost. A browser whose
        process is lost has a new offer; until then nobody goes on."""
        if left is not None:
            self.agree(left)
        elif isinstance(self.resumed.dtls, BrowserAgreement):
            self.resumed = replace(self.resumed, dtls=None)
        self.resumed = replace(self.resumed, processes=self.resumed.processes + 1)
        return replace(self.resumed, address=None if left is None else left.address)

    def aimed(self, before: MediaDescription | None, now: MediaDescription) -> None:
        """Another certificate means another association."""
        if _certificate(before) != _certificate(now):
            self.resumed = replace(self.resumed, dtls=None)

    @property
    def settled(self) -> bool:
        """No keys are being agreed on."""
        return not isinstance(self._secure, Dtls | Secrets) or self.resumed.dtls is not None

    def kept(self) -> Confidential | None:
        """See ``ivr.ports.MediaLeg``."""
        secure = self._secure
        if isinstance(secure, Sdes) or (isinstance(secure, Dtls) and isinstance(self.resumed.dtls, DtlsAgreement)):
            return Confidential(wire.kept(secure, self.resumed))
        return None

    @property
    def _secure(self) -> Sdes | Dtls | Secrets | None:
        return None if self.remote is None else self.remote.secure


def _certificate(description: MediaDescription | None) -> str:
    secure = None if description is None else description.secure
    return secure.fingerprint if isinstance(secure, Dtls | Secrets) else ""
