"""Synthesisers, one file a vendor. They run in worker processes."""
