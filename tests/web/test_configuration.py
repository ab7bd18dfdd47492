"""The running configuration by the API: for operators, and without what is secret."""

from __future__ import annotations

import pytest

from tests.web.fakes import serving
from tests.web.people import Roles, browser, log_in


@pytest.mark.parametrize(("role", "status"), [("ops", 200), ("supervisor", 403), ("designer", 403), ("agent", 403)])
async def test_operators_see_it_and_nobody_else(role: str, status: int) -> None:
    people: Roles = {"rosa": ("supervisor",), "sam": (role,)}  # type: ignore[dict-item]
    async with serving(people=people) as (base, _), browser() as sams:
        assert (await log_in(sams, base, "sam")).status == 303
        async with sams.get(f"{base}/api/config") as answer:
            assert answer.status == status


async def test_programs_show_the_token() -> None:
    async with serving(token="hunter2") as (base, session):
        for token, status in (("hunter2", 200), ("guessed", 401)):
            async with session.get(f"{base}/api/config", headers={"Authorization": f"Bearer {token}"}) as answer:
                assert answer.status == status
