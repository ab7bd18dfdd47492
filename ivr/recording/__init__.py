"""Recordings: what was said in conversations and messages as files, sealed where a key is configured."""
