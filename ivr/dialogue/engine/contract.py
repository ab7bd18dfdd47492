"""What goes into a dialogue and what comes out: the whole contract between the engine and whoever drives it.

The phone (ivr.call) and the simulator (ivr.workshop) drive the same engine:

    dialogue = Dialogue(library, Start(call_id, entry="main", ...))
    effects = dialogue.begin(now)
    ... for every event:  effects = dialogue.handle(event, now)

Effects are carried out in order. An effect with a ``token`` is answered by an event with that token; answers to
tokens the dialogue no longer waits for are ignored, so a late answer can never disturb a call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ivr.dialogue.flows.wording import Words as Words
from ivr.dialogue.understanding.classifier import Classifiers
from ivr.dialogue.understanding.grammar_compiler import StateGrammar
from ivr.events import ActionResult, Recognition, Term
from ivr.identity import CALLER_TRUSTED, NOBODY
from ivr.record import Happening, Reason

PLACE_KEPT, PLACE_POSITION = PLACE_FACTS = ("place.kept", "place.position")
"""Whether a place in the line is kept for the caller, from an earlier call or for a call back, and which it is now."""

# --- how it begins ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Installed:
    """Languages that recognisers and synthesisers serve now; None: any. Calls in others are led by keys."""

    recognised: Collection[str] | None = None
    spoken: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Everything that distinguishes one call's dialogue from another's of the same flows.

    ``caller``, ``called``: numbers; "" where withheld. ``caller_trusted``: the network that the call came by vouches
    for ``caller``. ``facts``: more of what is known, by dotted names; ``fact_source`` is asked at each use for those
    that change (``hours.open``) and returns None for what it doesn't know; ``place_source``, by what is known of the
    caller and the call's id, for the place in the line that is kept for them (``PLACE_FACTS``). ``seed`` chooses among
    prompt variants. A call in a language that nobody recognises is led by keys; ``keys_led``: this one is, whatever
    its language. ``classifiers``: fitted on these flows, for what no phrase covers; None: that is read by its words."""

    call_id: str
    entry: str = "main"
    language: str = "en-US"
    persona: str = "neutral"
    caller: str = ""
    called: str = ""
    caller_trusted: bool = True
    facts: Mapping[str, object] = field(default_factory=dict)
    vocabularies: Mapping[str, tuple[Term, ...]] = field(default_factory=dict)
    fact_source: Callable[[str], object] | None = None
    place_source: Callable[[Mapping[str, object], str], Mapping[str, object]] | None = None
    seed: int = 0
    keys_led: bool = False
    installed: Installed = Installed()
    classifiers: Classifiers | None = None

    def known(self) -> dict[str, object]:
        """The facts that every call has from its first state on."""
        return {
            "call.id": self.call_id,
            "call.caller": self.caller,
            "call.called": self.called,
            "call.language": self.language,
            CALLER_TRUSTED: self.caller_trusted and bool(self.facts.get("call.caller", self.caller)),
            **NOBODY.facts,
            **self.facts,
        }


# --- into the dialogue --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SpeechHeard:
    """An utterance was recognised under the grammar of Listen ``token``."""

    recognition: Recognition
    token: int = 0


@dataclass(frozen=True, slots=True)
class KeyPressed:
    key: str


@dataclass(frozen=True, slots=True)
class KeysPaused:
    """The inter-digit timeout of the current Listen ran out after at least one key."""


@dataclass(frozen=True, slots=True)
class NoInput:
    """Listen ``token``'s timeout passed in silence after the prompt."""

    token: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """Say ``token`` was played, or cut short by the caller (``completed`` False)."""

    token: int
    completed: bool = True


@dataclass(frozen=True, slots=True)
class ActionDone:
    """Perform ``token`` ended. Broken back ends come as outcome "failed", late ones as "timeout"."""

    token: int
    result: ActionResult


@dataclass(frozen=True, slots=True)
class ActionSlow:
    """Perform ``token`` has been running for a second: time for the state's ``wait`` prompt."""

    token: int


@dataclass(frozen=True, slots=True)
class HandoffDone:
    """Connect ``token``: "connected" (the call is the agent's now), "closed", "failed", "dropped", or "machine" (the
    agent gave the caller back to the dialogue)."""

    token: int
    outcome: str


@dataclass(frozen=True, slots=True)
class HandoffSlow:
    """Connect ``token``: a human is still being tried, and the caller hears nothing."""

    token: int


@dataclass(frozen=True, slots=True)
class PlaceTold:
    """Connect ``token`` waits in the line: time to say so. ``position`` 1 is next, 0 where nothing true and not rising
    can be said; ``minutes``: the wait is less than so many, 0 where nobody can say. ``asked``: the caller wants to know
    now; ``again``: their old place, from an earlier call."""

    token: int
    position: int
    minutes: int = 0
    asked: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class AgentComing:
    """Connect ``token``: an agent has accepted and is being joined; nothing more is said or asked."""

    token: int


