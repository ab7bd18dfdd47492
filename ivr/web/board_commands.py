"""Commands of the supervisor's page: what it may ask of the board, read once, and told back."""

from __future__ import annotations

from datetime import tzinfo

from ivr.errors import IvrError
from ivr.ports import Account
from ivr.web.backend import Board, BoardPhone, in_time
from ivr.web.command_socket import LONGEST_SDP, NOTHING, Asked, Told

LONGEST_NAME = 100
MOST_SKILLS = 50


class BoardCommands:
    """Of one open page: ``command_socket.Commands``. ``zone``: of moments that come without an offset. ``handset``: the
    page's phone; None where a page can't be one."""

    def __init__(self, board: Board, account: Account, zone: tzinfo, handset: BoardPhone | None) -> None:
        self._board = board
        self._by = account.name
        self._zone = zone
        self._handset = handset

    async def obey(self, do: str, asked: Asked) -> Told:
        match do:
            case "hours":
                open_ = asked.flag("open") if asked.given("open") else None
                reason, until = asked.text("reason"), asked.moment("until", self._zone)
                await in_time(self._board.set_hours(self._by, open_=open_, until=until, reason=reason))
            case "announce":
                await in_time(self._board.announce(self._by, asked.text("text"), asked.moment("until", self._zone)))
            case "move":
                priority = asked.number("priority") if asked.given("priority") else None
                skill = asked.text("skill", LONGEST_NAME)
                await in_time(self._board.move(self._by, asked.number("place"), skill=skill, priority=priority))
            case "skills":
                agent, skills = asked.text("agent", LONGEST_NAME), asked.texts("skills", MOST_SKILLS)
                await in_time(self._board.set_skills(self._by, agent, skills))
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
