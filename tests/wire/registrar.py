"""A registrar: Kamailio's, with digest authentication, which says after each REGISTER what it knows of the account."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ivr.config import Address
from tests.wire.kamailio import Kamailio, running
from tests.wire.ports import free_port

HOST = "127.0.0.5"
USER, PASSWORD = "ivr", "s3cret"

CONFIGURATION = """\
listen=udp:{address}
auto_aliases=no
children=1
loadmodule "tm.so"
loadmodule "tmx.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("registrar", "xavp_cfg", "reg")

request_route {{
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (is_method("REGISTER")) {{
        if (!pv_www_authenticate("$td", "{password}", "0")) {{ www_challenge("$td", "0"); exit; }}
        save("location");
        if (reg_fetch_contacts("location", "$tu", "now")) {{
            xlog("L_WARN", "knows $(ulc(now=>count)): $(ulc(now=>addr)[0]) $(ulc(now=>addr)[1])\\n");
        }} else {{
            xlog("L_WARN", "knows 0:\\n");
        }}
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); }}
        exit;
    }}
    if (is_method("CANCEL|ACK")) {{
        if (t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    record_route();
    if (!lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    xlog("L_WARN", "rings $ru\\n");
    t_relay();
}}
"""


@dataclass(slots=True)
class Registrar:
    """``account``: in config.toml's words of a trunk, but for its name."""

    kamailio: Kamailio

    @property
    def account(self) -> str:
        return (
            f'register = "sip:{self.kamailio.target}"\nusername = "{USER}"\npassword = "env:REGISTRAR_PASSWORD"\n'
            "expires_s = 300"
        )

    @property
    def known(self) -> Sequence[Sequence[str]]:
        """After each REGISTER: HOST:PORT of every contact."""
        found = [said.partition("knows ")[2] for said in self.kamailio.said if "knows " in said]
        return [re.findall(r"sip:[^@ ]*@([^; ]+)", told) for told in found]

    async def until(self, fits: Callable[[Sequence[str]], bool], timeout_s: float = 30.0) -> None:
        """The contacts that it knows now are such."""
        try:
            async with asyncio.timeout(timeout_s), self.kamailio._changed:
                await self.kamailio._changed.wait_for(lambda: bool(self.known) and fits(self.known[-1]))
        except TimeoutError:
            raise AssertionError("\n".join(self.kamailio.said[-30:])) from None


@asynccontextmanager
async def registrar() -> AsyncIterator[Registrar]:
    folder = Path(tempfile.mkdtemp(prefix="ivr-reg-"))
    made = Kamailio(Address(HOST, free_port(HOST)), folder)
    path = folder / "kamailio.cfg"
    path.write_text(CONFIGURATION.format(address=made.address, password=PASSWORD))
    async with running(made, path):
        yield Registrar(made)
