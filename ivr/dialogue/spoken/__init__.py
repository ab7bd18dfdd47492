"""Spoken language, apart from any business: one file a language; tags, similarity. Pure."""
