"""The reference deployment: ``titles.json`` (name, year, director, further ways to say it) and ``members.json``."""
