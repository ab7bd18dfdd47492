"""Spoken language, apart from any business: one file a language; normalisation, similarity. Pure."""
