"""Every Protocol the core needs from outside. Adapters live in sip, media, speech, actions, desk, store, web;
``ivr.service`` wires them. Siblings never import each other: they meet here.

Audio everywhere in this module: 16-bit little-endian mono PCM, 8 kHz, 20 ms = 160 samples = 320 bytes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ivr.call_search import CallSearch, CallsFound
from ivr.dialogue.understanding.grammar import DigitRun as DigitRun
from ivr.dialogue.understanding.grammar import SpeechGrammar as SpeechGrammar
from ivr.events import ActionResult, Digit, EarEvent, LegEnded, MediaEvent, Term, TransferProgress
from ivr.media.clip import Clip as Clip
from ivr.media.clip import LegStats as LegStats
from ivr.media.description import MediaDescription
from ivr.record import Entry
from ivr.record import HandoffContext as HandoffContext
from ivr.record import Party as Party

# --- telephony ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """A re-INVITE or UPDATE changed the far end's audio (hold, resume, new address). Already answered by the leg."""

    remote: MediaDescription


LegEvent = Digit | MediaChanged | TransferProgress | LegEnded


class Leg(Protocol):
    """One SIP dialog. Events come once, in order, ending with LegEnded; after that every call raises CallEnded."""

    @property
    def id(self) -> str: ...  # ours, unique in this process, e.g. "leg-7f3a"
    @property
    def sip_call_id(self) -> str: ...
    @property
    def caller(self) -> Party: ...
    @property
    def called(self) -> Party: ...
    @property
    def headers(self) -> Mapping[str, str]: ...  # of the INVITE, names lower-case
    @property
    def trunk(self) -> str: ...  # name of the [[sip.trunks]] entry that admitted or carries it
    @property
    def remote(self) -> MediaDescription | None: ...  # the far end's SDP; None while an offer-less INVITE waits

    async def ring(self) -> None:
        """Send 180 (reliably, RFC 3262, where the far end requires it)."""

    async def answer(self, local: MediaDescription) -> MediaDescription:
        """Send 200 with ``local`` and wait for the ACK; the far end's description (from the offer, or the ACK)."""

    async def reject(self, status: int, reason: str, *, retry_after_s: int | None = None) -> None: ...

    async def reinvite(self, local: MediaDescription) -> MediaDescription:
        """Offer ``local`` in place of what was agreed (RFC 3261 section 14.1; a glare is waited out); the far end's
        description then. Raises ModificationRefused: the session is as it was; CallEnded: there is none any more."""

    async def hangup(self, reason: str = "") -> None:
        """BYE (or CANCEL/reject before the answer). Idempotent; returns when the far end confirmed or timed out."""

    async def refer(self, target: str, headers: Mapping[str, str]) -> None:
        """Blind transfer (RFC 3515): returns when accepted (202), progress comes as TransferProgress events.

        Raises TransferFailed when the REFER itself is refused."""

    async def answers(self) -> bool:
        """Whether the far end still knows of the dialog, asked by an OPTIONS inside it (RFC 3261 section 11)."""

    def events(self) -> AsyncIterator[LegEvent]: ...


@dataclass(frozen=True, slots=True)
class RegistrationStatus:
    """State of one registration: "registered", "trying", "failed"; ``expires_at`` is wall time."""

    trunk: str
    state: str
    detail: str = ""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignallingLoad:
    """What SIP is busy with. ``full``: no room for new calls' transactions; ``dropped``: messages over their source's
    budget since the start; ``connections_refused``: TCP connections turned away or closed to make room, likewise."""

    transactions: int = 0
    full: bool = False
    dropped: int = 0
    connections: int = 0
    connections_refused: int = 0


class SipEndpoint(Protocol):
    """The service's SIP user agent: UDP and TCP listeners, trunks, registrations."""

    async def dial(
        self,
        target: str,
        local: MediaDescription,
        *,
        caller: Party,
        headers: Mapping[str, str],
        ring_timeout_s: float,
        on_ringing: Callable[[], None] | None = None,
    ) -> Leg:
        """INVITE ``target`` (a SIP URI); the answered leg. Raises DialFailed. Cancelling it sends CANCEL."""

    def registrations(self) -> Sequence[RegistrationStatus]: ...
    def load(self) -> SignallingLoad: ...
    def refuse_new_calls(self, status: int, retry_after_s: int) -> None:
        """Drain: new INVITEs get ``status`` with Retry-After."""


# --- media -------------------------------------------------------------------------------------------------


