"""config.toml -> frozen objects. An unknown key is an error; all errors come at once.

Secrets are written ``env:NAME`` or ``file:/path`` and resolved on use, so that they never reach a log or a dump.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ivr.errors import ConfigError
from ivr.identity import LevelWord
from ivr.media.description import callers_served, is_host_name, port_pairs
from ivr.numbering import NumberingPlan, countries
from ivr.typography import retyped


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a secret is kept. ``reveal`` fetches it; repr and str never show it."""

    source: str

    def reveal(self) -> str:
        """The secret itself; "" when none is configured. Raises ConfigError when its place is empty."""
        if not self.source:
            return ""
        kind, _, name = self.source.partition(":")
        if kind == "env":
            if value := os.environ.get(name, ""):
                return value
            raise ConfigError(f"the environment variable {name} is not set", remedy=f"export {name}=… and start again")
        try:
            return Path(name).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = f"secret file {name}: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}"
            raise ConfigError(why, remedy="create it, readable by this user only") from error

    def trouble(self) -> str:
        """What is wrong with it; "" when it is there."""
        try:
            return "" if self.reveal() else f"{self.source or 'nothing'} is empty"
        except ConfigError as error:
            return str(error)

    def available(self) -> bool:
        return not self.trouble()

    def __repr__(self) -> str:
        return f"Secret({self.source.partition(':')[0]}:…)" if self.source else "Secret()"


def _secret(value: object) -> object:
    if isinstance(value, str) and value and not value.startswith(("env:", "file:")):
        raise ValueError("secrets do not belong in this file: write env:NAME or file:/path")
    return Secret(value) if isinstance(value, str) else value


