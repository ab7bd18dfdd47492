"""Sections of config.toml as frozen objects, and what must hold between their keys. An unknown key is an error."""

from __future__ import annotations

import re
import socket
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ivr.config.fields import (
    Address,
    AddressField,
    AddressLiteral,
    CountryCode,
    MediaPorts,
    Network,
    OutsideNumber,
    Registrar,
    Secret,
    SecretField,
    ServiceUrl,
    SipTarget,
    TimeZoneName,
)
from ivr.errors import ConfigError
from ivr.identity import LevelWord
from ivr.media.description import callers_served, port_pairs
from ivr.numbering import NumberingPlan


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


TIE_LINE = "tie line"
"""The trunk of calls between the processes of one line."""


class Trunk(Section):
    """A SIP peer. ``allow`` admits its addresses; ``inbound_auth`` demands digest credentials (RFC 8760) instead.
    ``vouches``: the calling numbers it sends are checked ones, so that a number on file makes a caller likely.
    ``gateway``: where calls to telephone numbers are sent, "" for the registrar."""

    name: str
    allow: tuple[Network, ...] = ()
    register_with: Registrar = Field("", alias="register")
    username: str = ""
    password: SecretField = Secret("")
    realm: str = ""
    expires_s: int = Field(300, ge=30)
    transport: Literal["udp", "tcp"] = "udp"
    inbound_auth: bool = False
    vouches: bool = True
    gateway: Registrar = ""

    @model_validator(mode="after")
    def _complete(self) -> Trunk:
        if self.name == TIE_LINE:
            raise ValueError(f'calls between lines are told as "{TIE_LINE}": choose another name')
        if not self.allow and not self.inbound_auth and not self.register_with:
            raise ValueError("a trunk needs allow, inbound_auth or register; otherwise nobody can use it")
        if (self.register_with or self.inbound_auth) and not (self.username and self.password.source):
            raise ValueError("register and inbound_auth need username and password (env:NAME or file:/path)")
        return self


class SipConfig(Section):
    listen: AddressField = Address("127.0.0.1", 5060)
    transports: tuple[Literal["udp", "tcp"], ...] = ("udp", "tcp")
    advertise: str = ""
    max_calls: int = Field(100, ge=1)
    busy_status: Literal[486, 503] = 486
    retry_after_s: int = Field(30, ge=1)
    session_expires_s: int = Field(1800, ge=90)
    trunks: tuple[Trunk, ...] = ()

    @property
    def vouching(self) -> frozenset[str]:
        """The trunks whose calling numbers are checked ones."""
        return frozenset(trunk.name for trunk in self.trunks if trunk.vouches)


class MediaConfig(Section):
    ports: MediaPorts = "16000-16999"
    codecs: tuple[Literal["PCMU", "PCMA", "G722"], ...] = ("PCMU", "PCMA", "G722")
    timeout_s: float = Field(30.0, gt=0)
    browser_addresses: tuple[AddressLiteral, ...] = ()

    @property
    def port_range(self) -> tuple[int, int]:
        low, _, high = self.ports.partition("-")
        return int(low), int(high)

    @property
    def callers(self) -> int:
        """How many callers its ports are enough for, each joined with an agent."""
        return callers_served(port_pairs(*self.port_range)[1])


class SpeechConfig(Section):
    recogniser: Literal["auto", "moonshine", "vosk"] = "auto"
    synthesiser: Literal["auto", "hibari", "pyttsx3"] = "auto"
    workers: int = Field(1, ge=1, le=32)
    vosk_models: Path = Path("models")
    recordings: Path = Path("audio")
    cache: Path = Path("audio/.cache")


class NumberPlan(Section):
    """What a called number changes: its entry flow, language, persona."""

    called: str
    entry: str = ""
    language: str = ""
    persona: str = ""


_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SERVICE_SECRET = re.compile(r"\{([A-Za-z_][\w.]*)\}")


