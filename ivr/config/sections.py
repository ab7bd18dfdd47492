"""Sections of config.toml as frozen objects, and what must hold between their keys. An unknown key is an error."""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ivr.config.desk_sections import DeskConfig
from ivr.config.fields import (
    KEPT_AS,
    KEPT_IN,
    Address,
    AddressField,
    CountryCode,
    Network,
    Secret,
    SecretField,
    ServiceUrl,
    TimeZoneName,
    transport_named,
)
from ivr.config.media_section import MediaConfig
from ivr.config.oidc_section import OidcConfig
from ivr.config.operations_sections import CdrConfig, TracesConfig
from ivr.config.retention_section import RetentionConfig
from ivr.config.section import Section
from ivr.config.sip_section import SipConfig
from ivr.config.speech_sections import PromptVoiceConfig, SecondEarConfig, one_voice_a_language
from ivr.errors import ConfigError
from ivr.identity import LevelWord
from ivr.media.description import callers_served
from ivr.numbering import NumberingPlan
from ivr.sealing import Keys

TLS_TOO = "; TLS needs a certificate, too: see [sip.tls]"


_TALKERS_A_CORE = 60  # who say a sentence every eight seconds


def _cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


class SpeechConfig(Section):
    recogniser: Literal["auto", "moonshine", "vosk", "sherpa"] = "auto"
    synthesiser: Literal["auto", "hibari", "pyttsx3"] = "auto"
    workers: int = Field(0, ge=0, le=64)
    nice: int = Field(0, ge=0, le=19)
    talkers: int = Field(0, ge=0)
    keys_led: int = Field(0, ge=0)
    late_s: float = Field(0.9, gt=0)
    vosk_models: Path = Path("models")
    sherpa_models: Path = Path("models")
    recordings: Path = Path("audio")
    cache: Path = Path("audio/.cache")
    second_ear: SecondEarConfig | None = None
    prompt_voices: tuple[PromptVoiceConfig, ...] = ()

    @field_validator("prompt_voices")
    @classmethod
    def _each_is_asked(cls, voices: tuple[PromptVoiceConfig, ...]) -> tuple[PromptVoiceConfig, ...]:
        one_voice_a_language(voices)
        return voices

    @property
    def endpoints(self) -> Iterator[tuple[str, SecondEarConfig | PromptVoiceConfig]]:
        """Everything that is asked elsewhere, with the name of its section."""
        if self.second_ear is not None:
            yield "speech.second_ear", self.second_ear
        for voice in self.prompt_voices:
            yield "speech.prompt_voices", voice

    @property
    def processes(self) -> int:
        """How many recognise: as configured, or one for each core that we may use."""
        return self.workers or min(64, _cores())

    @property
    def most_talkers(self) -> int:
        """How many callers may talk at once: as configured, or what these processes have been measured to serve."""
        return self.talkers or _TALKERS_A_CORE * min(self.processes, _cores())


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
    def entries(self) -> list[str]:
        """The flows that calls begin in."""
        return list(dict.fromkeys((self.entry, *(number.entry for number in self.numbers if number.entry))))

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
    is beside the file of an SQLite database, else ``var/spool``. ``takeover``: calls outlive their process: what
    another needs to go on with them is kept here while they last."""

    url: str = "sqlite+aiosqlite:///var/ivr.sqlite3"
    node: str = ""
    spool: str = ""
    spool_mb: int = Field(64, ge=1, le=100_000)
    takeover: bool = True

    @property
    def secret(self) -> Secret | None:
        """Where ``url`` is kept, which has a password in it; None where it is written here."""
        return Secret(self.url) if self.url.startswith(KEPT_IN) else None

    def resolved(self) -> str:
        return self.url if self.secret is None else self.secret.reveal()

    @property
    def spool_folder(self) -> Path:
        scheme, _, file = self.url.partition(":///")
        if self.spool or not (scheme.startswith("sqlite") and file):
            return Path(self.spool or SPOOL)
        return Path(f"{file.partition('?')[0]}.spool")


class RecordingConfig(Section):
    """Conversations with agents are recorded where ``enabled`` and the caller agrees; messages are kept in the same
    ``folder``. ``key``: 32 bytes in base64 that seal them; ``former_keys`` still open what they sealed. ``days``: the
    former name of ``retention.recordings``. ``transcribe``: both sides' words are written down while they talk, under
    the same consent."""

    enabled: bool = False
    folder: Path = Path("var/recordings")
    key: SecretField = Secret("")
    former_keys: tuple[SecretField, ...] = ()
    days: int | None = Field(None, ge=0)
    transcribe: bool = False

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The current one first."""
        return tuple(secret for secret in (self.key, *self.former_keys) if secret.source)

    def keys(self) -> tuple[str, ...]:
        """As they are, the current one first. Raises ConfigError."""
        return tuple(secret.reveal() for secret in self.secrets)


UNKEPT = "an encrypted call that is taken over loses its audio where the telephone takes no new key, and ends by DTLS"


