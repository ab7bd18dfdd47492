"""The desk as it is configured: open within hours, whoever is there."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.config import Agent, DeskConfig, Hours
from ivr.desk import ConfiguredDesk
from ivr.errors import ConfigError
from tests.unit.desk.handed import CONTEXT
from tests.unit.desk.test_routing import AGENTS
from tests.unit.desk.test_screen_pop import Contexts

DAY = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NIGHT = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)


def desk(agents: tuple[Agent, ...] = AGENTS) -> ConfiguredDesk:
    config = DeskConfig(hours=Hours(mon="08:00-20:00"), agents=agents)
    return ConfiguredDesk(config, Contexts(), base_url="https://line.example/", time_zone="UTC", now=lambda: DAY)


def test_open_within_hours_whoever_is_there() -> None:
    assert desk().open_at(DAY)
    assert not desk().open_at(NIGHT)
    assert desk(()).fact("hours.open", DAY) is True, "agents may be in their browsers, and in no configuration"


@pytest.mark.parametrize(("now", "rung"), [(DAY, ["retention", "both", "front"]), (NIGHT, ["both"])])
def test_hours_decide_who_is_rung(now: datetime, rung: list[str]) -> None:
    assert [destination.name for destination in desk().destinations("retention", now)] == rung


def test_a_reload_changes_hours_and_agents_and_a_fault_neither() -> None:
    found = desk()
    found.apply(DeskConfig(hours=Hours(mon="22:00-24:00"), agents=AGENTS[:1]))
    assert found.open_at(NIGHT) and not found.open_at(DAY)
    assert [d.name for d in found.destinations("retention", NIGHT)] == [AGENTS[0].name]
    with pytest.raises(ConfigError, match=r"desk\.hours\.mon"):
        found.apply(DeskConfig(hours=Hours(mon="noon"), agents=()))
    assert found.open_at(NIGHT)


async def test_the_headers_of_a_handoff_name_its_screen_pop() -> None:
    found = desk()
    url = await found.store_context(CONTEXT)
    assert found.headers(CONTEXT, url)["X-IVR-Context"] == url
    assert found.whisper(CONTEXT).startswith("Urgent: Ada Moreno")
