"""Wording review: everything that a line says, by state, language and persona, read and rewritten by people."""
