"""Findings about registrations: which line registers each trunk, and how its calls come where several share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ivr.cli.finding import Finding
from ivr.config import Config, Trunk
from ivr.ports import RegistrationStatus
from ivr.sip.registration import account_of


def registration_findings(
    config: Config, kept: Mapping[str, RegistrationStatus], *, postgres: bool
) -> Iterator[Finding]:
    """``kept``: as the database has it, by account; none on SQLite, where the one line registers."""
    for trunk in config.sip.trunks:
        if trunk.register_with:
            yield _finding(trunk, kept.get(account_of(trunk)), postgres=postgres)


def _finding(trunk: Trunk, status: RegistrationStatus | None, *, postgres: bool) -> Finding:
    subject = f"registration {trunk.name}"
    if status is None:
        detail = "by no line: none runs" if postgres else "by the one line on this database, while it runs"
        return Finding("note" if postgres else "ok", subject, detail)
    until = f", until {status.expires_at:%Y-%m-%d %H:%M:%S} UTC" if status.expires_at is not None else ""
    told = f"{status.state} by {status.by}{until}" + (f": {status.detail}" if status.detail else "")
    if status.state != "registered":
        return Finding("bad", subject, told, "see sip.registration_failed in that node's log")
    if not trunk.contact:
        remedy = "set contact to the proxy before the lines, and any of them gets its calls"
        return Finding("ok", subject, f"{told}; its calls come to that node alone", remedy)
    return Finding("ok", subject, f"{told}; calls come to {trunk.contact}")