class HttpService(Section):
    """A company's own HTTP service that flows may call by name; ``url`` is a path where this line's own server has it.

    {names} in the values of ``headers`` are filled from ``secrets``. ``needs``: the identity level below which it is
    never called, whatever a flow says."""

    name: str = Field(min_length=1)
    url: ServiceUrl
    headers: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretField] = Field(default_factory=dict)
    timeout_s: float = Field(3.0, gt=0, le=30)
    retries: int = Field(1, ge=0, le=5)
    needs: LevelWord = "unknown"

    @model_validator(mode="after")
    def _headers_fit(self) -> HttpService:
        for header, value in self.headers.items():
            if not _HEADER.fullmatch(header) or not value.isprintable() or not value.isascii():
                raise ValueError(f"headers: {header!r} is not a header with a plain value")
            if missing := sorted(set(_SERVICE_SECRET.findall(value)) - set(self.secrets)):
                names = ", ".join(missing)
                raise ValueError(f"headers: {header} names {{{names}}}, and secrets has no {names}")
        return self

    def filled_headers(self) -> dict[str, str]:
        """Raises ConfigError when a secret is not there."""
        return {
            header: _SERVICE_SECRET.sub(lambda name: self.secrets[name[1]].reveal(), value)
            for header, value in self.headers.items()
        }


class FlowsConfig(Section):
    """``country``: whose prefixes numbers without a country code follow, two letters (ISO 3166)."""

    directory: Path = Path("flows")
    entry: str = "main"
    language: str = "en-US"
    persona: str = "neutral"
    time_zone: TimeZoneName = "America/Los_Angeles"
    country: CountryCode = "US"
    watch: bool = True
    numbers: tuple[NumberPlan, ...] = ()
    services: tuple[HttpService, ...] = ()

    @property
    def numbering(self) -> NumberingPlan:
        return NumberingPlan(self.country)

    def plan_of(self, called: str) -> NumberPlan:
        """What is planned for a called number, in any notation; what is not is taken from here."""
        number = self.numbering.number
        wanted = number(called)
        plan = next((n for n in self.numbers if number(n.called) == wanted), NumberPlan(called=called))
        given = {name: getattr(plan, name) or getattr(self, name) for name in ("entry", "language", "persona")}
        return plan.model_copy(update=given)

    @model_validator(mode="after")
    def _numbers_differ(self) -> FlowsConfig:
        seen: dict[str, str] = {}
        for each in self.numbers:
            if (same := seen.setdefault(self.numbering.number(each.called), each.called)) is not each.called:
                raise ValueError(f"numbers: {each.called!r} and {same!r} are the same number, planned twice")
        return self

    @model_validator(mode="after")
    def _services_differ(self) -> FlowsConfig:
        names = [service.name for service in self.services]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"services: two are called {', '.join(twice)}")
        return self


class CompanyConfig(Section):
    """``package``: the Python package with the company's actions; "" for one without."""

    package: str = "ivr.reference"


SPOOL = "var/spool"


class StoreConfig(Section):
    """``node``: this service, among those that share the database; "" is the host's name and the SIP port.

    ``spool``: the folder where what was to be written waits while the database is away, at most ``spool_mb`` of it; ""
    is beside the file of an SQLite database, else ``var/spool``."""

    url: str = "sqlite+aiosqlite:///var/ivr.sqlite3"
    node: str = ""
    spool: str = ""
    spool_mb: int = Field(64, ge=1, le=100_000)

    def resolved(self) -> str:
        return Secret(self.url).reveal() if self.url.startswith(("env:", "file:")) else self.url

    @property
    def spool_folder(self) -> Path:
        scheme, _, file = self.url.partition(":///")
        if self.spool or not (scheme.startswith("sqlite") and file):
            return Path(self.spool or SPOOL)
        return Path(f"{file.partition('?')[0]}.spool")


class RetentionConfig(Section):
    """``calls_days``: what is kept about calls is deleted so long after they ended; 0 keeps it."""

    calls_days: int = Field(0, ge=0)


