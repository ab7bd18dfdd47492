"""Limits: what one source, one server and one process may take of this machine, so that nobody takes it from calls."""
