"""`make demo`: the real service, phoned by an independent softphone; a live transcript and proof of the outcome."""
