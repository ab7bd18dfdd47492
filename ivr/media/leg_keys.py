"""The keys of a leg's DTLS association, as the line keeps them: whatever process has the leg next goes on with them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ivr.media.description import Dtls, MediaDescription, Resumed, Sdes, Secrets


class LegKeys:
    """``agreed``: by the association that stands, RTP's first; () while there is none."""

    def __init__(self) -> None:
        self.agreed: tuple[Sdes, ...] = ()
        self.changed = asyncio.Event()  # there are others, or none any more
        self._resumes = False  # the leg's process goes on with them

    def agree(self, keys: tuple[Sdes, ...]) -> None:
        self.agreed = keys
        self.changed.set()
        self.changed = asyncio.Event()

    def aimed(self, before: MediaDescription | None, now: MediaDescription) -> None:
        """Another certificate means another association."""
        if not _same_certificate(before, now):
            self.agreed = ()

    def handed_on(
        self, remote: MediaDescription | None, local: MediaDescription | None, *, lost: bool, moved: bool
    ) -> MediaDescription | None:
        """``remote``, with the keys that it agreed on with a process that is no more (``lost``), or has the leg no more
        (``moved``). A browser whose process is lost has a new offer; until then nobody goes on."""
        self._resumes = bool(self.agreed) and (self._resumes or lost or moved)
        if remote is None or not self._resumes:
            return remote
        match remote.secure, local.secure if local is not None else None:
            case Dtls() as theirs, _:
                return replace(remote, secure=replace(theirs, agreed=self.agreed))
            case Secrets() as theirs, Secrets() as ours if moved:
                told = Resumed(ours.ufrag, ours.password, ours.fingerprint, self.agreed[0])
                return replace(remote, secure=replace(theirs, resumed=told))
        return remote

    def as_told(self, local: MediaDescription, before: MediaDescription) -> MediaDescription:
        """``local``, with the certificate that the far end has seen, where its association goes on."""
        return replace(local, secure=before.secure) if self._resumes and isinstance(local.secure, Dtls) else local


def _same_certificate(before: MediaDescription | None, now: MediaDescription) -> bool:
    match before.secure if before is not None else None, now.secure:
        case Dtls(fingerprint=one), Dtls(fingerprint=other):
            return one == other
        case Secrets(fingerprint=one), Secrets(fingerprint=other):
            return one == other
    return False
