"""SRTP keying in SDP offers and answers (RFC 4568, RFC 5763, RFC 8643): what a stream says, what is agreed on."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ivr.media.description import DIGESTS, Crypto, Dtls, Keying, Sdes, Setup, SrtpPolicy
from ivr.sip import security_descriptions as sdes
from ivr.sip.message import BadBody

PLAIN = ("RTP/AVP", "RTP/AVPF")  # RFC 3551, RFC 4585: the second only adds feedback, which nobody need send
_SAVP = ("RTP/SAVP", "RTP/SAVPF")
_DTLS = ("UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF")
SERVED = (*PLAIN, *_SAVP, *_DTLS)
_FINGERPRINT = re.compile(r"([\w-]{1,16})\s+((?:[0-9A-Fa-f]{2}:){15,63}[0-9A-Fa-f]{2})")
_TLS_ID = re.compile(r"[A-Za-z0-9+/_-]{20,255}")
_SETUPS: Mapping[str, Setup] = {"": "active", "active": "active", "passive": "passive", "actpass": "actpass"}

Attributes = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Protected:
    """What a stream's description says of its protection: usable keys, or a certificate; ``required``: nothing goes in
    the clear."""

    crypto: tuple[Crypto, ...] = ()
    dtls: Dtls | None = None
    required: bool = False

    @property
    def rank(self) -> int:
        """Of two streams the higher is better: keys that nobody sees, keys, perhaps keys, none."""
        return 3 if self.dtls is not None else 2 if self.required else 1 if self.crypto else 0


UNPROTECTED = Protected()


def read(proto: str, stream: Attributes, session: Attributes, policy: SrtpPolicy) -> Protected:
    """What a stream of ``proto`` offers, as far as ``policy`` lets us take it. Raises BadBody(488)."""
    proto = proto.upper()
    if proto not in SERVED:
        raise BadBody(488, f"{proto[:20]} is not served, only {', '.join(SERVED[:4])}")
    if policy == "off":
        if proto not in PLAIN:
            raise BadBody(488, f"SRTP only ({proto}), and srtp is off here: the operator may set it to prefer")
        return UNPROTECTED
    if proto in _DTLS:
        return Protected(dtls=_certificate(stream, session), required=True)
    crypto = sdes.read(stream.get("crypto", ()))
    if proto in _SAVP and not crypto:
        raise BadBody(488, f"{proto} without an a=crypto that can be used")
    if policy == "require" and not crypto:
        raise BadBody(488, f"{proto} in the clear, and srtp is required here")
    return Protected(crypto, required=proto in _SAVP)


def _certificate(stream: Attributes, session: Attributes) -> Dtls:
    """Raises BadBody(488)."""
    setup = _SETUPS.get(_value(stream, session, "setup").strip().lower())
    if setup is None:
        raise BadBody(488, "DTLS-SRTP with an a=setup that nobody can answer")
    digests: dict[str, str] = {}
    for line in [*session.get("fingerprint", ()), *stream.get("fingerprint", ())]:
        if (match := _FINGERPRINT.fullmatch(line.strip())) is not None:
            digests[match[1].lower()] = match[2].upper()
    for algorithm, (_, size) in DIGESTS.items():
        digest = digests.get(algorithm, "")
        if len(digest) == 3 * size - 1:
            named = _TLS_ID.fullmatch(_value(stream, session, "tls-id").strip())
            return Dtls(digest, setup, "rtcp-mux" in stream, algorithm, named[0] if named else "")
    raise BadBody(488, f"DTLS-SRTP without a fingerprint by {', '.join(DIGESTS)}")


def _value(stream: Attributes, session: Attributes, name: str) -> str:
    return next(iter([*stream.get(name, ()), *session.get(name, ())]), "")


class KeyAgreement:
    """Of one dialog's audio, over its life. ``offered``: the keys in our last SDP, which an answer chooses among."""

    def __init__(self, policy: SrtpPolicy) -> None:
        self.policy = policy
        self.insisting = policy == "require"  # our offers are of nothing but SRTP
        self.offered: tuple[Crypto, ...] = ()
        self._named: tuple[tuple[str, str, str], str] | None = None  # an association, and our tls-id of it

    @property
    def proto(self) -> str:
        """Of an offer of ours that follows none of theirs."""
        return _SAVP[0] if self.insisting else PLAIN[0]

    def offer(self) -> tuple[Crypto, ...]:
        """The keys for a first offer of ours."""
        return () if self.policy == "off" else sdes.offer()

    def named(self, ours: Keying | None, theirs: Keying | None) -> Keying | None:
        """``ours`` with the tls-id of our end of the association, where the far end names its own (RFC 8842 section
        4): the same as long as it is one with the same certificates."""
        if not isinstance(ours, Dtls) or not isinstance(theirs, Dtls):
            return ours
        if not theirs.tls_id:
            return replace(ours, tls_id="")
        of = ours.fingerprint, theirs.fingerprint, theirs.tls_id
        if self._named is None or self._named[0] != of:
            kept = ours.tls_id if self._named is None else ""  # by the process before this one
            self._named = of, kept or secrets.token_urlsafe(18)
        return replace(ours, tls_id=self._named[1])

    def answering(self, theirs: Protected, before: Keying | None) -> Keying | None:
        """How an offer of theirs is answered, as media is told; ``before``: what was agreed on. A key of ours stays
        while its suite does."""
        chosen = sdes.best(theirs.crypto)
        if chosen is None:
            return theirs.dtls
        if isinstance(before, Sdes) and before.ours.suite == chosen.suite:
            return Sdes(chosen, replace(before.ours, tag=chosen.tag))
        return Sdes(chosen, sdes.fresh(chosen.suite, chosen.tag))

    def answered(self, theirs: Protected, proto: str, ours: Keying | None) -> Keying | None:
        """What their answer agrees to; ``proto`` and ``ours``: of our offer. Raises BadBody(488)."""
        if theirs.dtls is not None or isinstance(ours, Dtls):
            if theirs.dtls is None or not isinstance(ours, Dtls):
                raise BadBody(488, "the answer is not one to DTLS-SRTP as it was offered")
            if theirs.dtls.setup == "actpass":  # no answer, and yet some say it: whoever was active stays so
                return replace(theirs.dtls, setup="passive" if ours.setup == "active" else "active")
            return theirs.dtls
        for crypto in theirs.crypto:
            own = next((each for each in self.offered if (each.tag, each.suite) == (crypto.tag, crypto.suite)), None)
            if own is not None:
                return Sdes(crypto, own)
        if theirs.required or proto.upper() not in PLAIN:
            raise BadBody(488, "the answer takes none of the keys that were offered")
        return None


