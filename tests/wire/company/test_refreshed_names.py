"""Names of a company's service: said by voice over a real call, those that came while the line was running too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ivr.__main__ import main
from ivr.demo.line import AgentPhone, LineSetup, RunningLine
from ivr.softphone.phone import Softphone
from ivr.softphone.script import Caller
from ivr.softphone.voices import CallerVoice
from tests.wire.line.watching import logged, mark

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]

FROM_FILE = "  people: people.csv\n"
FROM_SERVICE = "  people: {service: office, path: /people, list: /people, id: /id, label: /name, refresh: 5s}\n"
BEFORE, LATER = "Ada Hart", "Walter Brown"


class Office:
    """The company's computer system."""

    def __init__(self) -> None:
        self.names = [BEFORE, "Grace Okafor"]
        self.noted: list[str] = []

    async def people(self, _: web.Request) -> web.Response:
        return web.json_response({"people": [{"id": name.split()[0].lower(), "name": name} for name in self.names]})

    async def note(self, request: web.Request) -> web.Response:
        self.noted.append(request.match_info["person"])
        return web.json_response({}, status=201)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.add_routes([web.get("/people", self.people), web.post("/people/{person}/messages", self.note)])
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


async def message_for(name: str, line: RunningLine, phone: Softphone, voice: CallerVoice) -> None:
    since = mark(line)
    async with Caller.calling(phone, line.uri, voice, from_number="5035550101") as caller:
        await caller.prompt_end()
        await caller.say(f"a message for {name}")
        await caller.prompt_end()
        await caller.say("yes")
        await logged(line, "dialogue.action", since=since, action="message.note", outcome="ok")


@pytest.mark.slow
async def test_a_name_that_came_while_the_line_runs_is_understood(tmp_path: Path) -> None:
    made, office, joe = tmp_path / "office", Office(), CallerVoice("joe")
    assert main(["new", str(made), "--template", "reception", "--company", "Riverside"]) == 0
    company = made / "flows" / "company.yaml"
    assert FROM_FILE in company.read_text()
    company.write_text(company.read_text().replace(FROM_FILE, FROM_SERVICE))
    for sentence in (f"a message for {BEFORE}", f"a message for {LATER}", "yes"):
        await joe.speak_soon(sentence)
    async with office.serving() as url, Softphone.open() as agent, Softphone.open() as phone:
        setup = LineSetup(
            tmp_path / "line",
            [AgentPhone(agent.uri, skills=("general",))],
            flows=made / "flows",
            extra=f'[company]\npackage = ""\n\n[[flows.services]]\nname = "office"\nurl = "{url}"',
        )
        async with RunningLine.running(setup) as line:
            await message_for(BEFORE, line, phone, joe)
            since = mark(line)
            office.names.append(LATER)
            await logged(line, "vocabulary.loaded", since=since, vocabulary="people", terms=3)
            await message_for(LATER, line, phone, joe)
    assert office.noted == ["ada", "walter"]
