"""A telephone line that people don't hate: SIP-attached, speech-enabled self-service."""

__version__ = "0.1.0"
