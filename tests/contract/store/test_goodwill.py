"""Goodwill and notes by agents, on both databases: given once, within the policy, audited, and taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ivr.company import Times
from ivr.errors import ActionError
from ivr.ports import ByAgent, Panel
from ivr.reference import COMPANY
from ivr.reference.company import OpenFilms
from ivr.reference.goodwill import CREDIT_A_DAY, TITLES_A_DAY
from ivr.store import Store
from tests.films import ZONE

from .conftest import Time

ADA = "10001"  # Metropolis, Vertigo, … in the queue; Sherlock Jr. and The Lady Vanishes at home


@pytest.fixture
def films(store: Store, now: Time) -> OpenFilms:
    return COMPANY.on(store.database, Times(now, ZONE))


def priya(key: str, call_id: str = "call-1") -> ByAgent:
    return ByAgent("priya", "Priya", call_id, key)


async def panel_of(films: OpenFilms, member: str = ADA) -> Panel:
    panel = await films.panel(member)
    assert panel is not None
    return panel


def listed(panel: Panel, title: str) -> list[str]:
    return [item.text for each in panel.lists if each.title == title for item in each.items]


async def test_a_bonus_title_is_shipped_and_off_the_queue_once_for_one_click(films: OpenFilms, store: Store) -> None:
    offered = next(each for each in (await panel_of(films)).goodwill if each.name == "bonus_title")
    vertigo = next(value for value, label in offered.choices if label == "Vertigo")
    given = await films.grant(ADA, "bonus_title", vertigo, priya("click-1"))
    again = await films.grant(ADA, "bonus_title", vertigo, priya("click-1"))
    assert given == again and given.label == "Bonus title: Vertigo" and given.by == "Priya"
    panel = await panel_of(films)
    assert "Vertigo" in listed(panel, "At home") and "Vertigo" not in listed(panel, "Queue")
    assert [grant.label for grant in panel.granted] == ["Bonus title: Vertigo"]
    (line,) = await store.audit.of_call("call-1")
    assert (line["action"], line["actor"], line["member"]) == ("goodwill.bonus_title", "priya", ADA)
    assert line["after"]["title"] == int(vertigo)


async def test_without_a_choice_it_is_the_next_of_the_queue(films: OpenFilms) -> None:
    assert (await films.grant(ADA, "bonus_title", "", priya("one"))).label == "Bonus title: Metropolis"


async def test_a_bonus_title_is_taken_back_to_where_it_stood(films: OpenFilms, now: Time) -> None:
    before = await panel_of(films)
    given = await films.grant(ADA, "bonus_title", "", priya("give"))
    assert given.undo_until is not None and (given.undo_until - given.at).total_seconds() == 10
    now.pass_(seconds=9)
    await films.undo(ADA, given.id, priya("back"))
    after = await panel_of(films)
    assert [listed(after, each) for each in ("Queue", "At home")] == [listed(before, e) for e in ("Queue", "At home")]
    assert after.granted[0].undone


async def test_a_credit_is_in_the_database_and_taken_back(films: OpenFilms, store: Store) -> None:
    facts = dict((await panel_of(films)).facts)
    given = await films.grant(ADA, "credit", "1000", priya("give"))
    assert given.label == "Credit of $10.00"
    assert dict((await panel_of(films)).facts)["Credit"] == "$10.00" != facts["Credit"]
    await films.undo(ADA, given.id, priya("back"))
    assert dict((await panel_of(films)).facts)["Credit"] == facts["Credit"]
    actions = [line["action"] for line in await store.audit.of_call("call-1")]
    assert actions == ["goodwill.credit", "goodwill.undo"]


async def test_too_late_somebody_else_or_used_already_is_not_taken_back(films: OpenFilms, now: Time) -> None:
    given = await films.grant(ADA, "bonus_title", "", priya("give"))
    with pytest.raises(ActionError, match="only Priya"):
        await films.undo(ADA, given.id, replace(priya("back"), name="tom", display="Tom"))
    now.pass_(seconds=11)
    with pytest.raises(ActionError, match="too late"):
        await films.undo(ADA, given.id, priya("back"))
    assert (await panel_of(films)).granted[0].undo_until is None


async def test_the_policy_bounds_what_a_member_gets_in_a_month(films: OpenFilms, now: Time) -> None:
    for click in ("1", "2"):
        await films.grant(ADA, "bonus_title", "", priya(click))
    with pytest.raises(ActionError, match="bonus titles in 30 days"):
        await films.grant(ADA, "bonus_title", "", priya("3"))
    await films.grant(ADA, "credit", "2000", priya("4"))
    with pytest.raises(ActionError, match=r"\$20\.00 of \$30\.00"):
        await films.grant(ADA, "credit", "2000", priya("5"))
    with pytest.raises(ActionError, match="a credit is one of"):
        await films.grant(ADA, "credit", "99999", priya("6"))
    titles, credit = (await panel_of(films)).goodwill
    assert titles.why_not and not credit.why_not and [value for value, _ in credit.choices] == ["500", "1000"]
    now.pass_(days=31)
    assert not (await panel_of(films)).goodwill[0].why_not
    await films.grant(ADA, "bonus_title", "", priya("7"))


async def test_the_policy_bounds_what_an_agent_gives_in_a_day(films: OpenFilms, now: Time) -> None:
    members = [str(10001 + each) for each in range(8)]
    for turn in range(TITLES_A_DAY):
        await films.grant(members[turn % 8], "bonus_title", "", priya(f"t{turn}"))
    with pytest.raises(ActionError, match="you gave"):
        await films.grant(members[TITLES_A_DAY % 8], "bonus_title", "", priya("more"))
    for turn in range(CREDIT_A_DAY // 2500):
        for amount in ("2000", "500"):
            await films.grant(members[turn], "credit", amount, priya(f"c{turn}{amount}"))
    with pytest.raises(ActionError, match="for a day already"):
        await films.grant(members[0], "credit", "500", priya("too much"))
    now.pass_(hours=24)
    await films.grant(members[0], "credit", "500", priya("tomorrow"))


async def test_two_clicks_at_once_give_what_the_policy_leaves(films: OpenFilms) -> None:
    clicks = [films.grant(ADA, "credit", "2000", priya(f"click {each}")) for each in range(4)]
    done = await asyncio.gather(*clicks, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1
    assert dict((await panel_of(films)).facts)["Credit"] == "$20.00"


async def test_an_agents_note_says_who_wrote_it_and_the_trail_none_of_its_words(films: OpenFilms, store: Store) -> None:
    await films.add_note(ADA, "Prefers black and white.", priya("note"))
    await films.add_note(ADA, "Prefers black and white.", priya("note"))
    (note,) = (await panel_of(films)).notes
    assert (note.text, note.by, note.kind) == ("Prefers black and white.", "Priya", "agent")
    (line,) = await store.audit.of_call("call-1")
    assert line["actor"] == "priya" and "black" not in str(line)