class TakeoverConfig(Section):
    """``key``: 32 bytes in base64, the same on all nodes, that seal the keys of encrypted calls, so that whoever takes
    one over goes on with them; ``former_keys`` still open what they sealed. Without one they are not kept."""

    key: SecretField = Secret("")
    former_keys: tuple[SecretField, ...] = ()

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The current one first."""
        return tuple(secret for secret in (self.key, *self.former_keys) if secret.source)

    def keys(self) -> Keys:
        """Of those that are there: a start checks that none is missing. Raises ConfigError."""
        return Keys.of(tuple(secret.reveal() for secret in self.secrets if secret.available()), "takeover")


class HttpConfig(Section):
    listen: AddressField = Address("127.0.0.1", 8080)
    token: SecretField = Secret("")
    public_url: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    oidc: OidcConfig | None = None


class LogsConfig(Section):
    path: str = "var/ivr.log"
    level: Literal["debug", "info", "warning", "error"] = "info"
    redact: bool = True


class Config(Section):
    sip: SipConfig = SipConfig()
    media: MediaConfig = MediaConfig()
    speech: SpeechConfig = SpeechConfig()
    flows: FlowsConfig = FlowsConfig()
    company: CompanyConfig = CompanyConfig()
    store: StoreConfig = StoreConfig()
    retention: RetentionConfig = RetentionConfig()
    recording: RecordingConfig = RecordingConfig()
    takeover: TakeoverConfig = TakeoverConfig()
    http: HttpConfig = HttpConfig()
    logs: LogsConfig = LogsConfig()
    cdr: CdrConfig = CdrConfig()
    traces: TracesConfig = TracesConfig()
    desk: DeskConfig = DeskConfig()

    @property
    def secrets(self) -> Iterator[tuple[str, Secret]]:
        """Every secret that something needs, and what needs it."""
        for trunk in self.sip.trunks:
            if trunk.password.source:
                yield f"trunk {trunk.name}", trunk.password
        for service in self.flows.services:
            yield from ((f"service {service.name}, {name}", secret) for name, secret in service.secrets.items())
        for name, endpoint in self.speech.endpoints:
            if endpoint.api_key.source:
                yield f"{name}.api_key", endpoint.api_key
        yield from (("recording.key", secret) for secret in self.recording.secrets)
        yield from (("takeover.key", secret) for secret in self.takeover.secrets)
        if self.traces.token.source:
            yield "traces.token", self.traces.token
        if not self.http.listen.loopback:
            yield "http.token", self.http.token
        if self.http.oidc is not None:
            yield "http.oidc.client_secret", self.http.oidc.client_secret

    def missing_secrets(self, known: Collection[tuple[str, Secret]] = ()) -> list[str]:
        """What needs a secret that is not there, and why it is not; ``known`` ones are not looked for."""
        wanted = (each for each in self.secrets if each not in known)
        return [f"{of}: {trouble}" for of, secret in wanted if (trouble := secret.trouble())]

    def check_secrets(self) -> None:
        """Raises ConfigError that names every secret that is not there."""
        if missing := self.missing_secrets():
            raise ConfigError("secrets are missing\n" + "\n".join(missing), remedy="set them and start again")

    @property
    def encrypts(self) -> bool:
        """Whether the audio of some calls may be encrypted."""
        policies = [*(trunk.srtp for trunk in self.sip.trunks), *(agent.srtp for agent in self.desk.agents)]
        return any(policy in ("prefer", "require") for policy in policies)

    @property
    def loses_keys(self) -> bool:
        """Whether calls outlive their process, but not all of those that are encrypted."""
        return self.store.takeover and self.encrypts and not self.takeover.secrets

    @property
    def media_processes(self) -> int:
        """As many as are asked for; or as are needed for sip.max_calls, each with an agent, but one a core at most."""
        if self.media.processes:
            return self.media.processes
        needed = math.ceil(self.sip.max_calls / callers_served(self.media.legs_per_process))
        return max(1, min(needed, _cores(), self.media.callers))

    @property
    def media_callers(self) -> int:
        """How many callers they are enough for, each joined with an agent."""
        return callers_served(self.media.legs_per_process * self.media_processes)

    @property
    def node(self) -> str:
        return self.store.node or f"{socket.gethostname()}:{self.sip.address.port}"

    @model_validator(mode="before")
    @classmethod
    def _formerly(cls, given: Any) -> Any:
        """recording.days became retention.recordings."""
        if not isinstance(given, Mapping) or not isinstance(recording := given.get("recording"), Mapping):
            return given
        retention = given.get("retention", {})
        if recording.get("days") is None or not isinstance(retention, Mapping):
            return given
        return {**given, "retention": {"recordings": recording["days"], **retention}}

    @model_validator(mode="after")
    def _safe(self) -> Config:
        if not self.http.listen.loopback and not self.http.token.source:
            raise ValueError(f"http.listen is reachable from outside: set http.token ({KEPT_AS})")
        if self.desk.line.trunk not in ("", *(t.name for t in self.sip.trunks if t.gateway or t.register_with)):
            raise ValueError(f"desk.line: no trunk {self.desk.line.trunk!r} has a gateway or registers")
        lacking = [
            f"{where}: {uri!r} cannot be dialled: sip.transports has no {needed}{TLS_TOO if needed == 'tls' else ''}"
            for where, uri in self._dialled
            if (needed := transport_named(uri)) and needed not in self.sip.transports
        ]
        if lacking:
            raise ValueError("; ".join(lacking))
        return self

    @property
    def _dialled(self) -> Iterator[tuple[str, str]]:
        """Every URI that is called, and where it stands."""
        yield from (("desk.agents", agent.target) for agent in self.desk.agents)
        yield from (("desk.line", uri) for uri in (self.desk.line.overflow, *self.desk.line.outside))
        for trunk in self.sip.trunks:
            yield from ((f"trunk {trunk.name}", uri) for uri in (trunk.register_with, trunk.gateway))
