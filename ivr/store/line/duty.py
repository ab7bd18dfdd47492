"""Agents on duty: consoles that sign in and out, phones of the configuration, what agents and supervisors say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from ivr.errors import IvrError
from ivr.ports.line import AgentState, AgentStatus
from ivr.ports.line_store import BY_ITSELF, CLOSED, SIGNED_IN, SIGNED_OUT, Phone
from ivr.store.database import fit
from ivr.store.line.turn import Turn, seat_of, status_of
from ivr.store.tables import agent_skills, agents

WITH_A_CALL = ("offered", "busy")


async def sign_in(turn: Turn, agent: str, display: str, skills: Sequence[str], phone: str) -> AgentStatus:
    rows = await _seats(turn, agent)
    told: dict[str, Any] = {"console": True, "line": turn.line, "display": fit(display, 100)}
    if not rows:
        await _seat(turn, agent, 1, phone=fit(phone, 200), **told)
    for row in rows:
        mine = dict(told) if row.slot == 1 else {}
        if row.slot == 1 and not row.configured:
            mine["phone"] = fit(phone, 200)
        if mine:
            await turn.connection.execute(update(agents).where(agents.c.seat == row.seat).values(mine))
        if row.console and row.line and row.slot == 1:
            continue  # the page was loaded again: nothing else changes
        if row.state not in WITH_A_CALL:
            await turn.sit(row, "away", SIGNED_IN)
        elif row.slot > 1:
            await turn.connection.execute(update(agents).where(agents.c.seat == row.seat).values(going=SIGNED_IN))
    if skills and not await _skills(turn, agent):
        await set_skills(turn, agent, skills)
    return await status(turn, agent)


async def sign_out(turn: Turn, agent: str) -> None:
    """Whose console is in another process by now is signed in there, and stays it."""
    rows = await _seats(turn, agent)
    if not any(row.console and row.line in ("", turn.line) for row in rows):
        return
    for row in rows:
        phone = {"console": row.console and not row.configured, "line": ""}
        await turn.connection.execute(update(agents).where(agents.c.seat == row.seat).values(phone))
        if row.state not in WITH_A_CALL and (row.configured or row.state != "away"):  # else they said why
            await turn.sit(row, "away", CLOSED if row.configured else SIGNED_OUT)


async def set_state(turn: Turn, agent: str, state: AgentState, reason: str) -> AgentStatus:
    """Raises IvrError for who is no agent, and for what nobody can say of themselves."""
    rows = await _known(turn, agent)
    if state not in ("away", "idle", "wrap_up"):
        raise IvrError(f"nobody can say that {agent} is {state}")
    person = any(row.console for row in rows)
    for row in rows:
        if row.state in WITH_A_CALL:
            going = (fit(reason, 100) or "away") if state == "away" else ""
            await turn.connection.execute(update(agents).where(agents.c.seat == row.seat).values(going=going))
            turn.agents_told.append(
                {"agent": agent, "slot": row.slot, "at": turn.at, "state": row.state, "reason": f"then {state}"}
            )
        elif person and row.slot > 1:
            continue  # a person has one pair of ears
        elif state == "idle" and not row.line:
            raise IvrError(f"{agent} has no console open", remedy="they log in on the console first")
        elif row.state != state or row.reason != reason or row.until is not None:
            await turn.sit(row, state, reason)
    return await status(turn, agent)


async def set_skills(turn: Turn, agent: str, skills: Sequence[str]) -> None:
    """Raises IvrError for who is no agent."""
    await _known(turn, agent)
    await turn.connection.execute(delete(agent_skills).where(agent_skills.c.agent == agent))
    rows = [{"agent": agent, "skill": skill} for skill in dict.fromkeys(fit(each, 40) for each in skills) if skill]
    if rows:
        await turn.connection.execute(insert(agent_skills).values(rows))
    turn.tell(0, "skills", agent, skills=[row["skill"] for row in rows])


async def status(turn: Turn, agent: str) -> AgentStatus:
    rows = await _known(turn, agent)
    return status_of(rows[0], await _skills(turn, agent))


# -- phones of the configuration ---------------------------------------------------------------------------------------


async def look_after(turn: Turn, phones: Collection[Phone]) -> None:
    """Each of ``phones`` has its seats, one for each call that it takes at once, looked after by one process at a time.
    What this process looked after and is no longer configured is gone, or goes when its call is over."""
    for phone in phones:
        rows = {row.slot: row for row in await _seats(turn, phone.name)}
        if not rows or next(iter(rows.values())).configured != _words(phone):
            await _configured(turn, phone, rows)
        person = any(row.console for row in rows.values())
        for slot in range(1, phone.calls + 1):
            if slot not in rows:
                state: AgentState = "idle" if phone.on_duty and not person else "away"
                reason = "" if state == "idle" else SIGNED_IN if person else CLOSED
                told = {"phone": phone.target, "configured": _words(phone), "line": turn.line}
                await _seat(turn, phone.name, slot, state, reason, **told)
            elif not person:
                await _tend(turn, phone, rows[slot])
        await _remove(turn, [row for slot, row in rows.items() if slot > phone.calls])
    names = [phone.name for phone in phones]
    stale = (agents.c.line == turn.line) & ~agents.c.console & agents.c.name.not_in(names)
    await _remove(turn, (await turn.connection.execute(select(agents).where(stale))).all())


async def _tend(turn: Turn, phone: Phone, row: Row[Any]) -> None:
    if row.line not in ("", turn.line):
        return
    if row.line != turn.line or row.phone != phone.target:
        mine = {"line": turn.line, "phone": phone.target}
        await turn.connection.execute(update(agents).where(agents.c.seat == row.seat).values(mine))
    if phone.on_duty and row.state == "away" and row.reason in BY_ITSELF and row.until is None:
        await turn.sit(row, "idle")
    elif not phone.on_duty and row.state == "idle":
        await turn.sit(row, "away", CLOSED)


async def _configured(turn: Turn, phone: Phone, rows: Mapping[int, Row[Any]]) -> None:
    """The configuration says something else than it did: that counts, also over what a supervisor had said."""
    if rows:
        said = {"configured": _words(phone), "phone": phone.target}
        await turn.connection.execute(update(agents).where(agents.c.name == phone.name).values(said))
    await turn.connection.execute(delete(agent_skills).where(agent_skills.c.agent == phone.name))
    skills = [{"agent": phone.name, "skill": fit(skill, 40)} for skill in dict.fromkeys(phone.skills)]
    if skills:
        await turn.connection.execute(insert(agent_skills).values(skills))


async def _remove(turn: Turn, rows: Collection[Row[Any]]) -> None:
    for row in rows:
        if row.state in WITH_A_CALL:
            leaving = update(agents).where(agents.c.seat == row.seat).values(going="no longer configured")
            await turn.connection.execute(leaving)
        else:
            await turn.sit(row, "away", "no longer configured")
            await turn.connection.execute(delete(agents).where(agents.c.seat == row.seat))


def _words(phone: Phone) -> str:
    return fit(",".join(phone.skills) or "-", 400)


# -- rows --------------------------------------------------------------------------------------------------------------


async def _seats(turn: Turn, agent: str) -> Sequence[Row[Any]]:
    query = select(agents).where(agents.c.name == agent).order_by(agents.c.slot).with_for_update()
    return (await turn.connection.execute(query)).all()


async def _known(turn: Turn, agent: str) -> Sequence[Row[Any]]:
    if rows := await _seats(turn, agent):
        return rows
    raise IvrError(
        f"there is no agent {agent}", remedy="agents are accounts that were on the console, and [[desk.agents]]"
    )


async def _skills(turn: Turn, agent: str) -> Sequence[str]:
    query = select(agent_skills.c.skill).where(agent_skills.c.agent == agent).order_by(agent_skills.c.skill)
    return list((await turn.connection.execute(query)).scalars())


async def _seat(
    turn: Turn, agent: str, slot: int, state: AgentState = "away", reason: str = SIGNED_IN, **values: Any
) -> None:
    row = {"seat": seat_of(agent, slot), "name": agent, "slot": slot, "since": turn.at, "idle_at": turn.at}
    made = insert(agents).values(row | {"state": state, "reason": reason} | values).returning(agents)
    seat = (await turn.connection.execute(made)).one()
    await turn.sit(seat, state, reason)