def dtls_answer(ours: Keying | None, theirs: Dtls, before: Keying | None) -> Dtls:
    """Our side of a later offer with DTLS-SRTP; roles stay while its certificate does (RFC 8842 section 5.5).

    Raises BadBody(488) where ours is not known: media would have to be asked first."""
    if not isinstance(ours, Dtls):
        raise BadBody(488, "DTLS-SRTP cannot begin in mid-call")
    same = isinstance(before, Dtls) and before.fingerprint == theirs.fingerprint
    role: Setup = ours.setup if same and ours.setup != "actpass" else "passive"
    if theirs.setup != "actpass":
        role = "active" if theirs.setup == "passive" else "passive"
    return replace(ours, setup=role, mux=theirs.mux)


def attributes(ours: Keying | None, offered: Sequence[Crypto]) -> dict[str, list[str]]:
    """The attributes that say it in our SDP."""
    match ours:
        case Sdes(ours=key):
            return {"crypto": [sdes.written(key)]}
        case Dtls(fingerprint=fingerprint, setup=setup, mux=mux, tls_id=tls_id):
            said: dict[str, list[str]] = {"fingerprint": [f"sha-256 {fingerprint}"], "setup": [setup]}
            return said | ({"tls-id": [tls_id]} if tls_id else {}) | ({"rtcp-mux": []} if mux else {})
    return {"crypto": [sdes.written(key) for key in offered]} if offered else {}
