"""The films company's actions, on both databases and in memory."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.actions import ActionRegistry
from ivr.errors import ActionError
from ivr.events import CALLER_ID, ActionResult
from ivr.identity import CALLER_IDENTITY, IDENTITY_FACTS, renewed
from ivr.ports import ActionCall
from ivr.reference import COMPANY
from tests.films import actions_on, films_store

from .conftest import Office, Time

ADA = "10001"  # Metropolis, Vertigo, Casablanca, The General, City Lights, Nosferatu, The Third Man, Rear Window


class Caller:
    """One call: remembers facts, identity and vocabularies as a dialogue would, and gives every action a key."""

    def __init__(self, actions: ActionRegistry, call_id: str = "call-1", phone: str = "") -> None:
        self.actions = actions
        self.call_id = call_id
        self.facts: dict[str, Any] = {"call.caller": phone}
        self.vocabularies: dict[str, Any] = {}
        self._turn = 0

    async def do(self, name: str, key: str = "", **arguments: Any) -> ActionResult:
        self._turn += 1
        result = await self.actions.perform(
            ActionCall(name, arguments, key or f"{self.call_id}/{self._turn}", self.call_id, self.facts)
        )
        given = COMPANY.all_signatures[name].gives.get(result.outcome)
        now = renewed(self.facts, result.facts.get(CALLER_ID, self.facts.get(CALLER_ID)), given)
        self.facts.update({**result.facts, **now.facts})
        self.vocabularies.update(result.vocabularies)
        return result

    @property
    def queue(self) -> list[str]:
        return [term.label for term in self.vocabularies["queue"]]

    async def title(self, name: str) -> str:
        for term in (*self.vocabularies.get("queue", ()), *(await self.actions.vocabulary("catalogue"))):
            if term.label == name:
                return str(term.id)
        raise AssertionError(f"no title {name}")


@pytest.fixture
def actions(office: Office) -> ActionRegistry:
    return office.actions


@pytest.fixture
async def ada(actions: ActionRegistry) -> Caller:
    return await called(actions, ADA, "5035550101")


async def called(actions: ActionRegistry, member: str, phone: str, call_id: str = "call-1") -> Caller:
    """Who calls from their own phone."""
    caller = Caller(actions, call_id, phone)
    assert (await caller.do("member.identify_by_number", number=member)).outcome == "found"
    return caller


@pytest.mark.parametrize(
    ("phone", "outcome"),
    [
        ("5035550101", "found"),
        ("+15035550101", "found"),
        ("+1 (503) 555-0101", "found"),
        ("01115035550101", "found"),
        ("+5035550101", "unknown"),  # of El Salvador
        ("5035550106", "ambiguous"),  # a couple
        ("5035550199", "unknown"),
        ("", "unknown"),
        ("anonymous", "unknown"),
        ("101", "unknown"),
    ],
)
async def test_identify_by_caller(actions: ActionRegistry, phone: str, outcome: str) -> None:
    caller = Caller(actions, phone=phone)
    result = await caller.do("member.identify_by_caller")
    assert result.outcome == outcome
    if outcome == "found":
        assert result.facts["member.number"] == ADA
        assert result.facts["member.first_name"] == "Ada"
    else:
        assert not result.facts
        assert not result.vocabularies


async def test_the_calls_own_number_identifies(actions: ActionRegistry) -> None:
    caller = Caller(actions, phone="+15035550101")
    assert (await caller.do("member.identify_by_caller")).facts["member.number"] == ADA


async def test_facts_and_vocabularies(ada: Caller) -> None:
    signature = COMPANY.all_signatures["member.identify_by_number"]
    assert set(ada.facts) - {"call.caller", *IDENTITY_FACTS} == set(signature.facts)
    assert ada.facts["queue.size"] == 8
    assert ada.facts["queue.next"] == "Metropolis"
    assert ada.facts["queue.next_id"] == ada.vocabularies["queue"][0].id
    assert ada.facts["member.since_year"] == 2016
    assert ada.facts["member.discs_out"] == 2
    assert [term.label for term in ada.vocabularies["discs"]] == ["Sherlock Jr.", "The Lady Vanishes"]
    assert "general" in ada.vocabularies["queue"][3].spoken


async def test_unknown_number(actions: ActionRegistry) -> None:
    assert (await Caller(actions).do("member.identify_by_number", number="99999")).outcome == "unknown"


async def test_changes_reach_the_database_and_the_facts(ada: Caller, office: Office) -> None:
    steps: list[tuple[str, Mapping[str, object], str, list[str]]] = [
        ("queue.move_to_position", {"title": "Casablanca", "position": 1}, "ok", ["Casablanca", "Metropolis"]),
        ("queue.move_to_position", {"title": "Casablanca", "position": 1}, "already_there", ["Casablanca"]),
        ("queue.move_to_position", {"title": "Casablanca", "position": 9}, "out_of_range", ["Casablanca"]),
        ("queue.move_to_position", {"title": "Casablanca", "position": 0}, "out_of_range", ["Casablanca"]),
        ("queue.move_to_position", {"title": "Gilda", "position": 1}, "not_in_queue", ["Casablanca"]),
        ("queue.move_before", {"title": "Nosferatu", "other": "Casablanca"}, "ok", ["Nosferatu", "Casablanca"]),
        ("queue.move_after", {"title": "Nosferatu", "other": "Casablanca"}, "ok", ["Casablanca", "Nosferatu"]),
        ("queue.move_after", {"title": "Nosferatu", "other": "Casablanca"}, "already_there", ["Casablanca"]),
        ("queue.move_after", {"title": "Nosferatu", "other": "Gilda"}, "other_not_in_queue", ["Casablanca"]),
        ("queue.swap", {"title": "Nosferatu", "other": "Nosferatu"}, "same_title", ["Casablanca", "Nosferatu"]),
        ("queue.swap", {"title": "Nosferatu", "other": "Casablanca"}, "ok", ["Nosferatu", "Casablanca"]),
        ("queue.add_to_top", {"title": "Gilda"}, "ok", ["Gilda", "Nosferatu"]),
        ("queue.add", {"title": "Gilda"}, "already_in_queue", ["Gilda", "Nosferatu"]),
        ("queue.add", {"title": "Laura"}, "ok", ["Gilda", "Nosferatu"]),
        ("queue.remove", {"title": "Gilda"}, "ok", ["Nosferatu", "Casablanca"]),
        ("queue.remove", {"title": "Gilda"}, "not_in_queue", ["Nosferatu", "Casablanca"]),
    ]
    for name, arguments, outcome, head in steps:
        ids: dict[str, Any] = {k: await ada.title(v) if isinstance(v, str) else v for k, v in arguments.items()}
        result = await ada.do(name, **ids)
        assert (name, result.outcome, ada.queue[: len(head)]) == (name, outcome, head)
        profile = await office.films.backend.profile(ADA)
        assert profile is not None
        assert [str(title.id) for title in profile.queue] == [term.id for term in ada.vocabularies["queue"]]
    assert ada.queue[-1] == "Laura"
    assert ada.facts["queue.size"] == 9


async def test_values_say_what_happened(ada: Caller) -> None:
    moved = await ada.do("queue.move_before", title=await ada.title("Rear Window"), other=await ada.title("Vertigo"))
    assert moved.values == {"title": "Rear Window", "other": "Vertigo", "position": 2, "count": 8}
    removed = await ada.do("queue.remove", title=await ada.title("Vertigo"))
    assert removed.values == {"title": "Vertigo", "position": 3, "count": 7}
    added = await ada.do("queue.add", title="999999")
    assert added.outcome == "unknown_title"
    last = await ada.do("queue.move_to_position", title=await ada.title("Metropolis"), position="last")
    assert last.values["position"] == 7


async def test_reading(ada: Caller) -> None:
    first = await ada.do("queue.read")
    assert first.values["titles"] == "Metropolis, Vertigo, Casablanca, The General and City Lights"
    assert (first.values["count"], first.values["first"], first.values["last"], first.values["more"]) == (8, 1, 5, True)
    rest = await ada.do("queue.read", first=6)
    assert rest.values["titles"] == "Nosferatu, The Third Man and Rear Window"
    assert rest.values["more"] is False
    assert (await ada.do("queue.next")).values == {"title": "Metropolis", "count": 8}
    for term in ada.vocabularies["queue"]:
        await ada.do("queue.remove", title=term.id)
    assert (await ada.do("queue.read")).outcome == "empty"
    assert (await ada.do("queue.next")).outcome == "empty"


async def test_a_key_works_once(ada: Caller, office: Office) -> None:
    title = await ada.title("Rear Window")
    first = await ada.do("queue.move_to_position", key="once", title=title, position=1)
    await ada.do("queue.move_to_position", title=title, position=4)
    again = await ada.do("queue.move_to_position", key="once", title=title, position=1)
    assert (first.outcome, again.outcome) == ("ok", "ok")
    assert ada.queue.index("Rear Window") == 3
    with pytest.raises(ActionError, match="idempotency key"):
        await ada.do("queue.remove", key="once", title=title)


async def test_one_key_at_the_same_time_works_once(ada: Caller, office: Office) -> None:
    title = await ada.title("Gilda")
    results = await asyncio.gather(*(ada.do("queue.add", key="same", title=title) for _ in range(12)))
    assert {result.outcome for result in results} == {"ok"}
    profile = await office.films.backend.profile(ADA)
    assert profile is not None
    assert len(profile.queue) == 9
    assert profile.queue_version == 1


async def test_undo_goes_back_step_by_step(ada: Caller) -> None:
    start = ada.queue
    await ada.do("queue.remove", title=await ada.title("Vertigo"))
    middle = ada.queue
    await ada.do("queue.add_to_top", title=await ada.title("Gilda"))
    assert (await ada.do("queue.undo")).outcome == "ok"
    assert ada.queue == middle
    assert (await ada.do("queue.undo")).outcome == "ok"
    assert ada.queue == start
    assert (await ada.do("queue.undo")).outcome == "nothing_to_undo"
    assert ada.queue == start


async def test_undo_leaves_what_somebody_else_changed(ada: Caller, actions: ActionRegistry) -> None:
    await ada.do("queue.remove", title=await ada.title("Vertigo"))
    other = await called(actions, ADA, "5035550101", "call-2")
    await other.do("queue.move_to_position", title=await other.title("Casablanca"), position=1)
    assert (await ada.do("queue.undo")).outcome == "changed_since"
    assert (await other.do("queue.undo")).outcome == "ok"
    assert (await ada.do("queue.undo")).outcome == "ok"
    assert ada.queue[1] == "Vertigo"


async def test_two_calls_never_corrupt_a_queue(actions: ActionRegistry, office: Office) -> None:
    """Twelve calls edit one queue at once: it stays a permutation, and every call's own edit took effect."""
    catalogue = [term.id for term in await actions.vocabulary("catalogue")]
    callers = [await called(actions, ADA, "5035550101", f"call-{n}") for n in range(12)]
    start = [term.id for term in callers[0].vocabularies["queue"]]
    fresh = [title for title in catalogue if title not in start]

    async def edit(caller: Caller, number: int) -> None:
        choice = random.Random(number)
        assert (await caller.do("queue.add", title=fresh[number])).outcome == "ok"
        for _ in range(3):
            await caller.do("queue.move_to_position", title=choice.choice(start), position=choice.randint(1, 8))
            await caller.do("queue.swap", title=choice.choice(start), other=choice.choice(start))
            await caller.do("queue.move_before", title=choice.choice(start), other=choice.choice(start))

    await asyncio.gather(*(edit(caller, number) for number, caller in enumerate(callers)))
    profile = await office.films.backend.profile(ADA)
    assert profile is not None
    assert sorted(str(title.id) for title in profile.queue) == sorted([*start, *fresh[:12]])


