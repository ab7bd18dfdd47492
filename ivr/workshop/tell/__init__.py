"""Flows in plain words: explanations, routes, sample sentences."""
