"""Configuration for what the line runs in (systemd, a container) and what stands around it (PBX, proxy, monitoring):
files to copy, printed by ``ivr deploy NAME``."""

from __future__ import annotations

from importlib.resources import files

from ivr.errors import ConfigError

NAMES = {
    "asterisk": ("asterisk.conf", "Asterisk in front of the line: pjsip.conf and extensions.conf"),
    "freeswitch": ("freeswitch.xml", "FreeSWITCH in front of the line: a gateway and a dialplan entry"),
    "alerts": ("alerts.yaml", "alert rules for Prometheus; what to do about each stands in README.md beside them"),
    "dashboard": ("dashboard.json", "a dashboard for Grafana"),
    "kamailio": ("kamailio.cfg", "Kamailio in front of several lines: the whole kamailio.cfg"),
    "kamailio-tls": ("tls.cfg", "its certificates, where callers or lines speak TLS: tls.cfg"),
    "systemd": ("ivr.service", "the line as a service: ivr.service, with watchdog and hardening"),
    "logrotate": ("logrotate.conf", "its log and call detail records, renamed daily, deleted after 90 days"),
    "container": ("Containerfile", "the line as a container: rootless, with a read-only root"),
    "config": ("config.toml", "config.toml of a line that is installed, for both of these"),
    "runbook": ("README.md", "how it is installed, upgraded, backed up; how many calls it carries; what alerts mean"),
}


def text(name: str) -> str:
    """The file called ``name`` above, ready to edit. Raises ConfigError for another name."""
    if name not in NAMES:
        raise ConfigError(f"there is nothing to deploy called {name}", remedy=f"one of {', '.join(NAMES)}")
    return files("ivr.deploy").joinpath(NAMES[name][0]).read_text(encoding="utf-8")