@dataclass(frozen=True, slots=True)
class ResumeLoaded:
    """LoadResume ``token``: the snapshot of this caller's dropped call, or None."""

    token: int
    snapshot: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class PartFailed:
    """Something inside broke ("recogniser", "synthesiser", "store", "engine"): the caller goes to a human."""

    part: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """For a while the caller heard nothing and was not heard; now it goes on. ``by_noise``: a prompt was stopped for
    what turned out to be nobody."""

    by_noise: bool = False


@dataclass(frozen=True, slots=True)
class RecognitionLate:
    """What the caller said is not read yet: keys are offered; ``given_up``: a human is sent for."""

    given_up: bool = False


@dataclass(frozen=True, slots=True)
class SpeechLost:
    """What the caller was saying will never be read; what they say now is."""


@dataclass(frozen=True, slots=True)
class Agitated:
    """Manner (loud, fast, repeated barge-in, mashed keys) crossed its threshold: only ever brings a human sooner.

    ``weight``: how much it counts; a human is sent for at 1."""

    evidence: str
    weight: float = 0.6


DialogueEvent = (
    SpeechHeard | KeyPressed | KeysPaused | NoInput | Said | ActionDone | ActionSlow | HandoffDone | HandoffSlow
    | PlaceTold | AgentComing | ResumeLoaded | PartFailed | RecognitionLate | SpeechLost | Interrupted | Agitated
)  # fmt: skip

# --- out of the dialogue ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Say:
    """Play these. ``bargein``: speech stops it (keys always do). Stops whatever is playing first if ``cut``."""

    token: int
    words: tuple[Words, ...]
    bargein: bool = True
    language: str = "en-US"
    voice: str = ""
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Listen:
    """Listen from now on (also during the prompt). The silence timer starts when all that is being said has ended.

    ``timeout_s`` None: no silence timer (e.g. while an action runs). ``hotword``: speech stops a prompt only once it
    was recognised. ``interdigit_s`` is 0 where single keys decide. ``dictation``: any words are an answer.
    ``private``: a secret, or what only the line's own recogniser writes down: no second ear is asked about it."""

    token: int
    grammar: StateGrammar
    timeout_s: float | None
    hangover_s: float = 0.5
    max_utterance_s: float = 12.0
    hotword: bool = False
    interdigit_s: float = 0.0
    dictation: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class Perform:
    """Run an action; ``key`` makes it idempotent. Answer with ActionDone; outcome "timeout" after ``timeout_s``.

    ``shown``: of its arguments what others than the caller may see. ``hidden``: the values of its result that they may
    not. ``request``: of an action that the company file declares, the arguments of the ``http.call`` that it is."""

    token: int
    name: str
    arguments: Mapping[str, object]
    key: str
    timeout_s: float
    shown: Mapping[str, object] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    request: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """Hand the call to a human. What is known about the call is the driver's to add (transcript, facts).

    ``reason`` is the most important one, ``said`` the caller's words for it; ``also``: the others, by importance."""

    token: int
    reason: str
    skill: str
    priority: int
    said: str = ""
    also: tuple[Reason, ...] = ()
    waits: bool = False  # by the verb ``wait``: in the line for as long as it takes, told where they stand
    music: str | None = None  # meanwhile: a recording; "" is quiet, None the line's own
    every_s: float | None = None  # how often they are told; None: as the line is configured


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Connect ``token`` is wanted no more. ``keep``: the place is kept for who comes back to it ("away"), becomes a
    call back or message by the action that follows ("done" then), or is given up ("done")."""

    token: int
    keep: str = "away"


@dataclass(frozen=True, slots=True)
class AskPlace:
    """Connect ``token``'s caller wants to know where they stand. Answer with PlaceTold, ``asked``."""

    token: int


@dataclass(frozen=True, slots=True)
class Music:
    """Connect ``token``'s caller wants to wait with music, or quietly."""

    token: int
    on: bool


@dataclass(frozen=True, slots=True)
class LoadResume:
    """Look for a snapshot of a dropped call by the caller with this id."""

    token: int
    caller_id: str


@dataclass(frozen=True, slots=True)
class End:
    """Hang up once everything was said. ``outcome`` is for the log: "resolved", "goodbye", …"""

    outcome: str


@dataclass(frozen=True, slots=True)
class Record:
    """Something for the call's record and the log."""

    what: Happening


Effect = Say | Listen | Perform | Connect | Disconnect | AskPlace | Music | LoadResume | End | Record
