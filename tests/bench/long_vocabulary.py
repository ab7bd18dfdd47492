"""What a vocabulary of 5,000 entries costs a turn, and whether its refresh holds anybody up:
`python -m tests.bench.long_vocabulary`.

Beside it in the same run 150 entries. CPU time of whole turns: a caller's sentences through the line's recogniser with
the grammar of the state, and what was heard through the dialogue to its answer. Of these, apart: finding a title in a
sentence that no phrase covers (``spot``), and whether it has a rival (``near``). And the longest that the loop stood
still while 5,000 others were made ready.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.cli.serve import COLLECT_AT
from ivr.dialogue.engine.contract import SpeechHeard
from ivr.dialogue.understanding.concepts import concepts_of
from ivr.dialogue.understanding.lexicon import Vocabulary, lexicon
from ivr.events import Term
from ivr.release.service_vocabularies import made_ready
from ivr.softphone.voices import CallerVoice
from ivr.speech.recognisers.moonshine import MoonshineRecogniser
from ivr.speech.worker.recogniser_process import samples_of
from tests.acceptance.line import InnerLine
from tests.films import actions_on, films_on, films_store

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
MOST = 1.2  # times the turn with 150 entries
VOICE, TIMES = "joe", 5
SENTENCES = (
    "add citizen kane",
    "put vertigo at the top",
    "i'd like to watch the third man next",
    "please add some like it hot to my queue",
    "remove casablanca",
    "what's next",
    "colourless green ideas sleep furiously",
)


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


async def turns(counts: Sequence[int]) -> dict[int, list[tuple[float, float]]]:
    """For each size of the catalogue: CPU in ms of hearing and of answering, a turn each. The sizes take turns, so that
    what neighbours take is shared. The first round makes the grammars ready; the first turn of it is printed and none
    is counted."""
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in counts}
    recogniser, voice = MoonshineRecogniser(), CallerVoice(VOICE)
    recogniser.load()
    said = [samples_of(voice.speak(sentence)) for sentence in SENTENCES]
    with tempfile.TemporaryDirectory() as folder:
        store = films_store(f"sqlite+aiosqlite:///{Path(folder) / 'films.sqlite3'}", timeout_s=30.0)
        await store.upgrade()
        await films_on(store).seed()
        own = await actions_on(store).vocabulary("catalogue")
        terms = {count: (*own, *products(max(0, count - len(own)))) for count in counts}
        for each in terms.values():
            made_ready(each, [LANGUAGE])
        for round_ in range(TIMES + 1):
            for speech in said:
                for count in counts:
                    line = InnerLine(store, terms[count], "5035550101")
                    await line.begin()
                    assert line.listening is not None
                    began = time.process_time()
                    heard = recogniser.recognise(speech, line.listening.grammar.speech)
                    then = time.process_time()
                    await line.feed(SpeechHeard(heard, line.listening.token))
                    if not round_ and speech is said[0]:
                        print(
                            f"{count:6,} entries: the first turn of all {(time.process_time() - began) * 1000:.0f} ms"
                        )
                    if round_:
                        found[count].append(((then - began) * 1000, (time.process_time() - then) * 1000))
        await store.close()
    return found


async def longest_pause(count: int) -> float:
    """Of the loop, in seconds, beyond the millisecond it sleeps."""
    refresh, longest = asyncio.create_task(asyncio.to_thread(made_ready, products(count, seed=9), [LANGUAGE])), 0.0
    while not refresh.done():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - began - 0.001)
    return longest


def main() -> int:
    whole = asyncio.run(turns((150, 5_000)))
    means = {count: sum(map(sum, found)) / len(found) for count, found in whole.items()}
    for count, found in whole.items():
        hearing, answering = (sum(part) / len(found) for part in zip(*found, strict=True))
        print(f"{count:6,} entries: a turn {means[count]:6.1f} ms: hearing {hearing:.1f}, answering {answering:.1f}")
    few, many = means.values()
    print(f"a turn with 5,000 costs {many / few:.2f} of one with 150 (aim: {MOST}); load {os.getloadavg()[0]:.1f}")
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
