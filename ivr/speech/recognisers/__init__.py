"""Recognisers, one file a vendor, and the search constrained to a grammar. They run in worker processes."""
