"""Estimated mean opinion score of a call's received audio: the E-model (ITU-T G.107), for G.711 and G.722 legs.

R = 93.2 - Id - Ie,eff, with the defaults of G.107 for all that is not measured; Ie,eff by random loss and the codec's
robustness with concealment (G.113 appendix I); the delay that jitter buffering adds counts into Id."""

from __future__ import annotations

BASE_DELAY_MS = 60.0  # packetisation, playout and a network nearby
ROBUSTNESS = 25.1  # Bpl of G.711 with concealment
BEST = 93.2


def mos(received: int, lost: int, jitter_ms: float) -> float | None:
    """1.0 to 4.4, from packets that came and packets that didn't; None where none came."""
    if received <= 0:
        return None
    loss = 100.0 * lost / (received + lost)
    delay_ms = BASE_DELAY_MS + 2.0 * jitter_ms
    impairment = 0.024 * delay_ms + (0.11 * (delay_ms - 177.3) if delay_ms > 177.3 else 0.0)
    r = BEST - impairment - 95.0 * loss / (loss + ROBUSTNESS)
    if r <= 0:
        return 1.0
    return round(1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6, 2)
