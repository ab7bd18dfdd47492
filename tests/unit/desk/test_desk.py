"""Routing, context links and whispers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.config import Agent, DeskConfig, Hours
from ivr.desk import ConfiguredDesk
from ivr.desk.headers import read_user_to_user
from ivr.errors import StoreUnavailable
from ivr.ports import Desk, HandoffContext, Party
from ivr.record import Utterance

DAY = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NIGHT = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)


class Contexts:
    """A ContextStore in memory that can be out of order: gone, or silent."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.gone = False
        self.silent = False

    async def keep_context(self, token: str, call_id: str, payload: Mapping[str, Any], expires_at: datetime) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.gone:
            raise StoreUnavailable("gone")
        self.kept[token] = payload

    async def context(self, token: str) -> Mapping[str, Any] | None:
        return self.kept.get(token)


def agent(name: str, *skills: str, on_call: bool = False) -> Agent:
    return Agent(name=name, target=f"sip:{name}@192.0.2.1", skills=skills, on_call=on_call)


AGENTS = (
    agent("front", "general"),
    agent("discs", "discs", on_call=True),
    agent("retention", "retention"),
    agent("both", "retention", "general", on_call=True),
)


def desk(agents: tuple[Agent, ...] = AGENTS, contexts: Contexts | None = None, now: datetime = DAY) -> ConfiguredDesk:
    return ConfiguredDesk(
        DeskConfig(hours=Hours(mon="08:00-20:00"), agents=agents),
        contexts or Contexts(),
        base_url="https://line.example/",
        time_zone="UTC",
        now=lambda: now,
    )


def names(found: ConfiguredDesk, skill: str, now: datetime) -> list[str]:
    port: Desk = found
    return [destination.name for destination in port.destinations(skill, now)]


def test_by_day() -> None:
    assert desk().open_now("general", DAY)
    assert names(desk(), "retention", DAY) == ["retention", "both", "front"]
    assert names(desk(), "discs", DAY) == ["discs", "front", "both"]
    assert names(desk(), "unheard-of", DAY) == ["front", "both"]


def test_by_night_only_who_is_on_call() -> None:
    assert not desk().open_now("general", NIGHT)
    assert names(desk(), "retention", NIGHT) == ["both"]
    assert names(desk(), "discs", NIGHT) == ["discs", "both"]
    assert names(desk((agent("front", "general"),)), "general", NIGHT) == []


def test_anybody_before_nobody() -> None:
    assert names(desk((agent("discs", "discs"),)), "retention", DAY) == ["discs"]
    assert not desk(()).open_now("general", DAY)
    assert names(desk(()), "general", DAY) == []


def test_destinations_are_as_configured() -> None:
    referred = Agent(name="far", target="sip:far@192.0.2.9", mode="refer", ring_timeout_s=7.0)
    (found,) = desk((referred,)).destinations("general", DAY)
    assert (found.target, found.mode, found.ring_timeout_s) == ("sip:far@192.0.2.9", "refer", 7.0)


CONTEXT = HandoffContext(
    call_id="call-1",
    reason="cancellation-risk",
    skill="retention",
    priority=9,
    caller=Party("5035550101", "Ada Moreno"),
    language="en-US",
    facts={"member.name": "Ada Moreno", "member.number": "10001"},
    transcript=(Utterance("heard", "I want to cancel", "main.menu", "leave"),),
    tried=("menu", "queue.read"),
    flow="main",
    state="menu",
)


async def test_the_link_shows_everything() -> None:
    contexts = Contexts()
    found = desk(contexts=contexts)
    url = await found.store_context(CONTEXT)
    base, _, token = url.rpartition("/")
    assert base == "https://line.example/handoff"
    assert len(token) == 32
    shown = await found.context(token)
    assert shown is not None
    assert shown["transcript"] == [
        {"kind": "heard", "state": "main.menu", "text": "I want to cancel", "intent": "leave"}
    ]
    assert shown["caller"]["number"] == "5035550101"
    assert shown["facts"]["member.number"] == "10001"
    assert (shown["reason"], shown["priority"], shown["tried"]) == ("cancellation-risk", 9, ["menu", "queue.read"])
    assert await found.store_context(CONTEXT) != url
    assert await found.context("guess") is None


@pytest.mark.parametrize("fault", ["gone", "silent"])
async def test_the_link_works_without_a_database(fault: str) -> None:
    contexts = Contexts()
    setattr(contexts, fault, True)
    found = desk(contexts=contexts)
    token = (await found.store_context(CONTEXT)).rpartition("/")[2]
    shown = await found.context(token)
    assert shown is not None
    assert shown["call_id"] == "call-1"
    assert contexts.kept == {}


async def test_links_kept_in_hand_age_too() -> None:
    contexts = Contexts()
    contexts.gone = True
    time = [DAY]
    found = ConfiguredDesk(DeskConfig(), contexts, base_url="", time_zone="UTC", now=lambda: time[0])
    token = (await found.store_context(CONTEXT)).rpartition("/")[2]
    time[0] += timedelta(days=2)
    assert await found.context(token) is None


def test_headers_carry_what_is_needed_and_nobody() -> None:
    url = "https://line.example/handoff/" + "t" * 32
    headers = desk().headers(CONTEXT, url)
    assert headers["X-IVR-Call-ID"] == "call-1"
    assert headers["X-IVR-Reason"] == "cancellation-risk"
    assert headers["X-IVR-Priority"] == "9"
    assert headers["X-IVR-Context"] == url
    assert read_user_to_user(headers["User-to-User"])["ctx"] == "t" * 32
    everything = str(headers) + str(read_user_to_user(headers["User-to-User"]))
    assert "Ada" not in everything
    assert "5035550101" not in everything
    assert "X-IVR-Context" not in desk().headers(CONTEXT, "")


def changed(**values: Any) -> HandoffContext:
    fields = {name: getattr(CONTEXT, name) for name in HandoffContext.__dataclass_fields__}
    return HandoffContext(**{**fields, **values})


@pytest.mark.parametrize(
    ("context", "sentence"),
    [
        (CONTEXT, "Urgent: Ada Moreno: cancellation risk."),
        (changed(priority=3, tried=("menu",)), "Ada Moreno: cancellation risk."),
        (
            changed(priority=0, facts={}, tried=(), reason="asked for a human"),
            "A caller we could not identify: asked for a human.",
        ),
        (changed(priority=0, reason="", tried=()), "Ada Moreno."),
        (changed(priority=5, reason="asked", tried=()), "Ada Moreno."),
        (changed(language="es-ES", priority=0, tried=()), "Ada Moreno: cancellation risk."),
    ],
)
def test_whisper(context: HandoffContext, sentence: str) -> None:
    assert desk().whisper(context) == sentence
