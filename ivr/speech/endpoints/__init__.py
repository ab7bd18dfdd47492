"""Endpoints: recognisers and synthesisers that run elsewhere, one file a vendor. The line asks them; nothing depends on
them."""
