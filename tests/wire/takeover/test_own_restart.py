"""A line that is alone, on SQLite, is killed and started again: it is its own heir."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.demo.line import LineSetup, RunningLine
from tests.wire.line.watching import dialogs_kept, logged, stored, until
from tests.wire.ports import free_port
from tests.wire.takeover.telephone import Telephone

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_its_calls_go_on_once_it_is_back(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    setup = LineSetup(tmp_path / "line", sip=address)
    phones = [await Telephone.ready(None, f"503555010{n}") for n in (2, 3)]
    async with RunningLine.running(setup) as before:
        for phone in phones:
            assert await phone.call(f"line@{address}") == 200
            await phone.until_heard()
        phones[0].press("3")
        (entry,) = [await logged(before, "dialogue.key")]

        async def kept() -> bool:
            told = stored(before, "SELECT kind FROM call_entries WHERE call_id = ?", entry["call_id"])
            return dialogs_kept(before) == 2 and ("key",) in told

        await until(kept)
        died = phones[0].now()
        before.process.kill()
        await before.process.wait()
        async with RunningLine.running(setup, seeded=True) as again:
            for phone in phones:
                await phone.until_heard(died)
            print(f"heard again after {min(at for at in phones[0].heard.begun if at > died) - died:.1f} s")
            live = {call["call_id"] for call in await again.calls(live=True)}
            assert entry["call_id"] in live and len(live) == 2
            assert all(phone.reinvited and not phone.refused_cseq for phone in phones)
            assert [await phone.hang_up() for phone in phones] == [200, 200]
            await logged(again, "call.end", call_id=entry["call_id"])
            told = (await again.get(f"/api/calls/{entry['call_id']}"))["entries"]
            assert "taken_over" in [each["kind"] for each in told]
            assert [each["kind"] for each in told].count("key") == 1
