"""config.toml -> frozen objects. An unknown key is an error; all errors come at once.

Secrets are written ``env:NAME`` or ``file:/path`` and resolved on use, so that they never reach a log or a dump.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ivr.errors import ConfigError
from ivr.identity import LevelWord


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
            return Path(name).read_text(encoding="utf-8").strip()
        except OSError as error:
            why = f"secret file {name}: {error.strerror}"
            raise ConfigError(why, remedy="create it, readable by this user only") from error

    def available(self) -> bool:
        try:
            return bool(self.reveal())
        except ConfigError:
            return False

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
    return value


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{value!r} is not an IANA time zone, e.g. America/Los_Angeles") from error
    return value


def _sip_uri(value: str) -> str:
    if not value.startswith(("sip:", "sips:")) or any(c in value for c in " \r\n<>"):
        raise ValueError(f"{value!r} is not a SIP URI, e.g. sip:agent@192.0.2.20:5060")
    return value


class Trunk(Section):
    """A SIP peer. ``allow`` admits its addresses; ``inbound_auth`` demands digest credentials (RFC 8760) instead.
    ``vouches``: the calling numbers it sends are checked ones, so that a number on file makes a caller likely."""

    name: str
    allow: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    register_with: str = Field("", alias="register")
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


class MediaConfig(Section):
    ports: Annotated[str, AfterValidator(_media_ports)] = "16000-16999"
    codecs: tuple[Literal["PCMU", "PCMA", "G722"], ...] = ("PCMU", "PCMA", "G722")
    timeout_s: float = Field(30.0, gt=0)

    @property
    def port_range(self) -> tuple[int, int]:
        low, _, high = self.ports.partition("-")
        return int(low), int(high)


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


class HttpService(Section):
    """A company's own HTTP service that flows may call by name. ``headers`` values may be secrets. ``needs``: the
    identity level below which it is never called, whatever a flow says."""

    name: str
    url: str
    headers: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretField] = Field(default_factory=dict)
    timeout_s: float = Field(3.0, gt=0, le=30)
    retries: int = Field(1, ge=0, le=5)
    needs: LevelWord = "unknown"


class FlowsConfig(Section):
    directory: Path = Path("flows")
    entry: str = "main"
    language: str = "en-US"
    persona: str = "neutral"
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "America/Los_Angeles"
    watch: bool = True
    numbers: tuple[NumberPlan, ...] = ()
    services: tuple[HttpService, ...] = ()


class CompanyConfig(Section):
    """``package``: the Python package with the company's actions; "" for one without."""

    package: str = "ivr.reference"


class StoreConfig(Section):
    """``node``: this service, among those that share the database; "" is the host's name and the SIP port."""

    url: str = "sqlite+aiosqlite:///var/ivr.sqlite3"
    node: str = ""

    def resolved(self) -> str:
        return Secret(self.url).reveal() if self.url.startswith(("env:", "file:")) else self.url


class RetentionConfig(Section):
    """``calls_days``: what is kept about calls is deleted so long after they ended; 0 keeps it."""

    calls_days: int = Field(0, ge=0)


class HttpConfig(Section):
    listen: AddressField = Address("127.0.0.1", 8080)
    token: SecretField = Secret("")
    public_url: str = ""


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
    target: Annotated[str, AfterValidator(_sip_uri)]
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
    def node(self) -> str:
        return self.store.node or f"{socket.gethostname()}:{self.sip.listen.port}"

    @model_validator(mode="after")
    def _safe(self) -> Config:
        if not self.http.listen.loopback and not self.http.token.source:
            raise ValueError("http.listen is reachable from outside: set http.token (env:NAME or file:/path)")
        return self


def load_config(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Parse ``path``; relative paths inside it are taken from its folder. Raises ConfigError with every fault.

    ``overrides`` maps dotted keys ("sip.listen") to values that win over the file."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        remedy = "pass --config FILE, or copy the config.toml that ships"
        raise ConfigError(f"{path}: no such file", remedy=remedy) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}", remedy="mend the file and start again") from error
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
    return config.model_copy(update={"speech": speech, "flows": flows, "logs": logs, "store": store})
