"""Agents' phones, and the conversations that they have with callers."""
