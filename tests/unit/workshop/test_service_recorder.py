"""`ivr flow simulate --record`: the real services' answers as mock files, without what is somebody's own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from ivr.__main__ import main
from ivr.workshop.folder import folders, library_of
from ivr.workshop.simulate.personal_data import PersonalData, personal_names, secret_names

CALLER, TOKEN = "4152367788", "s3cr3t-token"
MORNING = "2026-03-03T10:00"
NEVER = 60


class Practice:
    """A dentist's system: its patients, and what is free."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path}")
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        match request.method, request.path:
            case "GET", "/api/patients":
                assert request.query["phone"] == f"+1{CALLER}"
                ada = {"id": "p1", "name": "Adriana Quimby", "appointment": "Tuesday, March tenth, at nine"}
                return web.json_response({**ada, "email": "ada@quimby.org", "mobile": CALLER, "via": TOKEN})
            case "GET", "/api/free_times":
                times = [{"id": "09:30", "label": "nine thirty"}, {"id": "14:00", "label": "two o'clock"}]
                return web.json_response({"spoken": "nine thirty, or two o'clock", "times": times})
            case "PUT", "/api/patients/p1/appointments/next":
                return web.json_response({"told": f"+1 {CALLER[:3]} {CALLER[3:6]} {CALLER[6:]}"})
        return web.json_response({}, status=500)


@pytest.fixture
async def practice() -> AsyncIterator[tuple[Practice, str]]:
    practice = Practice()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", practice.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        yield practice, str(server.make_url("/api"))


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["new", ".", "--template", "dentist", "--company", "Riverside Dental"]) == 0
    return tmp_path


def called_for_real(line: Path, url: str) -> None:
    config = line / "config.toml"
    text = config.read_text().replace("http://127.0.0.1:8090", url)
    text = text.replace("# headers =", "headers =").replace("# secrets =", "secrets =")
    config.write_text(text.replace("env:SERVICE_TOKEN", "env:PRACTICE_TOKEN"))


async def simulate(typed: str, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ivr", "flow", "simulate", "main", "--at", MORNING, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(NEVER):
        out, err = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


MOVE = "move my appointment\nMarch twelfth\ntwo o'clock\nyes\n"


async def test_what_the_real_service_answered_is_replayed(
    practice: tuple[Practice, str], line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRACTICE_TOKEN", TOKEN)
    real, url = practice
    called_for_real(line, url)
    code, out, err = await simulate(MOVE, "--from", CALLER, "--record", "recorded")
    assert code == 0, err
    assert "Hi, Adriana Quimby." in out and "See you on" in out
    assert real.asked[0] == "GET /api/patients" and "PUT /api/patients/p1/appointments/next" in real.asked

    made = line / "recorded" / "practice.mock.yaml"
    text = made.read_text()
    for private in (TOKEN, CALLER, "Quimby", "Adriana", CALLER[:3], CALLER[6:]):
        assert private not in text, text
    recorded = yaml.safe_load(text)
    assert recorded["mock"] == "practice"
    asked = [each["on"] for each in recorded["answers"]]
    assert sorted(set(asked)) == ["GET /free_times", "GET /patients", "PUT /patients/p1/appointments/next"]

    made.replace(line / "flows" / "practice.mock.yaml")
    before = list(real.asked)
    code, out, err = await simulate(MOVE, "--from", "5035550150")
    assert code == 0, err
    assert "Hi, Somebody." in out and "See you on" in out
    assert real.asked == before, "nobody is asked any more"


async def test_what_is_there_is_not_written_over(
    practice: tuple[Practice, str], line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRACTICE_TOKEN", TOKEN)
    called_for_real(line, practice[1])
    mock = (line / "flows" / "practice.mock.yaml").read_text()
    code, _, err = await simulate("", "--record", "flows")
    assert code == 2 and "is there already" in err
    assert (line / "flows" / "practice.mock.yaml").read_text() == mock
    assert practice[0].asked == []


async def test_a_service_that_is_silent_is_silent_again(line: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setenv("PRACTICE_TOKEN", TOKEN)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", never)
    async with TestServer(app, host="127.0.0.1") as server:
        called_for_real(line, str(server.make_url("/api")))
        config = line / "config.toml"
        config.write_text(config.read_text().replace('name = "practice"\n', 'name = "practice"\ntimeout_s = 0.2\n'))
        code, _, err = await simulate("", "--record", "recorded")
    assert code == 0, err
    (only,) = yaml.safe_load((line / "recorded" / "practice.mock.yaml").read_text())["answers"]
    assert only["on"] == "GET /patients" and only["silent"] is True


def test_what_is_declared_secret_is_replaced_by_its_name(line: Path) -> None:
    company = line / "flows" / "company.yaml"
    company.write_text(
        company.read_text() + "  patient.prove:\n    service: practice\n    path: /proofs\n    body: {code: pin}\n"
        "    parameters: {pin: {type: digits, secret: true}}\n"
    )
    library = library_of(folders([line / "flows"], None)[0])
    secrets = secret_names(library)
    assert {"pin", "code"} <= secrets
    assert personal_names(library) == {"name"}
    data = PersonalData(secrets, personal_names(library), [TOKEN])
    proof = {"code": "7788", "count": 7788, "note": f"said {TOKEN}", "terms": [{"title": "Casablanca"}], "ok": True}
    data.learn(proof)
    assert data.masked(proof) == {
        "code": "1234",
        "count": 1234,  # the same value elsewhere
        "note": "said secret",
        "terms": [{"title": "Casablanca"}],
        "ok": True,
    }
    assert data.text("call +14152367788 or (415) 236-7788") == "call +15035550150 or 5035550150"
    assert data.text("on 2026-03-10 at 14:00, order 204711") == "on 2026-03-10 at 14:00, order 204711"
    assert data.masked({"phone": "+15035550102"}) == {"phone": "+15035550102"}
