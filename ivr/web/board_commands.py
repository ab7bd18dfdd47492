"""Commands of the supervisor's page: what it may ask of the board, read once, and told back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from ivr.errors import IvrError
from ivr.ports import Account
from ivr.web.backend import Board, BoardPhone, in_time
from ivr.web.desk_commands import LONGEST_SDP, NOTHING, Asked, Told

LONGEST_NAME = 100
MOST_SKILLS = 50


class BoardCommands:
    """Of one open page. ``zone``: of moments that come without an offset. ``handset``: the page's phone; None where a
    page can't be one."""

    def __init__(self, board: Board, account: Account, zone: tzinfo, handset: BoardPhone | None) -> None:
        self._board = board
        self._by = account.name
        self._zone = zone
        self._handset = handset

    async def obey(self, do: str, values: Mapping[str, Any]) -> Told:
        """Raises IvrError for what can't be done, ValueError for what is no command."""
        asked = Asked(values)
        match do:
            case "hours":
                open_ = None if values.get("open") is None else asked.flag("open")
                reason, until = asked.text("reason"), self._moment(asked, "until")
                await in_time(self._board.set_hours(self._by, open_=open_, until=until, reason=reason))
            case "announce":
                await in_time(self._board.announce(self._by, asked.text("text"), self._moment(asked, "until")))
            case "move":
                priority = None if values.get("priority") is None else asked.number("priority")
                skill = asked.text("skill", LONGEST_NAME)
                await in_time(self._board.move(self._by, asked.number("place"), skill=skill, priority=priority))
            case "skills":
                await in_time(self._board.set_skills(self._by, asked.text("agent", LONGEST_NAME), _skills(values)))
            case "state":
                state, agent = asked.text("state", 10), asked.text("agent", LONGEST_NAME)
                if state not in ("idle", "away"):
                    raise ValueError("state is idle or away")
                await in_time(
                    self._board.set_state(self._by, agent, "idle" if state == "idle" else "away", asked.text("reason"))
                )
            case "supervise":
                await self._supervise(asked)
            case "phone.offer":
                return {"sdp": await self._phone().connect(asked.text("sdp", LONGEST_SDP))}
            case _:
                raise ValueError(f"{do!r} is no command")
        return NOTHING

    async def _supervise(self, asked: Asked) -> None:
        agent = asked.text("agent", LONGEST_NAME)
        match asked.text("how", 10):
            case "listen" | "whisper" | "barge" | "off" as how:
                await self._board.supervise(self._by, self._phone().name, agent, how)
            case _:
                raise ValueError("how is listen, whisper, barge or off")

    def _phone(self) -> BoardPhone:
        if self._handset is None:
            raise IvrError("this line has no browser phones")
        return self._handset

    def _moment(self, asked: Asked, name: str) -> datetime | None:
        text = asked.text(name, 40)
        if not text:
            return None
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone)


def _skills(values: Mapping[str, Any]) -> list[str]:
    found = values.get("skills")
    if not isinstance(found, list) or len(found) > MOST_SKILLS or not all(isinstance(each, str) for each in found):
        raise ValueError("skills is a list of names")
    return found
