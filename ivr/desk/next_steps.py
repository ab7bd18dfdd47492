"""Next steps: what an agent may want to do first, by why the caller came and what is known; suggestions, no script."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ivr.identity import Identity, IdentityLevel
from ivr.ports import EarlierCall, HandoffContext, Panel
from ivr.record import URGENT

MOST = 5
REPEATED = 2  # earlier calls for the same reason: this one is the third

_BY_REASON: Sequence[tuple[str, str]] = (
    (r"cancel|leav|compet", "Ask what made them think of leaving, and listen before offering anything."),
    (r"upset|swear|agitat", "Let them finish; then say back what went wrong."),
    (
        r"not understood|silent|nothing was heard",
        "The line did not understand them: ask in your own words what they need.",
    ),
    (r"could not|cannot|failed|unavailable", "Something of ours failed: do by hand what they asked for, and say so."),
    (r"pin|no membership number|do not match", "They could not prove who they are: verify them your way first."),
    (r"disc|damaged", "Check what is at their home before sending anything again."),
    (r"note", "Read their notes to them, and correct what is wrong."),
)


def next_steps(context: HandoffContext, earlier: Sequence[EarlierCall], panel: Panel | None) -> tuple[str, ...]:
    """The most important first; at most MOST."""
    reasons = " ".join((context.reason, *(other.reason for other in context.also))).lower()
    steps = [step for pattern, step in _BY_REASON if re.search(pattern, reasons)]
    if sum(call.reason == context.reason for call in earlier) >= REPEATED:
        steps.insert(0, "They called about this before: solve it now, whatever it takes.")
    if Identity.of(context.facts).level <= IdentityLevel.UNVERIFIED and panel is not None:
        steps.append("Not sure who this is: ask before you tell them anything of the account.")
    if context.priority >= URGENT and panel is not None and any(not each.why_not for each in panel.goodwill):
        steps.append("You may show goodwill (g); nobody has to approve it.")
    if context.tried:
        steps.append(f"Go on where the line stopped: {context.tried[-1].replace('_', ' ')}.")
    return tuple(dict.fromkeys(steps))[:MOST]
