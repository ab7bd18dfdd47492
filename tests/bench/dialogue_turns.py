"""How many turns a second the dialogue takes in text, over the flows that ship: `python -m tests.bench.dialogue_turns`.

A turn is one event in and its effects out. Phrases of the flows are matched exactly; paraphrases go the long way round,
by likeness, so they are counted apart. Compiling a grammar for a recogniser is timed apart, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from ivr.dialogue.engine.contract import ActionDone, Perform
from ivr.events import ActionResult
from tests.unit.dialogue.talk import Talk, reference, terms

QUEUE = (
    "Metropolis",
    "Vertigo",
    "Casablanca",
    "The General",
    "City Lights",
    "Nosferatu",
    "The Third Man",
    "Rear Window",
)
PHRASES = (
    "move Casablanca to the top",
    "put Vertigo at number three",
    "swap Metropolis and Rear Window",
    "help",
    "remove Nosferatu",
    "no",
    "what's next",
    "repeat",
    "add Citizen Kane",
)
PARAPHRASES = (
    "I'd like Casablanca to be next",
    "take vertigo and put it at the top",
    "can Vertigo and Casablanca trade places",
    "colourless green ideas sleep furiously",
    "after Vertigo put Casablanca",
)
GOAL = 2000.0


def identified(queue: Sequence[str] = QUEUE) -> Talk:
    talk = Talk(reference(), entry="main", queue=queue, perform=False)
    facts = {
        "caller.id": "10001",
        "member.number": "10001",
        "member.first_name": "Ada",
        "queue.size": len(queue),
        "member.damaged_reports": 0,
    }
    answered(talk, ActionResult("found", facts=facts, vocabularies={"queue": terms(queue)}))
    return talk


def answered(talk: Talk, result: ActionResult) -> int:
    """Answer whatever is under way; how many events that took."""
    turns = 0
    while talk.dialogue.waiting == "action":
        talk.send(ActionDone(next(e for e in reversed(talk.effects) if isinstance(e, Perform)).token, result))
        turns += 1
    return turns


def rate(sentences: Sequence[str], seconds: float = 1.0) -> float:
    turns, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        talk = identified()
        turns += 3
        for sentence in sentences:
            talk.say(sentence)
            ok = ActionResult(
                "ok", {"titles": QUEUE, "count": 8, "title": "vertigo"}, vocabularies={"queue": terms(QUEUE)}
            )
            turns += 1 + answered(talk, ok)
            talk.effects.clear()
    return turns / spent


def main() -> int:
    rate(PHRASES, 0.1)
    rate(PARAPHRASES, 0.1)
    exact, likened = rate(PHRASES), rate(PARAPHRASES)
    began = time.perf_counter()
    speech = identified().listen.grammar.speech
    print(f"turns a second, phrases of the flows: {exact:8.0f}  ({exact / GOAL:.1f} x goal)")
    print(f"turns a second, paraphrases:          {likened:8.0f}  ({likened / GOAL:.1f} x goal)")
    print(
        f"compiling the widest grammar:         {len(speech.phrases)} phrases and {len(speech.templates)} templates",
        f"in {time.perf_counter() - began:.3f} s",
    )
    return 0 if exact >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
