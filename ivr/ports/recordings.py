"""The recordings port: what is kept of conversations and messages as sound, and the lines that were written down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

RecordingKind = Literal["conversation", "message"]
WITHDRAWN = "withdrawn"  # how one ended whose caller took their consent back: for the whole call, at every line


@dataclass(frozen=True, slots=True)
class RecordingAbout:
    """Whose it is. ``caller_id``: as the company knows them; ``agent``: who talked with them first, "" for nobody."""

    call_id: str
    caller_id: str = ""
    agent: str = ""
    kind: RecordingKind = "conversation"


@dataclass(frozen=True, slots=True)
class RecordingRow:
    """One recording as it is listed. ``ended``: why it is over, "" while it goes on; ``key``: the id of the key that
    sealed it, "" for none; ``agents``: everybody who talked, in order."""

    name: str
    kind: str
    call_id: str
    caller_id: str
    agents: tuple[str, ...]
    started_at: datetime
    seconds: float = 0.0
    key: str = ""
    ended: str = ""


class OpenRecording(Protocol):
    """A recording under way. No method raises: what can't be kept ends the recording, never a call."""

    @property
    def name(self) -> str: ...
    async def write(self, seconds: Sequence[bytes], *, last: bool = False) -> bool:
        """Stereo PCMU, a second each; False: it could not be written, and is over."""

    async def close(self, why: str, agents: Sequence[str]) -> None: ...


class OpenPlayer(Protocol):
    """One recording as a WAV file of ``size`` bytes."""

    @property
    def size(self) -> int: ...
    def read(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Bytes ``start`` to before ``stop``. Raises RecordingUnreadable."""

    async def close(self) -> None: ...


class Recordings(Protocol):
    """Methods raise StoreUnavailable, ``open`` also RecordingUnreadable."""

    async def begin(self, about: RecordingAbout) -> OpenRecording | None:
        """None: it could not be begun, which is logged."""

    async def keep(self, call_id: str, wav: bytes, caller_id: str = "") -> str:
        """A message that a caller left, whole; its name. ``caller_id``: as the company knows them."""

    async def find(self, name: str) -> RecordingRow | None: ...
    async def of_call(self, call_id: str) -> Sequence[RecordingRow]: ...
    async def open(self, name: str, by: str) -> OpenPlayer | None:
        """To be played to ``by``, which is audited. None: there is none, or it was deleted."""
