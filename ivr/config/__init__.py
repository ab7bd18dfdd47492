"""config.toml -> frozen objects: field types, sections of them, and the file that is read."""

from ivr.config.desk_sections import Agent, DeskConfig, Hours, LineConfig, Relaxation
from ivr.config.fields import Address, Secret, parse_address
from ivr.config.file import load_config
from ivr.config.media_section import MediaConfig
from ivr.config.oidc_section import OidcConfig
from ivr.config.operations_sections import CdrConfig, TracesConfig
from ivr.config.retention_section import RetentionConfig
from ivr.config.sections import (
    UNKEPT,
    CompanyConfig,
    Config,
    FlowsConfig,
    HttpConfig,
    HttpService,
    LogsConfig,
    NumberPlan,
    RecordingConfig,
    SpeechConfig,
    StoreConfig,
)
from ivr.config.shown import shown
from ivr.config.sip_section import TIE_LINE, SipConfig, Trunk
from ivr.config.speech_sections import PromptVoiceConfig, SecondEarConfig
from ivr.config.tls_section import TlsConfig

__all__ = [
    "TIE_LINE",
    "UNKEPT",
    "Address",
    "Agent",
    "CdrConfig",
    "CompanyConfig",
    "Config",
    "DeskConfig",
    "FlowsConfig",
    "Hours",
    "HttpConfig",
    "HttpService",
    "LineConfig",
    "LogsConfig",
    "MediaConfig",
    "NumberPlan",
    "OidcConfig",
    "PromptVoiceConfig",
    "RecordingConfig",
    "Relaxation",
    "RetentionConfig",
    "SecondEarConfig",
    "Secret",
    "SipConfig",
    "SpeechConfig",
    "StoreConfig",
    "TlsConfig",
    "TracesConfig",
    "Trunk",
    "load_config",
    "parse_address",
    "shown",
]
