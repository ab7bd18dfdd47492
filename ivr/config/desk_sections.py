"""The sections of config.toml below [desk]: hours, agents' phones, and the line of waiting callers."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from ivr.config.fields import OutsideNumber, SipTarget
from ivr.config.section import Section
from ivr.media.description import SrtpPolicy

_BY_TLS = re.compile(r"^sips:|;transport=tls(?![\w-])", re.IGNORECASE)


class Hours(Section):
    """Opening hours by weekday, ``HH:MM-HH:MM[, …]``; a missing day is closed."""

    mon: str = ""
    tue: str = ""
    wed: str = ""
    thu: str = ""
    fri: str = ""
    sat: str = ""
    sun: str = ""
    holidays: tuple[date, ...] = ()


class Agent(Section):
    """Somewhere live that takes calls; the only places a call may be transferred to. ``srtp``: as a trunk's; without
    it, that of the trunk that its address belongs to."""

    name: str
    target: SipTarget
    mode: Literal["bridge", "refer"] = "bridge"
    skills: tuple[str, ...] = ("general",)
    ring_timeout_s: float = Field(20.0, gt=0)
    on_call: bool = False
    hang_up: Literal["ends", "returns"] = "ends"  # what hanging up does: ends the call, or returns it to the dialogue
    calls: int = Field(1, ge=1, le=1000)  # how many it takes at once; a hunt group behind one address takes several
    srtp: SrtpPolicy | None = None

    @model_validator(mode="after")
    def keys_are_hidden(self) -> Agent:
        if self.srtp == "require" and not _BY_TLS.search(self.target):
            raise ValueError(
                f'{self.name}: srtp = "require" needs TLS, or its keys are read by whoever sees the SIP: '
                "write the target as sips:, or with ;transport=tls"
            )
        return self


class Relaxation(Section):
    """After ``after_s`` of waiting for ``skill``, agents with ``to`` are good enough."""

    skill: str
    to: str = "general"
    after_s: float = Field(180.0, ge=0)


class LineConfig(Section):
    """The line of waiting callers. ``offer_s``: how long an agent has to answer; ``wrap_up_s``: after which one who
    wraps up is available again, 0 waits for them; ``bound_s``: who waited so long goes before any priority;
    ``grace_s``: how long the place of somebody who is gone is kept; ``named_s``: how long a caller waits for the agent
    they know; ``rest_s``: how long a phone without a console is left alone after it did not answer; ``told_every_s``:
    how often a caller is told where they stand; ``handle_s``: how long a conversation lasts, until enough of them were
    seen; ``attempts_min``: minutes between the attempts of a call back; ``callbacks_day``: how many a caller, and a
    number, are promised in 24 hours; ``overflow``: an outside number for who waited ``overflow_after_s``, and for who
    waits when nobody is on duty any more, "" for none; ``trunk``: which takes calls to members' numbers."""

    offer_s: float = Field(20.0, gt=0)
    wrap_up_s: float = Field(60.0, ge=0)
    bound_s: float = Field(600.0, gt=0)
    grace_s: float = Field(900.0, gt=0)
    named_s: float = Field(20.0, ge=0)
    rest_s: float = Field(60.0, ge=0)
    told_every_s: float = Field(60.0, ge=10)
    handle_s: float = Field(300.0, gt=0)
    attempts_min: tuple[float, ...] = (2.0, 10.0, 30.0)
    callbacks_day: int = Field(5, ge=1)
    relax: tuple[Relaxation, ...] = ()
    music: str = "waiting"
    overflow: SipTarget | Literal[""] = ""
    overflow_after_s: float = Field(600.0, gt=0)
    trunk: str = ""
    outside: tuple[OutsideNumber, ...] = ()  # that agents may transfer to, "tel:+1503…" or SIP URIs
    premium: bool = False  # whether numbers that cost extra are called back


class DeskConfig(Section):
    caller_id: str = "sip:line@127.0.0.1"
    hours: Hours = Hours()
    agents: tuple[Agent, ...] = ()
    line: LineConfig = LineConfig()

    @model_validator(mode="after")
    def _agents_differ(self) -> DeskConfig:
        names = [agent.name for agent in self.agents]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"agents: two are called {', '.join(twice)}; one that takes several calls says so (calls)")
        if marked := [name for name in names if "#" in name or not name.strip()]:
            raise ValueError(f"agents: {marked[0]!r} is no name: it is empty, or has a #")
        return self
