"""The protocol between the line and its media process: the kinds of ``workers.frames`` frames, and their bodies.

Bodies are JSON but for audio and clips. SETUP says the engine's settings, READY the codecs that this machine can run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, replace
from enum import IntEnum
from struct import Struct
from typing import Any

from ivr.media.description import (
    BrowserAgreement,
    Codec,
    Crypto,
    Direction,
    Dtls,
    DtlsAgreement,
    Keying,
    MediaDescription,
    Resumption,
    Sdes,
    Secrets,
)
from ivr.workers.frames import FIRST

_FRAME = Struct("!IdH")  # leg, time, length of the PCM
_TAPPED = Struct("!dB")  # time, codec
_TAP_CODECS = ("PCMU", "PCMA")
_DESCRIBED = tuple(each.name for each in fields(MediaDescription))
KEYS = "0123456789*#ABCD"  # of a keypad, in the order of RFC 4733's event codes


class Kind(IntEnum):
    """Every message of the protocol beside ``workers.frames.Life``, with its body. A frame's number is the leg's."""

    # line to media; the first five are requests
    # [the far end's description or null, whether it is a caller's, the port to have again or 0, what ``resumption``
    # makes of what it goes on with]; the answer: ours
    OPEN = FIRST
    UPDATE = 17  # the far end's description, for a leg that is open; the answer: ours
    STATS = 18  # null; the answer: LegStats
    CLOSE = 19  # null; the answer: LegStats
    # null: the leg goes on in another process, at the same ports; the answer: [LegStats, what ``resumption`` makes]
    LEAVE = 27
    CLIP = 20  # PCM; the frame's number is the clip's
    FORGET = 21  # null; the frame's number is the clip's
    PLAY = 22  # [token, whether a key stops it, gap in ms, numbers of the clips]
    STOP = 23  # a play's token; null: every one
    LISTEN = 24  # whether to
    HEAR = 25  # numbers of the other legs
    PRESS = 26  # keys
    TAP = 28  # whether to
    PORTS = 29  # [first, last, the last one handed out or 0]: for legs to come; the frame's number is 0
    # media to line
    DIGIT = 48  # [key, "rtp" or "tone", time in monotonic seconds, whether it is still down]
    DONE = 49  # [token, whether completed, seconds played]
    AUDIO = 50  # see ``audio``; of all legs, the frame's number is 0
    TIMEOUT = 51  # seconds of silence
    BROKEN = 52  # what went wrong: the leg is gone
    RELEASED = 53  # [key, time]: of one that was still down
    HEARD = 54  # null; the far end, for the first time
    TAPPED = 56  # see ``tapped``
    CONNECTED = 57  # [state, why], as in ``ivr.events.Connected``
    PACE = 59  # [ticks, late ones, how late the latest was in s] since the last time; the frame's number is 0
    KEYED = 58  # what ``resumption`` makes of what another process would need to go on: changed, seldom


def audio(leg: int, at: float, pcm: bytes) -> bytes:
    """One entry of an AUDIO frame, which carries those of all legs of one tick."""
    return _FRAME.pack(leg, at, len(pcm)) + pcm


def parse_audio(body: bytes) -> Iterator[tuple[int, float, bytes]]:
    """(leg, time of the first sample, PCM) of each entry."""
    at = 0
    while at < len(body):
        leg, when, size = _FRAME.unpack_from(body, at)
        at += _FRAME.size
        yield leg, when, body[at : at + size]
        at += size


def tapped(codec: str, payload: bytes, at: float) -> bytes:
    """The body of a TAPPED frame: what came in on a leg in a row, from ``at`` on."""
    return _TAPPED.pack(at, _TAP_CODECS.index(codec)) + payload


def parse_tapped(body: bytes) -> tuple[str, bytes, float]:
    """The opposite."""
    at, codec = _TAPPED.unpack_from(body)
    return _TAP_CODECS[codec], body[_TAPPED.size :], at


def pack(value: Any) -> bytes:
    """JSON values as a body."""
    return json.dumps(value, separators=(",", ":")).encode()


def unpack(body: bytes) -> Any:
    """A JSON body's values."""
    return json.loads(body)


def described(description: MediaDescription | None) -> Any:
    """A description as JSON values."""
    if description is None:
        return None
    given = {name: getattr(description, name) for name in _DESCRIBED}
    codecs = [asdict(codec) for codec in description.codecs]
    return given | {"codecs": codecs, "secure": keying(description.secure)}


def description(value: Any) -> MediaDescription | None:
    """The opposite of ``described``."""
    if value is None:
        return None
    codecs = tuple(Codec(**codec) for codec in value["codecs"])
    direction, secure = Direction(value["direction"]), parse_keying(value["secure"])
    return MediaDescription(**value | {"codecs": codecs, "direction": direction, "secure": secure})


def keying(secure: Keying | None) -> Any:
    """How packets are protected, as JSON values."""
    return None if secure is None else [type(secure).__name__, asdict(secure)]


def parse_keying(value: Any) -> Keying | None:
    """The opposite."""
    match value:
        case ["Secrets", given]:
            return Secrets(**given)
        case ["Sdes", given]:
            return _sdes(given)
        case ["Dtls", given]:
            return Dtls(**given)
    return None


def resumption(resumed: Resumption) -> dict[str, Any]:
    """As JSON values."""
    dtls = resumed.dtls
    return asdict(resumed) | {"dtls": None if dtls is None else [type(dtls).__name__, asdict(dtls)]}


def parse_resumption(value: Any) -> Resumption:
    """The opposite. Raises KeyError, TypeError and ValueError for what is none."""
    stream, address = value["stream"], value.get("address")
    if stream is not None:
        ssrc, rollovers = stream
        stream = int(ssrc), int(rollovers)
    if address is not None:
        host, port = address
        address = str(host), int(port)
    return Resumption(int(value["processes"]), _agreement(value["dtls"]), stream, address)


def _agreement(value: Any) -> DtlsAgreement | BrowserAgreement | None:
    match value:
        case None:
            return None
        case ["DtlsAgreement", given]:
            return DtlsAgreement(**given | {"keys": tuple(_sdes(each) for each in given["keys"])})
        case ["BrowserAgreement", given]:
            return BrowserAgreement(**given | {"keys": _sdes(given["keys"])})
    raise ValueError("no agreement")


def kept(secure: Keying, resumed: Resumption) -> dict[str, Any]:
    """What a media process of another line goes on with, as JSON values."""
    return {"secure": keying(secure), "resumed": resumption(resumed)}


def parse_kept(value: Any) -> tuple[Keying | None, Resumption]:
    """The opposite; the process that goes on is one more. Raises KeyError, TypeError and ValueError for what no line of
    ours kept."""
    resumed = parse_resumption(value["resumed"])
    return parse_keying(value["secure"]), replace(resumed, processes=resumed.processes + 1)


def _sdes(value: Any) -> Sdes:
    return Sdes(Crypto(**value["theirs"]), Crypto(**value["ours"]))
