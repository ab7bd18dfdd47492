"""Pictures of every page of the console, as README promises of `make demo`."""

from __future__ import annotations

from ivr.demo.pages import SHOWN
from ivr.web.navigation import ROOMS
from ivr.web.pages import ROUTES

OF_THE_SCENE = {"/desk", "/login"}  # which are looked at as it is played
NO_PAGES = (
    "/socket",
    "/simulator",
    "/day",
    "/static/{name}",
    "/words/sheet",
    "/words/sound",
    "/desk/recordings/{name}",
    "/api/desk/promises",
)
ELSEWHERE = {"/": "leads to a room", "/login/oidc": "leads to the provider", "/login/oidc/callback": "leads back"}


def test_every_page_is_looked_at() -> None:
    looked = {address.format(call="{call_id}", token="{token}") for address, _ in SHOWN.values()}
    looked = {"/flows/{flow}" if address.startswith("/flows/") else address for address in looked}
    pages = {route.path for route in ROUTES if route.method == "GET" and not route.path.endswith(NO_PAGES)}
    assert pages - looked - OF_THE_SCENE - ELSEWHERE.keys() == set()
    assert {address for address, _ in ROOMS} <= looked | OF_THE_SCENE
