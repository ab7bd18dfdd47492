"""Simulated calls: the dialogue driven by text, on the real actions."""
