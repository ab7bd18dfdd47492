"""config.toml -> frozen objects: field types, sections of them, and the file that is read."""

from ivr.config.desk_sections import Agent, DeskConfig, Hours, LineConfig, Relaxation
from ivr.config.fields import Address, Secret, parse_address
from ivr.config.file import load_config
from ivr.config.sections import (
    TIE_LINE,
    CompanyConfig,
    Config,
    FlowsConfig,
    HttpConfig,
    HttpService,
    LogsConfig,
    MediaConfig,
    NumberPlan,
    RecordingConfig,
    RetentionConfig,
    SipConfig,
    SpeechConfig,
    StoreConfig,
    Trunk,
)
from ivr.config.shown import shown
from ivr.config.speech_sections import PromptVoiceConfig, SecondEarConfig

__all__ = [
    "TIE_LINE",
    "Address",
    "Agent",
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
    "PromptVoiceConfig",
    "RecordingConfig",
    "Relaxation",
    "RetentionConfig",
    "SecondEarConfig",
    "Secret",
    "SipConfig",
    "SpeechConfig",
    "StoreConfig",
    "Trunk",
    "load_config",
    "parse_address",
    "shown",
]
