"""What is suggested to an agent: by the reason, by who calls how often, by what is known of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ivr.desk.next_steps import MOST, next_steps
from ivr.ports import EarlierCall, Goodwill, Panel
from tests.seats import CONTEXT

AT = datetime(2026, 3, 1, tzinfo=UTC)
GENEROUS = Panel("1", "Ada", goodwill=(Goodwill("credit", "Credit"),))
SPENT = Panel("1", "Ada", goodwill=(Goodwill("credit", "Credit", why_not="all given"),))


def test_who_thinks_of_leaving_is_asked_why_and_may_be_shown_goodwill() -> None:
    steps = next_steps(CONTEXT, (), GENEROUS)
    assert "think of leaving" in steps[0] and any("goodwill" in step for step in steps)
    assert not any("goodwill" in step for step in next_steps(CONTEXT, (), SPENT))


def test_a_third_call_about_one_thing_is_said_first() -> None:
    earlier = [EarlierCall(str(number), AT, "resolved", CONTEXT.reason) for number in range(2)]
    assert "called about this" in next_steps(CONTEXT, earlier, None)[0]
    assert "called about this" not in next_steps(CONTEXT, earlier[:1], None)[0]


def test_somebody_unverified_is_asked_who_they_are() -> None:
    unknown = replace(CONTEXT, facts={"caller.id": "10001"})
    assert any("who this is" in step for step in next_steps(unknown, (), GENEROUS))


def test_an_unheard_of_reason_suggests_only_what_is_known() -> None:
    assert next_steps(replace(CONTEXT, reason="a parrot", also=(), tried=(), priority=3), (), None) == ()
    assert len(next_steps(CONTEXT, (), GENEROUS)) <= MOST
