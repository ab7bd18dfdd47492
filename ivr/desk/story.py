"""A caller's story: what an agent is shown of somebody before and while they talk, put together from what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from ivr.desk.next_steps import next_steps
from ivr.errors import IvrError
from ivr.events import CALLER_ID, CALLER_NAME
from ivr.ports import EarlierCall, EarlierCalls, HandoffContext, MemberPanel, Panel

log = structlog.get_logger(__name__)

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of a caller. ``missing``: what could not be read, in words; the rest is shown all the same.
    ``whole``: the panel and earlier calls were looked for."""

    context: HandoffContext
    panel: Panel | None = None
    earlier: tuple[EarlierCall, ...] = ()
    missing: tuple[str, ...] = ()
    whole: bool = False

    @property
    def caller_id(self) -> str:
        return str(self.context.facts.get(CALLER_ID) or "")

    @property
    def who(self) -> str:
        known = self.panel.name if self.panel is not None else ""
        return (
            str(self.context.facts.get(CALLER_NAME) or "") or known or self.context.caller.number or "Number withheld"
        )

    def to_json(self) -> dict[str, Any]:
        """As consoles get it."""
        told = self.context.to_json()
        return {
            **{name: told[name] for name in ("call_id", "reason", "said", "also", "urgent", "priority", "skill")},
            **{name: told[name] for name in ("language", "identity", "tried", "transcript")},
            "who": self.who,
            "number": self.context.caller.number,
            "panel": None if self.panel is None else plain(asdict(self.panel)),
            "earlier": [plain(asdict(call)) for call in self.earlier],
            "next": list(next_steps(self.context, self.earlier, self.panel)),
            "missing": list(self.missing),
            "whole": self.whole,
        }


def plain(value: Any) -> Any:
    """Ready for JSON: moments as ISO 8601."""
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
    return value


class Stories:
    """Reads what is kept of callers. A part that can't be read is left out, and said so."""

    def __init__(self, members: MemberPanel, earlier: EarlierCalls) -> None:
        self._members = members
        self._earlier = earlier

    @property
    def members(self) -> MemberPanel:
        return self._members

    async def told(self, context: HandoffContext) -> Story:
        story = Story(context)
        panel, earlier = await asyncio.gather(self._panel(story), self._calls(context))
        missing = [what for what, found in (("the member", panel), ("earlier calls", earlier)) if found is None]
        return replace(
            story,
            panel=(panel or {}).get("panel"),
            earlier=tuple(earlier or ()),
            missing=tuple(missing),
            whole=True,
        )

    async def _panel(self, story: Story) -> Mapping[str, Panel | None] | None:
        """Under "panel", None for a stranger; None where it can't be read."""
        if not story.caller_id:
            return {}
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return {"panel": await self._members.panel(story.caller_id)}
        except (IvrError, TimeoutError) as error:
            log.warning("panel.unread", error=str(error) or "timeout")
            return None
        except Exception:
            # A company's own code: whatever it raises, the agent has the rest before them.
            log.exception("panel.raised")
            return None

    async def _calls(self, context: HandoffContext) -> list[EarlierCall] | None:
        if not context.caller.number:
            return []
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return list(await self._earlier(context.caller.number, context.call_id))
        except (IvrError, TimeoutError) as error:
            log.warning("earlier_calls.unread", error=str(error) or "timeout")
            return None
