"""Goodwill policy of the films company: what agents may give, how much of it, and what is still left. Pure.

Agents are trusted: what fits in here needs nobody's leave, and each grant is one line in the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ivr.ports import Goodwill, Granted
from ivr.reference.backend import MemberProfile

BONUS_TITLE, CREDIT = "bonus_title", "credit"
SCOPE = "goodwill."  # of the actions in the audit trail: goodwill.bonus_title, goodwill.credit, goodwill.undo
UNDO = SCOPE + "undo"

UNDO_S = 10.0
MONTH = timedelta(days=30)
AMOUNTS = (500, 1000, 2000)  # cents
CREDIT_A_MONTH = 3000  # cents, for one member
TITLES_A_MONTH = 2  # for one member
CREDIT_A_DAY = 20_000  # cents, by one agent
TITLES_A_DAY = 10  # by one agent
CHOICES = 12  # of the queue


@dataclass(frozen=True, slots=True)
class Grant:
    """One that was given. ``cents``: of a credit; ``undone_at``: None while it stands."""

    id: int
    kind: str
    cents: int
    label: str
    agent: str
    display: str
    at: datetime
    undone_at: datetime | None = None

    def shown(self, now: datetime) -> Granted:
        until = self.at + timedelta(seconds=UNDO_S)
        open_still = self.undone_at is None and now < until
        return Granted(
            str(self.id), self.label, self.display, self.at, until if open_still else None, self.undone_at is not None
        )


def money(cents: int) -> str:
    return f"${cents / 100:,.2f}"


def spent(grants: Sequence[Grant]) -> tuple[int, int]:
    """Titles, and cents of credit, that were given and not taken back."""
    standing = [grant for grant in grants if grant.undone_at is None]
    return sum(grant.kind == BONUS_TITLE for grant in standing), sum(grant.cents for grant in standing)


def title_refused(titles: int, by_agent: int) -> str:
    """Why no bonus title may be given now; "" where one may. ``titles``: to the member in a month."""
    if titles >= TITLES_A_MONTH:
        return f"they had {titles} bonus titles in 30 days, which is what the policy allows"
    if by_agent >= TITLES_A_DAY:
        return f"you gave {by_agent} bonus titles today, which is what the policy allows"
    return ""


def credit_refused(cents: int, given: int, by_agent: int) -> str:
    """Why a credit of ``cents`` may not be given now; ``given``: to the member in a month, ``by_agent``: today."""
    if cents not in AMOUNTS:
        return f"a credit is one of {', '.join(map(money, AMOUNTS))}"
    if given + cents > CREDIT_A_MONTH:
        return f"they have {money(given)} of {money(CREDIT_A_MONTH)} for 30 days already"
    if by_agent + cents > CREDIT_A_DAY:
        return f"you gave {money(by_agent)} of {money(CREDIT_A_DAY)} for a day already"
    return ""


def offered(profile: MemberProfile, month: Sequence[Grant]) -> tuple[Goodwill, ...]:
    """What may be given to the member, who got ``month`` in the last 30 days."""
    titles, cents = spent(month)
    left = CREDIT_A_MONTH - cents
    queue = profile.queue[:CHOICES]
    return (
        Goodwill(
            BONUS_TITLE,
            "Bonus title",
            f"{max(0, TITLES_A_MONTH - titles)} of {TITLES_A_MONTH} left in 30 days; "
            f"an agent may give {TITLES_A_DAY} a day",
            title_refused(titles, 0) or ("" if queue else "their queue is empty"),
            tuple((str(title.id), title.name) for title in queue),
        ),
        Goodwill(
            CREDIT,
            "Credit",
            f"{money(max(0, left))} of {money(CREDIT_A_MONTH)} left in 30 days; "
            f"an agent may give {money(CREDIT_A_DAY)} a day",
            credit_refused(AMOUNTS[0], cents, 0),
            tuple((str(amount), money(amount)) for amount in AMOUNTS if amount <= left),
        ),
    )