SecretField = Annotated[Secret, BeforeValidator(_secret)]


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_address(text: object) -> Address:
    """``HOST:PORT`` or ``[V6]:PORT``. Raises ValueError with a remedy."""
    if isinstance(text, Address):
        return text
    host, colon, port = str(text).rpartition(":")
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text!r} is not HOST:PORT, e.g. 127.0.0.1:5060")
    return Address(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104 - ":5060" means every interface, as usual


AddressField = Annotated[Address, BeforeValidator(parse_address)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def _network(value: str) -> str:
    ipaddress.ip_network(value, strict=False)
    return value


def _media_ports(value: str) -> str:
    low, dash, high = value.partition("-")
    if not (dash and low.isdigit() and high.isdigit() and 1024 <= int(low) < int(high) <= 65535):
        raise ValueError("write LOW-HIGH, e.g. 16000-16999")
    if not callers_served(port_pairs(int(low), int(high))[1]):
        raise ValueError("a caller and the agent who joins them take four ports, from an even one on; widen it")
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is not an IANA time zone, e.g. America/Los_Angeles") from error
    return value


def _country(value: str) -> str:
    if value.upper() not in countries():
        raise ValueError(f"{value!r} is not a country's two letters (ISO 3166), e.g. US")
    return value.upper()


_TARGET = re.compile(
    r"sip:(?:[^\s@<>\"'?]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s@<>\"'\[\]:;?]+)(?::(?P<port>\d+))?(?P<params>(?:;[^\s<>\"'?]*)?)"
    r"(?:\?[^\s<>\"']*)?",
    re.IGNORECASE,
)


def _sip_target(value: str) -> str:
    """A SIP URI that this line can send to. What it says about a wrong one names the part."""
    if value[:5].lower() == "sips:":
        raise ValueError(f"{value!r} cannot be dialled: sips: needs TLS, which this line does not speak; write sip:")
    found = _TARGET.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is not a SIP URI, e.g. sip:agent@192.0.2.20:5060")
    host, port = found["host"].strip("[]"), found["port"]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not is_host_name(host):
            raise ValueError(f"{value!r} cannot be dialled: {host} is neither an address nor a host name") from None
    else:
        if address.is_unspecified or address.is_multicast:
            raise ValueError(f"{value!r} cannot be dialled: nobody is at {host}")
    if port is not None and not 0 < int(port) < 65536:
        raise ValueError(f"{value!r} cannot be dialled: {port} is no port")
    params = dict(part.lower().partition("=")[::2] for part in found["params"].split(";"))
    if (transport := params.get("transport", "udp")) not in ("udp", "tcp"):
        raise ValueError(f"{value!r} cannot be dialled: this line speaks udp and tcp, not {transport or 'nothing'}")
    return value


def _registrar(value: str) -> str:
    return _sip_target(value) if value else value


class Trunk(Section):
    """A SIP peer. ``allow`` admits its addresses; ``inbound_auth`` demands digest credentials (RFC 8760) instead.
    ``vouches``: the calling numbers it sends are checked ones, so that a number on file makes a caller likely."""

    name: str
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    register_with: Annotated[str, AfterValidator(_registrar)] = Field("", alias="register")
    username: str = ""
    password: SecretField = Secret("")
    realm: str = ""
    expires_s: int = Field(300, ge=30)
    transport: Literal["udp", "tcp"] = "udp"
    inbound_auth: bool = False
    vouches: bool = True

    @model_validator(mode="after")
    def _complete(self) -> Trunk:
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
    ports: Annotated[str, AfterValidator(_media_ports)] = "16000-16999"
    codecs: tuple[Literal["PCMU", "PCMA", "G722"], ...] = ("PCMU", "PCMA", "G722")
    timeout_s: float = Field(30.0, gt=0)

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


def _service_url(value: str) -> str:
    parts = urlsplit(value)
    whole = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    own = not parts.scheme and not parts.netloc and value.startswith("/")
    if not (whole or own) or parts.query or parts.fragment or parts.username or not value.isprintable() or " " in value:
        raise ValueError(f"{value!r} is not http(s)://HOST/PATH, nor the /PATH of a resource of this line's own server")
    return value


class HttpService(Section):
    """A company's own HTTP service that flows may call by name; ``url`` is a path where this line's own server has it.

    {names} in the values of ``headers`` are filled from ``secrets``. ``needs``: the identity level below which it is
    never called, whatever a flow says."""

    name: str = Field(min_length=1)
    url: Annotated[str, AfterValidator(_service_url)]
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
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "America/Los_Angeles"
    country: Annotated[str, AfterValidator(_country)] = "US"
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
    trusted_proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()


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
    target: Annotated[str, AfterValidator(_sip_target)]
    mode: Literal["bridge", "refer"] = "bridge"
    skills: tuple[str, ...] = ("general",)
    ring_timeout_s: float = Field(20.0, gt=0)
    on_call: bool = False


class DeskConfig(Section):
    caller_id: str = "sip:line@127.0.0.1"
    hours: Hours = Hours()
    agents: tuple[Agent, ...] = ()


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

    def check_secrets(self) -> None:
        """Raises ConfigError that names every secret that is not there."""
        missing = [f"{of}: {trouble}" for of, secret in self.secrets if (trouble := secret.trouble())]
        if missing:
            raise ConfigError("secrets are missing\n" + "\n".join(missing), remedy="set them and start again")

    @property
    def node(self) -> str:
        return self.store.node or f"{socket.gethostname()}:{self.sip.listen.port}"

    @model_validator(mode="after")
    def _safe(self) -> Config:
        if not self.http.listen.loopback and not self.http.token.source:
            raise ValueError("http.listen is reachable from outside: set http.token (env:NAME or file:/path)")
        for agent in self.desk.agents:
            if "udp" not in self.sip.transports and ";transport=udp" in agent.target.lower():
                raise ValueError(f"desk.agents: {agent.target!r} cannot be dialled: sip.transports has no udp")
        return self


def load_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Parse ``path``; relative paths inside it are taken from its folder. Raises ConfigError with every fault.

    ``overrides`` maps dotted keys ("sip.listen") to values that win over the file."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
        raw = tomllib.loads(text)
    except FileNotFoundError as error:
        remedy = "pass --config FILE, or copy the config.toml that ships"
        raise ConfigError(f"{path}: no such file", remedy=remedy) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the file is not UTF-8 text", remedy="save it as UTF-8 in your editor") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", remedy="make it a file that this user can read") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        said = text.splitlines()[int(line[1]) - 1] if line else ""
        remedy = retyped(said) or "mend the file and start again"
        raise ConfigError(f"{path}: {error}" + (f"\n    {said.strip()}" if said else ""), remedy=remedy) from error
    for dotted, value in (overrides or {}).items():
        section, _, key = dotted.partition(".")
        raw.setdefault(section, {})[key] = value
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(path, e) for e in error.errors())) from error
    return _anchored(config, path.resolve().parent)


def _explain(path: Path, error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "file"
    if error["type"] == "extra_forbidden":
        return f"{path}: unknown key {where}: remove it, or check its spelling against the config.toml that ships"
    return f"{path}: {where}: {error['msg'].removeprefix('Value error, ')}"


def _anchored(config: Config, base: Path) -> Config:
    speech, flows, logs = config.speech, config.flows, config.logs
    folders = {name: base / getattr(speech, name) for name in ("vosk_models", "recordings", "cache")}
    speech = speech.model_copy(update=folders)
    flows = flows.model_copy(update={"directory": base / flows.directory})
    if logs.path != "-":
        logs = logs.model_copy(update={"path": str(base / logs.path)})
    store = config.store
    scheme, triple, file = store.url.partition(":///")
    if scheme.startswith("sqlite") and triple and file and not Path(file).is_absolute() and not file.startswith(":"):
        store = store.model_copy(update={"url": f"{scheme}:///{base / file}"})
    if store.spool or not store.url.startswith("sqlite"):
        store = store.model_copy(update={"spool": str(base / (store.spool or SPOOL))})
    return config.model_copy(update={"speech": speech, "flows": flows, "logs": logs, "store": store})
