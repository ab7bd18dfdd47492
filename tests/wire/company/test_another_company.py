"""The product without the films company: a dentist's office, with flows, an HTTP service and no Python of its own."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]

ROOT = Path(__file__).parents[3]
DENTIST = Path(__file__).parent / "dentist"
PATIENT = "5035550107"
# An editable install would find in the checkout what the copy has not.
NO_CHECKOUT = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if not getattr(f, "__module__", "").startswith("__editable__")]
"""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with the films company taken away."""
    folder = tmp_path_factory.mktemp("product")
    left_out = shutil.ignore_patterns("reference", "__pycache__")
    shutil.copytree(ROOT / "ivr", folder / "ivr", ignore=left_out)
    (folder / "sitecustomize.py").write_text(NO_CHECKOUT)
    return folder


def environment(product: Path) -> Mapping[str, str]:
    return {"PYTHONPATH": str(product), "PYTHONSAFEPATH": "1"}


async def python(product: Path, folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and all that was printed, by the copy."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, **environment(product)},
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


def configured(
    folder: Path, package: str, *, calendar: str = "http://127.0.0.1:9", agent: str = "sip:agent@127.0.0.1:9"
) -> LineSetup:
    service = f'[[flows.services]]\nname = "calendar"\nurl = "{calendar}"'
    extra = f'[company]\npackage = "{package}"\n\n{service}'
    return LineSetup(folder, [AgentPhone(agent, skills=("general",))], flows=DENTIST, extra=extra)


@asynccontextmanager
async def calendar() -> AsyncIterator[tuple[str, list[str]]]:
    """The office's own service: its address, and who was asked for."""
    asked: list[str] = []

    async def appointment(request: web.Request) -> web.Response:
        asked.append(request.match_info["number"])
        return web.json_response({"day": "2026-07-04"})

    app = web.Application()
    app.router.add_get("/patients/{number}/next", appointment)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


async def test_it_is_really_gone(product: Path, tmp_path: Path) -> None:
    code, said = await python(product, tmp_path, "-c", "import ivr; print(ivr.__file__); import ivr.reference")
    assert code == 1
    assert str(product) in said
    assert "No module named 'ivr.reference'" in said


async def test_its_flows_are_checked_and_tested(product: Path, tmp_path: Path) -> None:
    config = str(configured(tmp_path, "").write())
    code, said = await python(product, tmp_path, "-m", "ivr", "flow", "check", "--strict", "--config", config)
    assert (code, "nothing wrong" in said) == (0, True), said
    code, said = await python(product, tmp_path, "-m", "ivr", "flow", "test", "--config", config)
    assert (code, "5 calls, none failed" in said) == (0, True), said
    code, said = await python(product, tmp_path, "-m", "ivr", "db", "seed", "--config", config)
    assert (code, "brings no example data" in said) == (0, True), said


@pytest.mark.parametrize(
    ("package", "why"),
    [("ivr.reference", "there is no package ivr.reference"), ("json", "json has no COMPANY")],
)
async def test_a_wrong_company_is_told_at_once(product: Path, tmp_path: Path, package: str, why: str) -> None:
    config = str(configured(tmp_path, package).write())
    for command in (("flow", "check"), ("serve",), ("db", "status")):
        code, said = await python(product, tmp_path, "-m", "ivr", *command, "--config", config)
        assert code == 2, said
        assert f"[company] package: {why}" in said
        assert "Traceback" not in said
    code, said = await python(product, tmp_path, "-m", "ivr", "doctor", "--config", config)
    assert (code, why in said) == (1, True), said


@pytest.mark.slow
async def test_a_patient_calls(product: Path, tmp_path: Path) -> None:
    """By voice, over real SIP and RTP: the calendar is asked, and zero brings the receptionist."""
    joe = CallerVoice("joe")
    sentence = "when is my next appointment"
    await joe.speak_soon(sentence)
    async with calendar() as (address, asked), Softphone.open() as agent, Softphone.open() as phone:
        await agent.set_incoming("answer", after_s=0.3)
        setup = configured(tmp_path / "line", "", calendar=address, agent=agent.uri)
        setup = replace(setup, environment=environment(product))
        async with (
            RunningLine.running(setup) as line,
            Caller.calling(phone, line.uri, joe, from_number=PATIENT) as caller,
        ):
            await caller.prompt_end()
            await caller.say(sentence)
            await caller.prompt_end()
            (call,) = await line.calls(live=True)
            told = str((await line.get(f"/api/calls/{call['call_id']}"))["transcript"])
            assert asked == [f"+1{PATIENT}"], "services get numbers in E.164"
            assert "July fourth" in told
            await caller.press("0")
            await agent.wait_answered(20)
            assert agent.incoming is not None and agent.incoming.headers["x-ivr-reason"]