class MediaLeg(Protocol):
    """One RTP session with the far end of one SIP leg."""

    @property
    def local(self) -> MediaDescription: ...  # put this into our SDP

    async def update(self, remote: MediaDescription) -> MediaDescription:
        """(Re)aim at ``remote``; our description to answer with (codec chosen by our preference, RFC 3264)."""

    async def reopen(self) -> MediaDescription:
        """After MediaLost: the same ports again where they are free, else others; our description. What was told
        (plays, listening, a bridge) goes on, plays from their beginning. Raises MediaUnavailable."""

    async def play(self, clips: Sequence[Clip], *, token: int, stop_on_key: bool = False) -> None:
        """Queue clips after what is playing; returns at once. PlayDone(token) follows, exactly once a token."""

    async def stop_playing(self) -> None:
        """Silence within one tick; PlayDone(completed=False) for every unfinished token."""

    async def listen(self, on: bool) -> None:
        """Forward gated audio (with pre-roll) as Audio events, or stop doing so. Digits are always reported."""

    async def bridge(self, other: MediaLeg | None) -> None:
        """Join the audio of two legs (both ways, transcoding if needed); None parts them."""

    async def whisper(self, clips: Sequence[Clip], *, token: int) -> None:
        """Play to this leg only, even when bridged."""

    def events(self) -> AsyncIterator[MediaEvent]: ...
    async def close(self) -> LegStats: ...


class MediaEngine(Protocol):
    """The media process, seen from the line. Restarts a dead process; its legs get MediaLost and can be reopened."""

    async def open(self, leg: str, remote: MediaDescription | None, *, caller: bool = True) -> MediaLeg:
        """Bind an RTP/RTCP port pair and negotiate. Raises MediaUnavailable. None: we make the offer.

        ``caller``: it is a caller's. Half of the ports are kept for those whom callers are joined with."""

    async def preload(self, clips: Sequence[Clip]) -> None: ...
    def healthy(self) -> bool: ...


# --- speech ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """How to listen now. ``hangover_s``: silence that ends an utterance; ``max_utterance_s``: cap on its length."""

    grammar: SpeechGrammar
    hangover_s: float = 0.5
    max_utterance_s: float = 12.0


class Ears(Protocol):
    """One call's recognition session in a speech worker: voice activity, endpointing, recognition.

    Feed it continuously; it detects utterances under whichever request is current. Timeouts for silence are the
    conductor's business (it knows when the prompt ended)."""

    async def listen(self, request: ListenRequest | None) -> None:
        """Switch the grammar; None stops detecting. An utterance already begun ends under the new request."""

    def feed(self, pcm: bytes, at: float) -> None:
        """Never blocks; drops and counts when the worker is behind."""

    async def abreast(self, within_s: float) -> bool:
        """Whether the recogniser has taken in what was fed so far, within ``within_s``: if not it is saturated."""

    def events(self) -> AsyncIterator[EarEvent]: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """For /readyz and `ivr doctor`: which vendor serves which languages, and what is wrong if anything."""

    name: str
    languages: tuple[str, ...]
    healthy: bool
    detail: str = ""


class SpeechService(Protocol):
    """The speech workers, seen from the line. Restarts dead workers; their sessions get RecogniserFailed."""

    async def open(self, call_id: str, language: str) -> Ears:
        """Raises SpeechUnavailable when no recogniser serves ``language`` (the call is then led by keys)."""

    async def render(
        self, text: str, language: str, voice: str = "", recording: str = "", *, keep: bool = True
    ) -> Clip:
        """Synthesise, or fetch from the prompt cache; a recording in audio/<language>/ wins: the one named
        ``recording``, else the text's own. ``keep`` False: the text is secret and stays out of the cache.

        Raises SpeechUnavailable."""

    async def render_all(
        self, prompts: Sequence[tuple[str, str, str]], progress: Callable[[int, int], None] | None = None
    ) -> Sequence[Clip]:
        """(text, language, voice) triples into the cache, at start-up; ``progress(done, total)``."""

    def recognisers(self) -> Sequence[EngineStatus]: ...
    def synthesisers(self) -> Sequence[EngineStatus]: ...


# --- actions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActionCall:
    """One invocation. ``key`` is unique per intended effect: repeating it must not repeat the effect."""

    name: str
    arguments: Mapping[str, object]
    key: str
    call_id: str
    facts: Mapping[str, object]
    language: str = "en-US"


class Actions(Protocol):
    """Runs actions by name. Declared outcomes are returned; a broken back end raises ActionError."""

    async def perform(self, call: ActionCall) -> ActionResult: ...
    async def vocabularies(self) -> Mapping[str, tuple[Term, ...]]:
        """The word lists that belong to no caller in particular, by name. Raises ActionError."""


@dataclass(frozen=True, slots=True)
class Callback:
    """Somebody who was promised a call back.

    ``caller_id``: as the company knows them, "" unknown. ``wanted`` is when, in the caller's words or ISO 8601; ""
    means as soon as possible. ``state``: waiting or done."""

    id: int
    number: str
    name: str
    caller_id: str
    skill: str
    wanted: str
    call_id: str
    state: str
    created_at: datetime


