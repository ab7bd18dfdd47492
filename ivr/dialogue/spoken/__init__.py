"""Spoken language, apart from any business: numbers, dates, concepts and the line's own prompts, by language. Pure."""
