"""Registry of the languages that the line speaks. A further one is two files like English's and a line here.

Also the system prompts: what the line says by itself when ``universals.yaml`` has no words for it. It is never silent.
"""

from __future__ import annotations

from ivr.dialogue.spoken.english import ENGLISH
from ivr.dialogue.spoken.language import Language, primary
from ivr.dialogue.spoken.spanish import SPANISH

LANGUAGES: dict[str, Language] = {language.tag: language for language in (ENGLISH, SPANISH)}
SYSTEM_PROMPTS: tuple[str, ...] = tuple(ENGLISH.prompts)


def words_for(tag: str) -> Language:
    """The language of a tag. A call in a language that nobody has written here is spoken in English, not in silence."""
    return LANGUAGES.get(primary(tag), ENGLISH)