class Callbacks(Protocol):
    """Promises to call back. All methods raise StoreUnavailable."""

    async def request(
        self, number: str, *, name: str, caller_id: str, skill: str, wanted: str, key: str, call_id: str
    ) -> int:
        """The callback's id; the same one for the same ``key``. 0 for one that is kept for a database that is away."""

    async def waiting(self) -> Sequence[Callback]:
        """In the order they were asked for."""

    async def close(self, callback_id: int) -> bool:
        """They were called. False when it was not waiting (any more): somebody else took it."""


class VerificationTries(Protocol):
    """Tries to prove who one is, counted across calls. Both methods raise StoreUnavailable."""

    async def begin(self, claimed: str, caller: str) -> int | None:
        """A try by calling number ``caller`` ("" withheld) to be ``claimed``: its id, and it counts as wrong until
        ``passed``. None: there were too many; nothing may be checked now."""

    async def passed(self, identity: int) -> None:
        """It was right: what the same number got wrong before for the same person is forgiven."""


# --- the desk ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Destination:
    """Where one hand-over goes. ``mode`` is "bridge" or "refer"; ``target`` a SIP URI from the configuration."""

    name: str
    target: str
    mode: str
    ring_timeout_s: float = 20.0


class Desk(Protocol):
    """Routing to live agents. Only configured destinations are ever returned."""

    def destinations(self, skill: str, now: datetime) -> Sequence[Destination]:
        """In the order to try; empty when closed and nobody is on call."""

    async def store_context(self, context: HandoffContext) -> str:
        """Keep the context; the URL (with an unguessable token) that shows it to the agent."""

    def headers(self, context: HandoffContext, url: str) -> Mapping[str, str]:
        """User-to-User (RFC 7433) and X-IVR-* headers for the INVITE or REFER; no personal data beyond need."""

    def whisper(self, context: HandoffContext) -> str:
        """What the agent hears before being joined, one short sentence."""


class ContextStore(Protocol):
    """Where the desk keeps hand-over contexts. Both methods raise StoreUnavailable."""

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> bool:
        """False when it is kept for a database that is away: ``context`` does not find it yet."""

    async def context(self, token: str) -> Mapping[str, Any] | None:
        """What was kept under ``token``; None when there is no such token, or it has expired."""


# --- persistence of calls ----------------------------------------------------------------------------------


class ResumePoints(Protocol):
    """Where dropped calls stopped, by the caller's id as the company knows them."""

    async def save_resume_point(
        self, caller_id: str, snapshot: Mapping[str, Any], at: datetime, *, call_id: str = ""
    ) -> None:
        """Where ``call_id`` is now; it replaces where that call was before."""

    async def forget_resume_point(self, call_id: str) -> None: ...
    async def take_resume_point(self, caller_id: str, not_before: datetime) -> Mapping[str, Any] | None:
        """The newest snapshot after ``not_before`` of a call that is over, removed so that it is used once."""


@dataclass(frozen=True, slots=True)
class CallOpening:
    """Who called whom, when (aware), and what else came to be known of the call."""

    caller: str
    called: str
    at: datetime
    details: Mapping[str, Any]


class CallRecords(ResumePoints, Protocol):
    """What is kept about calls. Methods raise StoreUnavailable when something is not kept and never will be."""

    async def begin(self, call_id: str, caller: str, called: str, at: datetime, extra: Mapping[str, Any]) -> None: ...
    async def append_all(self, call_id: str, entries: Sequence[Entry], first: int | None = None) -> None:
        """Entries of the call's record, in order, in one transaction; ``first``: the number of the first in its call.
        One that comes again is there once."""

    async def update(self, call_id: str, **changes: Any) -> None: ...
    async def finish(
        self,
        call_id: str,
        outcome: str,
        at: datetime,
        canonical: Mapping[str, Any],
        opening: CallOpening | None = None,
    ) -> None:
        """``opening``: for a call whose beginning was not kept."""

    async def get(self, call_id: str) -> Mapping[str, Any] | None: ...
    async def find(self, asked: CallSearch, without: Collection[str] = ()) -> CallsFound:
        """``without``: calls that are left out of list and totals."""


# --- versions of flows -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """``version`` is the hash of the content. ``state``: recorded, live, canary or retired.

    A canary serves ``canary_percent`` of the calls, and all calls to or from ``canary_numbers``."""

    flow: str
    version: str
    source: str
    by: str
    at: datetime
    state: str
    canary_percent: int = 0
    canary_numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Publication:
    """One line of a flow's history. ``kind``: publish, canary, withdraw or rollback; ``previous`` "" at the start."""

    flow: str
    version: str
    previous: str
    kind: str
    by: str
    at: datetime


# --- time --------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time passed in, so that tests can pass an hour in a second."""

    def monotonic(self) -> float: ...
    def now(self) -> datetime: ...  # timezone-aware UTC
    async def sleep(self, seconds: float) -> None: ...