async def test_every_change_is_audited_once(ada: Caller, office: Office) -> None:
    await ada.do("queue.remove", key="a", title=await ada.title("Vertigo"))
    await ada.do("queue.remove", key="a", title=await ada.title("Metropolis"))
    await ada.do("queue.remove", key="b", title="999")  # no change: nothing to tell
    trail = await office.trail("call-1")
    assert [(line["action"], line["key"], line["member"], line["actor"]) for line in trail] == [
        ("queue.remove", "a", ADA, "caller")
    ]
    assert len(trail[0]["before"]["queue"]) == 8
    assert len(trail[0]["after"]["queue"]) == 7


async def test_a_damaged_disc_is_replaced(ada: Caller) -> None:
    disc = ada.vocabularies["discs"][0]
    report = await ada.do("disc.report", title=disc.id, kind="damaged")
    assert (report.outcome, report.values) == ("ok", {"title": "Sherlock Jr.", "reports": 1})
    assert ada.facts["member.damaged_reports"] == 1
    assert ada.facts["member.discs_out"] == 2  # the new copy is on its way
    assert (await ada.do("disc.report", title=disc.id, kind="missing")).outcome == "ok"
    assert ada.facts["member.damaged_reports"] == 1
    assert (await ada.do("disc.report", title=await ada.title("Gilda"), kind="damaged")).outcome == "not_out"
    with pytest.raises(ActionError, match="kind"):
        await ada.do("disc.report", title=disc.id, kind="boring")


