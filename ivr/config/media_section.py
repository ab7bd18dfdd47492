"""[media] of config.toml: ports, codecs, and how many processes share them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ivr.config.fields import AddressLiteral, MediaPorts
from ivr.config.section import Section
from ivr.media.description import callers_served, port_pairs
from ivr.media.placement import LEGS


class MediaConfig(Section):
    ports: MediaPorts = "16000-16999"
    codecs: tuple[Literal["PCMU", "PCMA", "G722"], ...] = ("PCMU", "PCMA", "G722")
    timeout_s: float = Field(30.0, gt=0)
    processes: int = Field(0, ge=0, le=64)
    legs_per_process: int = Field(LEGS, ge=2, le=10_000)
    browser_addresses: tuple[AddressLiteral, ...] = ()

    @property
    def port_range(self) -> tuple[int, int]:
        low, _, high = self.ports.partition("-")
        return int(low), int(high)

    @property
    def pairs(self) -> int:
        """Of ports."""
        return port_pairs(*self.port_range)[1]

    @property
    def callers(self) -> int:
        """How many callers its ports are enough for, each joined with an agent."""
        return callers_served(self.pairs)

    @model_validator(mode="after")
    def _ports_for_all(self) -> Self:
        if self.processes > self.callers:
            raise ValueError(
                f"media.ports are enough for {self.callers} callers, each with an agent: fewer than there are"
                f" media.processes ({self.processes})"
            )
        return self