class HttpConfig(Section):
    listen: AddressField = Address("127.0.0.1", 8080)
    token: SecretField = Secret("")
    public_url: str = ""
    trusted_proxies: tuple[Network, ...] = ()


class LogsConfig(Section):
    path: str = "var/ivr.log"
    level: Literal["debug", "info", "warning", "error"] = "info"
    redact: bool = True


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
    """Somewhere live that takes calls; the only places a call may be transferred to."""

    name: str
    target: SipTarget
    mode: Literal["bridge", "refer"] = "bridge"
    skills: tuple[str, ...] = ("general",)
    ring_timeout_s: float = Field(20.0, gt=0)
    on_call: bool = False
    hang_up: Literal["ends", "returns"] = "ends"  # what hanging up does: ends the call, or returns it to the dialogue
    calls: int = Field(1, ge=1, le=1000)  # how many it takes at once; a hunt group behind one address takes several


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
    seen; ``attempts_min``: minutes between the attempts of a call back; ``overflow``: an outside number for who
    waited ``overflow_after_s``, "" for none; ``trunk``: which takes calls to members' numbers."""

    offer_s: float = Field(20.0, gt=0)
    wrap_up_s: float = Field(60.0, ge=0)
    bound_s: float = Field(600.0, gt=0)
    grace_s: float = Field(900.0, gt=0)
    named_s: float = Field(20.0, ge=0)
    rest_s: float = Field(60.0, ge=0)
    told_every_s: float = Field(60.0, ge=10)
    handle_s: float = Field(300.0, gt=0)
    attempts_min: tuple[float, ...] = (2.0, 10.0, 30.0)
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


class Config(Section):
    sip: SipConfig = SipConfig()
    media: MediaConfig = MediaConfig()
    speech: SpeechConfig = SpeechConfig()
    flows: FlowsConfig = FlowsConfig()
    company: CompanyConfig = CompanyConfig()
    store: StoreConfig = StoreConfig()
    retention: RetentionConfig = RetentionConfig()
    http: HttpConfig = HttpConfig()
    logs: LogsConfig = LogsConfig()
    desk: DeskConfig = DeskConfig()

    @property
    def secrets(self) -> Iterator[tuple[str, Secret]]:
        """Every secret that something needs, and what needs it."""
        for trunk in self.sip.trunks:
            if trunk.password.source:
                yield f"trunk {trunk.name}", trunk.password
        for service in self.flows.services:
            yield from ((f"service {service.name}, {name}", secret) for name, secret in service.secrets.items())
        if not self.http.listen.loopback:
            yield "http.token", self.http.token

    def missing_secrets(self, known: Collection[tuple[str, Secret]] = ()) -> list[str]:
        """What needs a secret that is not there, and why it is not; ``known`` ones are not looked for."""
        wanted = (each for each in self.secrets if each not in known)
        return [f"{of}: {trouble}" for of, secret in wanted if (trouble := secret.trouble())]

    def check_secrets(self) -> None:
        """Raises ConfigError that names every secret that is not there."""
        if missing := self.missing_secrets():
            raise ConfigError("secrets are missing\n" + "\n".join(missing), remedy="set them and start again")

    @property
    def node(self) -> str:
        return self.store.node or f"{socket.gethostname()}:{self.sip.listen.port}"

    @model_validator(mode="after")
    def _safe(self) -> Config:
        if not self.http.listen.loopback and not self.http.token.source:
            raise ValueError("http.listen is reachable from outside: set http.token (env:NAME or file:/path)")
        if self.desk.line.trunk not in ("", *(t.name for t in self.sip.trunks if t.gateway or t.register_with)):
            raise ValueError(f"desk.line: no trunk {self.desk.line.trunk!r} has a gateway or registers")
        for agent in self.desk.agents:
            if "udp" not in self.sip.transports and ";transport=udp" in agent.target.lower():
                raise ValueError(f"desk.agents: {agent.target!r} cannot be dialled: sip.transports has no udp")
        return self
