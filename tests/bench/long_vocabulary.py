"""What a vocabulary of 5,000 entries costs a turn, and whether its refresh holds anybody up:
`python -m tests.bench.long_vocabulary`.

Beside it in the same run 150 entries. CPU time of finding a title in a sentence that no phrase covers (``spot``), of
whether it has a rival (``near``); and the longest that the loop stood still while 5,000 others were made ready.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from collections.abc import Callable

from ivr.cli.serve import COLLECT_AT
from ivr.dialogue.understanding.concepts import concepts_of
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.events import Term
from ivr.release.service_vocabularies import made_ready

KINDS = [
    "lamp",
    "chair",
    "table",
    "drill",
    "saw",
    "hammer",
    "kettle",
    "pan",
    "hose",
    "brush",
    "ladder",
    "rope",
    "hinge",
    "bolt",
    "pipe",
    "valve",
    "tile",
    "shelf",
]
MANNERS = [
    "red",
    "blue",
    "green",
    "steel",
    "light",
    "heavy",
    "small",
    "garden",
    "kitchen",
    "winter",
    "copper",
    "velvet",
    "silver",
    "amber",
    "coral",
]
BEGINS = [
    a + b
    for a in ["ba", "de", "ki", "lo", "mu", "na", "po", "ri", "su", "ta", "ve", "zo"]
    for b in ["bar", "den", "kin", "lor", "mus", "nel", "pan"]
]
LANGUAGE = "en-US"
PAUSE_S = 0.02


def products(count: int, seed: int = 3) -> tuple[Term, ...]:
    """Names as catalogues have them: a maker, a manner and a kind."""
    dice, names = random.Random(seed), set[str]()
    while len(names) < count:
        names.add(f"{dice.choice(BEGINS)}{dice.choice(BEGINS)} {dice.choice(MANNERS)} {dice.choice(KINDS)}")
    return tuple(Term(str(number), name.title()) for number, name in enumerate(sorted(names)))


def cpu_ms(work: Callable[[], object], times: int) -> float:
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1000


def measured(count: int) -> tuple[float, float]:
    terms = products(count)
    made_ready(terms, [LANGUAGE])
    vocabulary, carriers = Vocabulary([lexicon(terms, LANGUAGE)]), concepts_of(LANGUAGE).carriers
    words = f"i would like the {terms[7].label.lower()[:-2]}o please".split()
    assert vocabulary.spot(words, carriers)
    some = iter(terms[20:])
    return cpu_ms(lambda: vocabulary.spot(words, carriers), 50), cpu_ms(lambda: vocabulary.near(next(some)), 50)


async def longest_pause(count: int) -> float:
    """Of the loop, in seconds, beyond the millisecond it sleeps."""
    refresh, longest = asyncio.create_task(asyncio.to_thread(made_ready, products(count, seed=9), [LANGUAGE])), 0.0
    while not refresh.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began - 0.001)
    return longest


def main() -> int:
    for count in (150, 5_000):
        spot, near = measured(count)
        print(f"{count:6,} entries: spot {spot:6.2f} ms, near {near:6.2f} ms")
    gc.collect()  # as a line does once it serves
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)
    pause = asyncio.run(longest_pause(5_000))
    print(f"refresh of 5,000: the loop stood still for {pause * 1000:.1f} ms at most (aim: {PAUSE_S * 1000:.0f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
