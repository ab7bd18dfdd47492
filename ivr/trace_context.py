"""Trace context (W3C): the ids under which a call's spans, its log lines and a company's own traces find each other.

All of them follow from the call's id, so that nothing about tracing need be kept while the call goes on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_TOP = 1 << 64


def trace_id(call_id: str) -> int:
    """128 bits, never 0."""
    return int.from_bytes(_digest(call_id)[:16], "big") or 1


def span_id(call_id: str, name: str) -> int:
    """64 bits, never 0; ``name`` tells one span of the call from another."""
    return int.from_bytes(_digest(f"{call_id}/{name}")[:8], "big") or 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """``share`` of the calls are traced, 0 to 1: by their ids, so that everybody who knows the id knows whether."""

    share: float = 0.0

    def takes(self, call_id: str) -> bool:
        return trace_id(call_id) % _TOP < self.share * _TOP

    def traceparent(self, call_id: str, name: str) -> str:
        """The header for whom the span ``name`` asks; "" where nothing is ever traced."""
        if not self.share:
            return ""
        return f"00-{trace_id(call_id):032x}-{span_id(call_id, name):016x}-{'01' if self.takes(call_id) else '00'}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
