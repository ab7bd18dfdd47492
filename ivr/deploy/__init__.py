"""Configuration for what stands around the line (PBX, proxy, monitoring), printed by ``ivr deploy NAME``."""

from __future__ import annotations

from importlib.resources import files

from ivr.errors import ConfigError

NAMES = {
    "asterisk": ("asterisk.conf", "Asterisk in front of the line: pjsip.conf and extensions.conf"),
    "freeswitch": ("freeswitch.xml", "FreeSWITCH in front of the line: a gateway and a dialplan entry"),
    "alerts": ("alerts.yaml", "alert rules for Prometheus; what to do about each stands in README.md beside them"),
    "dashboard": ("dashboard.json", "a dashboard for Grafana"),
    "kamailio": ("kamailio.cfg", "Kamailio in front of several lines: the whole kamailio.cfg"),
}


def text(name: str) -> str:
    """The file called ``name`` above, ready to edit. Raises ConfigError for another name."""
    if name not in NAMES:
        raise ConfigError(f"there is nothing to deploy called {name}", remedy=f"one of {', '.join(NAMES)}")
    return files("ivr.deploy").joinpath(NAMES[name][0]).read_text(encoding="utf-8")
