"""The error tree: who must act is the first question an error answers.

IvrError
├── ConfigError          the operator: config.toml or the environment is wrong
├── FlowError            the flow designer: a file in flows/ is wrong
├── UnavailableError     the operator: a part that should run does not
│   ├── MediaUnavailable
│   ├── SpeechUnavailable
│   ├── StoreUnavailable
│   └── CheckUnavailable
├── TelephonyError       the far end, or the trunk's operator
│   ├── DialFailed
│   ├── ModificationRefused
│   └── TransferFailed
├── ActionError          the back end behind a flow's action
├── RecordingUnreadable  the operator: its key is not there, or somebody changed it
├── SealBroken           the operator, likewise: of what is sealed
├── TooManyCallBacks     whoever asks for more of them than a day has
├── AccountError         whoever manages accounts, or chooses a password
└── CallEnded            nobody: the far end left; unwinds a call's tasks
"""

from __future__ import annotations


class IvrError(Exception):
    """Root of every error this package raises on purpose."""

    remedy: str = ""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        if remedy:
            self.remedy = remedy

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} ({self.remedy})" if self.remedy else text


class ConfigError(IvrError):
    """config.toml, a command-line option or the environment is wrong."""


class FlowError(IvrError):
    """A flow file cannot be used; the checker's findings say where and why."""


class UnavailableError(IvrError):
    """A part of the service is not running; callers are sent to a human."""


class MediaUnavailable(UnavailableError):
    """The media process is gone, or has no RTP port left."""


class SpeechUnavailable(UnavailableError):
    """No recogniser or synthesiser can serve this language now."""


class StoreUnavailable(UnavailableError):
    """The database does not answer."""


class CheckUnavailable(UnavailableError):
    """The checker does not run, or these files kept it for too long."""


class TelephonyError(IvrError):
    """Signalling with a far end failed."""


class DialFailed(TelephonyError):
    """An outbound INVITE got a final non-2xx answer, or none.

    ``status`` is the SIP status (RFC 3261 section 21); 408 when nobody answered in time."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class ModificationRefused(TelephonyError):
    """A re-INVITE of ours got a final non-2xx answer, or none in time (408): the session stays as it was."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class TransferFailed(TelephonyError):
    """A REFER was refused, or its NOTIFY (RFC 3515) reported a failure."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class ActionError(IvrError):
    """An action's back end failed; the flow takes the action's ``failed`` edge."""


class RecordingUnreadable(IvrError):
    """A recording is gone, was changed, or its key is not there."""


class SealBroken(IvrError):
    """What was sealed was changed since, or the key that opens it is not there."""


class TooManyCallBacks(IvrError):
    """This caller was promised enough call backs today, or this number is: nobody has strangers rung over and over."""


class AccountError(IvrError):
    """An account can't be so: its name, its password, its roles, or nobody would be left who manages accounts."""


class CallEnded(IvrError):
    """The call is over. ``by`` is "caller", "agent", "service" or "network"; ``reason`` is for the log."""

    def __init__(self, by: str, reason: str) -> None:
        super().__init__(f"{by}: {reason}")
        self.by = by
        self.reason = reason