async def test_the_third_damaged_disc_needs_a_human(actions: ActionRegistry) -> None:
    june = await called(actions, "10003", "5035550103")
    assert june.facts["member.damaged_reports"] == 2
    disc = await june.title("The Passion of Joan of Arc")
    assert (await june.do("disc.report", key="k", title=disc, kind="damaged")).outcome == "third_time"
    assert (await june.do("disc.report", key="k", title=disc, kind="damaged")).outcome == "third_time"
    assert june.facts["member.damaged_reports"] == 3


async def test_notes_are_heard_and_deleted(actions: ActionRegistry, office: Office) -> None:
    rosa = await called(actions, "10004", "5415550104")
    assert (await rosa.do("notes.read")).outcome == "not_verified"
    assert (await rosa.do("member.verify", pin="2404")).outcome == "ok"
    heard = await rosa.do("notes.read")
    assert heard.outcome == "ok"
    assert heard.values["count"] == 2
    assert str(heard.values["text"]).startswith("Prefers to be called in the afternoon. The disc")
    await rosa.do("notes.add", text="Likes comedies")
    assert rosa.facts["member.notes"] == 3
    gone = await rosa.do("notes.delete_all")
    assert (gone.outcome, gone.values["count"]) == ("ok", 3)
    assert (await rosa.do("notes.read")).outcome == "none"
    assert (await rosa.do("notes.delete_all")).outcome == "none"
    assert "comedies" not in str(await office.trail("call-1"))


