"""The commands of a leg to the media process that has it: what ``ivr.media.leg`` consumes of ``ivr.media.engine``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol, TypeVar

from ivr.media.clip import Clip
from ivr.media.description import MediaDescription, Resumption
from ivr.media.wire import Kind

L = TypeVar("L", contravariant=True)


class Commands(Protocol[L]):
    """Of legs ``L``. ``versions``: of IP, that it has."""

    @property
    def versions(self) -> Sequence[int]: ...

    def send(self, kind: Kind, leg: int, value: object = None) -> None: ...
    async def request(self, kind: Kind, leg: int, value: object = None) -> Any: ...
    async def bind(
        self, leg: L, remote: MediaDescription | None, port: int, resumed: Resumption
    ) -> MediaDescription: ...
    def send_play(self, leg: int, token: int, clips: Sequence[Clip], *, stop_on_key: bool, gap_ms: int) -> None: ...
    def forget_leg(self, leg: int) -> None: ...
    def candidates(self) -> list[str]: ...
    async def together(self, legs: Collection[L]) -> None:
        """Brings them into one process. Raises MediaUnavailable where none has room for all, TypeError for legs of
        another engine."""