async def test_callbacks(ada: Caller, office: Office) -> None:
    ada.facts["call.caller"] = ""
    assert (await ada.do("callback.request")).outcome == "no_number"
    ada.facts["call.caller"] = "+15035550101"
    assert (await ada.do("callback.request", key="k", when="tomorrow at nine")).values == {"number": "15035550101"}
    await ada.do("callback.request", key="k", when="tomorrow at nine")
    waiting = await office.callbacks.waiting()
    assert [(c.number, c.name, c.caller_id, c.wanted, c.skill) for c in waiting] == [
        ("+15035550101", "Ada Moreno", ADA, "tomorrow at nine", "general")
    ]
    assert await office.callbacks.close(waiting[0].id)
    assert not await office.callbacks.close(waiting[0].id)
    assert await office.callbacks.waiting() == []


async def test_nobody_identified(actions: ActionRegistry) -> None:
    assert (await Caller(actions).do("queue.read")).outcome == "not_verified"
    stranger = Caller(actions)
    stranger.facts[CALLER_IDENTITY] = "likely"  # by a company that says who it is not
    with pytest.raises(ActionError, match="identified"):
        await stranger.actions.perform(ActionCall("queue.read", {}, "k", "call-1", stranger.facts))


async def test_catalogue(actions: ActionRegistry) -> None:
    catalogue = await actions.vocabulary("catalogue")
    assert len(catalogue) == 420
    assert len({term.label for term in catalogue}) == 420  # two films of one name are told apart
    assert all(term.spoken for term in catalogue)
    assert await actions.vocabulary("catalogue") is catalogue
    with pytest.raises(ActionError):
        await actions.vocabulary("nonsense")


async def test_the_catalogue_outlives_the_database(now: Time, sqlite_template: Path, tmp_path: Path) -> None:
    file = tmp_path / "ivr.sqlite3"
    shutil.copy(sqlite_template, file)
    store = films_store(f"sqlite+aiosqlite:///{file}", now=now)
    actions = actions_on(store)
    catalogue = await actions.vocabulary("catalogue")
    await store.close()
    file.write_bytes(b"gone" * 100)
    now.pass_(hours=1)
    assert await actions.vocabulary("catalogue") == catalogue
    with pytest.raises(ActionError, match="not available"):
        await actions_on(store).vocabulary("catalogue")
    await store.close()
